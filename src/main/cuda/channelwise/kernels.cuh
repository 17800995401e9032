// cuda/channelwise/kernels.cuh: the passes of the channel-wise loss over parts of channels. What
// channelwise.cu says of the kernels holds here.
//
// With a, b = activations / temperature of teacher and student, less the channel's maxima, the
// formulas are those of cuda/pixelwise/classes.cuh, positions in place of classes: d = a - b, q and
// p the distributions of teacher and student. The mean m of d under q is summed while the maxima
// are still searched for, and so is off by its rounding e, which the second pass finds:
//
//   delta = d - m,  e = sum q delta,  F = sum q phi(delta),  phi(x) = e^-x - 1 + x
//   Z     = sum q (e^-delta - 1) = F - e              p = q e^-delta / (1 + Z)
//   KL    = e + log(1 + Z) = F - phi(-log(1 + Z))     nothing cancels
#ifndef STRUCTKD_CUDA_CHANNELWISE_KERNELS_CUH
#define STRUCTKD_CUDA_CHANNELWISE_KERNELS_CUH

#include "core/channelwise_args.h"
#include "cuda/common/access.cuh"
#include "cuda/common/reduce.cuh"
#include "cuda/pixelwise/mapping.cuh"
#include "cuda/pixelwise/running.cuh"

namespace structkd::cuda {
namespace {

// Positions of a part.
constexpr int64_t kPartPositions = 4096;

// What the first pass finds in a part of a channel.
template <class T>
struct PartSums {
  Tops<T> tops;
  T first, second, gap;
};

// What the second pass finds, where teacher and student are close.
template <class T>
struct PartExcess {
  T excess, shift;  // F, e
};

template <class Element>
struct ChannelwiseTask {
  using T = Widened<Element>;
  T inverse_temperature;
  T grad_scale;  // still to be divided by the images that have valid positions
  MapOf<Element> teacher, student;
  GradOf<Element> grad;
  Plane mask;
  const int64_t* image_valid;  // [B], or nullptr: every position of every image is valid
  int64_t positions, parts;    // of a channel; positions of all parts but the last: kPartPositions
  PartSums<T>* sums;           // [B C, parts]
  PartExcess<T>* excess;       // [B C, parts]
  double* values;              // [B C] KL
};

// Where a thread stands: a part of a channel, of which it has each kParts-th position.
template <class Element, class Mapping>
struct ChannelPart {
  using T = Widened<Element>;
  const ChannelwiseTask<Element>& task;
  int64_t unit, channel, b, c, part, begin, count;
  bool inside;  // or all lanes of a warp have nothing to do

  __device__ __forceinline__ explicit ChannelPart(const ChannelwiseTask<Element>& task)
      : task(task) {
    unit = int64_t(blockIdx.x) * Mapping::kPixels + Mapping::pixel();
    const int64_t channels = task.student.B * task.student.C;
    inside = unit < channels * task.parts;
    channel = unit / task.parts;
    part = unit % task.parts;
    b = channel / task.student.C;
    c = channel % task.student.C;
    begin = part * kPartPositions + Mapping::part();
    const int64_t end = part + 1 == task.parts ? task.positions : (part + 1) * kPartPositions;
    count = begin < end ? (end - begin - 1) / Mapping::kParts + 1 : 0;
  }

  __device__ __forceinline__ int64_t position(int64_t i) const {
    return begin + i * Mapping::kParts;
  }
  __device__ __forceinline__ bool counts(int64_t i) const {
    return task.mask.data == nullptr ||
           plane_at<int>(task.mask, b, position(i), task.student.W) != 0;
  }
  // A position that does not count has no weight in either net.
  __device__ __forceinline__ void load(int64_t i, T& teacher, T& student) const {
    const int64_t n = position(i);
    teacher = widen(*task.teacher.at(b, c, n));
    student = widen(*task.student.at(b, c, n));
    if (counts(i)) return;
    teacher = student = T(-INFINITY);
  }

  // The sums of the whole channel, the same in every thread of it.
  __device__ __forceinline__ RunningSums<T> channel_sums() const {
    const PartSums<T>* parts = task.sums + channel * task.parts;
    RunningSums<T> mine = RunningSums<T>::none();
    for (int64_t p = Mapping::part(); p < task.parts; p += Mapping::kParts) {
      const PartSums<T> other = parts[p];
      RunningSums<T> sums = {other.tops, {other.first, other.second, other.gap, T(0)}};
      const Tops<T> tops = {larger(mine.tops.first, other.tops.first),
                            larger(mine.tops.second, other.tops.second)};
      mine.move_to(tops, task.inverse_temperature);
      sums.move_to(tops, task.inverse_temperature);
      mine.sums.add(sums.sums);
    }
    meet_running<Mapping>(mine, task.inverse_temperature);
    return mine;
  }

  __device__ __forceinline__ PartExcess<T> channel_excess() const {
    const PartExcess<T>* parts = task.excess + channel * task.parts;
    T sums[2] = {T(0), T(0)};
    for (int64_t p = Mapping::part(); p < task.parts; p += Mapping::kParts) {
      sums[0] += parts[p].excess;
      sums[1] += parts[p].shift;
    }
    Mapping::meet(sums, [](T a, T b) { return a + b; });
    return {sums[0], sums[1]};
  }
};

constexpr int kImageThreads = 256;

// Block b counts the valid positions of image b.
__global__ __launch_bounds__(kImageThreads) void count_valid_positions_kernel(
    Plane mask, int64_t positions, int64_t width, int64_t* image_valid) {
  int64_t count = 0;
  for (int64_t n = threadIdx.x; n < positions; n += kImageThreads) {
    count += plane_at<int>(mask, blockIdx.x, n, width) != 0;
  }
  count = block_sum<kImageThreads>(count);
  if (threadIdx.x == 0) image_valid[blockIdx.x] = count;
}

// The images with valid positions, the same in every lane. All 32 lanes must call.
__device__ __forceinline__ int64_t valid_images(const int64_t* image_valid, int64_t images) {
  if (image_valid == nullptr) return images;
  int64_t count = 0;
  for (int64_t b = int(threadIdx.x) % kWarp; b < images; b += kWarp) count += image_valid[b] > 0;
  return warp_sum(count);
}

// Positions that a thread sums before they join the sum of its part.
constexpr int kTogetherPositions = 8;

template <class Element, class Mapping>
__global__ __launch_bounds__(Mapping::kThreads,
                             2) void channelwise_sums_kernel(const ChannelwiseTask<Element> task) {
  using T = Widened<Element>;
  const ChannelPart<Element, Mapping> place(task);
  if (!place.inside) return;
  RunningSums<T> mine = RunningSums<T>::none();
  for (int64_t start = 0; start < place.count; start += kTogetherPositions) {
    T teacher[kTogetherPositions], student[kTogetherPositions];
    RunningSums<T> block = {mine.tops, {}};
    Tops<T> tops = mine.tops;
#pragma unroll
    for (int i = 0; i < kTogetherPositions; ++i) {
      if (start + i >= place.count) continue;
      place.load(start + i, teacher[i], student[i]);
      tops.first = larger(tops.first, teacher[i]);
      tops.second = larger(tops.second, student[i]);
    }
    block.tops = tops;
#pragma unroll
    for (int i = 0; i < kTogetherPositions; ++i) {
      if (start + i >= place.count) continue;
      block.sums.add(class_terms(teacher[i], student[i], tops, task.inverse_temperature));
    }
    if (tops.first > mine.tops.first || tops.second > mine.tops.second) {
      mine.move_to(tops, task.inverse_temperature);
    }
    mine.sums.add(block.sums);
  }
  meet_running<Mapping>(mine, task.inverse_temperature);
  if (Mapping::part() == 0) {
    task.sums[place.unit] = {mine.tops, mine.sums.first, mine.sums.second, mine.sums.gap};
  }
}

template <class Element, class Mapping>
__global__ __launch_bounds__(Mapping::kThreads, 2) void channelwise_excess_kernel(
    const ChannelwiseTask<Element> task) {
  using T = Widened<Element>;
  const ChannelPart<Element, Mapping> place(task);
  if (!place.inside) return;
  const RunningSums<T> sums = place.channel_sums();
  const PixelForm<T> form(sums.sums);
  if (!form.close) return;  // all threads of a part decide alike, as their sums are equal
  T found[2] = {T(0), T(0)};
  for (int64_t start = 0; start < place.count; start += kTogetherPositions) {
    T excess = T(0), shift = T(0);
#pragma unroll
    for (int i = 0; i < kTogetherPositions; ++i) {
      if (start + i >= place.count) continue;
      T teacher, student;
      place.load(start + i, teacher, student);
      const ClassTerms<T> terms =
          class_terms(teacher, student, sums.tops, task.inverse_temperature);
      const ClassSlope<T> slope =
          class_slope(terms.first, terms.second, terms.gap, form, /*student_first=*/false);
      excess += slope.excess;
      shift += slope.weight * (terms.gap - form.mean);
    }
    found[0] += excess;
    found[1] += shift;
  }
  Mapping::meet(found, [](T a, T b) { return a + b; });
  if (Mapping::part() == 0) task.excess[place.unit] = {found[0], found[1]};
}

template <class Element, class Mapping>
__global__ __launch_bounds__(Mapping::kThreads,
                             2) void channelwise_grad_kernel(const ChannelwiseTask<Element> task) {
  using T = Widened<Element>;
  const ChannelPart<Element, Mapping> place(task);
  if (!place.inside) return;
  const bool valid = task.image_valid == nullptr || task.image_valid[place.b] > 0;
  const RunningSums<T> sums = place.channel_sums();
  const PixelForm<T> form(sums.sums);
  PartExcess<T> found = {T(0), T(0)};
  if (form.close) found = place.channel_excess();
  const T growth = found.excess - found.shift;  // Z
  if (place.part == 0 && Mapping::part() == 0) {
    const T small = -logarithm_of_one_plus(growth);
    const T value = form.close ? found.excess - small * small * Phi<T>::over_square(small)
                               : form.mean + logarithm(sums.sums.second * form.inverse);
    task.values[place.channel] = valid ? at_least_0(double(value)) : 0.0;
  }
  if (!task.grad.given()) return;
  T scale = task.grad_scale / T(valid_images(task.image_valid, task.student.B));
  scale *= T(1) / (T(1) + growth);
#pragma unroll 4
  for (int64_t i = 0; i < place.count; ++i) {
    T teacher, student;
    place.load(i, teacher, student);
    const ClassTerms<T> terms = class_terms(teacher, student, sums.tops, task.inverse_temperature);
    const ClassSlope<T> slope =
        class_slope(terms.first, terms.second, terms.gap, form, /*student_first=*/false);
    const T gradient = (slope.slope - growth * slope.weight) * scale;
    // A choice and no product with 0: a channel may hold NaN.
    task.grad.store(task.grad.offset(place.b, place.c, place.position(i)),
                    valid && place.counts(i) ? gradient : T(0));
  }
}

constexpr int kChannelSumThreads = 1024;

// One block makes the loss from the values of all channels.
__global__ __launch_bounds__(kChannelSumThreads) void channelwise_sum_kernel(
    const double* values,
    int64_t channels,
    double scale,
    const int64_t* image_valid,
    int64_t images,
    void* loss,
    structkd_dtype dtype) {
  double sum = 0.0;
#pragma unroll 8
  for (int64_t i = threadIdx.x; i < channels; i += kChannelSumThreads) sum += values[i];
  sum = block_sum<kChannelSumThreads>(sum);
  const int64_t valid = valid_images(image_valid, images);
  if (threadIdx.x == 0) store_loss(loss, dtype, valid == 0 ? 0.0 : scale * sum / double(valid));
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_CHANNELWISE_KERNELS_CUH
