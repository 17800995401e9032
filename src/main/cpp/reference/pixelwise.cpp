// reference/pixelwise.cpp: the pixel-wise loss in the order of its formula: long double, one
// thread. All backends are tested against it: a change here redefines the loss.
#include "core/error.h"
#include "core/pixelwise_args.h"
#include "reference/access.h"
#include "reference/kernels.h"
#include "reference/softmax_divergence.h"

namespace structkd::reference {
namespace {

bool is_valid(const PixelwiseArgs& args, int64_t b, int64_t n) {
  return args.mask.data == nullptr || at(args.mask, b, n, args.student.W) != 0.0;
}

}  // namespace

size_t pixelwise_workspace(const Launch&, const PixelwiseArgs& args) {
  return size_t(args.student.C) * (3 * sizeof(Real) + 2 * sizeof(double));
}

void pixelwise(const Launch&, const PixelwiseArgs& args, void* workspace) {
  const int64_t K = args.student.C, N = args.student.H * args.student.W;
  const bool student_first = args.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const Map& first = student_first ? args.student : args.teacher;
  const Map& second = student_first ? args.teacher : args.student;
  Real* log_q = static_cast<Real*>(workspace);
  Real* log_p = log_q + K;
  Real* delta = log_p + K;
  double* first_logits = reinterpret_cast<double*>(delta + K);
  double* second_logits = first_logits + K;
  int64_t valid_pixels = 0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    for (int64_t n = 0; n < N; ++n) valid_pixels += is_valid(args, b, n);
  }
  const PixelwiseScales scales = pixelwise_scales(args, valid_pixels);

  Real sum = 0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    for (int64_t n = 0; n < N; ++n) {
      const bool valid = is_valid(args, b, n);
      Divergence kl = {};
      if (valid) {
        for (int64_t c = 0; c < K; ++c) first_logits[c] = at(first, b, c, n);
        for (int64_t c = 0; c < K; ++c) second_logits[c] = at(second, b, c, n);
        log_softmax(first_logits, K, args.temperature, log_q);
        log_softmax(second_logits, K, args.temperature, log_p);
        kl = divergence_of(first_logits, second_logits, K, args.temperature, log_q, log_p, delta);
        const bool cross = args.divergence == STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
        sum += cross ? cross_entropy(log_q, log_p, K) : kl.value;
      }
      for (int64_t c = 0; args.grad.data && c < K; ++c) {
        const Real g = !valid          ? Real(0)
                       : student_first ? by_first(kl, log_q[c], log_p[c], delta[c])
                                       : by_second(kl, log_q[c], log_p[c], delta[c]);
        set(args.grad, b, c, n, valid ? double(Real(scales.grad) * g) : 0.0);
      }
    }
  }
  set_loss(args.loss, args.student.dtype, double(Real(scales.value) * sum));
  set_plan("pixelwise: reference, %lld valid pixels", static_cast<long long>(valid_pixels));
}

}  // namespace structkd::reference
