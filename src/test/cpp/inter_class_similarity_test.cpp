// src/test/cpp/inter_class_similarity_test.cpp: the inter-class similarity loss on every backend
// against the f64 reference.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "inter_class_similarity_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

using Params = structkd_inter_class_similarity_params;

class InterClassSimilarityOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(InterClassSimilarityOnBackend, MatchesReferenceOnOddShapes) {
  // K, H, W: one class, one pixel, groups of classes (2 to 4, 6, 12) +- 1, vectors and tiles of
  // pixels (64, 512) +- 1, the shrinking tiles of many classes, and images of several parts.
  const int64_t shapes[][3] = {{1, 1, 1},    {1, 5, 3},   {2, 1, 1},     {3, 1, 2},    {4, 3, 5},
                               {5, 1, 16},   {7, 1, 17},  {8, 31, 1},    {9, 3, 11},   {19, 7, 9},
                               {21, 8, 8},   {21, 5, 13}, {3, 7, 73},    {3, 16, 32},  {3, 27, 19},
                               {5, 1, 1025}, {6, 4, 128}, {11, 1, 513},  {13, 3, 171}, {25, 2, 33},
                               {2, 90, 91},  {150, 5, 7}, {151, 17, 11}, {260, 3, 29}};
  for (const auto& n : shapes) {
    for (Input input : kInputs) {
      TestTensor student({2, n[0], n[1], n[2]}, STRUCTKD_F32);
      TestTensor teacher({2, n[0], n[1], n[2]}, STRUCTKD_F32);
      fill_pair(input, 11, student, teacher);
      expect_equal_to_reference(GetParam(), student, teacher, params_of());
    }
  }
}

TEST_P(InterClassSimilarityOnBackend, MatchesReferenceWhereTheGradientPassesTheCaches) {
  if (GetParam() != "cpu") GTEST_SKIP() << "only the CPU writes large gradients in another way";
  // From 4 MB on; planes that begin on whole vectors, and that do not.
  for (int64_t width : {512, 513}) {
    TestTensor student({1, 5, 419, width}, STRUCTKD_F32);
    TestTensor teacher({1, 5, 419, width}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 11, student, teacher);
    expect_equal_to_reference(GetParam(), student, teacher, params_of());
  }
}

TEST_P(InterClassSimilarityOnBackend, MatchesReferenceAtTileEdgesOfTheGpu) {
  // Blocks of 4, 5, 8 and 10 classes, tiles of 192 and 512 pixels, output tiles; in f64 also where
  // the fewest tiles that fit are more than K / 64.
  const int64_t shapes[][2] = {{8, 191}, {10, 192}, {11, 193}, {19, 511}, {20, 513}, {64, 33},
                               {65, 31}, {128, 63}, {129, 32}, {313, 15}, {512, 9}};
  for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
    for (const auto& n : shapes) {
      TestTensor student({1, n[0], 1, n[1]}, dtype), teacher({1, n[0], 1, n[1]}, dtype);
      fill_pair(Input::kRandom, 11, student, teacher);
      expect_equal_to_reference(GetParam(), student, teacher, params_of());
    }
  }
}

TEST_P(InterClassSimilarityOnBackend, MatchesReferenceWithManyClasses) {
  // The GPU's gradient without tiles: from 1281 classes on in f32, from 769 in f64.
  const std::pair<int64_t, structkd_dtype> cases[] = {{1300, STRUCTKD_F32}, {774, STRUCTKD_F64}};
  for (const auto& [classes, dtype] : cases) {
    TestTensor student({2, classes, 1, 5}, dtype), teacher({2, classes, 1, 5}, dtype);
    fill_pair(Input::kRandom, 11, student, teacher);
    TestTensor mask({2, 1, 5}, STRUCTKD_U8);
    mask.fill([](int64_t i) { return i % 4 == 1 ? 0.0 : 1.0; });
    Params params = params_of();
    params.mask = mask.view();
    expect_equal_to_reference(GetParam(), student, teacher, params);
  }
}

TEST_P(InterClassSimilarityOnBackend, MatchesReferenceWithAMask) {
  for (int64_t width : {7, 600}) {
    for (Layout layout : {Layout::kContiguous, Layout::kSliced}) {
      TestTensor student({4, 5, 3, width}, STRUCTKD_F64), teacher({4, 5, 3, width}, STRUCTKD_F64);
      fill_pair(Input::kRandom, 3, student, teacher);
      TestTensor mask({4, 3, width}, STRUCTKD_U8, layout);
      // Image 1 has no valid pixel, image 2 one, near its end; 255 is valid too.
      mask.fill([&](int64_t i) {
        const int64_t b = i / (3 * width), x = i % (3 * width);
        if (b == 1) return 0.0;
        if (b == 2) return x == 3 * width - 2 ? 1.0 : 0.0;
        return uniform(9, uint64_t(i)) < 0.4 ? 0.0 : 255.0;
      });
      Params params = params_of();
      params.mask = mask.view();
      expect_equal_to_reference(GetParam(), student, teacher, params);
      const Outcome outcome = compute(GetParam(), student, teacher, params);
      for (int64_t i = 0; i < student.elements(); ++i) {
        const int64_t b = i / (15 * width), x = i % (3 * width);
        if (mask.get(b * 3 * width + x) == 0.0) {
          EXPECT_EQ(0.0, outcome.grad[size_t(i)]);
        }
      }
    }
  }
}

TEST_P(InterClassSimilarityOnBackend, MaskedPixelsEqualAMapWithoutThem) {
  TestTensor wide({1, 6, 2, 10}, STRUCTKD_F64), wide_t({1, 6, 2, 10}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 1, wide, wide_t);
  TestTensor mask({1, 2, 10}, STRUCTKD_U8);
  mask.fill([](int64_t i) { return i < 13 ? 1.0 : 0.0; });
  TestTensor narrow({1, 6, 1, 13}, STRUCTKD_F64), narrow_t({1, 6, 1, 13}, STRUCTKD_F64);
  narrow.fill([&](int64_t i) { return wide.get(i / 13 * 20 + i % 13); });
  narrow_t.fill([&](int64_t i) { return wide_t.get(i / 13 * 20 + i % 13); });
  // What ignored pixels hold must not matter.
  wide.set(19, std::numeric_limits<double>::quiet_NaN());
  wide_t.set(18, std::numeric_limits<double>::infinity());
  Params params = params_of();
  const double expected = compute(GetParam(), narrow, narrow_t, params).loss;
  params.mask = mask.view();
  EXPECT_NEAR(compute(GetParam(), wide, wide_t, params).loss, expected, 1e-13 * expected);
}

TEST_P(InterClassSimilarityOnBackend, OneClassAndOnePixelGiveZero) {
  for (auto shape : {std::vector<int64_t>{2, 1, 6, 5}, std::vector<int64_t>{2, 8, 1, 1}}) {
    for (bool row_normalize : {false, true}) {
      TestTensor student(shape, STRUCTKD_F32), teacher(shape, STRUCTKD_F32);
      fill_pair(Input::kRandom, 4, student, teacher);
      const Outcome outcome = compute(GetParam(), student, teacher, params_of(1.0, row_normalize));
      EXPECT_EQ(0.0, outcome.loss);
      for (double g : outcome.grad) EXPECT_EQ(0.0, g);
    }
  }
}

TEST_P(InterClassSimilarityOnBackend, ConstantChannelsAreUniform) {
  for (bool row_normalize : {false, true}) {
    TestTensor student({1, 5, 9, 61}, STRUCTKD_F32), teacher({1, 5, 9, 61}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 4, student, teacher);
    // An absent class: constant, and far from the others.
    for (int64_t x = 0; x < 9 * 61; ++x) student.set(2 * 9 * 61 + x, -1e4 / 3);
    expect_equal_to_reference(GetParam(), student, teacher, params_of(1.0, row_normalize));
    // All channels constant: every divergence is 0, and so is the slope.
    student.fill([](int64_t i) { return double(i / (9 * 61)) / 3; });
    const Outcome outcome = compute(GetParam(), student, teacher, params_of(1.0, row_normalize));
    EXPECT_GT(outcome.loss, 0.0);
    // Rounding alone; elsewhere in these tests gradients are about 1e-3.
    for (double g : outcome.grad) EXPECT_NEAR(0.0, g, 1e-9);
  }
}

TEST_P(InterClassSimilarityOnBackend, AddingAConstantToAChannelChangesNothing) {
  TestTensor student({1, 4, 6, 7}, STRUCTKD_F64), teacher({1, 4, 6, 7}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 4, student, teacher);
  const double expected = compute(GetParam(), student, teacher, params_of()).loss;
  TestTensor moved({1, 4, 6, 7}, STRUCTKD_F64);
  moved.fill([&](int64_t i) { return student.get(i) + 100.0 * double(i / 42); });
  EXPECT_NEAR(compute(GetParam(), moved, teacher, params_of()).loss, expected, 1e-11 * expected);
}

TEST_P(InterClassSimilarityOnBackend, HugeLogitsStayFinite) {
  for (double size : {1e2, 1e4, 1e8}) {
    TestTensor student({2, 5, 9, 9}, STRUCTKD_F32), teacher({2, 5, 9, 9}, STRUCTKD_F32);
    student.fill([&](int64_t i) { return size * gaussian(4, uint64_t(i)); });
    teacher.fill([&](int64_t i) { return size * gaussian(5, uint64_t(i)); });
    expect_equal_to_reference(GetParam(), student, teacher, params_of());
    for (double g : compute(GetParam(), student, teacher, params_of()).grad) {
      EXPECT_TRUE(std::isfinite(g));
    }
  }
}

TEST_P(InterClassSimilarityOnBackend, RisingLogitsRescaleRunningMaxima) {
  // Every tile brings a new maximum; then the reverse.
  for (double slope : {0.02, -0.02}) {
    TestTensor student({1, 3, 40, 101}, STRUCTKD_F32), teacher({1, 3, 40, 101}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 4, student, teacher);
    TestTensor ramp({1, 3, 40, 101}, STRUCTKD_F32);
    ramp.fill([&](int64_t i) { return student.get(i) + slope * double(i % 4040); });
    expect_equal_to_reference(GetParam(), ramp, teacher, params_of());
  }
}

TEST_P(InterClassSimilarityOnBackend, NothingValidGivesZero) {
  TestTensor student({2, 4, 3, 3}, STRUCTKD_F32), teacher({2, 4, 3, 3}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 8, student, teacher);
  TestTensor mask({2, 3, 3}, STRUCTKD_U8);
  Params params = params_of();
  params.mask = mask.view();
  const Outcome outcome = compute(GetParam(), student, teacher, params);
  EXPECT_EQ(0.0, outcome.loss);
  for (double g : outcome.grad) EXPECT_EQ(0.0, g);
}

TEST_P(InterClassSimilarityOnBackend, BatchOfTwoIsTheMeanOfItsImages) {
  TestTensor student({2, 4, 5, 6}, STRUCTKD_F64), teacher({2, 4, 5, 6}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 8, student, teacher);
  double mean = 0.0;
  for (int64_t b = 0; b < 2; ++b) {
    TestTensor s({1, 4, 5, 6}, STRUCTKD_F64), t({1, 4, 5, 6}, STRUCTKD_F64);
    s.fill([&](int64_t i) { return student.get(b * 120 + i); });
    t.fill([&](int64_t i) { return teacher.get(b * 120 + i); });
    mean += 0.5 * compute(GetParam(), s, t, params_of()).loss;
  }
  EXPECT_NEAR(mean, compute(GetParam(), student, teacher, params_of()).loss, 1e-14);
}

TEST_P(InterClassSimilarityOnBackend, DivergencesOfLargeMapsAreExactTo1e6) {
  // Against a teacher of constant channels, whose divergences are 0, the loss is the mean square of
  // the student's: sqrt(loss) has the error of M. Two classes: one pair of them.
  TestTensor student({1, 2, 256, 512}, STRUCTKD_F32), teacher({1, 2, 256, 512}, STRUCTKD_F32);
  student.fill([](int64_t i) { return 2.0 * gaussian(3, uint64_t(i)); });
  const double truth = std::sqrt(compute("reference", student, teacher, params_of()).loss);
  const double outcome = std::sqrt(compute(GetParam(), student, teacher, params_of()).loss);
  EXPECT_NEAR(outcome, truth, 1e-6) << truth;
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         InterClassSimilarityOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
