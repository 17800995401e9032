// src/test/cpp/relational_test.cpp: the relational loss on every backend against the f64 reference,
// and the reference against numbers that can be checked by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "relational_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

class RelationalOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(RelationalOnBackend, MatchesReferenceAroundPanels) {
  // N around the 8, 16 and 32 embeddings of a panel, and tasks of 8 owners.
  for (int64_t N : {3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}) {
    TestTensor student({N, 5, 1, 1}, STRUCTKD_F32), teacher({N, 7, 1, 1}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 3, student, teacher);
    for (structkd_relation relation : kRelations) {
      expect_equal_to_reference(GetParam(), student, teacher, params_of(relation));
    }
  }
}

// Half of the embeddings a thousand times as near to each other as to the others, all of them far
// from the origin: what f32 still has of their differences counts.
TEST_P(RelationalOnBackend, IsExactForNearEmbeddingsFarFromTheOrigin) {
  for (structkd_relation relation : kRelations) {
    TestTensor student({24, 6, 1, 1}, STRUCTKD_F32), teacher({24, 6, 1, 1}, STRUCTKD_F32);
    student.fill([](int64_t i) {
      return 1000 + (i < 72 ? 1e-3 : 1.0) * std::round(8 * gaussian(1, uint64_t(i))) / 8;
    });
    fill_pair(Input::kRandom, 2, teacher, teacher);
    expect_equal_to_reference(GetParam(), student, teacher, params_of(relation));
    // The same moved to the origin, by a subtraction that is exact.
    TestTensor moved({24, 6, 1, 1}, STRUCTKD_F32);
    moved.fill([&](int64_t i) { return student.get(i) - 1000; });
    const Outcome far = compute(GetParam(), student, teacher, params_of(relation));
    const Outcome near = compute(GetParam(), moved, teacher, params_of(relation));
    EXPECT_NEAR(near.loss, far.loss, 1e-7 * near.loss);
    EXPECT_LE(relative_error(far.grad, near.grad), 1e-7);
  }
}

TEST_P(RelationalOnBackend, EqualEmbeddingsHaveFiniteGradients) {
  for (structkd_relation relation : kRelations) {
    for (bool normalize : {false, true}) {
      TestTensor student({12, 4, 1, 1}, STRUCTKD_F32), teacher({12, 4, 1, 1}, STRUCTKD_F32);
      fill_pair(Input::kRandom, 4, student, teacher);
      for (int64_t c = 0; c < 4; ++c) {
        student.set(4 + c, student.get(c));  // two agree, one is 0, three lie on a line
        student.set(8 + c, 0.0);
        for (int64_t i : {4, 5}) student.set(4 * i + c, std::ldexp(student.get(12 + c), int(i)));
      }
      expect_equal_to_reference(GetParam(), student, teacher, params_of(relation, normalize));
      const Outcome outcome = compute(GetParam(), student, teacher, params_of(relation, normalize));
      for (double g : outcome.grad) EXPECT_LT(std::abs(g), 1e3);
      // All agree: nothing pulls.
      student.fill([](int64_t i) { return double(i % 4 + 1); });
      const Outcome collapsed =
          compute(GetParam(), student, teacher, params_of(relation, normalize));
      EXPECT_TRUE(std::isfinite(collapsed.loss));
      for (double g : collapsed.grad) EXPECT_EQ(0.0, g);
    }
  }
}

// Embeddings on a line but for some noise: all triangles are needles.
TEST_P(RelationalOnBackend, AreasOfNeedlesAreExact) {
  for (double width : {1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-9, 0.0}) {
    TestTensor student({20, 5, 1, 1}, STRUCTKD_F64), teacher({20, 5, 1, 1}, STRUCTKD_F64);
    fill_pair(Input::kRandom, 6, student, teacher);
    student.fill([&](int64_t i) {
      return uniform(1, uint64_t(i / 5)) * double(i % 5 + 1) + width * gaussian(2, uint64_t(i));
    });
    for (bool normalize : {false, true}) {
      if (normalize && width < 1e-3) continue;  // they nearly agree
      const structkd_relational_params params = params_of(STRUCTKD_RELATION_AREA, normalize);
      const Outcome truth = compute("reference", student, teacher, params);
      const Outcome outcome = compute(GetParam(), student, teacher, params);
      SCOPED_TRACE("width " + std::to_string(width));
      EXPECT_NEAR(truth.loss, outcome.loss, 0x1p-19 * truth.loss);
      EXPECT_LE(relative_error(outcome.grad, truth.grad), 0x1p-19);
    }
  }
}

// Of more than two channels, whose areas of random embeddings are far from 0.
TEST_P(RelationalOnBackend, GradientOfAreasIsTheDerivative) {
  for (bool normalize : {false, true}) {
    for (const auto& [samples, channels] : {std::pair{9, 5}, {20, 12}}) {
      TestTensor student({samples, channels, 1, 1}, STRUCTKD_F64);
      TestTensor teacher({samples, 7, 1, 1}, STRUCTKD_F64);
      fill_pair(Input::kRandom, 21, student, teacher);
      const structkd_relational_params params = params_of(STRUCTKD_RELATION_AREA, normalize);
      const std::vector<double> grad = compute(GetParam(), student, teacher, params).grad;
      const std::vector<double> start = student.values();
      std::vector<double> direction(grad.size());
      for (size_t i = 0; i < grad.size(); ++i) direction[i] = gaussian(77, i);
      const double slope = central_difference(
          [&](double step) {
            student.fill([&](int64_t i) { return start[size_t(i)] + step * direction[size_t(i)]; });
            return compute("reference", student, teacher, params).loss;
          },
          1e-4);
      const double expected = dot(grad, direction);
      EXPECT_NEAR(slope, expected, 1e-6 * std::abs(expected)) << channels << " channels";
    }
  }
}

TEST_P(RelationalOnBackend, FewerThanThreeEmbeddingsGiveZero) {
  for (structkd_relation relation : kRelations) {
    for (int64_t N : {1, 2}) {
      TestTensor student({N, 3, 1, 1}, STRUCTKD_F32), teacher({N, 3, 1, 1}, STRUCTKD_F32);
      fill_pair(Input::kRandom, 4, student, teacher);
      const Outcome outcome = compute(GetParam(), student, teacher, params_of(relation));
      EXPECT_EQ(0.0, outcome.loss);
      for (double g : outcome.grad) EXPECT_EQ(0.0, g);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         RelationalOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

class RelationalDefinition : public testing::TestWithParam<std::string> {};

TEST_P(RelationalDefinition, IsTheMeanOverAllTriples) {
  // Triangles with legs 3 and 4, and 1 and 1: areas are alike in units of their mean; angles are not.
  TestTensor student({3, 2, 1, 1}, STRUCTKD_F64), teacher({3, 2, 1, 1}, STRUCTKD_F64);
  const double s[] = {0, 0, 3, 0, 0, 4}, t[] = {0, 0, 1, 0, 0, 1};
  student.fill([&](int64_t i) { return s[i]; });
  teacher.fill([&](int64_t i) { return t[i]; });
  const auto loss = [&](structkd_relation relation) {
    return compute(GetParam(), student, teacher, params_of(relation)).loss;
  };
  EXPECT_NEAR(0.0, loss(STRUCTKD_RELATION_AREA), 1e-30);
  // Cosines at the vertices: 0, 3/5, 4/5 against 0, 1/sqrt 2 twice; each for (j, k) and (k, j).
  const double a = 0.6 - std::sqrt(0.5), b = 0.8 - std::sqrt(0.5);
  EXPECT_NEAR(2 * (a * a + b * b) / 2 / 27, loss(STRUCTKD_RELATION_ANGLE), 1e-15);
  // Distances 3, 4, 5 in units of 4, against 1, 1, sqrt 2 in units of their mean.
  const double mean = (2 + std::sqrt(2.0)) / 3;
  const double gaps[] = {3.0 / 4 - 1 / mean, 1 - 1 / mean, 5.0 / 4 - std::sqrt(2.0) / mean};
  double sum = 0.0;
  for (double gap : gaps) sum += gap * gap;  // twice a half
  EXPECT_NEAR(sum / 9, loss(STRUCTKD_RELATION_DISTANCE), 1e-15);
}

TEST_P(RelationalDefinition, AreasOfAFourthPoint) {
  // The student's fourth point doubles two of four triangles' heights.
  TestTensor student({4, 2, 1, 1}, STRUCTKD_F64), teacher({4, 2, 1, 1}, STRUCTKD_F64);
  const double s[] = {0, 0, 1, 0, 0, 1, 2, 2}, t[] = {0, 0, 1, 0, 0, 1, 1, 1};
  student.fill([&](int64_t i) { return s[i]; });
  teacher.fill([&](int64_t i) { return t[i]; });
  // Areas 1/2, 1, 1, 3/2 with mean 1; of the square all are equal.
  const double expected = 6.0 / 64 * (0.125 + 0 + 0 + 0.125);
  EXPECT_NEAR(expected,
              compute(GetParam(), student, teacher, params_of(STRUCTKD_RELATION_AREA)).loss, 1e-15);
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         RelationalDefinition,
                         testing::ValuesIn(backends_and_reference()),
                         backend_test_name);

TEST(RelationalArguments, RefusesMoreEmbeddingsThanMatricesHold) {
  float unread = 0.0f;
  const structkd_tensor map{&unread, STRUCTKD_F32, 4, {40000, 2, 1, 1}, {2, 1, 1, 1}};
  const structkd_ctx ctx = context("cpu", 1);
  const structkd_relational_params params = params_of(STRUCTKD_RELATION_ANGLE);
  size_t bytes = 0;
  EXPECT_EQ(STRUCTKD_ERR_SHAPE,
            structkd_relational_workspace(&ctx, &map, &map, &params, 1, &bytes));
  EXPECT_STREQ(
      "relational loss: student [40000, 2, 1, 1] has more than 32768 embeddings, of which all pairs "
      "are compared",
      structkd_last_error());
}

}  // namespace
}  // namespace structkd::test
