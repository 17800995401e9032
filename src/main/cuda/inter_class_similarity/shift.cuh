// cuda/inter_class_similarity/shift.cuh: what a part of an image is shifted by: the mean of each
// class under its own softmax over a first few pixels, so that u is small where p is large.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_SHIFT_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_SHIFT_CUH

#include "cuda/common/math.cuh"
#include "cuda/inter_class_similarity/tile.cuh"

namespace structkd::cuda {
namespace {

// The valid ones of `count` pixels of an image of N, from pixel `first` on.
template <class Element>
struct PixelRange {
  using T = Widened<Element>;

  const MapOf<Element>& map;
  const Plane& mask;
  int64_t b, first, N;
  int count;

  // Calls visit(logit of class k), pixel by pixel, each lane of the warp for its own.
  template <class Visit>
  __device__ __forceinline__ void for_lane(int k, Visit&& visit) const {
#pragma unroll 1
    for (int x = int(threadIdx.x) % kWarp; x < count; x += kWarp) {
      if (is_valid(mask, b, first + x, N, map.W)) visit(T(widen(*map.at(b, k, first + x))));
    }
  }

  // The maximum of a class, in every lane.
  __device__ __forceinline__ T maximum(int k) const {
    T most = T(-INFINITY);
    for_lane(k, [&](T z) { most = larger(most, z); });
    return warp_max(most);
  }

  // The mean of a class under its own softmax. A constant gives exactly that constant.
  __device__ __forceinline__ T mean(int k, T most, T inverse_temperature) const {
    T mass = T(0), moment = T(0);
    for_lane(k, [&](T z) {
      const T below = z - most, weight = exponential(below * inverse_temperature);
      mass += weight;
      moment += weight * below;
    });
    return most + warp_sum(moment) / warp_sum(mass);
  }
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_SHIFT_CUH
