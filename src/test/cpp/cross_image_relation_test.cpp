// src/test/cpp/cross_image_relation_test.cpp: the cross-image relation loss on every backend.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "cross_image_relation_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

class CrossImageRelationOnBackend : public testing::TestWithParam<std::string> {};

void fill(uint64_t seed, TestTensor& student, TestTensor& teacher) {
  fill_pair(Input::kRandom, seed, student, teacher);
}

TEST_P(CrossImageRelationOnBackend, MatchesReferenceAroundEdges) {
  // B, Cs, Ct, H, W: nodes around panels (8, 16, 32), passes (32, 48, 96), tiles of 64 and a chunk
  // of 576; channels around micro-kernels, blocks of 64 and of 128; few nodes in the batch.
  const int64_t shapes[][5] = {{2, 3, 5, 1, 31},   {2, 5, 3, 1, 32},    {2, 12, 13, 1, 33},
                               {2, 13, 12, 1, 47}, {1, 4, 4, 1, 65},    {2, 6, 2, 1, 97},
                               {1, 2, 3, 1, 577},  {2, 65, 129, 5, 13}, {2, 130, 64, 7, 7},
                               {4, 3, 3, 4, 4},    {5, 3, 3, 1, 13},    {17, 4, 2, 2, 2}};
  for (const auto& n : shapes) {
    TestTensor student({n[0], n[1], n[3], n[4]}, STRUCTKD_F32);
    TestTensor teacher({n[0], n[2], n[3], n[4]}, STRUCTKD_F32);
    fill(11, student, teacher);
    expect_equal_to_reference(GetParam(), student, teacher, relation_params_of());
  }
}

TEST_P(CrossImageRelationOnBackend, ImagesMayBePermuted) {
  const std::vector<int64_t> shape = {3, 5, 4, 9};
  TestTensor student(shape, STRUCTKD_F64), teacher(shape, STRUCTKD_F64);
  TestTensor turned_student(shape, STRUCTKD_F64), turned_teacher(shape, STRUCTKD_F64);
  fill(3, student, teacher);
  const int64_t elements = student.elements(), image = elements / 3;
  for (int64_t i = 0; i < elements; ++i) {
    turned_student.set((i + image) % elements, student.get(i));
    turned_teacher.set((i + image) % elements, teacher.get(i));
  }
  const Outcome outcome = compute(GetParam(), student, teacher, relation_params_of());
  const Outcome turned = compute(GetParam(), turned_student, turned_teacher, relation_params_of());
  EXPECT_NEAR(outcome.loss, turned.loss, 1e-13 * outcome.loss);
  for (int64_t i = 0; i < elements; ++i) {
    EXPECT_NEAR(outcome.grad[size_t(i)], turned.grad[size_t((i + image) % elements)], 1e-14);
  }
}

// A mean over pairs of images: what all of them have in common does not depend on how many there
// are.
TEST_P(CrossImageRelationOnBackend, CopiesOfOneImageHaveItsValue) {
  TestTensor student({1, 5, 4, 9}, STRUCTKD_F64), teacher({1, 5, 4, 9}, STRUCTKD_F64);
  fill(3, student, teacher);
  TestTensor students({3, 5, 4, 9}, STRUCTKD_F64), teachers({3, 5, 4, 9}, STRUCTKD_F64);
  students.fill([&](int64_t i) { return student.get(i % student.elements()); });
  teachers.fill([&](int64_t i) { return teacher.get(i % teacher.elements()); });
  const double one = compute(GetParam(), student, teacher, relation_params_of()).loss;
  EXPECT_NEAR(one, compute(GetParam(), students, teachers, relation_params_of()).loss, 1e-13 * one);
}

// Rows that differ by a constant are equal distributions, and nearly so a small divergence: neither
// may cancel. All cosines of the teacher's nodes are nearly 1, the student's go to -1.
TEST_P(CrossImageRelationOnBackend, DistributionsFarApartInTheirCosinesMatchReference) {
  for (double temperature : {0.1, 1.0 / 64}) {
    TestTensor student({2, 2, 1, 40}, STRUCTKD_F64), teacher({2, 2, 1, 40}, STRUCTKD_F64);
    student.fill([](int64_t i) { return gaussian(5, uint64_t(i)); });
    teacher.fill([](int64_t i) { return i / 40 % 2 == 0 ? 1.0 : 1e-3 * gaussian(6, uint64_t(i)); });
    expect_equal_to_reference(GetParam(), student, teacher, relation_params_of(temperature));
  }
}

TEST_P(CrossImageRelationOnBackend, ZeroNodesCountInTheValueAndHaveNoGradient) {
  TestTensor student({2, 3, 1, 40}, STRUCTKD_F32), teacher({2, 3, 1, 40}, STRUCTKD_F32);
  fill(8, student, teacher);
  student.fill([&](int64_t i) { return i % 40 == 7 ? 0.0 : gaussian(1, uint64_t(i)); });
  const structkd_cross_image_relation_params params = relation_params_of();
  expect_equal_to_reference(GetParam(), student, teacher, params);
  const std::vector<double> grad = compute(GetParam(), student, teacher, params).grad;
  for (size_t i = 7; i < grad.size(); i += 40) EXPECT_EQ(0.0, grad[i]);
}

// Channels as nodes, by strides alone.
TEST_P(CrossImageRelationOnBackend, TakesAnotherAxisAsNodes) {
  TestTensor student({2, 9, 5, 4}, STRUCTKD_F32), teacher({2, 9, 5, 4}, STRUCTKD_F32);
  fill(2, student, teacher);
  TestTensor turned_student({2, 20, 9, 1}, STRUCTKD_F32),
      turned_teacher({2, 20, 9, 1}, STRUCTKD_F32);
  for (TestTensor* maps : {&turned_student, &turned_teacher}) {
    const TestTensor& from = maps == &turned_student ? student : teacher;
    maps->fill([&](int64_t i) { return from.get(i / 180 * 180 + i % 9 * 20 + i / 9 % 20); });
  }
  const auto params = relation_params_of();
  const Outcome expected = compute(GetParam(), turned_student, turned_teacher, params);
  for (TestTensor* maps : {&student, &teacher}) {
    structkd_tensor& view = *maps->view();
    const int64_t sizes[] = {2, 20, 9, 1}, strides[] = {180, 1, 20, 1};
    for (int d = 0; d < 4; ++d) view.sizes[d] = sizes[d], view.strides[d] = strides[d];
  }
  const Outcome outcome = compute(GetParam(), student, teacher, params);
  EXPECT_EQ(expected.loss, outcome.loss);
  EXPECT_EQ(expected.grad, outcome.grad);
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         CrossImageRelationOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

TEST(CrossImageRelationArguments, RefusesTemperaturesThatLeaveTheRangeOfF64) {
  TestTensor map({1, 2, 2, 2}, STRUCTKD_F32);
  const structkd_ctx ctx = context("cpu", 1);
  const structkd_cross_image_relation_params params = relation_params_of(0.002);
  size_t bytes = 0;
  EXPECT_EQ(STRUCTKD_ERR_VALUE, structkd_cross_image_relation_workspace(
                                    &ctx, map.view(), map.view(), &params, 1, &bytes));
  EXPECT_STREQ("cross-image relation loss: params->temperature is 0.002, expected at least 1/256",
               structkd_last_error());
}

// What the loss is for: 8 images of 8,192 nodes, whose cosines of one pair of images take 512 MB in
// f32, and their gradients as much again.
TEST(CrossImageRelationMemory, Takes50MegabytesFor8ImagesOf8192Nodes) {
  float unread = 0.0f;
  structkd_tensor student{&unread, STRUCTKD_F32, 4, {8, 128, 64, 128}, {1048576, 8192, 128, 1}};
  structkd_tensor teacher{&unread, STRUCTKD_F32, 4, {8, 256, 64, 128}, {2097152, 8192, 128, 1}};
  const structkd_ctx ctx = context("cpu", 2);
  const structkd_cross_image_relation_params params = relation_params_of();
  size_t bytes = 0;
  ASSERT_EQ(STRUCTKD_OK,
            structkd_cross_image_relation_workspace(&ctx, &student, &teacher, &params, 1, &bytes));
  EXPECT_LT(bytes, 50u * 1000 * 1000);
}

}  // namespace
}  // namespace structkd::test
