// tools/cuda_occupancy.cpp: blocks that share a multiprocessor, by NVIDIA's own rules
// (cuda_occupancy.h). Reads lines "capability registers static_shared dynamic_shared threads", such
// as "90 128 8256 0 256", and answers each with the number of blocks. For tools/cuda_resources.py.
#include <cuda_occupancy.h>

#include <climits>
#include <cstdio>
#include <cstring>

namespace {

// CUDA C++ Programming Guide, "Compute Capabilities": threads and shared bytes of a multiprocessor,
// and most shared bytes of a block.
struct Multiprocessor {
  int capability, threads;
  size_t shared, shared_of_block;
};
constexpr Multiprocessor kMultiprocessors[] = {
    {75, 1024, 65536, 65536},   {80, 2048, 167936, 166912}, {86, 1536, 102400, 101376},
    {89, 1536, 102400, 101376}, {90, 2048, 233472, 232448}, {100, 2048, 233472, 232448},
    {120, 1536, 102400, 101376}};

int blocks(const Multiprocessor& sm, int registers, size_t fixed, size_t dynamic, int threads) {
  cudaOccDeviceProp device;
  device.computeMajor = sm.capability / 10;
  device.computeMinor = sm.capability % 10;
  device.maxThreadsPerBlock = 1024;
  device.maxThreadsPerMultiprocessor = sm.threads;
  device.regsPerBlock = device.regsPerMultiprocessor = 65536;
  device.warpSize = 32;
  device.sharedMemPerBlock = 49152;
  device.sharedMemPerMultiprocessor = sm.shared;
  device.numSms = 1;
  device.sharedMemPerBlockOptin = sm.shared_of_block;
  device.reservedSharedMemPerBlock = sm.capability >= 80 ? 1024 : 0;

  cudaOccFuncAttributes kernel;
  kernel.maxThreadsPerBlock = INT_MAX;
  kernel.numRegs = registers;
  kernel.sharedSizeBytes = fixed;
  kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
  kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  kernel.maxDynamicSharedSizeBytes = sm.shared_of_block - fixed;
  kernel.numBlockBarriers = 1;

  const cudaOccDeviceState state;
  cudaOccResult result;
  const cudaOccError error =
      cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, threads, dynamic);
  return error == CUDA_OCC_SUCCESS ? result.activeBlocksPerMultiprocessor : -1;
}

}  // namespace

int main() {
  int capability, registers, threads;
  size_t fixed, dynamic;
  while (std::scanf("%d %d %zu %zu %d", &capability, &registers, &fixed, &dynamic, &threads) == 5) {
    int answer = -1;
    for (const Multiprocessor& sm : kMultiprocessors) {
      if (sm.capability == capability) answer = blocks(sm, registers, fixed, dynamic, threads);
    }
    std::printf("%d\n", answer);
  }
  return 0;
}
