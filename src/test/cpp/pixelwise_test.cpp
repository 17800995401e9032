// src/test/cpp/pixelwise_test.cpp: the pixel-wise loss on every backend against the f64 reference.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "pixelwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr structkd_divergence kDivergences[] = {STRUCTKD_DIVERGENCE_CROSS_ENTROPY,
                                                STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT,
                                                STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER};
constexpr structkd_divisor kDivisors[] = {STRUCTKD_DIVISOR_PIXELS_PER_IMAGE,
                                          STRUCTKD_DIVISOR_PIXELS, STRUCTKD_DIVISOR_ELEMENTS};

class PixelwiseOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(PixelwiseOnBackend, MatchesReferenceOnOddShapes) {
  // K, H, W: one class, one pixel, primes, vectors (4, 8, 16) +- 1, tiles of 256, 128, 64, 32
  // and 16 pixels +- 1, and class counts on both sides of those where the tile shrinks (f32: 160,
  // 320, 640, 1280; f64: 80, 160, 320, 640).
  const int64_t shapes[][3] = {
      {1, 1, 1},     {2, 1, 1},    {7, 1, 1},     {1, 3, 5},    {2, 1, 2},    {3, 33, 31},
      {5, 3, 5},     {5, 4, 4},    {5, 1, 17},    {15, 1, 127}, {16, 8, 16},  {16, 3, 43},
      {17, 1, 63},   {31, 5, 13},  {128, 1, 129}, {129, 1, 65}, {256, 1, 7},  {257, 1, 64},
      {512, 1, 9},   {513, 3, 11}, {1281, 1, 17}, {4, 27, 19},  {64, 1, 511}, {65, 1, 257},
      {160, 1, 257}, {161, 1, 255}};
  for (const auto& n : shapes) {
    for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
      for (Input input : kInputs) {
        TestTensor student({2, n[0], n[1], n[2]}, dtype), teacher({2, n[0], n[1], n[2]}, dtype);
        fill_pair(input, 11, student, teacher);
        for (auto divergence : kDivergences) {
          expect_equal_to_reference(GetParam(), student, teacher, params_of(divergence));
        }
      }
    }
  }
}

TEST_P(PixelwiseOnBackend, MatchesReferenceWhereTheGradientIsTooLargeForTheCaches) {
  // 4.2 MB; rows that begin anywhere in a vector, and rows that begin with one.
  for (int64_t width : {509, 528}) {
    TestTensor student({2, 2, 521, width}, STRUCTKD_F32), teacher({2, 2, 521, width}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 11, student, teacher);
    expect_equal_to_reference(GetParam(), student, teacher, params_of());
  }
}

TEST_P(PixelwiseOnBackend, MatchesReferenceAtClassCountsWhereTheKernelChanges) {
  // Planes and channels last; blocks of 128 and 32 pixels, one of them begun.
  for (int64_t classes :
       {16, 17, 19, 20, 21, 22, 24, 25, 32, 33, 96, 97, 128, 129, 152, 153, 176, 177, 256, 257}) {
    for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
      for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
        TestTensor student({1, classes, 3, 11}, dtype, layout);
        TestTensor teacher({1, classes, 3, 11}, dtype, layout);
        fill_pair(Input::kRandom, 11, student, teacher);
        expect_equal_to_reference(GetParam(), student, teacher, params_of());
      }
    }
  }
}

// Rows: the classes of a pixel lie side by side, or an image has next to no pixels.

TEST_P(PixelwiseOnBackend, MatchesReferenceOnRowsOfAnyLength) {
  // B, K: a vector of classes +- 1; lanes, warps and blocks of classes +- 1; tiles of 64 rows +- 1;
  // pieces of 2048 and 4096 classes +- 1; a vocabulary.
  const int64_t shapes[][2] = {{1, 1},    {5, 2},    {63, 3},   {65, 5},    {130, 10},
                               {3, 15},   {17, 16},  {66, 17},  {64, 19},   {3, 47},
                               {2, 49},   {16, 100}, {2, 191},  {3, 192},   {2, 257},
                               {5, 1000}, {2, 1024}, {2, 1025}, {2, 2049},  {3, 4095},
                               {1, 4096}, {2, 4097}, {1, 8191}, {1, 32000}, {2, 12289}};
  for (const auto& n : shapes) {
    for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
      for (Input input : {Input::kRandom, Input::kNearlyEqual}) {
        TestTensor student({n[0], n[1], 1, 1}, dtype), teacher({n[0], n[1], 1, 1}, dtype);
        fill_pair(input, 11, student, teacher);
        for (auto divergence : kDivergences) {
          expect_equal_to_reference(GetParam(), student, teacher, params_of(divergence));
        }
      }
    }
  }
}

TEST_P(PixelwiseOnBackend, MatchesReferenceOnAVocabularyOf262144) {
  for (Input input : {Input::kRandom, Input::kNearlyEqual}) {
    TestTensor student({1, 262144, 1, 1}, STRUCTKD_F32);
    TestTensor teacher({1, 262144, 1, 1}, STRUCTKD_F32);
    fill_pair(input, 11, student, teacher);
    expect_equal_to_reference(GetParam(), student, teacher, params_of());
  }
}

TEST_P(PixelwiseOnBackend, ARowThatMayNotHaveAValueSaysNaN) {
  for (int64_t classes : {10, 300, 5000}) {
    for (double value : {kNaN, kInfinity}) {
      for (int64_t at : {int64_t(0), classes / 2, classes - 1}) {
        TestTensor student({2, classes, 1, 1}, STRUCTKD_F32);
        TestTensor teacher({2, classes, 1, 1}, STRUCTKD_F32);
        fill_pair(Input::kRandom, 8, student, teacher);
        student.set(classes + at, value);
        EXPECT_TRUE(std::isnan(compute(GetParam(), student, teacher, params_of()).loss)) << at;
      }
    }
    // A class that the teacher rules out adds nothing, and one offset of a net is not seen.
    TestTensor student({2, classes, 1, 1}, STRUCTKD_F32);
    TestTensor teacher({2, classes, 1, 1}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 8, student, teacher);
    for (int64_t c : {int64_t(1), classes - 1}) teacher.set(c, -kInfinity);
    expect_equal_to_reference(GetParam(), student, teacher, params_of());
    teacher.set(2, -3e38);
    expect_equal_to_reference(GetParam(), student, teacher, params_of());
  }
}

TEST_P(PixelwiseOnBackend, MatchesReferenceForEveryTemperatureAndDivisor) {
  TestTensor student({2, 19, 9, 11}, STRUCTKD_F32), teacher({2, 19, 9, 11}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 3, student, teacher);
  for (double temperature : {0.5, 1.0, 4.0, 7.3, 1e3}) {
    for (auto divisor : kDivisors) {
      for (int32_t squared : {0, 1}) {
        for (auto divergence : kDivergences) {
          structkd_pixelwise_params params = params_of(divergence, divisor);
          params.temperature = temperature;
          params.temperature_squared = squared;
          SCOPED_TRACE(temperature);
          expect_equal_to_reference(GetParam(), student, teacher, params);
        }
      }
    }
  }
}

TEST_P(PixelwiseOnBackend, MatchesReferenceFromNearlyEqualToFarApart) {
  // Both forms of the divergence and the way between them: KL from 1e-13 to 1e3.
  for (double scale : {1e-6, 1e-3, 0.03, 0.3, 0.7, 1.0, 1.5, 3.0, 30.0, 1e3}) {
    TestTensor student({1, 21, 16, 16}, STRUCTKD_F32), teacher({1, 21, 16, 16}, STRUCTKD_F32);
    // Multiples of 2^-20, so that the f32 inputs differ by what is meant.
    auto logit = [&](uint64_t seed, int64_t i) {
      return std::ldexp(std::round(std::ldexp(gaussian(seed, uint64_t(i)), 20)), -20);
    };
    student.fill([&](int64_t i) { return logit(1, i); });
    teacher.fill([&](int64_t i) { return logit(1, i) + scale * logit(2, i); });
    for (auto divergence : kDivergences) {
      SCOPED_TRACE(scale);
      expect_equal_to_reference(GetParam(), student, teacher, params_of(divergence));
    }
  }
}

TEST_P(PixelwiseOnBackend, AnOffsetOfAllLogitsOfOneNetCostsNoPrecision) {
  // Softmax does not see it, but f32 cannot hold 65536 + 2^-12: the difference of the two logits
  // has more bits than either.
  for (double offset : {0.0, 1024.0, -65536.0}) {
    TestTensor student({1, 19, 7, 9}, STRUCTKD_F32), teacher({1, 19, 7, 9}, STRUCTKD_F32);
    auto eighths = [](uint64_t seed, int64_t i) {
      return std::round(8.0 * gaussian(seed, uint64_t(i))) / 8.0;
    };
    student.fill([&](int64_t i) { return eighths(1, i) + std::ldexp(eighths(2, i), -9); });
    teacher.fill([&](int64_t i) { return eighths(1, i) + offset; });
    for (auto divergence : kDivergences) {
      SCOPED_TRACE(offset);
      expect_equal_to_reference(GetParam(), student, teacher, params_of(divergence));
    }
  }
}

TEST_P(PixelwiseOnBackend, MaskedBatchEqualsTheSameBatchWithoutThosePixels) {
  // Columns 0 .. 4 of 8 are valid: the loss of the five columns alone, whatever the divisor.
  TestTensor student({2, 5, 3, 8}, STRUCTKD_F64), teacher({2, 5, 3, 8}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 4, student, teacher);
  TestTensor cut_student({2, 5, 3, 5}, STRUCTKD_F64), cut_teacher({2, 5, 3, 5}, STRUCTKD_F64);
  auto wide_index = [](int64_t i) { return i / 5 * 8 + i % 5; };
  cut_student.fill([&](int64_t i) { return student.get(wide_index(i)); });
  cut_teacher.fill([&](int64_t i) { return teacher.get(wide_index(i)); });
  TestTensor mask({2, 3, 8}, STRUCTKD_U8);
  mask.fill([](int64_t i) { return i % 8 < 5 ? 1.0 : 0.0; });
  for (auto divisor : kDivisors) {
    structkd_pixelwise_params params = params_of(STRUCTKD_DIVERGENCE_CROSS_ENTROPY, divisor);
    const Outcome expected = compute(GetParam(), cut_student, cut_teacher, params);
    params.mask = mask.view();
    const Outcome outcome = compute(GetParam(), student, teacher, params);
    EXPECT_NEAR(outcome.loss, expected.loss, 1e-14);
    for (int64_t i = 0; i < cut_student.elements(); ++i) {
      EXPECT_NEAR(outcome.grad[size_t(wide_index(i))], expected.grad[size_t(i)], 1e-15);
    }
  }
}

TEST_P(PixelwiseOnBackend, GradientOfAPixelSumsToZero) {
  TestTensor student({1, 19, 4, 7}, STRUCTKD_F64), teacher({1, 19, 4, 7}, STRUCTKD_F64);
  fill_pair(Input::kNearlyEqual, 4, student, teacher);
  for (auto divergence : kDivergences) {
    const Outcome outcome = compute(GetParam(), student, teacher, params_of(divergence));
    for (size_t n = 0; n < 28; ++n) {
      double sum = 0.0;
      for (size_t c = 0; c < 19; ++c) sum += outcome.grad[c * 28 + n];
      EXPECT_NEAR(0.0, sum, 1e-18);
    }
  }
}

TEST_P(PixelwiseOnBackend, OneClassGivesZero) {
  TestTensor student({2, 1, 6, 5}, STRUCTKD_F32), teacher({2, 1, 6, 5}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 4, student, teacher);
  for (auto divergence : kDivergences) {
    const Outcome outcome = compute(GetParam(), student, teacher, params_of(divergence));
    EXPECT_EQ(0.0, outcome.loss);
    for (double g : outcome.grad) EXPECT_EQ(0.0, g);
  }
}

TEST_P(PixelwiseOnBackend, ConstantLogitsGiveTheEntropyOfTheUniformDistribution) {
  TestTensor student({1, 4, 3, 3}, STRUCTKD_F32), teacher({1, 4, 3, 3}, STRUCTKD_F32);
  student.fill([](int64_t) { return 7.0; });
  const Outcome cross =
      compute(GetParam(), student, teacher, params_of(STRUCTKD_DIVERGENCE_CROSS_ENTROPY));
  EXPECT_NEAR(std::log(4.0), cross.loss, 1e-7);
  EXPECT_EQ(0.0, compute(GetParam(), student, teacher, params_of()).loss);
}

TEST_P(PixelwiseOnBackend, WithoutValidPixelsValueAndGradientAreZero) {
  TestTensor student({2, 4, 3, 3}, STRUCTKD_F32), teacher({2, 4, 3, 3}, STRUCTKD_F32);
  student.fill([](int64_t) { return kNaN; });
  TestTensor mask({2, 3, 3}, STRUCTKD_U8);
  for (auto divergence : kDivergences) {
    for (auto divisor : kDivisors) {
      structkd_pixelwise_params params = params_of(divergence, divisor);
      params.mask = mask.view();
      const Outcome outcome = compute(GetParam(), student, teacher, params);
      EXPECT_EQ(0.0, outcome.loss);
      for (double g : outcome.grad) EXPECT_EQ(0.0, g);
    }
  }
}

TEST_P(PixelwiseOnBackend, HugeLogitsStayFinite) {
  for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32, STRUCTKD_BF16}) {
    TestTensor student({1, 5, 3, 3}, dtype), teacher({1, 5, 3, 3}, dtype);
    student.fill([](int64_t i) { return 1e4 * gaussian(5, uint64_t(i)); });
    teacher.fill([](int64_t i) { return 1e30 * gaussian(6, uint64_t(i)); });
    // Finite stand-ins for minus infinity, as masks of classes use them.
    teacher.set(3, -3e38);
    for (auto divergence :
         {STRUCTKD_DIVERGENCE_CROSS_ENTROPY, STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT}) {
      expect_equal_to_reference(GetParam(), student, teacher, params_of(divergence));
    }
    // The other way round the gaps are 1e30 themselves.
    expect_equal_to_reference(GetParam(), teacher, student,
                              params_of(STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER));
  }
}

TEST_P(PixelwiseOnBackend, AClassOfProbabilityZeroAddsNothing) {
  for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32}) {
    TestTensor student({1, 5, 3, 3}, dtype), teacher({1, 5, 3, 3}, dtype);
    fill_pair(Input::kRandom, 5, student, teacher);
    for (int64_t n = 0; n < 9; ++n) teacher.set(18 + n, -kInfinity);
    for (auto divergence :
         {STRUCTKD_DIVERGENCE_CROSS_ENTROPY, STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT}) {
      expect_equal_to_reference(GetParam(), student, teacher, params_of(divergence));
      expect_equal_to_reference(GetParam(), teacher, teacher, params_of(divergence));
    }
    // The student gives probability to what the teacher rules out, or the other way round.
    EXPECT_EQ(kInfinity, compute(GetParam(), student, teacher,
                                 params_of(STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER))
                             .loss);
    const Outcome outcome = compute(GetParam(), teacher, student, params_of());
    EXPECT_EQ(kInfinity, outcome.loss);
    for (double g : outcome.grad) EXPECT_TRUE(std::isfinite(g));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         PixelwiseOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
