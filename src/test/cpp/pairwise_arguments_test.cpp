// src/test/cpp/pairwise_arguments_test.cpp: what the pair-wise loss refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "memory.h"
#include "pairwise_cases.h"

namespace structkd::test {
namespace {

// Bad input: the status, and a sentence that names the argument and what it got.
class PairwiseArguments : public testing::Test {
 protected:
  TestTensor student_{{2, 3, 4, 5}, STRUCTKD_F32};
  TestTensor teacher_{{2, 6, 4, 5}, STRUCTKD_F32};
  structkd_pairwise_params params_ = params_of();
  structkd_ctx ctx_{"cpu", nullptr, 1, {}};
  float loss_ = 7.0f;

  void expect_error(structkd_status status,
                    const char* sentence_part,
                    structkd_tensor* grad = nullptr,
                    const structkd_tensor* student = nullptr) {
    AlignedBytes workspace(1 << 20);
    EXPECT_EQ(status, structkd_pairwise(&ctx_, student ? student : student_.view(), teacher_.view(),
                                        &params_, workspace.data(), &loss_, grad));
    EXPECT_NE(nullptr, std::strstr(structkd_last_error(), sentence_part)) << structkd_last_error();
    EXPECT_EQ(7.0f, loss_) << "a failed call wrote the loss";
  }
};

TEST_F(PairwiseArguments, RefusesDifferentMapSizesNamingBoth) {
  teacher_.view()->sizes[2] = 3;
  expect_error(STRUCTKD_ERR_SHAPE,
               "student [2, 3, 4, 5] and teacher [2, 6, 3, 5] differ in height");
}

TEST_F(PairwiseArguments, RefusesDifferentBatchSizes) {
  teacher_.view()->sizes[0] = 1;
  expect_error(STRUCTKD_ERR_SHAPE, "differ in batch size");
}

TEST_F(PairwiseArguments, RefusesDifferentDtypes) {
  TestTensor wide({2, 6, 4, 5}, STRUCTKD_F64);
  *teacher_.view() = *wide.view();
  expect_error(STRUCTKD_ERR_DTYPE, "student is f32 and teacher is f64");
}

TEST_F(PairwiseArguments, RefusesIntegerFeatures) {
  student_.view()->dtype = STRUCTKD_I32;
  expect_error(STRUCTKD_ERR_DTYPE, "student is i32, expected f16, bf16, f32 or f64");
}

TEST_F(PairwiseArguments, RefusesWrongRank) {
  student_.view()->rank = 3;
  expect_error(STRUCTKD_ERR_SHAPE, "student has shape [2, 3, 4], expected rank 4");
}

TEST_F(PairwiseArguments, RefusesAnEmptyBatch) {
  student_.view()->sizes[0] = 0;
  expect_error(STRUCTKD_ERR_SHAPE, "student is empty: its shape is [0, 3, 4, 5]");
}

TEST_F(PairwiseArguments, RefusesShapesBeyond64Bits) {
  student_.view()->sizes[2] = int64_t(1) << 40;
  student_.view()->sizes[3] = int64_t(1) << 40;
  expect_error(STRUCTKD_ERR_SHAPE, "does not fit a 64-bit address space");
}

TEST_F(PairwiseArguments, RefusesChannelsBeyond32Bits) {
  student_.view()->sizes[1] = int64_t(1) << 31;
  expect_error(STRUCTKD_ERR_SHAPE,
               "student has 2147483648 channels and teacher 6, expected at most 2^31 - 1 of each");
}

TEST_F(PairwiseArguments, RefusesNullData) {
  student_.view()->data = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "student->data is NULL");
}

TEST_F(PairwiseArguments, RefusesEpsThatIsNotPositive) {
  for (double eps : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    params_.eps = eps;
    expect_error(STRUCTKD_ERR_VALUE, "params->eps is");
  }
}

TEST_F(PairwiseArguments, RefusesUnknownEnumValues) {
  params_.norm = static_cast<structkd_norm_gradient>(2);
  expect_error(STRUCTKD_ERR_VALUE, "params->norm is 2, expected 0 to 1");
  params_ = params_of();
  params_.precision = static_cast<structkd_precision>(-1);
  expect_error(STRUCTKD_ERR_VALUE, "params->precision is -1, expected 0 to 1");
}

TEST_F(PairwiseArguments, RefusesParamsWithoutSize) {
  params_.struct_size = 0;
  expect_error(STRUCTKD_ERR_VALUE, "params->struct_size is 0");
}

TEST_F(PairwiseArguments, RefusesUnknownBackendAndThreads) {
  ctx_.backend = "tpu";
  expect_error(STRUCTKD_ERR_BACKEND, "there is no backend \"tpu\"");
  ctx_.backend = "cpu";
  ctx_.threads = 0;
  expect_error(STRUCTKD_ERR_VALUE, "ctx->threads is 0");
}

TEST_F(PairwiseArguments, RefusesGradOfAnotherShapeOrDtypeOrThatOverlapsItself) {
  TestTensor wrong({2, 3, 4, 6}, STRUCTKD_F32);
  expect_error(STRUCTKD_ERR_SHAPE, "grad has shape [2, 3, 4, 6]", wrong.view());
  TestTensor half({2, 3, 4, 5}, STRUCTKD_F16);
  expect_error(STRUCTKD_ERR_DTYPE, "grad is f16", half.view());
  TestTensor overlapping({2, 3, 4, 5}, STRUCTKD_F32);
  overlapping.view()->strides[0] = 0;
  expect_error(STRUCTKD_ERR_SHAPE, "grad overlaps itself", overlapping.view());
}

TEST_F(PairwiseArguments, RefusesWeightsOfAnotherShape) {
  TestTensor weights({2, 4, 4}, STRUCTKD_F32);
  params_.weights = weights.view();
  expect_error(STRUCTKD_ERR_SHAPE, "params->weights has shape [2, 4, 4], expected [2, 4, 5]");
}

TEST_F(PairwiseArguments, RefusesUnalignedWorkspace) {
  AlignedBytes workspace(1 << 20);
  EXPECT_EQ(STRUCTKD_ERR_WORKSPACE,
            structkd_pairwise(&ctx_, student_.view(), teacher_.view(), &params_,
                              workspace.data() + 8, &loss_, nullptr));
}

}  // namespace
}  // namespace structkd::test
