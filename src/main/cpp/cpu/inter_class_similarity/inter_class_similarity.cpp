// cpu/inter_class_similarity/inter_class_similarity.cpp: the inter-class similarity loss without
// any K x N array: one pass over each net for the matrices, one over the student for the gradient.
// Truth: reference/inter_class_similarity.cpp.
//
// An image is cut into tiles of pixels, and these into parts of consecutive tiles. Both depend on
// shapes alone; threads take whole parts. Memory: the sums of the parts, O(K^2), and one tile per
// thread.
#include <omp.h>

#include "core/error.h"
#include "cpu/inter_class_similarity/grad.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// A part has at least 8 tiles, so that starting and merging it does not count; a net has at most
// 1.5 MB of sums and 32 parts, but never fewer than 4.
template <class T>
int64_t parts_of(int64_t K, int64_t N) {
  constexpr int64_t kSumBytes = 3 << 19;
  const int64_t fitting = kSumBytes / (K * K * int64_t(sizeof(double)));
  const int64_t most = larger(int64_t(4), smaller(int64_t(32), fitting));
  const int64_t tiles = divide_up(N, tile_pixels<T>(K));
  return larger(int64_t(1), smaller(most, tiles / 8));
}

// Pixels from which the shift of a class is taken: runs spread over the image.
constexpr int64_t kSamples = 8, kSamplePixels = 32;

template <class T>
struct Plan {
  const InterClassSimilarityArgs& args;
  int64_t B, K, N, tile, tiles, parts;
  T scale;  // of logits, to those of powers of two
  ClassNet<T> student, teacher;
  ClassGrad<T> grad;
  int64_t* valid_pixels;  // [B]
  int64_t* first_valid;   // [B] a pixel
  void* buffers;          // of each thread, one after the other
  size_t buffer_bytes;

  Plan(const InterClassSimilarityArgs& a, int threads, Workspace& workspace)
      : args(a),
        B(a.student.B),
        K(a.student.C),
        N(a.student.H * a.student.W),
        tile(tile_pixels<T>(K)),
        tiles(divide_up(N, tile)),
        parts(parts_of<T>(K, N)),
        scale(T(kLog2E / a.temperature)),
        student(a.student, parts, workspace),
        teacher(a.teacher, parts, workspace),
        grad(K, workspace),
        valid_pixels(workspace.take<int64_t>(B)),
        first_valid(workspace.take<int64_t>(B)) {
    Workspace sums(nullptr), gradients(nullptr);
    buffer_of<SumTile<T>>(sums);
    buffer_of<GradTile<T>>(gradients);
    buffer_bytes = larger(sums.bytes(), gradients.bytes());
    buffers = workspace.take<char>(threads * int64_t(buffer_bytes));
  }

  // What a thread works on, and the positions of the valid pixels of its tile.
  template <class Tile>
  struct Buffer {
    int32_t* index;
    Tile tile;
  };

  template <class Tile>
  Buffer<Tile> buffer_of(Workspace& memory) const {
    int32_t* index = memory.take<int32_t>(tile + 1);
    return {index, Tile(K, memory)};
  }

  template <class Tile>
  Buffer<Tile> buffer() const {
    Workspace memory(static_cast<char*>(buffers) + omp_get_thread_num() * int64_t(buffer_bytes));
    return buffer_of<Tile>(memory);
  }

  Pixels pixels(int64_t b, int64_t first, int64_t most, int32_t* index) const {
    return pixels_of_tile(args.mask, args.student.W, b, first, smaller(most, N - first), index);
  }
};

template <class T>
void measure_image(const Plan<T>& plan, int64_t b) {
  int32_t* index = plan.template buffer<SumTile<T>>().index;
  int64_t count = 0, first_valid = 0;
  for (int64_t first = 0; first < plan.N; first += plan.tile) {
    const Pixels pixels = plan.pixels(b, first, plan.tile, index);
    if (count == 0 && pixels.count > 0) {
      first_valid = first + (pixels.index == nullptr ? 0 : pixels.index[0]);
    }
    count += pixels.count;
  }
  plan.valid_pixels[b] = count;
  plan.first_valid[b] = first_valid;
}

// The mean of a channel under its own softmax, over a sample of the image: M_ij is then formed of
// u_j that are small wherever M_ij is. Constant channels give exactly their constant.
template <class T>
T sample_shift(const Plan<T>& plan, const ClassNet<T>& net, int64_t b, int64_t k) {
  int32_t* index = plan.template buffer<SumTile<T>>().index;
  T logits[kSamples * kSamplePixels] = {}, e[kSamples * kSamplePixels];
  int64_t count = 0;
  for (int64_t first = plan.first_valid[b]; first < plan.N;
       first += larger(kSamplePixels, divide_up(plan.N, kSamples))) {
    const Pixels pixels = plan.pixels(b, first, kSamplePixels, index);
    load_logits(*net.map, b, k, pixels, logits + count);
    count += pixels.count;
  }
  const int64_t columns = round_up(count, kLanes<T>);
  const T largest = largest_of(logits, count);
  for (int64_t i = 0; i < columns; i += kLanes<T>) {
    store(e + i, vector_exp2<T>((load(logits + i) - largest) * plan.scale));
  }
  for (int64_t i = count; i < columns; ++i) e[i] = T(0);
  Vector<T> mass = {}, moment = {};
  for (int64_t i = 0; i < columns; i += kLanes<T>) {
    mass += load(e + i);
    moment += load(e + i) * (load(logits + i) - largest);
  }
  return largest + sum_of_lanes<T>(moment) / sum_of_lanes<T>(mass);
}

template <class T>
void sum_part(const Plan<T>& plan, const ClassNet<T>& net, int64_t b, int64_t part) {
  const auto mine = plan.template buffer<SumTile<T>>();
  const ClassSums sums = net.part(part);
  start_sums(mine.tile, sums, plan.K);
  const int64_t end = (part + 1) * plan.tiles / plan.parts;
  for (int64_t t = part * plan.tiles / plan.parts; t < end; ++t) {
    const Pixels pixels = plan.pixels(b, t * plan.tile, plan.tile, mine.index);
    if (pixels.count > 0) add_tile(net, mine.tile, b, pixels, plan.scale, sums);
  }
  finish_sums(mine.tile, sums, plan.K);
}

double row_length(const double* row, int64_t K) {
  double squares = 0.0;
  for (int64_t j = 0; j < K; ++j) squares += row[j] * row[j];
  return sqrt(squares);
}

// out = scale * row. Not inlined: fused into the subtraction of two rows, one product would keep
// more bits than the other, and equal rows would differ.
__attribute__((noinline)) void scale_row(const double* row, int64_t K, double scale, double* out) {
  for (int64_t j = 0; j < K; ++j) out[j] = scale * row[j];
}

// Sum of squared gaps of the matrices of an image; fills G = d (scale * sum) / d M of the student.
template <class T>
double compare_matrices(const Plan<T>& plan, double scale) {
  const int64_t K = plan.K;
  double sum = 0.0;
  for (int64_t i = 0; i < K; ++i) {
    const double* s = plan.student.M + i * K;
    double* t = plan.teacher.M + i * K;
    double* G = plan.grad.G + i * K;  // first the student's row, or its unit row
    const double s_length = row_length(s, K), t_length = row_length(t, K);
    const bool unit = plan.args.row_normalize, zero = s_length <= kRowEps;
    const double s_scale = !unit ? 1.0 : 1.0 / (zero ? kRowEps : s_length);
    scale_row(s, K, s_scale, G);
    if (unit) scale_row(t, K, 1.0 / (t_length <= kRowEps ? kRowEps : t_length), t);
    double along = 0.0;
    for (int64_t j = 0; j < K; ++j) {
      const double gap = G[j] - t[j];
      sum += gap * gap;
      along += G[j] * gap;
    }
    for (int64_t j = 0; j < K; ++j) {
      const double gap = G[j] - t[j];
      // A zero row is one of equal distributions, whose divergences have no slope.
      G[j] = !unit ? 2.0 * scale * gap : zero ? 0.0 : 2.0 * scale * s_scale * (gap - along * G[j]);
    }
  }
  return sum;
}

template <class T>
void clear_grad_row(const Plan<T>& plan, int64_t b, int64_t k) {
  T* zeros = plan.template buffer<GradTile<T>>().tile.rows;
  memset(zeros, 0, size_t(plan.tile) * sizeof(T));
  for (int64_t n0 = 0; n0 < plan.N; n0 += plan.tile) {
    store_row(plan.args.grad, b, k, n0, smaller(plan.tile, plan.N - n0), zeros);
  }
}

template <class T>
void compute(const InterClassSimilarityArgs& args, int threads, void* memory) {
  Workspace workspace(memory);
  const Plan<T> plan(args, threads, workspace);
  const int64_t B = plan.B, K = plan.K;
  const bool want_grad = args.grad.data != nullptr;
  double loss = 0.0;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (int64_t b = 0; b < B; ++b) measure_image(plan, b);
    int64_t images = 0;
    for (int64_t b = 0; b < B; ++b) images += plan.valid_pixels[b] > 0;
    const double scale = images == 0 ? 0.0 : 1.0 / (double(K) * double(K) * double(images));
    for (int64_t b = 0; b < B; ++b) {
      if (plan.valid_pixels[b] == 0) {
#pragma omp for schedule(static)
        for (int64_t k = 0; k < (want_grad ? K : 0); ++k) clear_grad_row(plan, b, k);
        continue;
      }
#pragma omp for schedule(static)
      for (int64_t row = 0; row < 2 * K; ++row) {
        const ClassNet<T>& net = row < K ? plan.student : plan.teacher;
        net.shift[row % K] = sample_shift(plan, net, b, row % K);
      }
      // Dynamic: masked tiles cost less. Who takes a part does not show in the result.
#pragma omp for schedule(dynamic)
      for (int64_t task = 0; task < 2 * plan.parts; ++task) {
        sum_part(plan, task % 2 == 0 ? plan.student : plan.teacher, b, task / 2);
      }
#pragma omp single
      {
        finish_matrix(plan.student, plan.parts);
        finish_matrix(plan.teacher, plan.parts);
        loss += scale * compare_matrices(plan, scale);
        if (want_grad) set_coefficients(plan.grad, plan.student, args.temperature);
      }
      // Guided: long runs of tiles, since each fetches the next one's logits.
#pragma omp for schedule(guided)
      for (int64_t t = 0; t < (want_grad ? plan.tiles : 0); ++t) {
        const auto mine = plan.template buffer<GradTile<T>>();
        write_grad_tile(args, plan.student, plan.grad, mine.tile, plan.scale, b,
                        plan.pixels(b, t * plan.tile, plan.tile, mine.index));
      }
    }
    finish_streams();
  }
  store_loss(args.loss, args.student.dtype, loss);
  set_plan("inter_class_similarity: cpu, %s, %d threads, %lld parts of tiles of %lld pixels",
           sizeof(T) == sizeof(double) ? "f64" : "f32", threads, static_cast<long long>(plan.parts),
           static_cast<long long>(plan.tile));
}

}  // namespace

size_t inter_class_similarity_workspace(const Launch& launch,
                                        const InterClassSimilarityArgs& args) {
  Workspace workspace(nullptr);
  if (args.student.dtype == STRUCTKD_F64) {
    Plan<double>(args, launch.threads, workspace);
  } else {
    Plan<float>(args, launch.threads, workspace);
  }
  return workspace.bytes();
}

void inter_class_similarity(const Launch& launch,
                            const InterClassSimilarityArgs& args,
                            void* memory) {
  if (args.student.dtype == STRUCTKD_F64) {
    compute<double>(args, launch.threads, memory);
  } else {
    compute<float>(args, launch.threads, memory);
  }
}

}  // namespace structkd::cpu::STRUCTKD_ISA
