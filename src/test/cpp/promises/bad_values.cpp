// src/test/cpp/promises/bad_values.cpp: NaN and infinity show where they count, and do nothing
// where a mask, a weight of 0 or a sampling leaves them out.
#include <cmath>
#include <limits>

#include "promises.h"

namespace structkd::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// 1e300 is infinite in narrower types.
constexpr double kPoisons[] = {kNaN, kInfinity, -kInfinity, 1e300};

bool is_left_out(const Shape& n, int64_t element) {
  return left_out(n, n.image(element), n.pixel(element));
}

// Poisons the positions that are left out, each by another value: in all channels, or the last.
void poison(const Shape& n, bool all, TestTensor& map) {
  for (int64_t i = 0; i < map.elements(); ++i) {
    const int64_t channel = i / (n.H * n.W) % n.C;
    if (is_left_out(n, i) && (all || channel == n.C - 1)) map.set(i, kPoisons[n.pixel(i) / 3 % 4]);
  }
}

void expect_left_out(const Loss& loss,
                     const std::string& backend,
                     const Params& params,
                     const Shape& n,
                     structkd_dtype dtype,
                     Layout layout,
                     Input input) {
  const Nets nets(n, dtype, input, 23, layout);
  const Outcome clean = compute(loss, backend, nets, params);
  SCOPED_TRACE(describe(nets.student) + ", " + clean.plan);
  EXPECT_TRUE(std::isfinite(clean.loss));
  for (size_t i = 0; i < clean.grad.size(); ++i) {
    if (is_left_out(n, int64_t(i))) {
      EXPECT_EQ(0.0, clean.grad[i]) << i;
    }
  }
  const double rounding = loss.left_out_rounding(dtype);
  for (bool all : {true, false}) {
    SCOPED_TRACE(all ? "everywhere" : "in one channel");
    Nets poisoned(n, dtype, input, 23, layout);
    poison(n, all, poisoned.student);
    poison(n, all, poisoned.teacher);
    const Outcome outcome = compute(loss, backend, poisoned, params);
    EXPECT_NEAR(clean.loss, outcome.loss, rounding * clean.loss);
    EXPECT_LE(relative_error(outcome.grad, clean.grad), rounding);
    for (size_t i = 0; i < clean.grad.size(); ++i) {
      if (clean.grad[i] == 0.0) {
        EXPECT_EQ(0.0, outcome.grad[i]) << i;
      }
    }
  }
}

}  // namespace

void nan_shows(const Loss& loss, const std::string& backend) {
  const Shape& n = loss.shapes.front();
  for (const Variant& variant : loss.variants) {
    const Params params = variant.params(n);
    const int64_t elements = n.B * n.C * n.H * n.W;
    for (int64_t at : {int64_t(0), elements / 3, elements - 1}) {
      while (variant.leaves_out && is_left_out(n, at)) --at;
      for (double bad : {kNaN, kInfinity}) {
        for (bool of_teacher : {false, true}) {
          Nets nets(n, STRUCTKD_F32, Input::kRandom, 8);
          (of_teacher ? nets.teacher : nets.student).set(at, bad);
          EXPECT_TRUE(std::isnan(compute(loss, backend, nets, params).loss))
              << variant.name << ": " << bad << " at " << at
              << (of_teacher ? " of the teacher" : "");
        }
      }
    }
  }
}

void left_out_takes_no_part(const Loss& loss, const std::string& backend) {
  for (const Variant& variant : loss.variants) {
    if (!variant.leaves_out) continue;
    SCOPED_TRACE(variant.name);
    for (const Shape& n : loss.shapes) {
      const Params params = variant.params(n);
      for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32, STRUCTKD_F16, STRUCTKD_BF16}) {
        for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
          const Input input = layout == Layout::kContiguous ? Input::kRandom : Input::kNearlyEqual;
          expect_left_out(loss, backend, params, n, dtype, layout, input);
        }
      }
    }
    for (const Shape& n : loss.large) {
      if (backend == "reference") continue;  // plain loops
      expect_left_out(loss, backend, variant.params(n), n, STRUCTKD_F32, Layout::kContiguous,
                      Input::kRandom);
    }
  }
}

// Any byte but 0: all 255 of them, in runs long enough to be read by words, and beside 0.
void any_byte_of_a_mask_counts(const Loss& loss, const std::string& backend) {
  for (const PlaneField& field : loss.planes) {
    if (field.dtype != STRUCTKD_U8) continue;
    for (int64_t width : {37, 48}) {  // rows that are no whole words, and rows that are
      const Shape n{2, 4, 11, width};
      const Nets nets(n, STRUCTKD_F32, Input::kRandom, 23);
      const auto outcome = [&](const std::function<double(int64_t)>& byte) {
        TestTensor mask(n.plane(), STRUCTKD_U8);
        mask.fill([&](int64_t i) { return i % 5 == 2 ? 0.0 : byte(i); });
        Params params = loss.variants.front().params(n);
        params.at<const structkd_tensor*>(field.offset) = mask.view();
        return compute(loss, backend, nets, params);
      };
      const Outcome ones = outcome([](int64_t) { return 1.0; });
      for (int64_t first : {1, 2, 127, 128, 129, 254}) {
        for (const Outcome& other :
             {outcome([&](int64_t i) { return double((i + first) % 255 + 1); }),
              outcome([&](int64_t) { return double(first); })}) {
          EXPECT_EQ(ones.loss, other.loss) << "bytes from " << first;
          EXPECT_EQ(ones.grad, other.grad) << "bytes from " << first;
        }
      }
    }
  }
}

}  // namespace structkd::test
