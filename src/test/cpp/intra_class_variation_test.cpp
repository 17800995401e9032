// src/test/cpp/intra_class_variation_test.cpp: the intra-class variation loss on every backend
// against the f64 reference.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "intra_class_variation_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class IntraClassVariationOnBackend : public testing::TestWithParam<std::string> {};

TestTensor labels_of(int64_t B, int64_t H, int64_t W, const std::function<double(int64_t)>& label) {
  TestTensor labels({B, H, W}, STRUCTKD_I64);
  labels.fill(label);
  return labels;
}

TestTensor drawn_labels(int64_t B, int64_t H, int64_t W, int64_t classes) {
  return labels_of(
      B, H, W, [=](int64_t i) { return std::floor(double(classes) * uniform(3, uint64_t(i))); });
}

TEST_P(IntraClassVariationOnBackend, MatchesReferenceAroundEdges) {
  // B, Cs, Ct, H, W, classes: channels around vectors, blocks of 32 and slices of 8; positions
  // around vectors, warps, tiles of 64 and segments of 256.
  const int64_t shapes[][6] = {
      {2, 2, 3, 1, 31, 2},   {2, 7, 8, 1, 32, 3},   {2, 9, 15, 1, 33, 4},   {2, 16, 17, 1, 63, 5},
      {1, 31, 33, 1, 64, 3}, {1, 32, 63, 1, 65, 3}, {1, 64, 65, 1, 127, 9}, {1, 3, 5, 1, 255, 4},
      {3, 5, 4, 1, 256, 2},  {1, 3, 7, 1, 257, 50}, {1, 4, 3, 16, 32, 1},   {1, 5, 3, 19, 27, 19}};
  for (const auto& n : shapes) {
    const TestTensor labels = drawn_labels(n[0], n[3], n[4], n[5]);
    for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
      for (Input input : kInputs) {
        if (input == Input::kNearlyEqual && n[1] != n[2]) continue;
        TestTensor student({n[0], n[1], n[3], n[4]}, dtype);
        TestTensor teacher({n[0], n[2], n[3], n[4]}, dtype);
        fill_pair(input, 11, student, teacher);
        expect_equal_to_reference(GetParam(), student, teacher, variation_params(labels, n[5]));
      }
    }
  }
}

TEST_P(IntraClassVariationOnBackend, MatchesReferenceInSeveralParts) {
  const TestTensor labels = drawn_labels(1, 129, 131, 5);
  TestTensor student({1, 3, 129, 131}, STRUCTKD_F32), teacher({1, 2, 129, 131}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 5, student, teacher);
  expect_equal_to_reference(GetParam(), student, teacher, variation_params(labels, 5));
}

// As a segmentation has them: runs of one class, and classes that an image does not have.
TEST_P(IntraClassVariationOnBackend, MatchesReferenceOnRunsOfLabels) {
  const TestTensor labels =
      labels_of(2, 24, 40, [](int64_t i) { return i < 960 ? i / 300 * 4 : 18 - i / 960; });
  TestTensor student({2, 12, 24, 40}, STRUCTKD_F32), teacher({2, 40, 24, 40}, STRUCTKD_F32);
  fill_pair(Input::kReluSparse, 5, student, teacher);
  expect_equal_to_reference(GetParam(), student, teacher, variation_params(labels, 19));
}

// A teacher that is the student with its channels turned by one: other features, equal
// similarities.
TEST_P(IntraClassVariationOnBackend, DoesNotSeeTheOrderOfChannels) {
  const TestTensor labels = drawn_labels(2, 9, 7, 3);
  TestTensor student({2, 5, 9, 7}, STRUCTKD_F64), teacher({2, 5, 9, 7}, STRUCTKD_F64);
  student.fill([](int64_t i) { return gaussian(1, uint64_t(i)); });
  teacher.fill([&](int64_t i) { return student.get(i / 315 * 315 + (i + 63) % 315); });
  const Outcome outcome = compute(GetParam(), student, teacher, variation_params(labels));
  EXPECT_LT(outcome.loss, 1e-28);
  for (double g : outcome.grad) EXPECT_NEAR(0.0, g, 1e-15);
}

// The gradient cannot stretch what only directions matter of: all positions together.
TEST_P(IntraClassVariationOnBackend, TheGradientOfAnImageIsAcrossIt) {
  const TestTensor labels = drawn_labels(1, 9, 7, 3);
  TestTensor student({1, 5, 9, 7}, STRUCTKD_F64), teacher({1, 3, 9, 7}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 4, student, teacher);
  const Outcome outcome = compute(GetParam(), student, teacher, variation_params(labels));
  const double size = std::sqrt(dot(outcome.grad, outcome.grad));
  EXPECT_GT(size, 1e-3);
  EXPECT_NEAR(0.0, dot(outcome.grad, student.values()), 1e-13 * size);
}

TEST_P(IntraClassVariationOnBackend, WithoutClassesValueAndGradientAreZero) {
  const TestTensor labels = labels_of(2, 9, 9, [](int64_t) { return 255; });
  TestTensor student({2, 4, 9, 9}, STRUCTKD_F32), teacher({2, 4, 9, 9}, STRUCTKD_F32),
      mask({2, 9, 9}, STRUCTKD_U8);
  student.fill([](int64_t) { return kNaN; });
  structkd_intra_class_variation_params params = variation_params(labels);
  for (const structkd_tensor* given : {static_cast<const structkd_tensor*>(nullptr),
                                       static_cast<const structkd_tensor*>(mask.view())}) {
    params.mask = given;
    const Outcome outcome = compute(GetParam(), student, teacher, params);
    EXPECT_EQ(0.0, outcome.loss);
    for (double g : outcome.grad) EXPECT_EQ(0.0, g);
  }
}

// Of 63 positions 21 have no class: they count, unless the mask says that they take no part.
TEST_P(IntraClassVariationOnBackend, PositionsOfNoClassCountUnlessMasked) {
  const TestTensor labels = labels_of(1, 9, 7, [](int64_t i) { return i % 3; });
  TestTensor student({1, 5, 9, 7}, STRUCTKD_F64), teacher({1, 5, 9, 7}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 4, student, teacher);
  structkd_intra_class_variation_params params = variation_params(labels, 2);
  const Outcome all = compute(GetParam(), student, teacher, params);
  TestTensor mask({1, 9, 7}, STRUCTKD_U8);
  mask.fill([](int64_t i) { return i % 3 < 2; });
  params.mask = mask.view();
  const Outcome masked = compute(GetParam(), student, teacher, params);
  EXPECT_NEAR(all.loss, masked.loss * 2 / 3, 1e-14);
  for (size_t i = 0; i < all.grad.size(); ++i)
    EXPECT_NEAR(all.grad[i], masked.grad[i] * 2 / 3, 1e-14);
}

TEST_P(IntraClassVariationOnBackend, ZeroFeaturesCountInTheirCentreAlone) {
  const TestTensor labels = labels_of(1, 1, 80, [](int64_t i) { return i / 40; });
  TestTensor student({1, 3, 1, 80}, STRUCTKD_F32), teacher({1, 3, 1, 80}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 8, student, teacher);
  // A position of class 0; all of class 1.
  student.fill(
      [&](int64_t i) { return i % 80 == 7 || i % 80 >= 40 ? 0.0 : gaussian(1, uint64_t(i)); });
  const structkd_intra_class_variation_params params = variation_params(labels);
  expect_equal_to_reference(GetParam(), student, teacher, params);
  const Outcome outcome = compute(GetParam(), student, teacher, params);
  EXPECT_NE(0.0, outcome.grad[7]);
  for (size_t i = 40; i < 80; ++i) EXPECT_EQ(0.0, outcome.grad[i]);
}

// Below 1e-8 the product of lengths counts as 1e-8: similarities go down with the lengths.
TEST_P(IntraClassVariationOnBackend, ShortFeaturesMatchReference) {
  const TestTensor labels = drawn_labels(1, 5, 9, 2);
  for (double length : {1e-3, 1e-4, 3e-5, 1e-5}) {
    TestTensor student({1, 4, 5, 9}, STRUCTKD_F64), teacher({1, 4, 5, 9}, STRUCTKD_F64);
    fill_pair(Input::kRandom, 8, student, teacher);
    student.fill([&](int64_t i) { return length * gaussian(1, uint64_t(i)); });
    SCOPED_TRACE(length);
    expect_equal_to_reference(GetParam(), student, teacher, variation_params(labels, 2));
  }
}

TEST_P(IntraClassVariationOnBackend, ANaNReachesItsClassAlone) {
  const TestTensor labels = labels_of(1, 10, 10, [](int64_t i) { return i % 2; });
  TestTensor student({1, 3, 10, 10}, STRUCTKD_F32), teacher({1, 3, 10, 10}, STRUCTKD_F32);
  fill_pair(Input::kRandom, 8, student, teacher);
  student.set(14, kNaN);
  const Outcome outcome = compute(GetParam(), student, teacher, variation_params(labels));
  EXPECT_TRUE(std::isnan(outcome.loss));
  for (size_t i = 0; i < 300; ++i) EXPECT_EQ(i % 2 == 0, std::isnan(outcome.grad[i])) << i;
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         IntraClassVariationOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

TEST(IntraClassVariationArguments, AreRefusedBySentences) {
  TestTensor map({1, 2, 2, 2}, STRUCTKD_F32);
  const TestTensor labels({1, 2, 2}, STRUCTKD_I64), numbers({1, 2, 2}, STRUCTKD_F32);
  const structkd_ctx ctx = context("cpu", 1);
  size_t bytes = 0;
  const auto expect = [&](structkd_status status, const char* sentence, auto params) {
    EXPECT_EQ(status, structkd_intra_class_variation_workspace(&ctx, map.view(), map.view(),
                                                               &params, 1, &bytes));
    EXPECT_STREQ(sentence, structkd_last_error());
  };
  expect(STRUCTKD_ERR_VALUE,
         "intra-class variation loss: params->num_classes is 0, expected at least 1",
         variation_params(labels, 0));
  expect(STRUCTKD_ERR_VALUE,
         "intra-class variation loss: params->num_classes is 2147483648, expected at most 2^31 - 1",
         variation_params(labels, int64_t(1) << 31));
  expect(STRUCTKD_ERR_DTYPE,
         "intra-class variation loss: params->labels is f32, expected u8, i32 or i64",
         variation_params(numbers));
  structkd_intra_class_variation_params params = variation_params(labels);
  params.labels = nullptr;
  expect(STRUCTKD_ERR_NULL, "intra-class variation loss: params->labels is NULL", params);
  map.view()->sizes[2] = int64_t(1) << 31;
  map.view()->strides[2] = 0;
  expect(
      STRUCTKD_ERR_SHAPE,
      "intra-class variation loss: student [1, 2, 2147483648, 2] has more than 2^31 - 1 positions",
      variation_params(labels));
}

}  // namespace
}  // namespace structkd::test
