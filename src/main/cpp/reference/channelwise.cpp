// reference/channelwise.cpp: the channel-wise loss in the order of its formula: long double, one
// thread. All backends are tested against it: a change here redefines the loss.
#include "core/channelwise_args.h"
#include "core/error.h"
#include "reference/access.h"
#include "reference/kernels.h"
#include "reference/softmax_divergence.h"

namespace structkd::reference {
namespace {

bool is_valid(const ChannelwiseArgs& args, int64_t b, int64_t n) {
  return args.mask.data == nullptr || at(args.mask, b, n, args.student.W) != 0.0;
}

int64_t valid_positions(const ChannelwiseArgs& args, int64_t b) {
  int64_t count = 0;
  for (int64_t n = 0; n < args.student.H * args.student.W; ++n) count += is_valid(args, b, n);
  return count;
}

}  // namespace

size_t channelwise_workspace(const Launch&, const ChannelwiseArgs& args) {
  return size_t(args.student.H * args.student.W) * (3 * sizeof(Real) + 2 * sizeof(double));
}

void channelwise(const Launch&, const ChannelwiseArgs& args, void* workspace) {
  const int64_t B = args.student.B, C = args.student.C, N = args.student.H * args.student.W;
  Real* log_q = static_cast<Real*>(workspace);  // of the teacher
  Real* log_p = log_q + N;                      // of the student
  Real* delta = log_p + N;
  double* teacher = reinterpret_cast<double*>(delta + N);
  double* student = teacher + N;
  int64_t images = 0;
  for (int64_t b = 0; b < B; ++b) images += valid_positions(args, b) > 0;
  const Real t = args.temperature, channels = Real(C) * Real(images);

  Real sum = 0;
  for (int64_t b = 0; b < B; ++b) {
    const int64_t valid = valid_positions(args, b);
    for (int64_t c = 0; c < C; ++c) {
      int64_t i = 0;
      for (int64_t n = 0; n < N; ++n) {
        if (!is_valid(args, b, n)) continue;
        teacher[i] = at(args.teacher, b, c, n);
        student[i] = at(args.student, b, c, n);
        ++i;
      }
      Divergence kl = {};
      if (valid > 0) {
        log_softmax(teacher, valid, args.temperature, log_q);
        log_softmax(student, valid, args.temperature, log_p);
        kl = divergence_of(teacher, student, valid, args.temperature, log_q, log_p, delta);
        sum += kl.value;
      }
      if (args.grad.data == nullptr) continue;
      i = 0;
      for (int64_t n = 0; n < N; ++n) {
        if (!is_valid(args, b, n)) {
          set(args.grad, b, c, n, 0.0);
          continue;
        }
        const Real slope = by_second(kl, log_q[i], log_p[i], delta[i]);
        set(args.grad, b, c, n, double(t / channels * slope));
        ++i;
      }
    }
  }
  set_loss(args.loss, args.student.dtype, images == 0 ? 0.0 : double(t * t / channels * sum));
  set_plan("channelwise: reference, %lld images", static_cast<long long>(images));
}

}  // namespace structkd::reference
