// cpu/global_structural/sample.cpp: the sampling of the global structural loss. One pass over the
// logits finds the candidates, then every stratum keeps its smallest ranks in a bounded heap.
// Truth: reference/global_structural_sample.cpp; integers only, so the result is the same bit for
// bit.
#include <math.h>

#include "core/error.h"
#include "core/sampling.h"
#include "core/workspace.h"
#include "cpu/common/access.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

constexpr int64_t kPixelStrip = 256;

// The `capacity` smallest ranks seen: a heap with the largest of them on top.
struct SmallestRanks {
  uint64_t* ranks;
  int64_t capacity;
  int64_t size;

  void sift_down(int64_t start, int64_t end) {
    const uint64_t moved = ranks[start];
    for (int64_t child; (child = 2 * start + 1) < end; start = child) {
      if (child + 1 < end && ranks[child + 1] > ranks[child]) ++child;
      if (ranks[child] <= moved) break;
      ranks[start] = ranks[child];
      ranks[child] = moved;
    }
  }

  void add(uint64_t rank) {
    if (size == capacity) {
      if (rank >= ranks[0]) return;
      ranks[0] = rank;
      sift_down(0, size);
      return;
    }
    int64_t i = size++;
    for (; i > 0 && ranks[(i - 1) / 2] < rank; i = (i - 1) / 2) ranks[i] = ranks[(i - 1) / 2];
    ranks[i] = rank;
  }

  // Sorts the ranks in ascending order, which ends the heap.
  void sort() {
    for (int64_t end = size - 1; end > 0; --end) {
      const uint64_t top = ranks[0];
      ranks[0] = ranks[end];
      ranks[end] = top;
      sift_down(0, end);
    }
  }
};

// The scratch of one image.
struct ImageScratch {
  int32_t* classes;     // [H * W] of a candidate, else -1
  int64_t* candidates;  // [strata]
  SmallestRanks* own;   // [strata]
  uint64_t* ranks;      // [strata, samples]
  uint64_t* fill;       // [samples]
  uint8_t* present;     // [classes]

  ImageScratch(const GlobalStructuralSampleArgs& args, Workspace& workspace) {
    classes = workspace.take<int32_t>(args.H * args.W);
    candidates = workspace.take<int64_t>(args.strata);
    own = workspace.take<SmallestRanks>(args.strata);
    ranks = workspace.take<uint64_t>(args.strata * args.samples);
    fill = workspace.take<uint64_t>(args.samples);
    present = workspace.take<uint8_t>(args.num_classes);
  }
};

int64_t label_at(const GlobalStructuralSampleArgs& args, int64_t b, int64_t n) {
  return args.labels.data == nullptr ? 0 : plane_at<int64_t>(args.labels, b, n, args.W);
}

// Classes of the candidates among pixels n0 .. n0 + count - 1. T: f64 for f64 logits, else f32.
template <class T>
void classify_strip(const GlobalStructuralSampleArgs& args,
                    int64_t b,
                    int64_t n0,
                    int64_t count,
                    int32_t* classes) {
  int32_t best[kPixelStrip];
  if (args.teacher_correct_only) {
    T row[kPixelStrip], largest[kPixelStrip];
    for (int64_t i = 0; i < count; ++i) largest[i] = -T(HUGE_VALF), best[i] = 0;
    for (int64_t k = 0; k < args.teacher.C; ++k) {
      load_row(args.teacher, b, k, n0, count, row);
      for (int64_t i = 0; i < count; ++i) {
        const bool above = row[i] > largest[i];
        largest[i] = above ? row[i] : largest[i];
        best[i] = above ? int32_t(k) : best[i];
      }
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t label = label_at(args, b, n0 + i);
    const bool valid = args.labels.data == nullptr ||
                       (label != args.ignore_index && label >= 0 && label < args.num_classes);
    const bool candidate = valid && (!args.teacher_correct_only || best[i] == label);
    classes[n0 + i] = candidate ? int32_t(label) : -1;
  }
}

// The ranks that stand in for `missing` samples of a short stratum, ascending.
SmallestRanks smallest_of_others(const GlobalStructuralSampleArgs& args,
                                 const ImageScratch& image,
                                 const SampleKeys& keys,
                                 int64_t stratum,
                                 int64_t missing) {
  SmallestRanks others{image.fill, missing, 0};
  if (args.fill != STRUCTKD_FILL_OTHER_CLASSES) return others;
  for (int64_t n = 0; n < args.H * args.W; ++n) {
    const int32_t label = image.classes[n];
    if (label < 0 || stratum_of(args, n, label) == stratum) continue;
    others.add(fill_rank(keys, stratum, n));
  }
  others.sort();
  return others;
}

void sample_image(const GlobalStructuralSampleArgs& args, int64_t b, const ImageScratch& image) {
  const SampleKeys keys = sample_keys(args, b);
  for (int64_t s = 0; s < args.strata; ++s) {
    image.candidates[s] = 0;
    image.own[s] = SmallestRanks{image.ranks + s * args.samples, args.samples, 0};
  }
  for (int64_t k = 0; k < args.num_classes; ++k) image.present[k] = 0;
  for (int64_t n = 0; n < args.H * args.W; ++n) {
    const int32_t label = image.classes[n];
    if (label < 0) continue;
    const int64_t stratum = stratum_of(args, n, label);
    ++image.candidates[stratum];
    image.present[label] = 1;
    image.own[stratum].add(sample_rank(keys, n));
  }

  int32_t* row = args.indices.data + b * args.indices.stride_b;
  int64_t samples = 0, kept = 0;
  auto put = [&](int64_t pixel) { row[samples++ * args.indices.stride_c] = int32_t(pixel); };
  for (int64_t s = 0; s < args.strata; ++s) {
    const int64_t given = samples_given(args, image.candidates[s]);
    if (given == 0) continue;
    ++kept;
    SmallestRanks& own = image.own[s];
    own.sort();
    for (int64_t r = 0; r < smaller(given, own.size); ++r) put(pixel_of_rank(own.ranks[r]));
    const int64_t missing = given - own.size;
    if (missing <= 0) continue;
    const SmallestRanks others = smallest_of_others(args, image, keys, s, missing);
    for (int64_t r = 0; r < others.size; ++r) put(pixel_of_rank(others.ranks[r]));
    const SmallestRanks& pool = others.size > 0 ? others : own;
    for (int64_t r = 0; r < missing - others.size; ++r) {
      put(pixel_of_rank(pool.ranks[repeated(keys, s, r, pool.size)]));
    }
  }
  for (int64_t m = samples; m < args.indices.columns; ++m) row[m * args.indices.stride_c] = -1;
  if (args.sampling != STRUCTKD_SAMPLING_CLASS_BALANCED) {
    kept = 0;
    for (int64_t k = 0; samples > 0 && k < args.num_classes; ++k) kept += image.present[k];
  }
  int32_t* counts = args.counts.data + b * args.counts.stride_b;
  counts[0] = int32_t(samples);
  counts[args.counts.stride_c] = int32_t(kept);
}

}  // namespace

size_t global_structural_sample_workspace(const Launch&, const GlobalStructuralSampleArgs& args) {
  Workspace workspace(nullptr);
  ImageScratch(args, workspace);
  return workspace.bytes() * size_t(args.B);
}

void global_structural_sample(const Launch& launch,
                              const GlobalStructuralSampleArgs& args,
                              void* memory) {
  Workspace one(nullptr);
  ImageScratch(args, one);
  const auto image = [&](int64_t b) {
    Workspace workspace(static_cast<char*>(memory) + size_t(b) * one.bytes());
    return ImageScratch(args, workspace);
  };
  const int64_t N = args.H * args.W, strips = divide_up(N, kPixelStrip);
#pragma omp parallel for num_threads(launch.threads) schedule(static)
  for (int64_t task = 0; task < args.B * strips; ++task) {
    const int64_t b = task / strips, n0 = task % strips * kPixelStrip;
    const int64_t count = smaller(kPixelStrip, N - n0);
    if (args.teacher.dtype == STRUCTKD_F64) {
      classify_strip<double>(args, b, n0, count, image(b).classes);
    } else {
      classify_strip<float>(args, b, n0, count, image(b).classes);
    }
  }
#pragma omp parallel for num_threads(launch.threads) schedule(dynamic)
  for (int64_t b = 0; b < args.B; ++b) sample_image(args, b, image(b));
  set_plan("global_structural_sample: cpu, %d threads, %lld images", launch.threads,
           static_cast<long long>(args.B));
}

}  // namespace structkd::cpu::STRUCTKD_ISA
