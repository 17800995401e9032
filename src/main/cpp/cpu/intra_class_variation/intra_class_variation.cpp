// cpu/intra_class_variation/intra_class_variation.cpp: the intra-class variation loss in four
// passes over some images at a time, in f64, which costs nothing beside reading the maps. Truth:
// reference/intra_class_variation.cpp.
//
//   centres        sums over the positions of each class, both nets
//   similarities   of each position with its centre, both nets; value and slopes
//   pulls          of the centres: sums over the positions of each class of the student, weighted
//   gradient       of each position; the student is read once more
//
// Passes 1 and 3 have an owner for each block of channels and part of the positions, 2 and 4 for
// each tile of positions. Both are cut by shape alone.
#include "core/error.h"
#include "core/workspace.h"
#include "cpu/intra_class_variation/class_sums.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// A part has at least so many positions, so that its sums do not count.
constexpr int64_t kPartPositions = 8192, kMostParts = 8;

// Images that go through the passes together, so that the later passes find them in a cache.
constexpr int64_t kGroupBytes = 4 << 20;

struct Cut {
  int64_t B, N, K, parts, tiles, group;

  Cut(const IntraClassVariationArgs& args, size_t element)
      : B(args.student.B),
        N(args.student.H * args.student.W),
        K(args.classes),
        parts(smaller(kMostParts, larger(int64_t(1), N / kPartPositions))),
        tiles(divide_up(N, kTilePositions)) {
    const double channels = double(args.student.C + args.teacher.C);
    const double image = channels * double(N) * double(element);
    const double sums = 2 * channels * double(parts * K) * sizeof(double);
    group = smaller(B, larger(int64_t(1), int64_t(kGroupBytes / (image + sums))));
  }

  // Whole tiles, so that no tile belongs to two parts.
  Span part(int64_t p) const {
    const int64_t first = p * tiles / parts * kTilePositions;
    return {first, smaller(N, (p + 1) * tiles / parts * kTilePositions) - first};
  }
};

// Sums over classes of one net, for the images of a group: [group, parts, classes, channels]. The
// first part becomes the mean.
struct ClassMeans {
  BlockMap map;
  int64_t pitch;   // of a class
  int64_t stride;  // of a part
  double* sums;
  double* lengths;  // [group, classes] of the means

  ClassMeans(const Map& given, const Cut& cut, Workspace& workspace)
      : map(given), pitch(map.padded_channels()), stride(cut.K * pitch) {
    sums = workspace.take<double>(cut.group * cut.parts * stride);
    lengths = workspace.take<double>(cut.group * cut.K);
  }
};

template <class T>
struct Plan {
  const IntraClassVariationArgs& args;
  Cut cut;
  int32_t* classes;  // [B, N]
  int64_t* counts;   // [B, parts, classes]; those of the first part become the image's
  int64_t* valid;    // [B, parts]
  ClassMeans student, teacher, pulls;
  double* turns;         // [group, parts, classes] sums of the positions' turns
  CentreSlopes* slopes;  // [group, N]
  double* weights;       // [group, N] slopes.along, which the pulls are weighted by
  double* losses;        // [group, tiles]

  Plan(const IntraClassVariationArgs& a, Workspace& workspace)
      : args(a),
        cut(a, sizeof(T)),
        classes(workspace.take<int32_t>(cut.B * cut.N)),
        counts(workspace.take<int64_t>(cut.B * cut.parts * cut.K)),
        valid(workspace.take<int64_t>(cut.B * cut.parts)),
        student(a.student, cut, workspace),
        teacher(a.teacher, cut, workspace),
        pulls(a.student, cut, workspace),
        turns(workspace.take<double>(cut.group * cut.parts * cut.K)),
        slopes(workspace.take<CentreSlopes>(cut.group * cut.N)),
        weights(workspace.take<double>(cut.group * cut.N)),
        losses(workspace.take<double>(cut.group * cut.tiles)) {}

  const int32_t* classes_of(int64_t b) const { return classes + b * cut.N; }
  int64_t positions_of(int64_t b, int64_t k) const { return counts[b * cut.parts * cut.K + k]; }
};

// A block of channels of a part of an image: one task of the passes that sum.
template <class T>
void sum_task(
    const Plan<T>& plan, const ClassMeans& means, int64_t b0, int64_t task, const double* weights) {
  const Cut& cut = plan.cut;
  const int64_t blocks = means.map.blocks(), c0 = task % blocks * kBlockChannels;
  const int64_t part = task / blocks % cut.parts, image = task / blocks / cut.parts;
  const int32_t* classes = plan.classes_of(b0 + image);
  const Span span = cut.part(part);
  sum_classes<T>(means.map, b0 + image, c0, span, classes,
                 weights == nullptr ? nullptr : weights + image * cut.N, cut.K,
                 means.sums + (image * cut.parts + part) * means.stride);
  if (weights == nullptr || c0 > 0) return;
  double* turns = plan.turns + (image * cut.parts + part) * cut.K;
  memset(turns, 0, size_t(cut.K) * sizeof(double));
  for (int64_t n = span.first; n < span.first + span.count; ++n) {
    if (classes[n] >= 0) turns[classes[n]] += plan.slopes[image * cut.N + n].turn;
  }
}

// Not inlined: both nets must be rounded alike, or equal nets would differ.
template <class T>
__attribute__((noinline)) void measure_tile(const Plan<T>& plan,
                                            const ClassMeans& means,
                                            int64_t b0,
                                            int64_t image,
                                            Span tile,
                                            CentreSimilarity* similarities) {
  alignas(64) T rows[kBlockChannels * kTilePositions] = {}, vectors[sizeof(rows) / sizeof(T)];
  alignas(64) double products[kTilePositions * kWide] = {}, squares[kTilePositions * kWide] = {};
  const int32_t* classes = plan.classes_of(b0 + image) + tile.first;
  const double* centres = means.sums + image * plan.cut.parts * means.stride;
  for (int64_t c0 = 0; c0 < means.pitch; c0 += kBlockChannels) {
    means.map.load(b0 + image, c0, tile.first, tile.count, rows, vectors);
    for (int64_t i = 0; i < tile.count; ++i) {
      if (classes[i] < 0) continue;
      const double* centre = centres + classes[i] * means.pitch + c0;
      const T* vector = vectors + i * kBlockChannels;
      Vector<double> product = load(products + i * kWide), square = load(squares + i * kWide);
#pragma GCC unroll 16
      for (int64_t c = 0; c < kBlockChannels; c += kWide) {
        const Vector<double> f = load_wide(vector + c);
        product += f * load(centre + c);
        square += f * f;
      }
      store(products + i * kWide, product);
      store(squares + i * kWide, square);
    }
  }
  for (int64_t i = 0; i < tile.count; ++i) {
    if (classes[i] < 0) continue;
    similarities[i] = centre_similarity(sum_of_lanes<double>(load(products + i * kWide)),
                                        sum_of_lanes<double>(load(squares + i * kWide)),
                                        means.lengths[image * plan.cut.K + classes[i]]);
  }
}

template <class T>
void compare_tile(const Plan<T>& plan, int64_t b0, int64_t task, double inverse_count) {
  const Cut& cut = plan.cut;
  const int64_t image = task / cut.tiles, first = task % cut.tiles * kTilePositions;
  const Span tile = {first, smaller(kTilePositions, cut.N - first)};
  CentreSimilarity ours[kTilePositions] = {}, theirs[kTilePositions] = {};
  measure_tile(plan, plan.teacher, b0, image, tile, theirs);
  measure_tile(plan, plan.student, b0, image, tile, ours);
  double sum = 0.0;
  for (int64_t i = 0; i < tile.count; ++i) {
    const int64_t n = image * cut.N + first + i;
    const double gap = ours[i].value - theirs[i].value;
    sum += gap * gap;  // 0 where there is no class
    plan.slopes[n] = centre_slopes(ours[i], 2.0 * inverse_count * gap);
    plan.weights[n] = plan.slopes[n].along;
  }
  plan.losses[task] = sum;
}

template <class T>
void finish_centre(const Plan<T>& plan, const ClassMeans& means, int64_t b0, int64_t task) {
  const Cut& cut = plan.cut;
  const int64_t image = task / cut.K, k = task % cut.K;
  double* sums = means.sums + image * cut.parts * means.stride + k * means.pitch;
  means.lengths[task] = length_of(
      finish_mean(sums, cut.parts, means.stride, means.pitch, plan.positions_of(b0 + image, k)));
}

// The mean of what the positions of a class pull their centre by: sum of along * f, less that of
// turn * c / |c|^2.
template <class T>
void finish_pull(const Plan<T>& plan, int64_t b0, int64_t task) {
  const Cut& cut = plan.cut;
  const ClassMeans& means = plan.pulls;
  const int64_t image = task / cut.K, k = task % cut.K,
                positions = plan.positions_of(b0 + image, k);
  const int64_t offset = image * cut.parts * means.stride + k * means.pitch;
  finish_mean(means.sums + offset, cut.parts, means.stride, means.pitch, positions);
  double turn = 0.0;
  for (int64_t p = 0; p < cut.parts; ++p) turn += plan.turns[(image * cut.parts + p) * cut.K + k];
  const double length = plan.student.lengths[task];
  if (length == 0.0) return;  // no position has a slope
  const double scale = turn / (length * length * (double(positions) + kBesideCount));
  for (int64_t c = 0; c < means.pitch; ++c) {
    means.sums[offset + c] -= scale * plan.student.sums[offset + c];
  }
}

// The gradient of a block of channels of a tile: along * c + stretch * f + the pull of the centre.
template <class T>
void write_grad(const Plan<T>& plan, const BlockMap& grad, int64_t b0, int64_t task) {
  alignas(64) T rows[kBlockChannels * kTilePositions] = {}, vectors[sizeof(rows) / sizeof(T)];
  const Cut& cut = plan.cut;
  const ClassMeans& means = plan.student;
  const int64_t image = task / cut.tiles, first = task % cut.tiles * kTilePositions;
  const int64_t count = smaller(kTilePositions, cut.N - first);
  const int32_t* classes = plan.classes_of(b0 + image) + first;
  const CentreSlopes* slopes = plan.slopes + image * cut.N + first;
  const int64_t sums = image * cut.parts * means.stride;
  for (int64_t c0 = 0; c0 < means.pitch; c0 += kBlockChannels) {
    means.map.load(b0 + image, c0, first, count, rows, vectors);
    for (int64_t i = 0; i < count; ++i) {
      T* vector = vectors + i * kBlockChannels;
      if (classes[i] < 0) {
        memset(vector, 0, kBlockChannels * sizeof(T));
        continue;
      }
      const int64_t at = sums + classes[i] * means.pitch + c0;
      const double *centre = means.sums + at, *pull = plan.pulls.sums + at;
      const double along = slopes[i].along, stretch = slopes[i].stretch;
#pragma GCC unroll 16
      for (int64_t c = 0; c < kBlockChannels; c += kWide) {
        store_narrow(vector + c,
                     along * load(centre + c) + stretch * load_wide(vector + c) + load(pull + c));
      }
    }
    grad.store(b0 + image, c0, first, count, rows, vectors);
  }
}

template <class T>
void find_all_classes(const Plan<T>& plan) {
  const Cut& cut = plan.cut;
#pragma omp for schedule(static)
  for (int64_t task = 0; task < cut.B * cut.parts; ++task) {
    const int64_t b = task / cut.parts;
    plan.valid[task] = find_classes(plan.args, b, cut.part(task % cut.parts),
                                    plan.classes + b * cut.N, plan.counts + task * cut.K);
  }
#pragma omp for schedule(static)
  for (int64_t b = 0; b < cut.B; ++b) {
    int64_t* counts = plan.counts + b * cut.parts * cut.K;
    for (int64_t i = cut.K; i < cut.parts * cut.K; ++i) counts[i % cut.K] += counts[i];
  }
}

template <class T>
void compute(const IntraClassVariationArgs& args, int threads, void* memory) {
  Workspace workspace(memory);
  const Plan<T> plan(args, workspace);
  const Cut& cut = plan.cut;
  const BlockMap grad(args.grad);
  const bool want_grad = args.grad.data != nullptr;
  double loss = 0.0;
#pragma omp parallel num_threads(threads)
  {
    find_all_classes(plan);
    int64_t valid = 0;
    for (int64_t i = 0; i < cut.B * cut.parts; ++i) valid += plan.valid[i];
    const double inverse_count = 1.0 / double(larger(int64_t(1), valid));
    for (int64_t b0 = 0; b0 < cut.B; b0 += cut.group) {
      const int64_t images = smaller(cut.group, cut.B - b0);
      const int64_t student_tasks = images * cut.parts * plan.student.map.blocks();
      const int64_t teacher_tasks = images * cut.parts * plan.teacher.map.blocks();
#pragma omp for schedule(dynamic)
      for (int64_t task = 0; task < student_tasks + teacher_tasks; ++task) {
        if (task < student_tasks) {
          sum_task<T>(plan, plan.student, b0, task, nullptr);
        } else {
          sum_task<T>(plan, plan.teacher, b0, task - student_tasks, nullptr);
        }
      }
#pragma omp for schedule(static)
      for (int64_t task = 0; task < images * cut.K; ++task) {
        finish_centre(plan, plan.student, b0, task);
        finish_centre(plan, plan.teacher, b0, task);
      }
#pragma omp for schedule(dynamic, 4)
      for (int64_t task = 0; task < images * cut.tiles; ++task) {
        compare_tile(plan, b0, task, inverse_count);
      }
#pragma omp single
      for (int64_t task = 0; task < images * cut.tiles; ++task) loss += plan.losses[task];
      if (!want_grad) continue;
#pragma omp for schedule(dynamic)
      for (int64_t task = 0; task < student_tasks; ++task) {
        sum_task<T>(plan, plan.pulls, b0, task, plan.weights);
      }
#pragma omp for schedule(static)
      for (int64_t task = 0; task < images * cut.K; ++task) finish_pull(plan, b0, task);
#pragma omp for schedule(dynamic, 4)
      for (int64_t task = 0; task < images * cut.tiles; ++task) write_grad(plan, grad, b0, task);
    }
    finish_streams();
#pragma omp single
    loss *= inverse_count;
  }
  store_loss(args.loss, args.student.dtype, loss);
  set_plan("intra_class_variation: cpu, f64, %d threads, %lld images at once, %lld parts", threads,
           static_cast<long long>(cut.group), static_cast<long long>(cut.parts));
}

}  // namespace

size_t intra_class_variation_workspace(const Launch&, const IntraClassVariationArgs& args) {
  Workspace workspace(nullptr);
  if (args.student.dtype == STRUCTKD_F64) {
    Plan<double>(args, workspace);
  } else {
    Plan<float>(args, workspace);
  }
  return workspace.bytes();
}

void intra_class_variation(const Launch& launch,
                           const IntraClassVariationArgs& args,
                           void* memory) {
  if (args.student.dtype == STRUCTKD_F64) {
    compute<double>(args, launch.threads, memory);
  } else {
    compute<float>(args, launch.threads, memory);
  }
}

}  // namespace structkd::cpu::STRUCTKD_ISA
