// src/test/cpp/promises/bits.cpp: equal inputs give equal bits, however a call is made.
#include <cmath>
#include <optional>

#include "promises.h"

namespace structkd::test {
namespace {

void expect_same_bits(const Outcome& expected, const Outcome& actual) {
  EXPECT_EQ(expected.loss, actual.loss);
  EXPECT_EQ(expected.grad, actual.grad);
}

}  // namespace

void same_bits_for_any_threads(const Loss& loss, const std::string& backend) {
  const auto check = [&](const Nets& nets, const Params& params) {
    How how;
    how.threads = 1;
    const Outcome first = compute(loss, backend, nets, params, how);
    for (int threads : {2, 3, 7}) {
      how.threads = threads;
      SCOPED_TRACE(std::to_string(threads) + " threads, " + first.plan);
      expect_same_bits(first, compute(loss, backend, nets, params, how));
    }
  };
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    for (Input input : kInputs) check(Nets(n, STRUCTKD_F32, input, 2), variant.params(n));
  });
  for (const Shape& n : loss.large) {
    check(Nets(n, STRUCTKD_F32), loss.variants.front().params(n));
  }
}

// The workspace holds what another call left, as when a captured graph calls, or any other bits.
void same_bits_again(const Loss& loss, const std::string& backend) {
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    const Nets nets(n, STRUCTKD_F32, Input::kRandom, 2);
    const Params params = variant.params(n);
    const LossCall call = loss.call(params.data());
    const structkd_ctx ctx = context(backend.c_str(), 2);
    size_t bytes = 0;
    ASSERT_EQ(STRUCTKD_OK,
              call.workspace(&ctx, nets.student.view(), nets.teacher.view(), 1, &bytes));
    AlignedBytes workspace(bytes);
    std::optional<Outcome> first;
    for (int again = 0; again < 4; ++again) {
      if (again == 2) std::memset(workspace.data(), 0, bytes);
      if (again == 3) std::memset(workspace.data(), 0x5a, bytes);
      TestTensor grad(n.map(), STRUCTKD_F32);
      Scalar<double> value(0.0);
      ASSERT_EQ(STRUCTKD_OK, call.run(&ctx, nets.student.view(), nets.teacher.view(),
                                      workspace.data(), value.get(), grad.view()))
          << structkd_last_error();
      finish_calls();
      const Outcome outcome{read_loss(value.get(), STRUCTKD_F32), grad.values(), ""};
      if (!first) first = outcome;
      SCOPED_TRACE("call " + std::to_string(again));
      expect_same_bits(*first, outcome);
    }
  });
}

void value_alone_is_value_with_gradient(const Loss& loss, const std::string& backend) {
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    for (structkd_dtype dtype : kFloatingDtypes) {
      const Nets nets(n, dtype, Input::kRandom, 6);
      const Params params = variant.params(n);
      How alone;
      alone.want_grad = false;
      EXPECT_EQ(compute(loss, backend, nets, params).loss,
                compute(loss, backend, nets, params, alone).loss)
          << describe(nets.student);
    }
  });
}

void gradient_in_any_layout_and_width(const Loss& loss, const std::string& backend) {
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    const Params params = variant.params(n);
    for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F16, STRUCTKD_BF16}) {
      const Nets nets(n, dtype, Input::kRandom, 6);
      SCOPED_TRACE(describe(nets.student));
      How how;
      const Outcome dense = compute(loss, backend, nets, params, how);
      for (Layout layout : kLayouts) {
        how.grad_layout = layout;
        expect_same_bits(dense, compute(loss, backend, nets, params, how));
      }
      if (dtype == STRUCTKD_F32) continue;
      how = How{};
      how.f32_grad = true;
      const Outcome wide = compute(loss, backend, nets, params, how);
      // Half a unit of f16's subnormal numbers, 2^-25, for each element that is one.
      const double norm = std::sqrt(dot(wide.grad, wide.grad));
      const double subnormal = 0x1p-25 * std::sqrt(double(wide.grad.size()));
      EXPECT_LE(relative_error(dense.grad, wide.grad) * norm,
                storage_error(dtype) * norm + subnormal);
    }
  });
}

}  // namespace structkd::test
