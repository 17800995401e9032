// cuda/pixelwise.cu: the pixel-wise loss, one pass over the logits. Truth: reference/pixelwise.cpp.
//
// what      sum over pixels of the divergence, and its gradient, from one read of both nets.
// mapping   pixelwise_mapping.cuh: the classes of a pixel lie in the registers of one thread
//           (K <= 32), of 8 warps (K <= 176), or, channels last, of 8 or 32 lanes; 128 or 256
//           threads, a block per 32 to 128 pixels. More classes are read again for each of the
//           four passes, from the second cache.
// result    a sum in f64 per block; pixelwise_sum_kernel adds them in the order of the blocks.
//           With a mask the valid pixels are counted first, and every warp adds the 128 counts.
// traffic   12 bytes per f32 logit with gradient (read two, write one), 8 without; f16, bf16 half.
// shared    none, or 8 KB in which the warps of a pixel meet; no bank conflicts.
// registers three per class held (e^a, e^b, d) and about 35; launches are bounded so that at least
//           two blocks share a multiprocessor.
// tests     pixelwise_test.cpp: class counts at and around each dispatch boundary, all layouts.
#include "access.cuh"
#include "core/pixelwise_args.h"
#include "core/workspace.h"
#include "kernels.h"
#include "launch.cuh"
#include "pixelwise_classes.cuh"
#include "pixelwise_mapping.cuh"
#include "reduce.cuh"

namespace structkd::cuda {
namespace {

// Enough blocks to fill every device, few enough to be added by one warp.
constexpr int kCountBlocks = 128, kCountThreads = 256, kSumThreads = 1024;

template <class Element>
struct PixelwiseTask {
  structkd_divergence divergence;
  Widened<Element> inverse_temperature;
  Widened<Element> grad_scale;   // still to be divided by the valid pixels where these are counted
  MapOf<Element> first, second;  // the distribution in front of the divergence; the other one
  GradOf<Element> grad;
  Plane mask;
  int64_t pixels;  // of an image
  int64_t blocks_per_image;
  const int64_t* valid_counts;  // [kCountBlocks], or nullptr: every pixel is valid
  double* sums;                 // [blocks]
};

// --- valid pixels
// -------------------------------------------------------------------------------------

// Bytes of a word that are not 0.
__device__ __forceinline__ int bytes_set(uint32_t word) {
  return __popc((((word & 0x7f7f7f7fu) + 0x7f7f7f7fu) | word) & 0x80808080u);
}

// Block i counts the valid pixels of the i-th of kCountBlocks pieces of the batch. `dense`: the
// mask is one run of bytes, aligned to 16.
__global__ __launch_bounds__(kCountThreads) void count_valid_pixels_kernel(
    Plane mask, int64_t images, int64_t pixels, int64_t width, bool dense, int64_t* counts) {
  const int64_t total = images * pixels;
  int64_t piece = divide_up(total, kCountBlocks);
  piece = divide_up(piece, 16) * 16;
  const int64_t begin = int64_t(blockIdx.x) * piece;
  const int64_t end = begin + piece < total ? begin + piece : total;
  int64_t count = 0, done = begin;
  if (dense && begin < end) {
    const uint4* words =
        reinterpret_cast<const uint4*>(static_cast<const uint8_t*>(mask.data) + begin);
    const int64_t whole = (end - begin) / 16;
#pragma unroll 4
    for (int64_t i = threadIdx.x; i < whole; i += kCountThreads) {
      const uint4 word = words[i];
      count += bytes_set(word.x) + bytes_set(word.y) + bytes_set(word.z) + bytes_set(word.w);
    }
    done = begin + whole * 16;
  }
  for (int64_t i = done + threadIdx.x; i < end; i += kCountThreads) {
    count += plane_at<int>(mask, i / pixels, i % pixels, width) != 0;
  }
  count = block_sum<kCountThreads>(count);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

// The sum of the counts, the same in every lane. All 32 lanes must call.
__device__ __forceinline__ int64_t sum_of_counts(const int64_t* counts) {
  int64_t count = 0;
  for (int i = int(threadIdx.x) % kWarp; i < kCountBlocks; i += kWarp) count += counts[i];
  return warp_sum(count);
}

// --- the loss
// -----------------------------------------------------------------------------------------

// Where a thread stands: its pixel and the first of its classes.
template <class Element, class Mapping>
struct PixelPlace {
  int64_t b, n;
  bool inside, valid;
  const Element* first;
  const Element* second;

  __device__ __forceinline__ explicit PixelPlace(const PixelwiseTask<Element>& task) {
    b = int64_t(blockIdx.x) / task.blocks_per_image;
    n = int64_t(blockIdx.x) % task.blocks_per_image * Mapping::kPixels + Mapping::pixel();
    inside = n < task.pixels;
    if (!inside) n = task.pixels - 1;  // something to read
    first = task.first.at(b, Mapping::part(), n);
    second = task.second.at(b, Mapping::part(), n);
    valid = inside;
    if (task.mask.data != nullptr) {
      valid = inside && plane_at<int>(task.mask, b, n, task.first.W) != 0;
    }
  }
};

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

template <class Mapping, class T>
__device__ __forceinline__ T meet_excess(T excess) {
  T values[1] = {excess};
  Mapping::meet(values, [](T a, T b) { return a + b; });
  return values[0];
}

template <class Mapping, class Element, class T>
__device__ __forceinline__ void store_block_sum(const PixelwiseTask<Element>& task,
                                                bool valid,
                                                T value) {
  const bool mine = valid && Mapping::part() == 0;
  const double sum = block_sum<Mapping::kThreads>(mine ? double(value) : 0.0);
  if (threadIdx.x == 0) task.sums[blockIdx.x] = sum;
}

// From a slope to the gradient of a logit. The scale is divided in T: f64 divisions per pixel would
// take longer than the classes where f64 is slow.
template <class T>
struct SlopeScale {
  T shrink, scale;

  template <class Element>
  __device__ __forceinline__ SlopeScale(const PixelwiseTask<Element>& task, bool close, T excess)
      : shrink(close && task.divergence != STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER ? excess : T(0)),
        scale(task.grad_scale) {
    // No valid pixel: the scale is not used.
    if (task.valid_counts != nullptr) scale /= T(sum_of_counts(task.valid_counts));
    scale *= T(1) / (T(1) + shrink);
  }
  __device__ __forceinline__ T gradient(T slope, T weight) const {
    return (slope - shrink * weight) * scale;
  }
};

// Fewest .. Most classes, Most of them in registers per part.
template <class Element, class Mapping, int Fewest, int MostPerPart>
__global__ __launch_bounds__(Mapping::kThreads,
                             2) void pixelwise_registers_kernel(const PixelwiseTask<Element> task) {
  using T = Widened<Element>;
  constexpr int kParts = Mapping::kParts;
  const int K = int(task.first.C), part = Mapping::part();
  const PixelPlace<Element, Mapping> place(task);
  // Known when compiled for all but the last few: no test then.
  const auto has = [&](int i) { return (i + 1) * kParts <= Fewest || part + i * kParts < K; };

  T first[MostPerPart], second[MostPerPart], gap[MostPerPart];
#pragma unroll
  for (int i = 0; i < MostPerPart; ++i) {
    if (!has(i)) continue;
    first[i] = widen(place.first[i * kParts * task.first.stride_c]);
    second[i] = widen(place.second[i * kParts * task.second.stride_c]);
  }

  T top_first = T(-INFINITY), top_second = T(-INFINITY);
#pragma unroll
  for (int i = 0; i < MostPerPart; ++i) {
    if (!has(i)) continue;
    top_first = larger(top_first, first[i]);
    top_second = larger(top_second, second[i]);
  }
  const Tops<T> tops = meet_tops<Mapping>(top_first, top_second);

  const T inverse_temperature = task.inverse_temperature;
  ClassSums<T> part_sums = {};
#pragma unroll
  for (int i = 0; i < MostPerPart; ++i) {
    if (!has(i)) continue;
    const ClassTerms<T> terms = class_terms(first[i], second[i], tops, inverse_temperature);
    part_sums.add(terms);
    first[i] = terms.first;
    second[i] = terms.second;
    gap[i] = terms.gap;
  }
  const ClassSums<T> sums = meet_sums<Mapping>(part_sums);
  const PixelForm<T> form(sums);

  const bool student_first = task.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  T part_excess = T(0);
#pragma unroll
  for (int i = 0; i < MostPerPart; ++i) {
    if (!has(i)) continue;
    const ClassSlope<T> slope = class_slope(first[i], second[i], gap[i], form, student_first);
    part_excess += slope.excess;
    first[i] = slope.weight;
    second[i] = slope.slope;
  }
  const T excess = meet_excess<Mapping>(part_excess);

  if (task.grad.given()) {
    const SlopeScale<T> scale(task, form.close, excess);
    const int64_t start = task.grad.offset(place.b, part, place.n);
#pragma unroll
    for (int i = 0; i < MostPerPart; ++i) {
      if (!has(i) || !place.inside) continue;
      // Chosen, not multiplied by 0: a pixel that is not valid may hold NaN.
      task.grad.store(start + i * kParts * task.grad.layout.stride_c,
                      place.valid ? scale.gradient(second[i], first[i]) : T(0));
    }
  }
  store_block_sum<Mapping>(task, place.valid,
                           divergence_value(task.divergence, sums, form, excess));
}

// Classes that are summed before they join the sum of all: in f32 a sum of 1000 numbers in one go
// would cost three more bits.
constexpr int kClassBlock = 16;

// Any number of classes; nothing of them is kept from pass to pass.
template <class Element, class Mapping>
__global__ __launch_bounds__(Mapping::kThreads,
                             2) void pixelwise_reread_kernel(const PixelwiseTask<Element> task) {
  using T = Widened<Element>;
  constexpr int kParts = Mapping::kParts;
  [[maybe_unused]] constexpr int kTogether =
      sizeof(T) == 8 ? 2 : 4;  // classes; more would spill f64
  const int64_t K = task.first.C, part = Mapping::part();
  const PixelPlace<Element, Mapping> place(task);
  const int64_t first_step = kParts * task.first.stride_c,
                second_step = kParts * task.second.stride_c;
  const int64_t count = part < K ? (K - part - 1) / kParts + 1 : 0;  // of this part

  T top_first = T(-INFINITY), top_second = T(-INFINITY);
#pragma unroll 8
  for (int64_t i = 0; i < count; ++i) {
    top_first = larger(top_first, T(widen(place.first[i * first_step])));
    top_second = larger(top_second, T(widen(place.second[i * second_step])));
  }
  const Tops<T> tops = meet_tops<Mapping>(top_first, top_second);

  const T inverse_temperature = task.inverse_temperature;
  const auto terms_of = [&](int64_t i) {
    return class_terms(T(widen(place.first[i * first_step])),
                       T(widen(place.second[i * second_step])), tops, inverse_temperature);
  };
  ClassSums<T> part_sums = {};
  for (int64_t start = 0; start < count; start += kClassBlock) {
    ClassSums<T> block = {};
#pragma unroll kTogether
    for (int64_t i = start; i < start + kClassBlock; ++i) {
      if (i < count) block.add(terms_of(i));
    }
    part_sums.add(block);
  }
  const ClassSums<T> sums = meet_sums<Mapping>(part_sums);
  const PixelForm<T> form(sums);

  const bool student_first = task.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const auto slope_of = [&](int64_t i) {
    const ClassTerms<T> terms = terms_of(i);
    return class_slope(terms.first, terms.second, terms.gap, form, student_first);
  };
  T part_excess = T(0);
  for (int64_t start = 0; start < count; start += kClassBlock) {
    T block = T(0);
#pragma unroll kTogether
    for (int64_t i = start; i < start + kClassBlock; ++i) {
      if (i < count) block += slope_of(i).excess;
    }
    part_excess += block;
  }
  const T excess = meet_excess<Mapping>(part_excess);

  if (task.grad.given()) {
    const SlopeScale<T> scale(task, form.close, excess);
    const int64_t start = task.grad.offset(place.b, part, place.n);
#pragma unroll kTogether
    for (int64_t i = 0; i < count; ++i) {
      if (!place.inside) continue;
      const ClassSlope<T> slope = slope_of(i);
      task.grad.store(start + i * kParts * task.grad.layout.stride_c,
                      place.valid ? scale.gradient(slope.slope, slope.weight) : T(0));
    }
  }
  store_block_sum<Mapping>(task, place.valid,
                           divergence_value(task.divergence, sums, form, excess));
}

// One block: the loss from the sums of all blocks.
__global__ __launch_bounds__(kSumThreads) void pixelwise_sum_kernel(const double* sums,
                                                                    int64_t count,
                                                                    double scale,
                                                                    const int64_t* valid_counts,
                                                                    void* loss,
                                                                    structkd_dtype dtype) {
  double sum = 0.0;
#pragma unroll 8
  for (int64_t i = threadIdx.x; i < count; i += kSumThreads) sum += sums[i];
  sum = block_sum<kSumThreads>(sum);
  const int64_t valid = valid_counts != nullptr ? sum_of_counts(valid_counts) : 1;
  if (threadIdx.x == 0) store_loss(loss, dtype, valid == 0 ? 0.0 : scale * sum / double(valid));
}

// --- launchers
// ----------------------------------------------------------------------------------------

// A kernel and how its blocks are cut.
template <class M, auto K>
struct Form {
  using Mapping = M;
  static constexpr auto kKernel = K;
  const char* kernel_name;
  const char* description;
};

template <class Element, class Mapping, int Fewest, int MostPerPart, class Visit>
void visit_registers(const char* description, Visit&& visit) {
  visit(Form<Mapping, pixelwise_registers_kernel<Element, Mapping, Fewest, MostPerPart>>{
      "pixelwise_registers_kernel", description});
}

template <class Element, class Mapping, class Visit>
void visit_reread(const char* description, Visit&& visit) {
  visit(Form<Mapping, pixelwise_reread_kernel<Element, Mapping>>{"pixelwise_reread_kernel",
                                                                 description});
}

bool is_channels_last(const Map& map) { return map.stride_c == 1 && map.stride_w != 1; }

// Calls visit(Form) with the kernel for maps of this shape and layout. Class counts of the common
// data sets get a kernel whose last class is the last one held: 19 (Cityscapes), 21 (Pascal VOC),
// 150, 151 (ADE20K), 171 (COCO-Stuff). f64 holds half as many.
template <class Element, class Visit>
void with_form(const PixelwiseArgs& args, Visit&& visit) {
  constexpr bool kWide = sizeof(Element) == 8;
  const int64_t K = args.student.C;
  // Up to 4 classes, a sector of 32 bytes holds whole pixels: planes or not makes no difference.
  if (K > 4 && is_channels_last(args.student) && is_channels_last(args.teacher)) {
    constexpr const char* kDescription = "lanes on classes";
    if (K <= 24) {
      visit_registers<Element, ClassLanes<8>, 5, 3>(kDescription, visit);
    } else if (K <= (kWide ? 128 : 256)) {
      visit_registers<Element, ClassLanes<32>, 25, kWide ? 4 : 8>(kDescription, visit);
    } else {
      visit_reread<Element, ClassLanes<32>>("lanes on classes, classes read again", visit);
    }
    return;
  }
  constexpr const char* kThread = "a thread per pixel";
  constexpr const char* kWarps = "8 warps per 32 pixels";
  const auto reread = [&] {
    visit_reread<Element, PixelLanes<8>>("8 warps per 32 pixels, classes read again", visit);
  };
  if (K <= 16) {
    visit_registers<Element, PixelLanes<1>, 1, 16>(kThread, visit);
  } else if constexpr (kWide) {
    if (K <= 96) {
      visit_registers<Element, PixelLanes<8>, 17, 12>(kWarps, visit);
    } else {
      reread();
    }
  } else {
    if (K <= 19) {
      visit_registers<Element, PixelLanes<1>, 17, 19>(kThread, visit);
    } else if (K <= 21) {
      visit_registers<Element, PixelLanes<1>, 20, 21>(kThread, visit);
    } else if (K <= 32) {
      visit_registers<Element, PixelLanes<1>, 22, 32>(kThread, visit);
    } else if (K <= 128) {
      visit_registers<Element, PixelLanes<8>, 33, 16>(kWarps, visit);
    } else if (K <= 152) {
      visit_registers<Element, PixelLanes<8>, 129, 19>(kWarps, visit);
    } else if (K <= 176) {
      visit_registers<Element, PixelLanes<8>, 153, 22>(kWarps, visit);
    } else {
      reread();
    }
  }
}

struct PixelwiseMemory {
  int64_t* valid_counts;
  double* sums;

  PixelwiseMemory(const PixelwiseArgs& args, int64_t blocks, Workspace& workspace)
      : valid_counts(args.mask.data ? workspace.take<int64_t>(kCountBlocks) : nullptr),
        sums(workspace.take<double>(blocks)) {}
};

template <class Mapping>
int64_t blocks_per_image(const PixelwiseArgs& args) {
  return divide_up(args.student.H * args.student.W, Mapping::kPixels);
}

void count_valid_pixels(cudaStream_t stream, const PixelwiseArgs& args, int64_t* counts) {
  const Plane& mask = args.mask;
  const Map& map = args.student;
  const bool dense = mask.stride_w == 1 && (map.H == 1 || mask.stride_h == map.W) &&
                     (map.B == 1 || mask.stride_b == map.H * map.W) &&
                     reinterpret_cast<uintptr_t>(mask.data) % sizeof(uint4) == 0;
  launch<count_valid_pixels_kernel>("count_valid_pixels_kernel", kCountBlocks, kCountThreads, 0,
                                    stream, mask, map.B, map.H * map.W, map.W, dense, counts);
}

template <class Element, class Form>
void run(const Launch& launched, const PixelwiseArgs& args, void* memory, const Form& form) {
  using Mapping = typename Form::Mapping;
  const cudaStream_t stream = stream_of(launched);
  const int64_t per_image = blocks_per_image<Mapping>(args), blocks = args.student.B * per_image;
  Workspace workspace(memory);
  const PixelwiseMemory scratch(args, blocks, workspace);
  if (scratch.valid_counts != nullptr) count_valid_pixels(stream, args, scratch.valid_counts);

  using T = Widened<Element>;
  const int64_t pixels = args.student.H * args.student.W;
  // With a mask both scales are those of one valid pixel, and kernels divide by the count.
  const PixelwiseScales scales =
      pixelwise_scales(args, scratch.valid_counts != nullptr ? 1 : args.student.B * pixels);
  const bool student_first = args.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const PixelwiseTask<Element> task = {args.divergence,
                                       T(1.0 / args.temperature),
                                       T(scales.grad),
                                       MapOf<Element>(student_first ? args.student : args.teacher),
                                       MapOf<Element>(student_first ? args.teacher : args.student),
                                       GradOf<Element>(args.grad),
                                       args.mask,
                                       pixels,
                                       per_image,
                                       scratch.valid_counts,
                                       scratch.sums};
  launch<Form::kKernel>(form.kernel_name, dim3(unsigned(blocks)), dim3(Mapping::kThreads), 0,
                        stream, task);
  launch<pixelwise_sum_kernel>("pixelwise_sum_kernel", 1, kSumThreads, 0, stream,
                               static_cast<const double*>(scratch.sums), blocks, scales.value,
                               static_cast<const int64_t*>(scratch.valid_counts), args.loss,
                               args.student.dtype);
  set_plan("pixelwise: cuda, one pass, %s, %s, %lld blocks of %d pixels, %d launches",
           sizeof(Element) == 8 ? "f64" : "f32", form.description, static_cast<long long>(blocks),
           Mapping::kPixels, args.mask.data ? 3 : 2);
}

}  // namespace

size_t pixelwise_workspace(const Launch&, const PixelwiseArgs& args) {
  Workspace workspace(nullptr);
  with_element_type(args.student.dtype, [&](auto element) {
    with_form<decltype(element)>(args, [&](auto form) {
      using Mapping = typename decltype(form)::Mapping;
      PixelwiseMemory(args, args.student.B * blocks_per_image<Mapping>(args), workspace);
    });
  });
  return workspace.bytes();
}

void pixelwise(const Launch& launched, const PixelwiseArgs& args, void* workspace) {
  with_element_type(args.student.dtype, [&](auto element) {
    with_form<decltype(element)>(
        args, [&](auto form) { run<decltype(element)>(launched, args, workspace, form); });
  });
}

}  // namespace structkd::cuda
