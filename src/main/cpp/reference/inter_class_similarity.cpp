// reference/inter_class_similarity.cpp: the inter-class similarity loss in the order of its
// formula. Slow on purpose: one K x K x N loop per image, f64, one thread. All backends are tested
// against it: a change here redefines the loss.
#include <cmath>

#include "core/error.h"
#include "core/inter_class_similarity_args.h"
#include "reference/access.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

bool valid(const InterClassSimilarityArgs& args, int64_t b, int64_t x) {
  return args.mask.data == nullptr || at(args.mask, b, x, args.student.W) != 0.0;
}

int64_t valid_pixels(const InterClassSimilarityArgs& args, int64_t b) {
  int64_t count = 0;
  for (int64_t x = 0; x < args.student.H * args.student.W; ++x) count += valid(args, b, x);
  return count;
}

// log_p[i * N + x] = log softmax over the valid pixels of channel i. Ignored pixels are not
// written.
void log_softmax(const InterClassSimilarityArgs& args, const Map& map, int64_t b, double* log_p) {
  const int64_t N = map.H * map.W;
  for (int64_t i = 0; i < map.C; ++i) {
    double maximum = -HUGE_VAL, sum = 0.0;
    for (int64_t x = 0; x < N; ++x) {
      if (!valid(args, b, x)) continue;
      log_p[i * N + x] = at(map, b, i, x) / args.temperature;
      maximum = std::fmax(maximum, log_p[i * N + x]);
    }
    for (int64_t x = 0; x < N; ++x) {
      if (valid(args, b, x)) sum += std::exp(log_p[i * N + x] - maximum);
    }
    for (int64_t x = 0; x < N; ++x) {
      if (valid(args, b, x)) log_p[i * N + x] -= maximum + std::log(sum);
    }
  }
}

// M[i * K + j] = sum_x p_i(x) (log p_i(x) - log p_j(x)).
void divergences(const InterClassSimilarityArgs& args, int64_t b, const double* log_p, double* M) {
  const int64_t K = args.student.C, N = args.student.H * args.student.W;
  for (int64_t e = 0; e < K * K; ++e) M[e] = 0.0;
  for (int64_t i = 0; i < K; ++i) {
    for (int64_t x = 0; x < N; ++x) {
      if (!valid(args, b, x)) continue;
      const double p = std::exp(log_p[i * N + x]);
      for (int64_t j = 0; j < K; ++j) M[i * K + j] += p * (log_p[i * N + x] - log_p[j * N + x]);
    }
  }
}

double row_length(const double* row, int64_t K) {
  double squares = 0.0;
  for (int64_t j = 0; j < K; ++j) squares += row[j] * row[j];
  return std::sqrt(squares);
}

void normalize_rows(double* M, int64_t K) {
  for (int64_t i = 0; i < K; ++i) {
    const double length = row_length(M + i * K, K);
    for (int64_t j = 0; j < K; ++j) M[i * K + j] /= length > kRowEps ? length : kRowEps;
  }
}

// G: derivative by the unit rows, replaced by that by the rows of M.
void through_row_length(const double* M, int64_t K, double* G) {
  for (int64_t i = 0; i < K; ++i) {
    const double* row = M + i * K;
    double* g = G + i * K;
    const double length = row_length(row, K);
    double along = 0.0;
    for (int64_t j = 0; j < K; ++j) along += row[j] * g[j];
    for (int64_t j = 0; j < K; ++j) {
      // A zero row is one of equal distributions, whose divergences have no slope.
      g[j] = length <= kRowEps ? 0.0 : (g[j] - row[j] * along / (length * length)) / length;
    }
  }
}

// d M_ij / d z_i(x) = p_i (log p_i - log p_j - M_ij) / temperature,
// d M_ij / d z_j(x) = (p_j - p_i) / temperature.
void write_grad(const InterClassSimilarityArgs& args,
                int64_t b,
                const double* log_p,
                const double* M,
                const double* G,
                double* p) {
  const int64_t K = args.student.C, N = args.student.H * args.student.W;
  for (int64_t x = 0; x < N; ++x) {
    const bool counts = valid(args, b, x);
    for (int64_t k = 0; k < K && counts; ++k) p[k] = std::exp(log_p[k * N + x]);
    for (int64_t k = 0; k < K; ++k) {
      double g = 0.0;
      for (int64_t j = 0; j < K && counts; ++j) {
        g += G[k * K + j] * p[k] * (log_p[k * N + x] - log_p[j * N + x] - M[k * K + j]);
        g += G[j * K + k] * (p[k] - p[j]);
      }
      set(args.grad, b, k, x, g / args.temperature);
    }
  }
}

void write_zero_grad(const InterClassSimilarityArgs& args, int64_t b) {
  for (int64_t k = 0; k < args.grad.C; ++k) {
    for (int64_t x = 0; x < args.grad.H * args.grad.W; ++x) set(args.grad, b, k, x, 0.0);
  }
}

}  // namespace

size_t inter_class_similarity_workspace(const Launch&, const InterClassSimilarityArgs& args) {
  const int64_t K = args.student.C, N = args.student.H * args.student.W;
  return size_t(2 * K * N + 4 * K * K + K) * sizeof(double);
}

void inter_class_similarity(const Launch&, const InterClassSimilarityArgs& args, void* workspace) {
  const int64_t B = args.student.B, K = args.student.C, N = args.student.H * args.student.W;
  double* student_log_p = static_cast<double*>(workspace);
  double* teacher_log_p = student_log_p + K * N;
  double* student_M = teacher_log_p + K * N;
  double* student_rows = student_M + K * K;  // M or its unit rows
  double* teacher_rows = student_rows + K * K;
  double* G = teacher_rows + K * K;
  double* p = G + K * K;  // of one pixel

  int64_t images = 0;
  for (int64_t b = 0; b < B; ++b) images += valid_pixels(args, b) > 0;
  double loss = 0.0;
  for (int64_t b = 0; b < B; ++b) {
    if (valid_pixels(args, b) == 0) {
      if (args.grad.data) write_zero_grad(args, b);
      continue;
    }
    log_softmax(args, args.student, b, student_log_p);
    log_softmax(args, args.teacher, b, teacher_log_p);
    divergences(args, b, student_log_p, student_M);
    divergences(args, b, teacher_log_p, teacher_rows);
    for (int64_t e = 0; e < K * K; ++e) student_rows[e] = student_M[e];
    if (args.row_normalize) {
      normalize_rows(student_rows, K);
      normalize_rows(teacher_rows, K);
    }
    for (int64_t e = 0; e < K * K; ++e) {
      const double gap = student_rows[e] - teacher_rows[e];
      loss += gap * gap / double(K * K * images);
      G[e] = 2.0 * gap / double(K * K * images);
    }
    if (!args.grad.data) continue;
    if (args.row_normalize) through_row_length(student_M, K, G);
    write_grad(args, b, student_log_p, student_M, G, p);
  }
  set_loss(args.loss, args.student.dtype, loss);
  set_plan("inter_class_similarity: reference, %lld images of %lld pixels",
           static_cast<long long>(images), static_cast<long long>(N));
}

}  // namespace structkd::reference
