// cpu/pixelwise/valid.h: which pixels a mask leaves, and how many.
#ifndef STRUCTKD_CPU_PIXELWISE_VALID_H
#define STRUCTKD_CPU_PIXELWISE_VALID_H

#include "core/pixelwise_args.h"
#include "cpu/common/access.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

inline bool is_valid(const PixelwiseArgs& args, int64_t b, int64_t n) {
  return args.mask.data == nullptr || plane_at<int>(args.mask, b, n, args.student.W) != 0;
}

inline int64_t count_valid(const PixelwiseArgs& args, int threads) {
  const int64_t N = args.student.H * args.student.W, rows = args.student.B * args.student.H;
  if (args.mask.data == nullptr) return args.student.B * N;
  int64_t valid = 0;  // an integer: the order of the additions does not matter
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : valid)
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t b = r / args.student.H, n0 = r % args.student.H * args.student.W;
    for (int64_t w = 0; w < args.student.W; ++w) valid += is_valid(args, b, n0 + w);
  }
  return valid;
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_VALID_H
