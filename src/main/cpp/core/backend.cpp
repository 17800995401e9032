// core/backend.cpp: the registry of backends.
#include "core/backend.h"

#include <atomic>
#include <cinttypes>
#include <cstring>
#include <string>

#include "core/check.h"
#include "core/error.h"

namespace structkd {
namespace {

// Registration happens while libraries are opened, look-ups all the time: a fixed array that only
// grows needs no lock for readers.
constexpr int kMaxBackends = 8;
const Backend* backends[kMaxBackends];
std::atomic<int> backend_count{0};

const Backend* backend_named(const char* name) {
  const int count = backend_count.load(std::memory_order_acquire);
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(backends[i]->name, name) == 0) return backends[i];
  }
  return nullptr;
}

}  // namespace

void register_backend(const Backend& backend) {
  if (backend_named(backend.name) != nullptr) return;
  const int index = backend_count.load(std::memory_order_relaxed);
  if (index == kMaxBackends) return;
  backends[index] = &backend;
  backend_count.store(index + 1, std::memory_order_release);
}

const Backend& find_backend(const char* loss, const structkd_ctx* ctx) {
  require_given(loss, "ctx", ctx);
  require_given(loss, "ctx->backend", ctx->backend);
  if (ctx->threads < 1) {
    fail(STRUCTKD_ERR_VALUE, "%s: ctx->threads is %" PRId32 ", expected at least 1", loss,
         ctx->threads);
  }
  const Backend* backend = backend_named(ctx->backend);
  if (backend != nullptr) return *backend;
  std::string known;
  for (int i = 0; const char* name = structkd_backend_name(i); ++i) {
    known += (i > 0 ? ", " : "") + std::string(name);
  }
  fail(STRUCTKD_ERR_BACKEND, "%s: there is no backend \"%s\", expected one of: %s", loss,
       ctx->backend, known.c_str());
}

Launch launch_of(const structkd_ctx& ctx) { return Launch{ctx.stream, ctx.threads}; }

void require_kernel(const char* loss, const Backend& backend, bool present) {
  if (present) return;
  fail(STRUCTKD_ERR_BACKEND, "%s: the backend \"%s\" has no kernel for it", loss, backend.name);
}

void* allocated_workspace(const char* loss, const structkd_ctx& ctx, size_t bytes) {
  if (bytes == 0) return nullptr;
  if (ctx.allocator.allocate == nullptr) {
    fail(STRUCTKD_ERR_NULL, "%s: workspace is NULL", loss);
  }
  void* workspace = ctx.allocator.allocate(ctx.allocator.owner, bytes);
  if (workspace == nullptr) {
    fail(STRUCTKD_ERR_WORKSPACE, "%s: ctx->allocator gave no memory for a workspace of %zu bytes",
         loss, bytes);
  }
  return workspace;
}

}  // namespace structkd

const char* structkd_backend_name(int32_t index) {
  using structkd::backend_count;
  const bool known = index >= 0 && index < backend_count.load(std::memory_order_acquire);
  return known ? structkd::backends[index]->name : nullptr;
}

const char* structkd_backend_description(const char* name) {
  const structkd::Backend* backend = name == nullptr ? nullptr : structkd::backend_named(name);
  return backend == nullptr ? nullptr : backend->description;
}

int structkd_has_kernel(const char* name, const char* loss) {
  const structkd::Backend* backend = name == nullptr ? nullptr : structkd::backend_named(name);
  if (backend == nullptr || loss == nullptr) return 0;
#define STRUCTKD_HAS_ENTRY(entry, Args) \
  if (std::strcmp(loss, #entry) == 0) return backend->entry.run != nullptr;
  STRUCTKD_KERNELS(STRUCTKD_HAS_ENTRY)
  return 0;
}
