// cuda/pixelwise/running.cuh: sums over classes whose largest logits are still searched for.
#ifndef STRUCTKD_CUDA_PIXELWISE_RUNNING_CUH
#define STRUCTKD_CUDA_PIXELWISE_RUNNING_CUH

#include "cuda/pixelwise/classes.cuh"

namespace structkd::cuda {
namespace {

template <class Mapping, class T>
__device__ __forceinline__ Tops<T> meet_tops(T first, T second) {
  T tops[2] = {first, second};
  Mapping::meet(tops, [](T a, T b) { return larger(a, b); });
  return {tops[0], tops[1]};
}

template <class Mapping, class T>
__device__ __forceinline__ ClassSums<T> meet_sums(const ClassSums<T>& sums) {
  T values[4] = {sums.first, sums.second, sums.gap, sums.cross};
  Mapping::meet(values, [](T a, T b) { return a + b; });
  return {values[0], values[1], values[2], values[3]};
}

// Sums over classes with the largest logits that they are relative to.
template <class T>
struct RunningSums {
  Tops<T> tops;
  ClassSums<T> sums;

  __device__ __forceinline__ static RunningSums none() {
    return {{lowest(T(0)), lowest(T(0))}, {}};
  }

  // Makes the sums relative to other, larger tops.
  __device__ __forceinline__ void move_to(const Tops<T>& to, T inverse_temperature) {
    const T per_logit = inverse_temperature * Powers<T>::kPerNatural;
    const T first = (tops.first - to.first) * per_logit;
    const T second = (tops.second - to.second) * per_logit;
    const T factor = Powers<T>::of(first);
    // Sums of weight 0 may not make 0 * inf. A NaN stays in `first`.
    const bool weighs = factor * sums.first > T(0);
    const T moved = (first - second) * Powers<T>::kNatural;
    sums.gap = weighs ? factor * (sums.gap + moved * sums.first) : T(0);
    sums.cross = weighs ? factor * (sums.cross + second * sums.first) : T(0);
    sums.first *= factor;
    sums.second *= Powers<T>::of(second);
    tops = to;
  }
};

// Makes the sums of the threads of a pixel those of all its classes. All threads must call.
template <class Mapping, class T>
__device__ __forceinline__ void meet_running(RunningSums<T>& mine, T inverse_temperature) {
  const Tops<T> tops = meet_tops<Mapping>(mine.tops.first, mine.tops.second);
  mine.move_to(tops, inverse_temperature);
  mine.sums = meet_sums<Mapping>(mine.sums);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PIXELWISE_RUNNING_CUH
