// cuda/global_structural/sample.cu: the sampling of the global structural loss in three launches,
// whatever the batch. All is integers, so that samples are those of every other backend. Truth:
// reference/global_structural_sample.cpp.
//
//   classify   a thread per pixel          class of a candidate, else -1
//   select     a block per stratum         the stratum's samples, in their order
//   assemble   a block per image           strata behind each other, counts
//
// Keys are functions of seed, step, image and pixel, recomputed wherever they are needed: no pass
// stores them. Bytes: the logits once (where the teacher must be right), the labels once; then 4
// bytes per pixel, which stay in L2, per stratum and pass.
#include <math.h>

#include "core/sampling.h"
#include "core/workspace.h"
#include "cuda/common/access.cuh"
#include "cuda/common/launch.cuh"
#include "cuda/common/reduce.cuh"
#include "cuda/global_structural/select.cuh"
#include "cuda/kernels.h"

namespace structkd::cuda {
namespace {

// Grid-stride loops start at most 16 blocks of 256 threads for each of 132 multiprocessors.
constexpr int64_t kMaxBlocks = 16 * 132;

struct SampleScratch {
  int32_t* classes;  // [B, H * W] of a candidate, else -1
  int32_t* given;    // [B, strata] samples that a stratum gives
  uint32_t* begin;   // [B, strata] where they begin in the row
  int32_t* staged;   // [B, strata, samples] their pixels
  uint64_t* ranks;   // [B, strata, padded] sorted here where shared memory is too small, or nullptr
  int64_t padded;    // samples, up to a power of two: what the sorting network takes

  SampleScratch(const GlobalStructuralSampleArgs& args, Workspace& workspace) {
    classes = workspace.take<int32_t>(args.B * args.H * args.W);
    given = workspace.take<int32_t>(args.B * args.strata);
    begin = workspace.take<uint32_t>(args.B * args.strata);
    staged = workspace.take<int32_t>(args.B * args.strata * args.samples);
    padded = 1;
    while (padded < args.samples) padded *= 2;
    const bool in_raster_order =
        args.draw == STRUCTKD_DRAW_RASTER || args.sampling == STRUCTKD_SAMPLING_ALL;
    const bool large = padded > kSharedRanks && !in_raster_order;
    ranks = workspace.take<uint64_t>(large ? args.B * args.strata * padded : 0);
    if (!large) ranks = nullptr;
  }
};

// The lowest class with the largest logit; a NaN is never the largest. Neighbouring threads read
// neighbouring pixels.
template <class Element>
__device__ int64_t teacher_class(const MapOf<const Element>& logits, int64_t b, int64_t n) {
  const Element* pixel = logits.at(b, 0, n);
  int64_t best = 0;
  Widened<Element> largest = -Widened<Element>(HUGE_VALF);
  for (int64_t k = 0; k < logits.C; ++k) {
    const Widened<Element> logit = widen(pixel[k * logits.stride_c]);
    if (logit > largest) {
      largest = logit;
      best = k;
    }
  }
  return best;
}

// Grid-stride over all pixels of the batch. Per pixel 4 K bytes of f32 logits (where the teacher
// must be right) and its label are read, 4 bytes written.
template <class Element>
__global__ void __launch_bounds__(256)
    classify_thread_per_pixel_kernel(GlobalStructuralSampleArgs args,
                                     MapOf<const Element> logits,
                                     int32_t* classes) {
  const int64_t N = args.H * args.W, step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < args.B * N; i += step) {
    const int64_t b = i / N, n = i % N;
    int64_t label = 0;
    bool candidate = true;
    if (args.labels.data != nullptr) {
      label = plane_at<int64_t>(args.labels, b, n, args.W);
      candidate = label != args.ignore_index && label >= 0 && label < args.num_classes;
    }
    if (candidate && args.teacher_correct_only) candidate = teacher_class(logits, b, n) == label;
    classes[i] = candidate ? int32_t(label) : -1;
  }
}

// What a stratum chooses from: its own candidates, or those of all other strata.
struct Candidates {
  const GlobalStructuralSampleArgs& args;
  const int32_t* classes;
  SampleKeys keys;
  int64_t stratum;
  bool own;

  __device__ bool holds(int64_t n) const {
    return classes[n] >= 0 && (stratum_of(args, n, classes[n]) == stratum) == own;
  }
  __device__ uint64_t rank(int64_t n) const {
    return own ? sample_rank(keys, n) : fill_rank(keys, stratum, n);
  }
};

// One block per image and stratum. Reads 4 bytes per pixel several times, from L2 all but the
// first; writes 4 per sample. Shared memory: kSharedRanks ranks (16 KB) and a histogram; bank
// conflicts of two where ranks are sorted and atomics where a digit repeats, nowhere else.
__global__ void __launch_bounds__(kSelectThreads)
    select_block_per_stratum_kernel(GlobalStructuralSampleArgs args, SampleScratch scratch) {
  STRUCTKD_SHARED(uint64_t, shared_ranks, [kSharedRanks]);
  const int64_t N = args.H * args.W, row = blockIdx.x;
  const int64_t b = blockIdx.x / uint32_t(args.strata),
                stratum = blockIdx.x % uint32_t(args.strata);
  const int32_t* classes = scratch.classes + b * N;
  int32_t* staged = scratch.staged + row * args.samples;
  uint64_t* ranks = scratch.ranks != nullptr ? scratch.ranks + row * scratch.padded : shared_ranks;

  const SampleKeys keys = sample_keys(args, b);
  Candidates candidates{args, classes, keys, stratum, true};
  const int64_t owned = count_held(candidates, N);
  const int64_t given = samples_given(args, owned);
  if (threadIdx.x == 0) scratch.given[row] = int32_t(given);
  if (given == 0) return;

  const int64_t from_own = owned < given ? owned : given;
  take_smallest(candidates, keys.raster, N, owned, from_own, ranks, staged);
  const int64_t missing = given - from_own;
  if (missing == 0) return;

  candidates.own = false;
  const int64_t others = args.fill == STRUCTKD_FILL_OTHER_CLASSES ? count_held(candidates, N) : 0;
  const int64_t from_others = others < missing ? others : missing;
  if (from_others > 0) {
    take_smallest(candidates, keys.raster, N, others, from_others, ranks, staged + from_own);
  }
  __syncthreads();  // the pool of repeats is complete
  // Repeats are only needed once all others, or all of its own, stand in the row.
  const int32_t* pool = from_others > 0 ? staged + from_own : staged;
  const int64_t pool_size = from_others > 0 ? from_others : from_own;
  for (int64_t r = threadIdx.x; r < missing - from_others; r += blockDim.x) {
    staged[from_own + from_others + r] = pool[repeated(keys, stratum, r, pool_size)];
  }
}

// How many classes have a candidate. `present` is a bit set of num_classes, in shared memory.
__device__ int64_t classes_present(const int32_t* classes,
                                   int64_t N,
                                   int64_t K,
                                   uint32_t* present) {
  const int64_t words = divide_up(K, 32);
  for (int64_t w = threadIdx.x; w < words; w += blockDim.x) present[w] = 0;
  __syncthreads();
  for (int64_t n = threadIdx.x; n < N; n += blockDim.x) {
    if (classes[n] >= 0) atomicOr(&present[classes[n] / 32], 1u << classes[n] % 32);
  }
  __syncthreads();
  int64_t count = 0;
  for (int64_t w = threadIdx.x; w < words; w += blockDim.x) count += __popc(present[w]);
  return block_sum<kSelectThreads>(count);
}

// One block per image: strata behind each other, -1 behind the last, and the counts. Reads and
// writes 4 bytes per sample (4 more per pixel where strata are not classes). Shared memory: a bit
// per class where strata are not classes.
__global__ void __launch_bounds__(kSelectThreads)
    assemble_block_per_image_kernel(GlobalStructuralSampleArgs args, SampleScratch scratch) {
  STRUCTKD_DYNAMIC_SHARED(uint32_t, present);
  const int64_t b = blockIdx.x;
  const uint32_t strata = uint32_t(args.strata), per_stratum = uint32_t(args.samples);
  uint32_t* begin = scratch.begin + b * strata;
  const int32_t* given = scratch.given + b * strata;
  const int32_t* staged = scratch.staged + b * args.strata * args.samples;
  int32_t* row = args.indices.data + b * args.indices.stride_b;

  uint32_t samples = 0;
  int64_t kept = 0;
  for (uint32_t first = 0; first < strata; first += kSelectThreads) {
    const uint32_t stratum = first + threadIdx.x;
    const uint32_t count = stratum < strata ? uint32_t(given[stratum]) : 0;
    const uint32_t through = scan_sum(count);
    if (stratum < strata) begin[stratum] = samples + through - count;
    samples += broadcast_from(kSelectThreads - 1, through);
    kept += __syncthreads_count(count > 0);
  }
  __syncthreads();  // all strata have their place
  for (uint32_t i = threadIdx.x; i < strata * per_stratum; i += kSelectThreads) {
    const uint32_t stratum = i / per_stratum, r = i - stratum * per_stratum;
    if (r >= uint32_t(given[stratum])) continue;
    row[int64_t(begin[stratum] + r) * args.indices.stride_c] = staged[i];
  }
  for (int64_t m = samples + threadIdx.x; m < args.indices.columns; m += kSelectThreads) {
    row[m * args.indices.stride_c] = -1;
  }
  if (args.sampling != STRUCTKD_SAMPLING_CLASS_BALANCED) {
    const int64_t N = args.H * args.W;
    const int64_t classes = classes_present(scratch.classes + b * N, N, args.num_classes, present);
    kept = samples > 0 ? classes : 0;
  }
  if (threadIdx.x == 0) {
    int32_t* counts = args.counts.data + b * args.counts.stride_b;
    counts[0] = int32_t(samples);
    counts[args.counts.stride_c] = int32_t(kept);
  }
}

}  // namespace

size_t global_structural_sample_workspace(const Launch&, const GlobalStructuralSampleArgs& args) {
  Workspace workspace(nullptr);
  SampleScratch(args, workspace);
  return workspace.bytes();
}

void global_structural_sample(const Launch& launch_settings,
                              const GlobalStructuralSampleArgs& args,
                              void* memory) {
  Workspace workspace(memory);
  const SampleScratch scratch(args, workspace);
  const cudaStream_t stream = stream_of(launch_settings);
  const int64_t blocks = divide_up(args.B * args.H * args.W, 256);
  with_element_type(args.teacher.dtype, [&](auto element) {
    using Element = decltype(element);
    launch<classify_thread_per_pixel_kernel<Element>>(
        "classify_thread_per_pixel", dim3(unsigned(blocks < kMaxBlocks ? blocks : kMaxBlocks)),
        dim3(256), 0, stream, args, MapOf<const Element>(args.teacher), scratch.classes);
  });
  launch<select_block_per_stratum_kernel>("select_block_per_stratum",
                                          dim3(unsigned(args.B * args.strata)),
                                          dim3(kSelectThreads), 0, stream, args, scratch);
  const bool counts_classes = args.sampling != STRUCTKD_SAMPLING_CLASS_BALANCED;
  const int64_t words = counts_classes ? divide_up(args.num_classes, 32) : 0;
  launch<assemble_block_per_image_kernel>("assemble_block_per_image", dim3(unsigned(args.B)),
                                          dim3(kSelectThreads), size_t(words) * sizeof(uint32_t),
                                          stream, args, scratch);
  set_plan("global_structural_sample: cuda, 3 launches, %lld images of %lld strata",
           static_cast<long long>(args.B), static_cast<long long>(args.strata));
}

}  // namespace structkd::cuda
