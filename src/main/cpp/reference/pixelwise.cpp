// reference/pixelwise.cpp: the pixel-wise loss in the order of its formula: f64, one thread. All
// backends are tested against it: a change here redefines the loss.
#include <cmath>

#include "core/error.h"
#include "core/pixelwise_args.h"
#include "reference/access.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

bool is_valid(const PixelwiseArgs& args, int64_t b, int64_t n) {
  return args.mask.data == nullptr || at(args.mask, b, n, args.student.W) != 0.0;
}

// log_q[c] = log softmax over classes of logits / temperature, at pixel n of image b.
void log_softmax(const Map& logits, int64_t b, int64_t n, double temperature, double* log_q) {
  double highest = at(logits, b, 0, n);
  for (int64_t c = 1; c < logits.C; ++c) highest = std::fmax(highest, at(logits, b, c, n));
  double sum = 0.0;
  for (int64_t c = 0; c < logits.C; ++c) {
    log_q[c] = (at(logits, b, c, n) - highest) / temperature;
    sum += std::exp(log_q[c]);
  }
  for (int64_t c = 0; c < logits.C; ++c) log_q[c] -= std::log(sum);
}

// q x, and 0 for q = 0 even if x is infinite or 0/0.
double weighted(double log_q, double x) {
  const double q = std::exp(log_q);
  return q == 0.0 ? 0.0 : q * x;
}

// The divergence at one pixel.
double divergence(structkd_divergence kind, const double* log_s, const double* log_t, int64_t K) {
  double sum = 0.0;
  for (int64_t c = 0; c < K; ++c) {
    switch (kind) {
      case STRUCTKD_DIVERGENCE_CROSS_ENTROPY:
        sum += weighted(log_t[c], -log_s[c]);
        break;
      case STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT:
        sum += weighted(log_t[c], log_t[c] - log_s[c]);
        break;
      case STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER:
        sum += weighted(log_s[c], log_s[c] - log_t[c]);
        break;
    }
  }
  return sum;
}

// Its derivative by student logit / temperature of one class.
double derivative(structkd_divergence kind, double log_s, double log_t, double value) {
  if (kind == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER) {
    return weighted(log_s, log_s - log_t - value);
  }
  return std::exp(log_s) - std::exp(log_t);
}

}  // namespace

size_t pixelwise_workspace(const Launch&, const PixelwiseArgs& args) {
  return size_t(2 * args.student.C) * sizeof(double);
}

void pixelwise(const Launch&, const PixelwiseArgs& args, void* workspace) {
  const int64_t K = args.student.C, N = args.student.H * args.student.W;
  double* log_s = static_cast<double*>(workspace);
  double* log_t = log_s + K;
  int64_t valid_pixels = 0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    for (int64_t n = 0; n < N; ++n) valid_pixels += is_valid(args, b, n);
  }
  const PixelwiseScales scales = pixelwise_scales(args, valid_pixels);

  double sum = 0.0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    for (int64_t n = 0; n < N; ++n) {
      const bool valid = is_valid(args, b, n);
      double value = 0.0;
      if (valid) {
        log_softmax(args.student, b, n, args.temperature, log_s);
        log_softmax(args.teacher, b, n, args.temperature, log_t);
        value = divergence(args.divergence, log_s, log_t, K);
        sum += value;
      }
      for (int64_t c = 0; args.grad.data && c < K; ++c) {
        const double g = valid ? derivative(args.divergence, log_s[c], log_t[c], value) : 0.0;
        set(args.grad, b, c, n, valid ? scales.grad * g : 0.0);
      }
    }
  }
  set_loss(args.loss, args.student.dtype, scales.value * sum);
  set_plan("pixelwise: reference, %lld valid pixels", static_cast<long long>(valid_pixels));
}

}  // namespace structkd::reference
