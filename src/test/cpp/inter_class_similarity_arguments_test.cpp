// src/test/cpp/inter_class_similarity_arguments_test.cpp: what the inter-class similarity loss
// refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "inter_class_similarity_cases.h"

namespace structkd::test {
namespace {

// Bad input: the status, and a sentence that names the argument and what it got.
class InterClassSimilarityArguments : public testing::Test {
 protected:
  TestTensor student_{{2, 3, 4, 5}, STRUCTKD_F32};
  TestTensor teacher_{{2, 3, 4, 5}, STRUCTKD_F32};
  structkd_inter_class_similarity_params params_ = params_of();
  structkd_ctx ctx_{"cpu", nullptr, 1, {}};
  float loss_ = 7.0f;

  void expect_error(structkd_status status,
                    const char* sentence_part,
                    structkd_tensor* grad = nullptr) {
    AlignedBytes workspace(4 << 20);
    EXPECT_EQ(status, structkd_inter_class_similarity(&ctx_, student_.view(), teacher_.view(),
                                                      &params_, workspace.data(), &loss_, grad));
    EXPECT_NE(nullptr, std::strstr(structkd_last_error(), sentence_part)) << structkd_last_error();
    EXPECT_EQ(7.0f, loss_) << "a failed call wrote the loss";
  }
};

TEST_F(InterClassSimilarityArguments, RefusesDifferentSizesNamingBoth) {
  teacher_.view()->sizes[1] = 2;
  expect_error(STRUCTKD_ERR_SHAPE,
               "student [2, 3, 4, 5] and teacher [2, 2, 4, 5] differ in number of channels");
  teacher_.view()->sizes[1] = 3;
  teacher_.view()->sizes[3] = 2;
  expect_error(STRUCTKD_ERR_SHAPE, "differ in height and width");
  teacher_.view()->sizes[0] = 1;
  expect_error(STRUCTKD_ERR_SHAPE, "differ in batch size");
}

TEST_F(InterClassSimilarityArguments, RefusesOtherDtypesAndRanks) {
  teacher_.view()->dtype = STRUCTKD_F16;
  expect_error(STRUCTKD_ERR_DTYPE, "student is f32 and teacher is f16");
  teacher_.view()->dtype = STRUCTKD_I64;
  expect_error(STRUCTKD_ERR_DTYPE, "teacher is i64, expected f16, bf16, f32 or f64");
  teacher_.view()->rank = 3;
  expect_error(STRUCTKD_ERR_SHAPE, "teacher has shape [2, 3, 4], expected rank 4");
}

TEST_F(InterClassSimilarityArguments, RefusesAnEmptyBatchAndNullData) {
  student_.view()->data = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "student->data is NULL");
  student_.view()->sizes[0] = 0;
  expect_error(STRUCTKD_ERR_SHAPE, "student is empty: its shape is [0, 3, 4, 5]");
}

TEST_F(InterClassSimilarityArguments, RefusesTemperatureThatIsNotPositive) {
  for (double temperature : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    params_.temperature = temperature;
    expect_error(STRUCTKD_ERR_VALUE, "params->temperature is");
  }
}

TEST_F(InterClassSimilarityArguments, RefusesOtherParams) {
  params_.row_normalize = 2;
  expect_error(STRUCTKD_ERR_VALUE, "params->row_normalize is 2, expected 0 to 1");
  params_ = params_of();
  params_.struct_size = 8;
  expect_error(STRUCTKD_ERR_VALUE, "params->struct_size is 8");
}

TEST_F(InterClassSimilarityArguments, RefusesAnotherMask) {
  TestTensor mask({2, 4, 4}, STRUCTKD_U8);
  params_.mask = mask.view();
  expect_error(STRUCTKD_ERR_SHAPE, "params->mask has shape [2, 4, 4], expected [2, 4, 5]");
  mask.view()->dtype = STRUCTKD_F32;
  expect_error(STRUCTKD_ERR_DTYPE, "params->mask is f32, expected u8");
}

TEST_F(InterClassSimilarityArguments, RefusesAnotherGrad) {
  TestTensor wrong({2, 3, 4, 6}, STRUCTKD_F32);
  expect_error(STRUCTKD_ERR_SHAPE, "grad has shape [2, 3, 4, 6]", wrong.view());
  TestTensor half({2, 3, 4, 5}, STRUCTKD_F16);
  expect_error(STRUCTKD_ERR_DTYPE, "grad is f16", half.view());
}

TEST_F(InterClassSimilarityArguments, RefusesUnknownBackendAndThreads) {
  ctx_.backend = "tpu";
  expect_error(STRUCTKD_ERR_BACKEND, "there is no backend \"tpu\"");
  ctx_.backend = "cpu";
  ctx_.threads = 0;
  expect_error(STRUCTKD_ERR_VALUE, "ctx->threads is 0");
}

}  // namespace
}  // namespace structkd::test
