// src/test/cpp/global_structural_cases.cpp: the global structural loss in the table of losses.
#include "global_structural_cases.h"

#include <cmath>

#include "losses.h"

namespace structkd::test {

using P = structkd_global_structural_params;

Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor&,
                         const P& params,
                         const Outcome& truth,
                         const Outcome&,
                         double scale) {
  // Similarities are rounded once to the inputs' type; the loss depends on their differences.
  const bool f64 = student.view()->dtype == STRUCTKD_F64;
  const double size = params.normalize ? 1.0 : 16.0;  // of products of rows as they are
  const double tolerance = scale * size * (f64 ? 1e-12 : 8 * 0x1p-24);
  // Where the true gradient vanishes, what is left of one that is of the order of 1.
  const double rounding = (f64 ? 0x1p-50 : 0x1p-22) * std::sqrt(double(truth.grad.size()));
  return {tolerance * std::abs(truth.loss) + 1e-15,
          tolerance * std::sqrt(dot(truth.grad, truth.grad)) + rounding};
}

Loss global_structural_row() {
  const auto all = [](int64_t group_width) {
    return [=](const Shape&) { return Params(params_of(group_width)); };
  };
  const auto columns = [](const Shape&) {
    P params = params_of(0);
    params.normalize = 0;
    params.temperature = 0.5;
    return Params(params);
  };
  // The pixels that are not left out, and five that are behind the count.
  const auto sampled = [](structkd_similarity similarity) {
    return [=](const Shape& n) {
      std::vector<double> pixels;
      for (int64_t x = 0; x < n.H * n.W; ++x) {
        if (!left_out(n, 0, x)) pixels.push_back(double(x));
      }
      const int64_t count = int64_t(pixels.size()), M = count + 5;
      TestTensor indices({n.B, M}, STRUCTKD_I32), counts({n.B, 2}, STRUCTKD_I32);
      indices.fill([&](int64_t i) { return i % M < count ? pixels[size_t(i % M)] : 1.0; });
      counts.fill([&](int64_t i) {
        return left_out(n, i / 2, 0) ? 0.0 : i % 2 == 0 ? double(count) : 3.0;
      });
      Params result(params_of());
      result.as<P>().similarity = similarity;
      result.as<P>().indices = result.keep(std::move(indices));
      result.as<P>().counts = result.keep(std::move(counts));
      return result;
    };
  };
  Loss loss = loss_row<P>("global_structural", "global structural loss");
  loss.variants = {
      {"one_group_per_class", all(-1)},
      {"groups_of_four", all(4)},
      {"unnormalized_columns", columns},
      {"sampled", sampled(STRUCTKD_SIMILARITY_SELF), true},
      {"sampled_cross", sampled(STRUCTKD_SIMILARITY_CROSS), true},
  };
  loss.shapes = {{3, 9, 6, 11}, {2, 40, 3, 7}};
  loss.large = {{2, 40, 9, 9}, {2, 9, 5, 9}};
  loss.same_channels = false;
  loss.enums = {{"similarity", offsetof(P, similarity), 2},
                {"shuffle", offsetof(P, shuffle), 3},
                {"reduction", offsetof(P, reduction), 3},
                {"remainder", offsetof(P, remainder), 3},
                {"batch", offsetof(P, batch), 2}};
  loss.positives = {{"temperature", offsetof(P, temperature)}, {"eps", offsetof(P, eps)}};
  loss.blind_to_factor = true;
  loss.nearly_equal_scale = conditioning_of(Input::kNearlyEqual);
  loss.scratch = [](const Shape& n, int threads) {
    const double M = double(n.H * n.W), B = double(n.B);
    return 8 * (B + threads) * (8 * M * M + 4 * M * double(2 * n.C) + 64 * M) + (1 << 20);
  };
  return loss;
}

}  // namespace structkd::test
