// src/test/cpp/global_structural_arguments_test.cpp: what the global structural loss refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "global_structural_cases.h"

namespace structkd::test {
namespace {

// Bad input: the status, and a sentence that names the argument and what it got.
class GlobalStructuralArguments : public testing::Test {
 protected:
  TestTensor student_{{2, 3, 4, 5}, STRUCTKD_F32};
  TestTensor teacher_{{2, 6, 4, 5}, STRUCTKD_F32};
  Sampled sampled_{2, 7, 20};
  structkd_global_structural_params params_ = params_of();

  void expect_error(structkd_status status,
                    const char* sentence_part,
                    structkd_tensor* grad = nullptr) {
    const structkd_ctx ctx{"cpu", nullptr, 1, {}};
    AlignedBytes workspace(1 << 20);
    float loss = 7.0f;
    params_.indices = sampled_.indices.view();
    params_.counts = sampled_.counts.view();
    EXPECT_EQ(status, structkd_global_structural(&ctx, student_.view(), teacher_.view(), &params_,
                                                 workspace.data(), &loss, grad));
    EXPECT_NE(nullptr, std::strstr(structkd_last_error(), sentence_part)) << structkd_last_error();
    EXPECT_EQ(7.0f, loss) << "a failed call wrote the loss";
  }
};

TEST_F(GlobalStructuralArguments, RefusesMapsThatDoNotFit) {
  teacher_.view()->sizes[2] = 3;
  expect_error(STRUCTKD_ERR_SHAPE,
               "student [2, 3, 4, 5] and teacher [2, 6, 3, 5] differ in height");
  teacher_.view()->sizes[2] = 4;
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

TEST_F(GlobalStructuralArguments, RefusesPermutationsOfAnotherSize) {
  TestTensor table({7, 6}, STRUCTKD_I32);
  params_.permutation = table.view();
  expect_error(STRUCTKD_ERR_SHAPE, "params->permutation has shape [7, 6], expected size 7");
  TestTensor floats({7, 7}, STRUCTKD_F32);
  params_.permutation = floats.view();
  expect_error(STRUCTKD_ERR_DTYPE, "params->permutation is f32, expected i32");
}

TEST_F(GlobalStructuralArguments, RefusesParametersOutsideTheirRange) {
  for (double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    params_ = params_of();
    params_.temperature = bad;
    expect_error(STRUCTKD_ERR_VALUE, "params->temperature is");
    params_ = params_of();
    params_.eps = bad;
    expect_error(STRUCTKD_ERR_VALUE, "params->eps is");
  }
  params_ = params_of();
  params_.shuffle = static_cast<structkd_shuffle>(3);
  expect_error(STRUCTKD_ERR_VALUE, "params->shuffle is 3, expected 0 to 2");
  params_ = params_of();
  params_.step = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "params->step is NULL");
  params_ = params_of();
  params_.struct_size = 8;
  expect_error(STRUCTKD_ERR_VALUE, "params->struct_size is 8");
}

TEST_F(GlobalStructuralArguments, RefusesGradOfAnotherShape) {
  TestTensor wrong({2, 3, 4, 6}, STRUCTKD_F32);
  expect_error(STRUCTKD_ERR_SHAPE, "grad has shape [2, 3, 4, 6]", wrong.view());
}

}  // namespace
}  // namespace structkd::test
