// simt/launch.h: what STRUCTKD_ENQUEUE does here: the grid has run when it returns. Launches of
// several host threads exclude each other.
#ifndef STRUCTKD_SIMT_LAUNCH_H
#define STRUCTKD_SIMT_LAUNCH_H

#include <stddef.h>

#include <tuple>

#include "simt/thread.h"

namespace simt {

// Name of the kernel, as reports and counts show it: what __PRETTY_FUNCTION__ of launch.cuh's
// launch() says about its template argument, or the function that enqueued.
struct KernelName {
  const char* function;
};

void launch(KernelName name,
            dim3 grid,
            dim3 block,
            size_t shared_bytes,
            void (*thread)(void* arguments),
            void* arguments);

template <class Kernel, class... Arguments>
struct Call {
  Kernel kernel;
  std::tuple<Arguments...> arguments;

  static void run(void* self) {
    const Call& call = *static_cast<Call*>(self);
    std::apply(call.kernel, call.arguments);
  }
};

template <class Kernel, class... Arguments>
void enqueue(KernelName name,
             Kernel kernel,
             dim3 grid,
             dim3 block,
             size_t shared_bytes,
             Arguments... arguments) {
  Call<Kernel, Arguments...> call = {kernel, {arguments...}};
  launch(name, grid, block, shared_bytes, call.run, &call);
}

}  // namespace simt

// Each thread calls the kernel and so gets copies of its own. A call by name, not by pointer, or
// g++ would not instantiate some templates.
#define STRUCTKD_ENQUEUE(kernel, grid, block, shared_bytes, stream, ...)                      \
  ((void)(stream),                                                                            \
   simt::enqueue(                                                                             \
       {__PRETTY_FUNCTION__}, [](const auto&... arguments_) { kernel(arguments_...); }, grid, \
       block, shared_bytes, ##__VA_ARGS__))

#endif  // STRUCTKD_SIMT_LAUNCH_H
