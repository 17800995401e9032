// src/test/cpp/channelwise_test.cpp: the channel-wise loss on every backend against the f64
// reference.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "channelwise_cases.h"
#include "losses.h"
#include "pixelwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class ChannelwiseOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(ChannelwiseOnBackend, MatchesReferenceOnChannelsOfAnyLength) {
  // C, H, W: one position, primes, vectors +- 1, the longest channel that is turned over (12
  // vectors: 24 to 192) and the first that is not, pieces of 1024 and 2048 positions +- 1, a warp's
  // and a block's channels (1024 +- 1) and parts of 4096 positions +- 1 on a GPU.
  const int64_t shapes[][3] = {{1, 1, 1},   {3, 1, 2},   {70, 1, 3},   {5, 3, 5},   {65, 4, 4},
                               {7, 1, 17},  {3, 1, 23},  {3, 4, 6},    {3, 5, 5},   {2, 5, 19},
                               {2, 8, 12},  {2, 1, 97},  {3, 1, 191},  {3, 8, 24},  {2, 1, 193},
                               {2, 31, 33}, {1, 32, 32}, {1, 25, 41},  {1, 23, 89}, {1, 1, 2049},
                               {1, 63, 65}, {1, 64, 64}, {1, 17, 241}, {2, 91, 91}, {1, 1, 12289}};
  for (const auto& n : shapes) {
    for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
      for (Input input : kInputs) {
        TestTensor student({2, n[0], n[1], n[2]}, dtype), teacher({2, n[0], n[1], n[2]}, dtype);
        fill_pair(input, 11, student, teacher);
        expect_equal_to_reference(GetParam(), student, teacher, channelwise_params());
      }
    }
  }
}

TEST_P(ChannelwiseOnBackend, MatchesReferenceOnALargeMap) {
  for (Input input : {Input::kRandom, Input::kNearlyEqual}) {
    TestTensor student({1, 1, 513, 511}, STRUCTKD_F32), teacher({1, 1, 513, 511}, STRUCTKD_F32);
    fill_pair(input, 11, student, teacher);
    expect_equal_to_reference(GetParam(), student, teacher, channelwise_params(4.0));
  }
}

TEST_P(ChannelwiseOnBackend, MatchesReferenceInEveryLayout) {
  for (Layout layout : {Layout::kChannelsLast, Layout::kSliced, Layout::kApart}) {
    for (const auto& n : {Shape{3, 5, 6, 7}, Shape{2, 3, 17, 19}, Shape{2, 3, 37, 41}}) {
      TestTensor student(n.map(), STRUCTKD_F32, layout), teacher(n.map(), STRUCTKD_F32, layout);
      fill_pair(Input::kRandom, 5, student, teacher);
      expect_equal_to_reference(GetParam(), student, teacher, channelwise_params(2.0));
    }
  }
}

TEST_P(ChannelwiseOnBackend, MatchesReferenceForEveryTemperature) {
  TestTensor student({2, 3, 15, 17}, STRUCTKD_F32), teacher({2, 3, 15, 17}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 3, student, teacher);
  for (double temperature : {0.1, 0.5, 1.0, 4.0, 7.3, 1e3}) {
    SCOPED_TRACE(temperature);
    expect_equal_to_reference(GetParam(), student, teacher, channelwise_params(temperature));
  }
}

TEST_P(ChannelwiseOnBackend, MatchesReferenceFromNearlyEqualToFarApart) {
  // Both forms of the divergence and the way between them: KL from 1e-13 to 1e3; channels that are
  // turned over, rows and parts of rows.
  for (int64_t side : {9, 24, 70}) {
    for (double scale : {1e-6, 1e-3, 0.03, 0.3, 0.7, 1.0, 1.5, 3.0, 30.0, 1e3}) {
      TestTensor student({1, 2, side, side}, STRUCTKD_F32);
      TestTensor teacher({1, 2, side, side}, STRUCTKD_F32);
      // Multiples of 2^-20, so that the f32 inputs differ by what is meant.
      auto activation = [](uint64_t seed, int64_t i) {
        return std::ldexp(std::round(std::ldexp(gaussian(seed, uint64_t(i)), 20)), -20);
      };
      student.fill([&](int64_t i) { return activation(1, i); });
      teacher.fill([&](int64_t i) { return activation(1, i) + scale * activation(2, i); });
      SCOPED_TRACE(scale);
      expect_equal_to_reference(GetParam(), student, teacher, channelwise_params());
    }
  }
}

TEST_P(ChannelwiseOnBackend, AnOffsetOfOneNetCostsNoPrecision) {
  for (double offset : {1024.0, -65536.0}) {
    TestTensor student({1, 2, 21, 17}, STRUCTKD_F32), teacher({1, 2, 21, 17}, STRUCTKD_F32);
    auto eighths = [](uint64_t seed, int64_t i) {
      return std::round(8.0 * gaussian(seed, uint64_t(i))) / 8.0;
    };
    student.fill([&](int64_t i) { return eighths(1, i) + std::ldexp(eighths(2, i), -9); });
    teacher.fill([&](int64_t i) { return eighths(1, i) + offset; });
    SCOPED_TRACE(offset);
    expect_equal_to_reference(GetParam(), student, teacher, channelwise_params());
  }
}

TEST_P(ChannelwiseOnBackend, IsThePixelwiseLossOfTheMapTurnedOver) {
  // Channel c of an image is pixel c of a map whose classes are the positions.
  const int64_t C = 6, N = 5 * 9;
  TestTensor student({1, C, 5, 9}, STRUCTKD_F64), teacher({1, C, 5, 9}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 4, student, teacher);
  TestTensor turned_student({1, N, 2, 3}, STRUCTKD_F64), turned_teacher({1, N, 2, 3}, STRUCTKD_F64);
  const auto turned = [&](int64_t i) { return i % C * N + i / C; };
  turned_student.fill([&](int64_t i) { return student.get(turned(i)); });
  turned_teacher.fill([&](int64_t i) { return teacher.get(turned(i)); });
  structkd_pixelwise_params params = params_of(STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT);
  params.temperature = 4.0;
  params.temperature_squared = 1;
  const Outcome expected = compute(GetParam(), turned_student, turned_teacher, params);
  const Outcome outcome = compute(GetParam(), student, teacher, channelwise_params(4.0));
  EXPECT_NEAR(outcome.loss, expected.loss, 1e-13 * expected.loss);
  for (int64_t i = 0; i < C * N; ++i) {
    EXPECT_NEAR(outcome.grad[size_t(turned(i))], expected.grad[size_t(i)], 1e-15);
  }
}

TEST_P(ChannelwiseOnBackend, MaskedMapEqualsTheMapOfThosePositions) {
  // Columns 0 .. 4 of 8 are valid, and nothing of image 2: the loss of two images of five columns.
  for (int64_t height : {3, 60}) {
    TestTensor student({3, 4, height, 8}, STRUCTKD_F64), teacher({3, 4, height, 8}, STRUCTKD_F64);
    fill_pair(Input::kRandom, 4, student, teacher);
    const auto valid = [&](int64_t n, int64_t image) { return n % 8 < 5 && image < 2; };
    for (int64_t i = 0; i < student.elements(); ++i) {
      if (!valid(i, i / (4 * height * 8))) student.set(i, kNaN);
    }
    TestTensor cut_student({2, 4, height, 5}, STRUCTKD_F64);
    TestTensor cut_teacher({2, 4, height, 5}, STRUCTKD_F64);
    const auto wide_index = [](int64_t i) { return i / 5 * 8 + i % 5; };
    cut_student.fill([&](int64_t i) { return student.get(wide_index(i)); });
    cut_teacher.fill([&](int64_t i) { return teacher.get(wide_index(i)); });
    TestTensor mask({3, height, 8}, STRUCTKD_U8);
    mask.fill([&](int64_t i) { return valid(i, i / (height * 8)) ? 1.0 : 0.0; });
    structkd_channelwise_params params = channelwise_params(2.0);
    const Outcome expected = compute(GetParam(), cut_student, cut_teacher, params);
    params.mask = mask.view();
    const Outcome outcome = compute(GetParam(), student, teacher, params);
    EXPECT_NEAR(outcome.loss, expected.loss, 1e-13 * expected.loss);
    double kept = 0.0;
    for (int64_t i = 0; i < cut_student.elements(); ++i) {
      EXPECT_NEAR(outcome.grad[size_t(wide_index(i))], expected.grad[size_t(i)], 1e-15);
      kept += std::abs(outcome.grad[size_t(wide_index(i))]);
    }
    double all = 0.0;
    for (double g : outcome.grad) all += std::abs(g);
    EXPECT_EQ(all, all);
    EXPECT_NEAR(all, kept, 1e-15 * kept);
  }
}

TEST_P(ChannelwiseOnBackend, WithoutValidPositionsValueAndGradientAreZero) {
  for (int64_t side : {3, 80}) {
    TestTensor student({2, 4, side, side}, STRUCTKD_F32), teacher({2, 4, side, side}, STRUCTKD_F32);
    student.fill([](int64_t) { return kNaN; });
    TestTensor mask({2, side, side}, STRUCTKD_U8);
    structkd_channelwise_params params = channelwise_params();
    params.mask = mask.view();
    const Outcome outcome = compute(GetParam(), student, teacher, params);
    EXPECT_EQ(0.0, outcome.loss);
    for (double g : outcome.grad) EXPECT_EQ(0.0, g);
  }
}

TEST_P(ChannelwiseOnBackend, AChannelThatMayNotHaveAValueSaysNaN) {
  for (int64_t side : {3, 20, 80}) {
    const int64_t N = side * side;
    for (double value : {kNaN, kInfinity}) {
      for (int64_t at : {int64_t(0), N / 2, N - 1}) {
        TestTensor student({2, 2, side, side}, STRUCTKD_F32);
        TestTensor teacher({2, 2, side, side}, STRUCTKD_F32);
        fill_pair(Input::kRandom, 8, student, teacher);
        student.set(N + at, value);
        const Outcome outcome = compute(GetParam(), student, teacher, channelwise_params());
        EXPECT_TRUE(std::isnan(outcome.loss)) << side << " " << at;
        // The other channels are as they would be without it.
        EXPECT_TRUE(std::isfinite(outcome.grad[0])) << side << " " << at;
      }
    }
  }
}

TEST_P(ChannelwiseOnBackend, APositionOfProbabilityZeroAddsNothing) {
  for (int64_t side : {3, 20, 80}) {
    for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32}) {
      TestTensor student({1, 2, side, side}, dtype), teacher({1, 2, side, side}, dtype);
      fill_pair(Input::kRandom, 5, student, teacher);
      for (int64_t n : {int64_t(1), side, side * side - 1}) teacher.set(n, -kInfinity);
      expect_equal_to_reference(GetParam(), student, teacher, channelwise_params());
      expect_equal_to_reference(GetParam(), teacher, teacher, channelwise_params());
      // The teacher gives probability to what the student rules out.
      const Outcome outcome = compute(GetParam(), teacher, student, channelwise_params());
      EXPECT_EQ(kInfinity, outcome.loss);
      for (double g : outcome.grad) EXPECT_TRUE(std::isfinite(g));
    }
  }
}

TEST_P(ChannelwiseOnBackend, OnePositionGivesZero) {
  TestTensor student({2, 7, 1, 1}, STRUCTKD_F32), teacher({2, 7, 1, 1}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 4, student, teacher);
  const Outcome outcome = compute(GetParam(), student, teacher, channelwise_params());
  EXPECT_EQ(0.0, outcome.loss);
  for (double g : outcome.grad) EXPECT_EQ(0.0, g);
}

TEST_P(ChannelwiseOnBackend, GradientOfAChannelSumsToZero) {
  for (int64_t side : {7, 70}) {
    TestTensor student({1, 3, side, side}, STRUCTKD_F64), teacher({1, 3, side, side}, STRUCTKD_F64);
    fill_pair(Input::kNearlyEqual, 4, student, teacher);
    const Outcome outcome = compute(GetParam(), student, teacher, channelwise_params());
    for (int64_t c = 0; c < 3; ++c) {
      double sum = 0.0, size = 0.0;
      for (int64_t n = 0; n < side * side; ++n) {
        sum += outcome.grad[size_t(c * side * side + n)];
        size += std::abs(outcome.grad[size_t(c * side * side + n)]);
      }
      EXPECT_NEAR(0.0, sum, 1e-13 * size);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         ChannelwiseOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
