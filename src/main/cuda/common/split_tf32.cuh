// cuda/common/split_tf32.cuh: products of f32 matrices on the tensor cores of TF32, as exact as
// plain f32 multiply-adds.
//
// A number is the sum of two TF32 numbers, which keep 21 of its 24 bits at least, 22 on average. Of
// the four products of two such numbers the smallest, 2^-22 of the whole, is left out. Tensor cores
// round towards zero when they add (Fasi et al., "Numerical behavior of NVIDIA tensor cores", 2021),
// which in a long sum is a bias: so the products of one step are added to a sum by an ordinary
// addition (Ootomo and Yokota, "Recovering single precision accuracy from Tensor Cores while
// surpassing the FP32 theoretical peak performance", 2022).
#ifndef STRUCTKD_CUDA_COMMON_SPLIT_TF32_CUH
#define STRUCTKD_CUDA_COMMON_SPLIT_TF32_CUH

#include "cuda/common/mma.cuh"

namespace structkd::cuda {
namespace {

// A lane's piece of a matrix, of Count numbers, as mma.cuh describes it.
template <int Count>
struct alignas(8 * Count) SplitFragment {
  uint32_t hi[Count], lo[Count];

  // The upper part is rounded as by to_tf32, without its regard for infinity and NaN, which the
  // lower part keeps. What the lower part has beyond TF32 the tensor cores cut off.
  __device__ __forceinline__ void set(int i, float x) {
    hi[i] = (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
    lo[i] = __float_as_uint(x - __uint_as_float(hi[i]));
  }
};

// sum += a * b of 16 x 8 x 8.
__device__ __forceinline__ void add_split_product(float (&sum)[4],
                                                  const SplitFragment<4>& a,
                                                  const SplitFragment<2>& b) {
  float product[4] = {};
  mma_tf32_m16n8k8(product, a.lo, b.hi);
  mma_tf32_m16n8k8(product, a.hi, b.lo);
  mma_tf32_m16n8k8(product, a.hi, b.hi);
#pragma unroll
  for (int i = 0; i < 4; ++i) sum[i] += product[i];
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_SPLIT_TF32_CUH
