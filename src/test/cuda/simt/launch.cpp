#include "simt/launch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "simt/block.h"
#include "simt/device.h"
#include "simt/order.h"
#include "simt/report.h"
#include "simt/runtime_api.h"

namespace simt {
namespace {

// Not std::mutex: no template or inline function of the library may be shared with kernels.
pthread_mutex_t one_launch = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

cudaError_t check(dim3 grid, dim3 block, size_t shared_bytes) {
  const bool runs = grid.x >= 1 && grid.x <= kMaxGridWidth && grid.y >= 1 &&
                    grid.y <= kMaxGridHeight && grid.z >= 1 && grid.z <= kMaxGridHeight &&
                    block.x >= 1 && block.x <= kMaxBlockThreads && block.y >= 1 &&
                    block.y <= kMaxBlockThreads && block.z >= 1 && block.z <= kMaxBlockDepth &&
                    uint64_t(block.x) * block.y * block.z <= kMaxBlockThreads;
  if (!runs) return cudaErrorInvalidConfiguration;
  return shared_bytes <= device().max_shared ? cudaSuccess : cudaErrorInvalidValue;
}

// With STRUCTKD_SIMT_LAUNCHES=FILE nothing runs: launches are written to the end of that file, as
// "kernel;grid;threads of a block;dynamic shared bytes". True if this one was.
bool written_instead(KernelName name, dim3 grid, dim3 block, size_t shared_bytes) {
  const char* path = getenv("STRUCTKD_SIMT_LAUNCHES");
  if (path == nullptr) return false;
  FILE* file = fopen(path, "a");
  if (file == nullptr) fail("cannot write %s", path);
  const KernelText text = text_of(name);
  fprintf(file, "%.*s;%ux%ux%u;%u;%zu\n", text.length, text.begin, grid.x, grid.y, grid.z,
          block.x * block.y * block.z, shared_bytes);
  fclose(file);
  return true;
}

}  // namespace

void launch(KernelName name,
            dim3 grid,
            dim3 block,
            size_t shared_bytes,
            void (*thread)(void*),
            void* arguments) {
  const cudaError_t refused = check(grid, block, shared_bytes);
  if (refused != cudaSuccess) return set_last_error(refused);
  if (written_instead(name, grid, block, shared_bytes)) return;

  if (pthread_mutex_lock(&one_launch) != 0) fail("a kernel launches a kernel");
  static Block* const reused = new Block;  // never freed: kernels may run until the process ends
  const Grid whole = {name, grid, block, shared_bytes, thread, arguments};
  Order order = Order::of_environment();
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  const Sequence sequence(order, blocks);
  reused->start_launch();
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t b = sequence[i];
    reused->run(
        whole, order,
        dim3(unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / grid.x / grid.y)));
  }
  reused->end_launch();
  pthread_mutex_unlock(&one_launch);
}

}  // namespace simt
