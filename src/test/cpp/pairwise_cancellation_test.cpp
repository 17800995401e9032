// src/test/cpp/pairwise_cancellation_test.cpp: the pair-wise loss in f64 where the affinities of
// student and teacher nearly agree and their norms cancel: as exact as pair by pair, on every
// backend.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "pairwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

using Fill = std::function<void(double apart, TestTensor& student, TestTensor& teacher)>;

// All nodes of the student point almost one way, and the teacher has but one channel.
void fill_one_direction(double apart, TestTensor& student, TestTensor& teacher) {
  student.fill([&](int64_t i) { return 1.0 + apart * gaussian(3, uint64_t(i)); });
  teacher.fill([](int64_t i) { return 0.5 + uniform(4, uint64_t(i)); });
}

void fill_nearly_equal(double apart, TestTensor& student, TestTensor& teacher) {
  student.fill([](int64_t i) { return gaussian(5, uint64_t(i)); });
  teacher.fill([&](int64_t i) { return student.get(i) + apart * gaussian(6, uint64_t(i)); });
}

// Equal affinities up to noise, in other channels: the teacher has the student's in reverse order.
void fill_reversed(double apart, TestTensor& student, TestTensor& teacher) {
  const int64_t C = student.view()->sizes[1];
  const int64_t N = student.view()->sizes[2] * student.view()->sizes[3];
  student.fill([](int64_t i) { return gaussian(7, uint64_t(i)); });
  teacher.fill([&](int64_t i) {
    const int64_t b = i / (C * N), c = i / N % C;
    return student.get((b * C + C - 1 - c) * N + i % N) + apart * gaussian(8, uint64_t(i));
  });
}

class PairwiseCancellation : public testing::TestWithParam<std::string> {};

TEST_P(PairwiseCancellation, KeepsThePrecisionOfPairs) {
  struct Case {
    int64_t B, Cs, Ct, H, W;
    Fill fill;
  };
  const Case cases[] = {
      {1, 17, 1, 9, 13, fill_one_direction}, {2, 5, 1, 11, 13, fill_one_direction},
      {1, 70, 1, 3, 67, fill_one_direction}, {1, 9, 9, 7, 19, fill_nearly_equal},
      {2, 66, 66, 5, 31, fill_nearly_equal}, {1, 9, 9, 7, 19, fill_reversed},
      {2, 12, 12, 5, 31, fill_reversed}};
  for (const Case& n : cases) {
    TestTensor student({n.B, n.Cs, n.H, n.W}, STRUCTKD_F64);
    TestTensor teacher({n.B, n.Ct, n.H, n.W}, STRUCTKD_F64);
    TestTensor weights({n.B, n.H, n.W}, STRUCTKD_F32);
    weights.fill([](int64_t i) { return i % 5 == 0 ? 0.0 : uniform(9, uint64_t(i)); });
    for (double apart : {1.0, 1e-2, 1e-3, 1e-5}) {
      n.fill(apart, student, teacher);
      for (int mode = 0; mode < 4; ++mode) {
        auto params =
            params_of(mode % 2 == 0 ? STRUCTKD_NORM_DIFFERENTIABLE : STRUCTKD_NORM_DETACHED);
        params.eps = 1e-12;
        if (mode > 1) {
          params.pairs = STRUCTKD_PAIRS_WHOLE_BATCH;
          params.weights = weights.view();
        }
        Scalar<double> expected_kappa(0.0), kappa(0.0);
        params.kappa = expected_kappa.get();
        const Outcome truth = compute("reference", student, teacher, params);
        params.kappa = kappa.get();
        const Outcome outcome = compute(GetParam(), student, teacher, params);
        SCOPED_TRACE(outcome.plan + ", " + describe(student) + ", apart by " +
                     std::to_string(apart) + ", kappa " + std::to_string(*expected_kappa.get()));
        // Up to kappa^2 = 2^16 the norms may be used, then affinities must be.
        const double tolerance = 1e-11 + 0x1p-50 * *expected_kappa.get();
        EXPECT_NEAR(outcome.loss, truth.loss, tolerance * truth.loss);
        EXPECT_LE(relative_error(outcome.grad, truth.grad), tolerance);
        EXPECT_NEAR(*kappa.get(), *expected_kappa.get(), 1e-6 * *expected_kappa.get());
      }
    }
  }
}

TEST_P(PairwiseCancellation, CancelledImagesBesideOthersInABatch) {
  TestTensor student({3, 6, 9, 9}, STRUCTKD_F64), teacher({3, 6, 9, 9}, STRUCTKD_F64);
  fill_reversed(1e-5, student, teacher);
  for (int64_t i = 0; i < 6 * 81; ++i) teacher.set(i, gaussian(11, uint64_t(i)));
  const Outcome truth = compute("reference", student, teacher, params_of());
  const Outcome outcome = compute(GetParam(), student, teacher, params_of());
  EXPECT_NEAR(outcome.loss, truth.loss, 1e-11 * truth.loss) << outcome.plan;
  EXPECT_LE(relative_error(outcome.grad, truth.grad), 1e-11);
  // The last image alone has a gradient that the others' would hide.
  const std::vector<double> last(outcome.grad.end() - 6 * 81, outcome.grad.end());
  const std::vector<double> expected(truth.grad.end() - 6 * 81, truth.grad.end());
  EXPECT_LE(relative_error(last, expected), 1e-9);
  How how;
  for (int threads : {1, 3, 7}) {
    how.threads = threads;
    const Outcome again = compute(GetParam(), student, teacher, params_of(), how);
    EXPECT_EQ(outcome.loss, again.loss);
    EXPECT_EQ(outcome.grad, again.grad);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         PairwiseCancellation,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
