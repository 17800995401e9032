// src/test/cpp/promises/values.cpp: what value and gradient are, whatever the loss.
#include <cmath>

#include "promises.h"

namespace structkd::test {

// Random directions give one relative error for the whole gradient, against finite differences of
// the reference's value.
void gradient_is_the_derivative(const Loss& loss, const std::string& backend) {
  for (const Variant& variant : loss.variants) {
    if (!variant.is_derivative) continue;
    for (const auto& [channels, apart] : {std::pair{2, 1.0}, {5, 3.0}, {5, 0.1}, {30, 1.0}}) {
      const Shape n = {2, channels, 3, 5};
      SCOPED_TRACE(variant.name + ", " + std::to_string(channels) + " channels, apart by " +
                   std::to_string(apart));
      Nets nets(n, STRUCTKD_F64, Input::kRandom, 21);
      nets.teacher.fill([&, apart = apart](int64_t i) {
        return nets.student.get(i) + apart * gaussian(22, uint64_t(i));
      });
      const Params params = variant.params(n);
      const std::vector<double> grad = compute(loss, backend, nets, params).grad;
      const std::vector<double> start = nets.student.values();
      for (uint64_t trial = 0; trial < 3; ++trial) {
        std::vector<double> direction(grad.size());
        for (size_t i = 0; i < grad.size(); ++i) direction[i] = gaussian(77 + trial, i);
        const double slope = central_difference(
            [&](double step) {
              nets.student.fill(
                  [&](int64_t i) { return start[size_t(i)] + step * direction[size_t(i)]; });
              How alone;
              alone.want_grad = false;
              return compute(loss, "reference", nets, params, alone).loss;
            },
            1e-4);
        const double expected = dot(grad, direction);
        // Rounding alone is left of a gradient that is 0, as of two classes with unit rows.
        EXPECT_NEAR(slope, expected, 1e-6 * std::abs(expected) + 1e-11);
      }
    }
  }
}

void equal_nets_give_zero(const Loss& loss, const std::string& backend) {
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    for (structkd_dtype dtype : kFloatingDtypes) {
      Nets nets(n, dtype);
      nets.teacher.fill([&](int64_t i) { return nets.student.get(i); });
      const Outcome outcome = compute(loss, backend, nets, variant.params(n));
      SCOPED_TRACE(describe(nets.student) + ", " + outcome.plan);
      if (variant.zero_when_equal) {
        EXPECT_EQ(0.0, outcome.loss);
      }
      for (double g : outcome.grad) EXPECT_EQ(0.0, g);
    }
  });
}

// Teachers that are the student up to noise and what the loss does not see: the terms of a
// divergence cancel there, and nothing but their rounding is left.
void never_below_zero(const Loss& loss, const std::string& backend) {
  const Shape n = {2, 5, 3, 7};
  for (const Variant& variant : loss.variants) {
    const Params params = variant.params(n);
    for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32}) {
      for (uint64_t seed = 0; seed < 12; ++seed) {
        for (double noise : {0.0, 1e-16, 1e-12, 1e-8, 1e-5}) {
          Nets nets(n, dtype, Input::kRandom, seed);
          const double factor = loss.blind_to_factor ? 1 + 0.37 * double(seed) : 1.0;
          const double offset = loss.blind_to_offset ? 0.37 * double(seed) : 0.0;
          nets.teacher.fill([&](int64_t i) {
            return factor * nets.student.get(i) + offset +
                   noise * gaussian(seed + 100, uint64_t(i));
          });
          const Outcome outcome = compute(loss, backend, nets, params);
          EXPECT_GE(outcome.loss, 0.0)
              << variant.name << ", " << describe(nets.student) << ", seed " << seed << ", noise "
              << noise << ", " << outcome.plan;
        }
      }
    }
  }
}

}  // namespace structkd::test
