// bench/cuda/probes.cu: what this very device can do.
#include <algorithm>

#include "probes.h"

namespace structkd::bench {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kSteps = 2048;
constexpr int kRuns = 10;

__global__ void empty_kernel() {}

// Four loads of 16 bytes in flight per thread.
__global__ void __launch_bounds__(kThreads)
    copy_kernel(const uint4* from, uint4* to, size_t count) {
  constexpr int kLoads = 4;
  const size_t chunk = size_t(kThreads) * kLoads;
  for (size_t first = blockIdx.x * chunk + threadIdx.x; first < count; first += gridDim.x * chunk) {
    uint4 words[kLoads];
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      if (first + size_t(i) * kThreads < count) words[i] = from[first + size_t(i) * kThreads];
    }
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      if (first + size_t(i) * kThreads < count) to[first + size_t(i) * kThreads] = words[i];
    }
  }
}

// Each probe below keeps kChains independent chains per thread: more than the latency of the
// instruction needs with the warps that fit. The condition on the result never holds.
constexpr int kChains = 8;

template <class T>
__global__ void __launch_bounds__(kThreads) fma_kernel(T factor, T addend, T* unread) {
  T sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = T(threadIdx.x + unsigned(i));
#pragma unroll 1
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int repeat = 0; repeat < 8; ++repeat) {
#pragma unroll
      for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * factor + addend;
    }
  }
  T total = T(0);
  for (int i = 0; i < kChains; ++i) total += sum[i];
  if (total == T(-1)) *unread = total;
}

// One tensor-core instruction: its accumulator, the type of the elements that it multiplies, ones
// in all places, and what it costs.
struct MmaF64 {
  static constexpr double kFlops = 2.0 * 8 * 8 * 4;
  static constexpr int kCapability = 80;
  using Input = double;
  static constexpr Input kOne = 1.0;
  double c[2] = {};
  __device__ void run(Input a, Input b) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+d"(c[0]), "+d"(c[1])
                 : "d"(a), "d"(b));
#endif
  }
};

struct MmaF64Wide {
  static constexpr double kFlops = 2.0 * 16 * 8 * 16;
  static constexpr int kCapability = 90;
  using Input = double;
  static constexpr Input kOne = 1.0;
  double c[4] = {};
  __device__ void run(Input a, Input b) {
#if __CUDA_ARCH__ >= 900
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, "
        "{%4,%4,%4,%4,%4,%4,%4,%4}, {%5,%5,%5,%5}, {%0,%1,%2,%3};"
        : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
        : "d"(a), "d"(b));
#endif
  }
};

struct MmaTf32 {
  static constexpr double kFlops = 2.0 * 16 * 8 * 8;
  static constexpr int kCapability = 80;
  using Input = uint32_t;
  static constexpr Input kOne = 0x3f800000u;
  float c[4] = {};
  __device__ void run(Input a, Input b) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%5,%5}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a), "r"(b));
#endif
  }
};

struct MmaBf16 {
  static constexpr double kFlops = 2.0 * 16 * 8 * 16;
  static constexpr int kCapability = 80;
  using Input = uint32_t;
  static constexpr Input kOne = 0x3f803f80u;  // two of them
  float c[4] = {};
  __device__ void run(Input a, Input b) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, "
        "{%5,%5}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a), "r"(b));
#endif
  }
};

template <class Mma>
__global__ void __launch_bounds__(kThreads) mma_kernel(typename Mma::Input one, float* unread) {
  Mma chains[kChains];
#pragma unroll 8
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < kChains; ++i) chains[i].run(one, one);
  }
  float total = 0.0f;
  for (int i = 0; i < kChains; ++i) total += float(chains[i].c[0] + chains[i].c[1]);
  if (total == -1.0f) *unread = total;
}

template <class Launch>
double median_seconds(const Launch& launch, cudaStream_t stream) {
  const auto enqueue = [&] {
    launch();
    require(cudaGetLastError(), "launch of a probe");
  };
  return 1e-3 * times_of(time_calls(enqueue, kRuns, nullptr, stream)).p50;
}

template <class T>
double fma_rate(int blocks, void* unread, cudaStream_t stream) {
  const double seconds = median_seconds(
      [&] { fma_kernel<T><<<blocks, kThreads, 0, stream>>>(T(1), T(0), static_cast<T*>(unread)); },
      stream);
  return 2e-12 * 8 * kChains * kSteps * kThreads * blocks / seconds;
}

template <class Mma>
double mma_rate(const Gpu& gpu, int blocks, void* unread, cudaStream_t stream) {
  if (gpu.capability < Mma::kCapability) return 0.0;
  const double seconds = median_seconds(
      [&] {
        mma_kernel<Mma><<<blocks, kThreads, 0, stream>>>(Mma::kOne, static_cast<float*>(unread));
      },
      stream);
  return 1e-12 * Mma::kFlops * kChains * kSteps * kWarps * blocks / seconds;
}

double copy_rate(const Gpu& gpu, cudaStream_t stream) {
  const size_t bytes = std::min(size_t(1) << 30, gpu.memory / 8);
  DeviceBytes from(bytes), to(bytes);
  require(cudaMemsetAsync(from.data(), 1, bytes, stream), "memory of the device");
  const int blocks = 16 * gpu.multiprocessors;
  const double by_kernel = median_seconds(
      [&] {
        copy_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const uint4*>(from.data()),
                                                     static_cast<uint4*>(to.data()),
                                                     bytes / sizeof(uint4));
      },
      stream);
  const double by_runtime = median_seconds(
      [&] {
        require(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, stream),
                "a copy on the device");
      },
      stream);
  const double seconds = std::min(by_kernel, by_runtime);
  return 2e-9 * double(bytes) / seconds;
}

}  // namespace

double Limits::f64() const { return std::max({fma_f64, mma_f64, mma_f64_wide}); }

Limits measure_limits(const Gpu& gpu, cudaStream_t stream) {
  const DeviceBytes unread(sizeof(double));
  const int blocks = 8 * gpu.multiprocessors;  // all warps that fit, a few times
  Limits limits = {};
  limits.copy = copy_rate(gpu, stream);
  limits.fma_f32 = fma_rate<float>(4 * blocks, unread.data(), stream);
  limits.fma_f64 = fma_rate<double>(blocks, unread.data(), stream);
  limits.mma_f64 = mma_rate<MmaF64>(gpu, blocks, unread.data(), stream);
  limits.mma_f64_wide = mma_rate<MmaF64Wide>(gpu, blocks, unread.data(), stream);
  limits.mma_tf32 = mma_rate<MmaTf32>(gpu, blocks, unread.data(), stream);
  limits.mma_bf16 = mma_rate<MmaBf16>(gpu, blocks, unread.data(), stream);
  limits.empty_us = 1e6 * median_seconds([&] { empty_kernel<<<1, 1, 0, stream>>>(); }, stream);
  return limits;
}

}  // namespace structkd::bench
