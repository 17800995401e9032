// cpu/inter_class_similarity.cpp: the inter-class similarity loss without any K x N array: one pass
// over each net for the matrices, one over the student for the gradient. Truth:
// reference/inter_class_similarity.cpp.
//
// An image is cut into tiles of pixels, and these into parts of consecutive tiles. Both depend on
// shapes alone; threads take whole parts. Memory: the sums of the parts, O(K^2), and one tile per
// thread.
#include <omp.h>

#include "core/error.h"
#include "cpu/inter_class_grad.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// At least 8 tiles, so that starting and merging a part does not count; at most 1.5 MB of sums per
// net, and 64 parts, but never fewer than 4.
template <class T>
int64_t parts_of(int64_t K, int64_t N) {
  constexpr int64_t kSumBytes = 3 << 19;
  const int64_t fitting = kSumBytes / (class_rows(K) * class_rows(K) * int64_t(sizeof(double)));
  const int64_t most = larger(int64_t(4), smaller(int64_t(64), fitting));
  const int64_t tiles = divide_up(N, tile_pixels<T>(K));
  return larger(int64_t(1), smaller(most, tiles / 8));
}

template <class T>
struct Plan {
  const InterClassSimilarityArgs& args;
  int64_t B, K, N, tile, tiles, parts;
  ClassNet<T> student, teacher;
  ClassGrad<T> grad;
  int64_t* valid_pixels;  // [B]
  int64_t* first_tile;    // [B] the first one with a valid pixel
  void* buffers;          // one Tile per thread
  size_t buffer_bytes;

  Plan(const InterClassSimilarityArgs& a, int threads, Workspace& workspace)
      : args(a),
        B(a.student.B),
        K(a.student.C),
        N(a.student.H * a.student.W),
        tile(tile_pixels<T>(K)),
        tiles(divide_up(N, tile)),
        parts(parts_of<T>(K, N)),
        student(a.student, parts, workspace),
        teacher(a.teacher, parts, workspace),
        grad(K, workspace),
        valid_pixels(workspace.take<int64_t>(B)),
        first_tile(workspace.take<int64_t>(B)) {
    Workspace one(nullptr);
    Tile<T>(K, one);
    buffer_bytes = one.bytes();
    buffers = workspace.take<char>(threads * int64_t(buffer_bytes));
  }

  Tile<T> tile_of_thread() const {
    Workspace memory(static_cast<char*>(buffers) + omp_get_thread_num() * int64_t(buffer_bytes));
    Tile<T> mine(K, memory);
    mine.clear_rows_beyond(K);
    return mine;
  }

  Pixels pixels(int64_t b, int64_t t, const Tile<T>& mine) const {
    return pixels_of_tile(args.mask, args.student.W, b, t * tile, smaller(tile, N - t * tile),
                          mine.index);
  }
};

template <class T>
void measure_image(const Plan<T>& plan, int64_t b) {
  const Tile<T> mine = plan.tile_of_thread();
  int64_t count = 0, first = plan.tiles;
  for (int64_t t = 0; t < plan.tiles; ++t) {
    const int64_t valid = plan.pixels(b, t, mine).count;
    if (valid > 0) first = smaller(first, t);
    count += valid;
  }
  plan.valid_pixels[b] = count;
  plan.first_tile[b] = first;
}

// The mean of a channel under its own softmax, over up to 8 tiles spread over the image: M_ij is
// then formed of u_j that are small wherever M_ij is. Constant channels give exactly their
// constant.
template <class T>
void set_shift(const Plan<T>& plan, const ClassNet<T>& net, int64_t b, int64_t k) {
  const Tile<T> mine = plan.tile_of_thread();
  const T inverse_temperature = T(1.0 / plan.args.temperature);
  double maximum = -HUGE_VAL, mass = 0.0, moment = 0.0;  // moment: sum of e (z - maximum)
  for (int64_t t = plan.first_tile[b]; t < plan.tiles; t += divide_up(plan.tiles, 8)) {
    const Pixels pixels = plan.pixels(b, t, mine);
    if (pixels.count == 0) continue;
    load_logits(*net.map, b, k, pixels, mine.e);
    const double largest = double(largest_of(mine.e, pixels.count));
    if (largest > maximum) {
      const double shrink = exp((maximum - largest) / plan.args.temperature);
      if (mass > 0.0) moment = shrink * (moment + (maximum - largest) * mass);
      mass *= shrink;
      maximum = largest;
    }
    load_shifted(*net.map, b, k, pixels, T(maximum), inverse_temperature, mine.u);
    mass += double(exponentials(mine.u, T(0), pixels.count, mine.e));
    Vector<T> products = {};  // both rows are 0 behind the last pixel
    for (int64_t i = 0; i < padded_columns<T>(pixels.count); i += kLanes<T>) {
      products += load(mine.e + i) * load(mine.u + i);
    }
    moment += double(sum_of_lanes<T>(products)) * plan.args.temperature;
  }
  net.shift[k] = T(maximum + moment / mass);
}

template <class T>
void sum_part(const Plan<T>& plan, const ClassNet<T>& net, int64_t b, int64_t part) {
  const Tile<T> mine = plan.tile_of_thread();
  const ClassSums sums = net.part(part);
  start_sums(sums, plan.K);
  const int64_t end = (part + 1) * plan.tiles / plan.parts;
  for (int64_t t = part * plan.tiles / plan.parts; t < end; ++t) {
    const Pixels pixels = plan.pixels(b, t, mine);
    if (pixels.count > 0) add_tile(net, mine, b, pixels, T(1.0 / plan.args.temperature), sums);
  }
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
  const Tile<T> mine = plan.tile_of_thread();
  memset(mine.expanded, 0, size_t(plan.tile) * sizeof(T));
  for (int64_t n0 = 0; n0 < plan.N; n0 += plan.tile) {
    store_row(plan.args.grad, b, k, n0, smaller(plan.tile, plan.N - n0), mine.expanded);
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
        set_shift(plan, row < K ? plan.student : plan.teacher, b, row % K);
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
#pragma omp for schedule(dynamic, 4)
      for (int64_t t = 0; t < (want_grad ? plan.tiles : 0); ++t) {
        const Tile<T> mine = plan.tile_of_thread();
        write_grad_tile(args, plan.student, plan.grad, mine, b, plan.pixels(b, t, mine));
      }
    }
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
