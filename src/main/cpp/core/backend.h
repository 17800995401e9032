// core/backend.h: the table that every backend fills, one entry per kernel loss.
//
// core checks the arguments of a C call once, turns them into the loss's Args struct
// (core/<loss>_args.h, by core/loss_entry.h) and hands over to the context's backend. A backend may
// trust its Args.
#ifndef STRUCTKD_CORE_BACKEND_H
#define STRUCTKD_CORE_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "core/check.h"
#include "core/kernel_list.h"  // made by cmake/kernels.cmake of the files in core/
#include "structkd/core.h"

namespace structkd {

#define STRUCTKD_DECLARE_ARGS(entry, Args) struct Args;
STRUCTKD_KERNELS(STRUCTKD_DECLARE_ARGS)

// Where a kernel runs: on a stream of a GPU, or on so many threads.
struct Launch {
  void* stream;
  int threads;
};

template <class Args>
struct Kernel {
  // Bytes of scratch; depends on shapes, params, threads and whether a gradient is wanted.
  size_t (*workspace)(const Launch&, const Args&);
  // Value and, where args ask for it, gradient. Sets the plan.
  void (*run)(const Launch&, const Args&, void* workspace);
};

struct Backend {
  const char* name;
  const char* description;
#define STRUCTKD_TABLE_ENTRY(entry, Args) Kernel<Args> entry;
  STRUCTKD_KERNELS(STRUCTKD_TABLE_ENTRY)
};

// STRUCTKD_KERNELS(STRUCTKD_DECLARE_KERNEL) in a backend's namespace declares its functions,
// STRUCTKD_KERNELS(STRUCTKD_TABLE_VALUE) there fills its table.
#define STRUCTKD_DECLARE_KERNEL(entry, Args)            \
  size_t entry##_workspace(const Launch&, const Args&); \
  void entry(const Launch&, const Args&, void* workspace);
#define STRUCTKD_TABLE_VALUE(entry, Args) {entry##_workspace, entry},

// Called once per backend when its library is opened. The table must live as long as the process.
STRUCTKD_API void register_backend(const Backend& backend);

// The context's backend and launch settings; an unknown name or threads < 1 is an Error.
const Backend& find_backend(const char* loss, const structkd_ctx* ctx);
Launch launch_of(const structkd_ctx& ctx);

void require_kernel(const char* loss, const Backend& backend, bool present);

// Memory of the context's allocator; nullptr for 0 bytes. None, or one that gives nothing, is an
// Error.
void* allocated_workspace(const char* loss, const structkd_ctx& ctx, size_t bytes);

template <class Args>
const Kernel<Args>& find_kernel(const char* loss,
                                const structkd_ctx* ctx,
                                Kernel<Args> Backend::* entry) {
  const Backend& backend = find_backend(loss, ctx);
  const Kernel<Args>& kernel = backend.*entry;
  require_kernel(loss, backend, kernel.run != nullptr);
  return kernel;
}

// What the C entries of a kernel do once its Args are checked.
template <class Args>
size_t workspace_bytes(const char* loss,
                       const structkd_ctx* ctx,
                       Kernel<Args> Backend::* entry,
                       const Args& args) {
  return find_kernel(loss, ctx, entry).workspace(launch_of(*ctx), args);
}

template <class Args>
void run(const char* loss,
         const structkd_ctx* ctx,
         Kernel<Args> Backend::* entry,
         const Args& args,
         void* workspace) {
  const Kernel<Args>& kernel = find_kernel(loss, ctx, entry);
  const Launch launch = launch_of(*ctx);
  if (workspace == nullptr) {
    workspace = allocated_workspace(loss, *ctx, kernel.workspace(launch, args));
  }
  require_aligned_workspace(loss, workspace);
  kernel.run(launch, args, workspace);
}

}  // namespace structkd

#endif  // STRUCTKD_CORE_BACKEND_H
