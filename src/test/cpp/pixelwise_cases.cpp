// src/test/cpp/pixelwise_cases.cpp: the pixel-wise loss in the table of losses.
#include "pixelwise_cases.h"

#include <cmath>

#include "losses.h"

namespace structkd::test {

using P = structkd_pixelwise_params;

Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor&,
                         const P&,
                         const Outcome& truth,
                         const Outcome&,
                         double scale) {
  // f64: the plain formula of the reference cancels near student = teacher, not ours.
  // f32: logits relative to their maximum are rounded, and e^x turns that into |x| roundings.
  const double tolerance = scale * (student.view()->dtype == STRUCTKD_F64 ? 1e-9 : 10 * 0x1p-24);
  return {tolerance * std::abs(truth.loss) + 2e-16,
          tolerance * std::sqrt(dot(truth.grad, truth.grad))};
}

Loss pixelwise_row() {
  constexpr auto kCross = STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
  constexpr auto kTeacher = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
  constexpr auto kStudent = STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const auto plain = [](structkd_divergence divergence) {
    return [=](const Shape&) { return Params(params_of(divergence)); };
  };
  const auto masked = [](structkd_divergence divergence, structkd_divisor divisor, Layout layout) {
    return [=](const Shape& n) {
      P params = params_of(divergence, divisor);
      params.temperature = 1.7;
      params.temperature_squared = 1;
      TestTensor mask(n.plane(), STRUCTKD_U8, layout);
      mask.fill([&](int64_t i) {
        return left_out(n, i / (n.H * n.W), n.pixel(i)) ? 0.0 : double(1 + i % 255);
      });
      Params result(params);
      result.as<P>().mask = result.keep(std::move(mask));
      return result;
    };
  };
  Loss loss = loss_row<P>("pixelwise", "pixel-wise loss");
  // A cross-entropy has the entropy of the teacher left where the nets are equal.
  loss.variants = {
      {"teacher_student", plain(kTeacher)},
      {"student_teacher", plain(kStudent)},
      {"cross_entropy", plain(kCross), false, false},
      {"masked_teacher_student", masked(kTeacher, STRUCTKD_DIVISOR_PIXELS, Layout::kContiguous),
       true},
      {"masked_student_teacher", masked(kStudent, STRUCTKD_DIVISOR_ELEMENTS, Layout::kSliced),
       true},
      {"masked_cross_entropy", masked(kCross, STRUCTKD_DIVISOR_PIXELS_PER_IMAGE, Layout::kApart),
       true, false},
  };
  // Planes of few and many classes, rows in registers and in pieces, a few pixels of many classes.
  loss.shapes = {{3, 6, 9, 17},  {2, 70, 3, 11}, {3, 10, 1, 1},   {3, 40, 1, 1},
                 {1, 300, 2, 5}, {3, 300, 1, 1}, {2, 1100, 2, 3}, {1, 1100, 3, 5}};
  loss.large = {{2, 6, 19, 23}, {2, 70, 19, 23}, {70, 10, 1, 1}, {70, 300, 1, 1}, {70, 1100, 1, 1}};
  loss.enums = {{"divergence", offsetof(P, divergence), 3}, {"divisor", offsetof(P, divisor), 3}};
  loss.positives = {{"temperature", offsetof(P, temperature)}};
  loss.planes = {{"mask", offsetof(P, mask), STRUCTKD_U8}};
  loss.blind_to_offset = true;
  // Pixels that are computed side by side choose the way to round together.
  loss.left_out_rounding = [](structkd_dtype dtype) {
    return dtype == STRUCTKD_F64 ? 1e-14 : 4 * 0x1p-24 + 2 * storage_error(dtype);
  };
  // For each thread both nets of two rows and three numbers per class, or a tile of both nets; a
  // number per row or tile.
  loss.scratch = [](const Shape& n, int threads) {
    const double per_thread = 7.0 * double(n.C + 64) * 8 + double(1 << 20);
    return threads * per_thread + double(n.B * n.H * n.W) / 16 * 8 + double(n.B) * 8;
  };
  return loss;
}

}  // namespace structkd::test
