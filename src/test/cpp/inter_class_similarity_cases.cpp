// src/test/cpp/inter_class_similarity_cases.cpp: the inter-class similarity loss in the table of
// losses.
#include "inter_class_similarity_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "losses.h"

namespace structkd::test {
namespace {

using P = structkd_inter_class_similarity_params;

// Root of the mean squared divergence of a net: its loss against constant channels, whose
// divergences are 0.
double rms_divergence(const TestTensor& logits, P params) {
  const int64_t* n = logits.view()->sizes;
  params.row_normalize = 0;
  How how;
  how.want_grad = false;
  const TestTensor constant({n[0], n[1], n[2], n[3]}, logits.view()->dtype);
  return std::sqrt(compute("reference", logits, constant, params, how).loss);
}

}  // namespace

Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor& teacher,
                         const P& params,
                         const Outcome& truth,
                         const Outcome&,
                         double scale) {
  // A divergence may be off by 1e-6 in f32 and by 1e-14 in f64, more where divergences are large.
  // The loss is a mean of squared gaps, its root the size of a gap: the closer the matrices, the
  // larger the relative error that this allows.
  const bool f64 = student.view()->dtype == STRUCTKD_F64;
  const double size =
      std::max({1.0, rms_divergence(student, params), rms_divergence(teacher, params)});
  const double delta = scale * (f64 ? 1e-14 : 1e-6) * size;
  const double gap = std::sqrt(truth.loss);
  // Gradients of loss 0 are tested apart: one class, one pixel, equal nets.
  const double relative = 2 * delta / gap + (f64 ? 1e-13 : 1e-6) * size;
  return {2 * gap * delta + delta * delta, gap == 0.0
                                               ? std::numeric_limits<double>::infinity()
                                               : relative * std::sqrt(dot(truth.grad, truth.grad))};
}

Loss inter_class_similarity_row() {
  const auto plain = [](double temperature, bool row_normalize) {
    return [=](const Shape&) { return Params(params_of(temperature, row_normalize)); };
  };
  const auto masked = [](bool row_normalize) {
    return [=](const Shape& n) {
      TestTensor mask(n.plane(), STRUCTKD_U8,
                      row_normalize ? Layout::kSliced : Layout::kContiguous);
      mask.fill([&](int64_t i) {
        return left_out(n, i / (n.H * n.W), n.pixel(i)) ? 0.0 : double(1 + i % 255);
      });
      Params result(params_of(1.5, row_normalize));
      result.as<P>().mask = result.keep(std::move(mask));
      return result;
    };
  };
  Loss loss = loss_row<P>("inter_class_similarity", "inter-class similarity loss");
  loss.variants = {
      {"plain", plain(1.0, false)},     {"softened", plain(4.0, false)},
      {"sharpened", plain(0.5, false)}, {"row_normalized", plain(1.7, true)},
      {"masked", masked(false), true},  {"masked_row_normalized", masked(true), true},
  };
  // A group of classes and several, the shrinking tiles of many.
  loss.shapes = {{3, 5, 9, 17}, {2, 40, 3, 11}, {1, 150, 2, 5}};
  loss.large = {{2, 5, 91, 83}, {1, 70, 45, 83}};
  loss.enums = {{"row_normalize", offsetof(P, row_normalize), 2}};
  loss.positives = {{"temperature", offsetof(P, temperature)}};
  loss.planes = {{"mask", offsetof(P, mask), STRUCTKD_U8}};
  loss.blind_to_offset = true;
  loss.scratch = [](const Shape& n, int threads) {
    const double K = double(n.C);
    return 8 * (16 * double(n.B) * K * K + threads * 2048 * K) + 65536;
  };
  return loss;
}

}  // namespace structkd::test
