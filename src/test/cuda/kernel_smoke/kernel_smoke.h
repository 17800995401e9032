// src/test/cuda/kernel_smoke/kernel_smoke.h: every loss on maps just large enough for several blocks,
// with odd edges: few enough instructions for race detection and sanitizers, which are the point.
// Each case is run in three orders of threads and blocks and must give the same bits, close to the
// reference's numbers. A loss has its cases in a file beside this one.
#ifndef STRUCTKD_TEST_KERNEL_SMOKE_H
#define STRUCTKD_TEST_KERNEL_SMOKE_H

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "loss_run.h"
#include "memory.h"
#include "tensors.h"

namespace structkd::test {

constexpr const char* kEmulated = "cuda-emulated";

// Whose forms a case is for: those of GPUs with fast f64, or of others (STRUCTKD_CUDA_F64=slow).
enum class Device { kAny, kFastF64, kSlowF64 };

struct Case {
  int64_t student_channels, teacher_channels, height, width;
  Layout layout = Layout::kContiguous;
  Input input = Input::kRandom;
  bool fast = false;
  Device device = Device::kAny;
  bool large = false;  // one image, no f16 or bf16, fewer orders in race tests
};

inline bool device_fits(Device device) {
  const char* f64 = std::getenv("STRUCTKD_CUDA_F64");
  const bool slow = f64 != nullptr && std::strcmp(f64, "slow") == 0;
  return device == Device::kAny || (device == Device::kSlowF64) == slow;
}

// With STRUCTKD_SIMT_LAUNCHES launches are written down and nothing runs: kernel_coverage.py.
inline bool only_recorded() { return std::getenv("STRUCTKD_SIMT_LAUNCHES") != nullptr; }

class KernelSmoke : public testing::TestWithParam<structkd_dtype> {
 protected:
  TestTensor tensor(const Case& c, int64_t channels) const {
    return TestTensor({c.large ? 1 : 2, channels, c.height, c.width}, GetParam(), c.layout);
  }

  // f16 and bf16 share all but loads and stores with f32: each takes every second case.
  bool takes(int64_t index) const {
    if (GetParam() == STRUCTKD_F16) return index % 2 == 0;
    if (GetParam() == STRUCTKD_BF16) return index % 2 == 1;
    return true;
  }
  bool takes(const Case& c, int64_t index) const {
    const bool narrow = GetParam() == STRUCTKD_F16 || GetParam() == STRUCTKD_BF16;
    return takes(index) && device_fits(c.device) && !(c.large && narrow);
  }

  // Race tests, which are slow, name the orders; of these a large case takes the last.
  static std::vector<std::string> orders(bool large) {
    const char* named = std::getenv("STRUCTKD_SMOKE_ORDERS");
    std::istringstream list(named != nullptr ? named : "forward random:7 reverse");
    std::vector<std::string> orders{std::istream_iterator<std::string>(list), {}};
    if (large && named != nullptr) orders.erase(orders.begin(), orders.end() - 1);
    return orders;
  }

  // Runs a loss on both backends. `tolerance` is that of f32 or, for f64 inputs, ignored.
  template <class P>
  void check(const TestTensor& student,
             const TestTensor& teacher,
             const P& params,
             double tolerance,
             bool large = false) const {
    How how;
    how.f32_grad = GetParam() != STRUCTKD_F64;
    if (only_recorded()) {
      compute(kEmulated, student, teacher, params, how);
      return;
    }
    const Outcome truth = compute("reference", student, teacher, params, how);
    std::optional<Outcome> first;
    for (const std::string& order : orders(large)) {
      SCOPED_TRACE(order);
      setenv("STRUCTKD_SIMT_ORDER", order.c_str(), 1);
      const Outcome outcome = compute(kEmulated, student, teacher, params, how);
      unsetenv("STRUCTKD_SIMT_ORDER");
      SCOPED_TRACE(outcome.plan);
      if (!first) {
        first = outcome;
        if (GetParam() == STRUCTKD_F64) tolerance = 1e-8;
        EXPECT_NEAR(outcome.loss, truth.loss, tolerance * std::abs(truth.loss));
        EXPECT_LE(relative_error(outcome.grad, truth.grad), tolerance);
      }
      EXPECT_EQ(outcome.loss, first->loss);
      EXPECT_EQ(outcome.grad, first->grad);
    }
  }
};

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_KERNEL_SMOKE_H
