// src/test/cpp/global_structural_test.cpp: the global structural loss on every backend against the
// f64 reference.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "global_structural_cases.h"

namespace structkd::test {
namespace {

class GlobalStructuralOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(GlobalStructuralOnBackend, MatchesReferenceForOddShapes) {
  // Cs, Ct, H, W: M = H W samples of 1, 2, primes, and the panel widths (4, 8, 16, 32) +- 1.
  const int64_t shapes[][4] = {{1, 1, 1, 1}, {3, 2, 1, 2},  {5, 5, 1, 3},   {2, 7, 1, 7},
                               {3, 4, 3, 5}, {16, 8, 4, 4}, {9, 9, 17, 1},  {33, 31, 1, 31},
                               {7, 7, 4, 8}, {5, 6, 3, 11}, {17, 3, 5, 13}, {130, 40, 8, 9}};
  for (const auto& n : shapes) {
    for (Input input : kInputs) {
      if (input == Input::kNearlyEqual && n[0] != n[1]) continue;
      TestTensor student({2, n[0], n[2], n[3]}, STRUCTKD_F32);
      TestTensor teacher({2, n[1], n[2], n[3]}, STRUCTKD_F32);
      fill_pair(input, 11, student, teacher);
      for (int64_t width : {-1, 5, 0}) {
        expect_equal_to_reference(GetParam(), student, teacher, params_of(width),
                                  conditioning_of(input));
      }
    }
  }
}

// More samples and channels than the tiles of small maps have, pixels several times.
TEST_P(GlobalStructuralOnBackend, MatchesReferenceForManySamplesAndChannels) {
  const int64_t shapes[][3] = {{5, 330, 0}, {262, 37, 0}, {262, 37, 1}};  // C, M, f64
  for (const auto& n : shapes) {
    const structkd_dtype dtype = n[2] ? STRUCTKD_F64 : STRUCTKD_F32;
    TestTensor student({2, n[0], 18, 19}, dtype), teacher({2, n[0], 18, 19}, dtype);
    fill_pair(Input::kRandom, 4, student, teacher);
    Sampled sampled(2, n[1], 18 * 19);
    sampled.counts.set(2, double(n[1] / 2));
    expect_equal_to_reference(GetParam(), student, teacher, params_of(-1, &sampled));
  }
}

TEST_P(GlobalStructuralOnBackend, MatchesReferenceInEveryMode) {
  TestTensor student({3, 6, 5, 7}, STRUCTKD_F64), teacher({3, 6, 5, 7}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 2, student, teacher);
  const Sampled sampled(3, 23, 35);
  for (int mode = 0; mode < 2 * 2 * 3 * 3 * 3 * 2; ++mode) {
    int rest = mode;
    auto next = [&rest](int count) { return std::exchange(rest, rest / count) % count; };
    auto params = params_of(-2, &sampled);  // width 6 of 23: a remainder of 5
    params.normalize = next(2);
    params.similarity = static_cast<structkd_similarity>(next(2));
    params.shuffle = static_cast<structkd_shuffle>(next(3));
    params.reduction = static_cast<structkd_group_reduction>(next(3));
    params.remainder = static_cast<structkd_remainder>(next(3));
    params.batch = static_cast<structkd_batch>(next(2));
    params.temperature = 0.7;
    SCOPED_TRACE(mode);
    expect_equal_to_reference(GetParam(), student, teacher, params);
  }
}

TEST_P(GlobalStructuralOnBackend, RaggedBatchIsTheMeanOfItsImages) {
  TestTensor student({4, 5, 4, 6}, STRUCTKD_F64), teacher({4, 7, 4, 6}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 9, student, teacher);
  Sampled sampled(4, 19, 24);
  const double samples[4] = {19, 0, 7, 12}, classes[4] = {3, 0, 1, 2};
  for (int64_t b = 0; b < 4; ++b) {
    sampled.counts.set(2 * b, samples[b]);
    sampled.counts.set(2 * b + 1, classes[b]);
  }
  expect_equal_to_reference(GetParam(), student, teacher, params_of(-1, &sampled));
  auto params = params_of(-1, &sampled);
  params.shuffle = STRUCTKD_SHUFFLE_NONE;  // a permutation depends on the image's place
  const Outcome batch = compute(GetParam(), student, teacher, params);
  double sum = 0.0;
  for (int64_t b : {0, 2, 3}) {
    TestTensor s({1, 5, 4, 6}, STRUCTKD_F64), t({1, 7, 4, 6}, STRUCTKD_F64);
    s.fill([&](int64_t i) { return student.get(b * 120 + i); });
    t.fill([&](int64_t i) { return teacher.get(b * 168 + i); });
    Sampled one(1, int64_t(samples[b]), 24);
    one.indices.fill([&](int64_t m) { return sampled.indices.get(b * 19 + m); });
    one.counts.set(1, classes[b]);
    params.indices = one.indices.view();
    params.counts = one.counts.view();
    const Outcome image = compute(GetParam(), s, t, params);
    sum += image.loss;
    for (int64_t i = 0; i < 120; ++i) {
      EXPECT_NEAR(image.grad[size_t(i)] / 3, batch.grad[size_t(b * 120 + i)], 1e-14);
    }
  }
  EXPECT_NEAR(sum / 3, batch.loss, 1e-14);
  for (int64_t i = 120; i < 240; ++i) EXPECT_EQ(0.0, batch.grad[size_t(i)]);
}

TEST_P(GlobalStructuralOnBackend, NoSamplesGiveZero) {
  TestTensor student({2, 5, 4, 6}, STRUCTKD_F32), teacher({2, 5, 4, 6}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 9, student, teacher);
  Sampled sampled(2, 8, 24);
  sampled.counts.fill([](int64_t) { return 0.0; });
  sampled.indices.fill([](int64_t) { return -1.0; });
  const Outcome outcome = compute(GetParam(), student, teacher, params_of(-1, &sampled));
  EXPECT_EQ(0.0, outcome.loss);
  for (double g : outcome.grad) EXPECT_EQ(0.0, g);
}

TEST_P(GlobalStructuralOnBackend, GatheredRowsAsAStridedViewGiveTheSame) {
  TestTensor rows_s({1, 12, 5, 1}, STRUCTKD_F64), rows_t({1, 12, 5, 1}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 4, rows_s, rows_t);
  TestTensor map_s({1, 5, 3, 4}, STRUCTKD_F64), map_t({1, 5, 3, 4}, STRUCTKD_F64);
  map_s.fill([&](int64_t i) { return rows_s.get(i % 12 * 5 + i / 12); });
  map_t.fill([&](int64_t i) { return rows_t.get(i % 12 * 5 + i / 12); });
  const double expected = compute(GetParam(), map_s, map_t, params_of()).loss;
  for (TestTensor* rows : {&rows_s, &rows_t}) {  // [M, D] seen as [1, D, 1, M]
    structkd_tensor* view = rows->view();
    const int64_t sizes[4] = {1, 5, 1, 12}, strides[4] = {60, 1, 1, 5};
    std::memcpy(view->sizes, sizes, sizeof(sizes));
    std::memcpy(view->strides, strides, sizeof(strides));
  }
  EXPECT_EQ(expected, compute(GetParam(), rows_s, rows_t, params_of()).loss);
}

// perm[i][j] = (step_i j + i) mod M with step_i coprime to M, as in the stored numbers.
TestTensor formula_permutation(int64_t M) {
  std::vector<int64_t> coprime;
  for (int64_t k = 1; k < M; ++k) {
    if (std::gcd(k, M) == 1) coprime.push_back(k);
  }
  TestTensor table({M, M}, STRUCTKD_I32);
  table.fill([&](int64_t e) {
    const int64_t i = e / M, j = e % M;
    return double((coprime[size_t(i) % coprime.size()] * j + i) % M);
  });
  return table;
}

// Values made by the published code, and by restatements of its variants.
TEST_P(GlobalStructuralOnBackend, MatchesStoredNumbersOnBothBackends) {
  struct Case {
    int64_t width;
    double temperature;
    structkd_group_reduction reduction;
    structkd_shuffle shuffle;
    double loss, grad_abs_sum;
  };
  const Case cases[] = {
      {-1, 1, STRUCTKD_GROUP_REDUCTION_DIV_L, STRUCTKD_SHUFFLE_ROW_INDEPENDENT, 0.04850654733314741,
       0.1476971898583691},
      {-1, 4, STRUCTKD_GROUP_REDUCTION_DIV_L, STRUCTKD_SHUFFLE_ROW_INDEPENDENT, 0.06888175203758601,
       0.19822794418355422},
      {5, 1, STRUCTKD_GROUP_REDUCTION_DIV_L, STRUCTKD_SHUFFLE_ROW_INDEPENDENT, 0.08736628305731983,
       0.24759023813538564},
      {0, 1, STRUCTKD_GROUP_REDUCTION_DIV_L, STRUCTKD_SHUFFLE_ROW_INDEPENDENT, 1.491013217505584,
       4.465813824283853},
      {3, 1, STRUCTKD_GROUP_REDUCTION_SUM, STRUCTKD_SHUFFLE_ROW_INDEPENDENT, 1.7462357039933072, 0},
      {3, 1, STRUCTKD_GROUP_REDUCTION_SUM, STRUCTKD_SHUFFLE_NONE, 1.5806026446449692, 0}};
  const TestTensor permutation = formula_permutation(12);
  for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32}) {
    TestTensor student({1, 5, 1, 12}, dtype), teacher({1, 5, 1, 12}, dtype);
    auto row_major = [](int64_t i) { return double(i % 12 * 5 + i / 12); };
    student.fill([&](int64_t i) { return std::sin(0.7 * row_major(i) + 0.3); });
    teacher.fill([&](int64_t i) { return 1.2 * std::sin(1.3 * row_major(i) + 1.1); });
    for (const Case& c : cases) {
      auto params = params_of(c.width);
      params.normalize = 0;
      params.temperature = c.temperature;
      params.reduction = c.reduction;
      params.shuffle = c.shuffle;
      params.permutation = permutation.view();
      for (const std::string& backend : {std::string("reference"), GetParam()}) {
        const Outcome outcome = compute(backend, student, teacher, params);
        const double tolerance = dtype == STRUCTKD_F64 ? 1e-10 : 1e-5;
        EXPECT_NEAR(outcome.loss, c.loss, tolerance * c.loss) << c.width << backend;
        double sum = 0.0;
        for (double g : outcome.grad) sum += std::abs(g);
        if (c.grad_abs_sum == 0) continue;
        EXPECT_NEAR(sum, c.grad_abs_sum, tolerance * c.grad_abs_sum);
      }
    }
  }
}

TEST_P(GlobalStructuralOnBackend, ConstantMapsAndZeroRowsAreDefined) {
  TestTensor student({1, 4, 2, 3}, STRUCTKD_F32), teacher({1, 4, 2, 3}, STRUCTKD_F32);
  teacher.fill([](int64_t) { return 1.0; });
  const Outcome zero = compute(GetParam(), student, teacher, params_of());
  EXPECT_EQ(0.0, zero.loss) << "a constant offset of all similarities is free";
  for (double g : zero.grad) EXPECT_EQ(0.0, g);
  fill_pair(Input::kRandom, 3, student, teacher);
  for (int64_t c = 0; c < 4; ++c) student.set(c * 6 + 2, 0.0);
  const Outcome one = compute(GetParam(), student, teacher, params_of());
  EXPECT_GT(one.loss, 0.0);
  for (int64_t c = 0; c < 4; ++c) EXPECT_EQ(0.0, one.grad[size_t(c * 6 + 2)]);
}

TEST_P(GlobalStructuralOnBackend, LargeFeaturesAndSmallTemperaturesStayFinite) {
  TestTensor student({1, 5, 4, 4}, STRUCTKD_F32), teacher({1, 5, 4, 4}, STRUCTKD_F32);
  student.fill([](int64_t i) { return 1e4 * gaussian(1, uint64_t(i)); });
  teacher.fill([](int64_t i) { return 1e4 * gaussian(2, uint64_t(i)); });
  auto params = params_of(3);
  params.temperature = 1e-4;
  for (int normalize : {0, 1}) {
    params.normalize = normalize;
    const Outcome outcome = compute(GetParam(), student, teacher, params);
    EXPECT_TRUE(std::isfinite(outcome.loss) && outcome.loss > 0);
    for (double g : outcome.grad) EXPECT_TRUE(std::isfinite(g));
    expect_equal_to_reference(GetParam(), student, teacher, params, 1e4);
  }
}

TEST_P(GlobalStructuralOnBackend, StepAndSeedRedrawThePermutation) {
  TestTensor student({1, 5, 4, 6}, STRUCTKD_F64), teacher({1, 5, 4, 6}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 6, student, teacher);
  auto params = params_of();
  const double first = compute(GetParam(), student, teacher, params).loss;
  const Scalar<int64_t> later(4);
  params.step = later.get();
  EXPECT_NE(first, compute(GetParam(), student, teacher, params).loss);
  params = params_of();
  params.seed = 43;
  EXPECT_NE(first, compute(GetParam(), student, teacher, params).loss);
}

TEST_P(GlobalStructuralOnBackend, TablesWithForeignEntriesAreReadSafely) {
  TestTensor student({2, 5, 1, 9}, STRUCTKD_F64), teacher({2, 5, 1, 9}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 6, student, teacher);
  TestTensor table({2, 9, 9}, STRUCTKD_I32);
  table.fill([](int64_t i) { return std::floor(14 * uniform(3, uint64_t(i))) - 2; });
  Sampled sampled(2, 9, 9);
  sampled.indices.set(3, 100);  // outside the map: a zero row
  sampled.counts.set(2, 5);
  auto params = params_of(2, &sampled);
  params.permutation = table.view();
  expect_equal_to_reference(GetParam(), student, teacher, params);
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         GlobalStructuralOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

// What it refuses beside what every loss does.
class GlobalStructuralArguments : public testing::Test {
 protected:
  TestTensor student_{{2, 3, 4, 5}, STRUCTKD_F32};
  TestTensor teacher_{{2, 6, 4, 5}, STRUCTKD_F32};
  Sampled sampled_{2, 7, 20};
  structkd_global_structural_params params_ = params_of(-1, &sampled_);

  void expect_error(structkd_status status, const char* sentence_part) {
    const structkd_ctx ctx = context("cpu", 1);
    size_t bytes = 0;
    EXPECT_EQ(status, structkd_global_structural_workspace(&ctx, student_.view(), teacher_.view(),
                                                           &params_, 1, &bytes));
    EXPECT_NE(nullptr, std::strstr(structkd_last_error(), sentence_part)) << structkd_last_error();
    params_ = params_of(-1, &sampled_);
  }
};

TEST_F(GlobalStructuralArguments, RefusesTeachersOfOtherChannelsForCross) {
  params_.similarity = STRUCTKD_SIMILARITY_CROSS;
  expect_error(STRUCTKD_ERR_SHAPE, "differ in number of channels");
}

TEST_F(GlobalStructuralArguments, RefusesIndicesAndCountsThatDoNotFit) {
  sampled_.indices.view()->sizes[0] = 1;
  expect_error(STRUCTKD_ERR_SHAPE,
               "params->indices has shape [1, 7], expected size 2 along axis 0");
  sampled_.indices.view()->sizes[0] = 2;
  sampled_.counts.view()->sizes[1] = 1;
  expect_error(STRUCTKD_ERR_SHAPE, "params->counts has shape [2, 1], expected size 2 along axis 1");
  sampled_.counts.view()->sizes[1] = 2;
  sampled_.indices.view()->dtype = STRUCTKD_I64;
  expect_error(STRUCTKD_ERR_DTYPE, "params->indices is i64, expected i32");
}

TEST_F(GlobalStructuralArguments, RefusesPermutationsOfAnotherSizeOrNone) {
  TestTensor table({7, 6}, STRUCTKD_I32), floats({7, 7}, STRUCTKD_F32);
  params_.permutation = table.view();
  expect_error(STRUCTKD_ERR_SHAPE, "params->permutation has shape [7, 6], expected size 7");
  params_.permutation = floats.view();
  expect_error(STRUCTKD_ERR_DTYPE, "params->permutation is f32, expected i32");
  params_.step = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "params->step is NULL");
}

}  // namespace
}  // namespace structkd::test
