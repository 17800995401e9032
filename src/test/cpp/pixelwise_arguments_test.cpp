// src/test/cpp/pixelwise_arguments_test.cpp: what the pixel-wise loss refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "pixelwise_cases.h"

namespace structkd::test {
namespace {

// Bad input: the status, and a sentence that names the argument and what it got.
class PixelwiseArguments : public testing::Test {
 protected:
  TestTensor student_{{2, 3, 4, 5}, STRUCTKD_F32};
  TestTensor teacher_{{2, 3, 4, 5}, STRUCTKD_F32};
  structkd_pixelwise_params params_ = params_of();
  structkd_ctx ctx_{"cpu", nullptr, 1, {}};
  float loss_ = 7.0f;

  void expect_error(structkd_status status,
                    const char* sentence_part,
                    structkd_tensor* grad = nullptr) {
    AlignedBytes workspace(1 << 20);
    EXPECT_EQ(status, structkd_pixelwise(&ctx_, student_.view(), teacher_.view(), &params_,
                                         workspace.data(), &loss_, grad));
    EXPECT_NE(nullptr, std::strstr(structkd_last_error(), sentence_part)) << structkd_last_error();
    EXPECT_EQ(7.0f, loss_) << "a failed call wrote the loss";
    size_t bytes = 0;
    if (grad == nullptr) {
      EXPECT_EQ(status, structkd_pixelwise_workspace(&ctx_, student_.view(), teacher_.view(),
                                                     &params_, 1, &bytes));
    }
  }
};

TEST_F(PixelwiseArguments, RefusesNull) {
  size_t bytes = 0;
  AlignedBytes workspace(1 << 20);
  const auto call = [&](const structkd_ctx* ctx, const structkd_tensor* student,
                        const structkd_tensor* teacher, const structkd_pixelwise_params* params,
                        void* scratch, void* loss, const char* sentence) {
    EXPECT_EQ(STRUCTKD_ERR_NULL,
              structkd_pixelwise(ctx, student, teacher, params, scratch, loss, nullptr));
    EXPECT_STREQ(sentence, structkd_last_error());
  };
  call(nullptr, student_.view(), teacher_.view(), &params_, workspace.data(), &loss_,
       "pixel-wise loss: ctx is NULL");
  call(&ctx_, nullptr, teacher_.view(), &params_, workspace.data(), &loss_,
       "pixel-wise loss: student is NULL");
  call(&ctx_, student_.view(), nullptr, &params_, workspace.data(), &loss_,
       "pixel-wise loss: teacher is NULL");
  call(&ctx_, student_.view(), teacher_.view(), nullptr, workspace.data(), &loss_,
       "pixel-wise loss: params is NULL");
  call(&ctx_, student_.view(), teacher_.view(), &params_, nullptr, &loss_,
       "pixel-wise loss: workspace is NULL");
  call(&ctx_, student_.view(), teacher_.view(), &params_, workspace.data(), nullptr,
       "pixel-wise loss: loss is NULL");
  EXPECT_EQ(STRUCTKD_ERR_NULL, structkd_pixelwise_workspace(&ctx_, student_.view(), teacher_.view(),
                                                            &params_, 1, nullptr));
  EXPECT_EQ(STRUCTKD_OK, structkd_pixelwise_workspace(&ctx_, student_.view(), teacher_.view(),
                                                      &params_, 1, &bytes));
}

TEST_F(PixelwiseArguments, RefusesDifferentShapesNamingBoth) {
  teacher_.view()->sizes[2] = 3;
  expect_error(STRUCTKD_ERR_SHAPE,
               "student [2, 3, 4, 5] and teacher [2, 3, 3, 5] differ in height and width");
  teacher_.view()->sizes[1] = 2;
  expect_error(STRUCTKD_ERR_SHAPE, "differ in number of channels");
  teacher_.view()->sizes[0] = 1;
  expect_error(STRUCTKD_ERR_SHAPE, "differ in batch size");
}

TEST_F(PixelwiseArguments, RefusesDifferentDtypesAndIntegers) {
  TestTensor wide({2, 3, 4, 5}, STRUCTKD_F64);
  const structkd_tensor narrow = *teacher_.view();
  *teacher_.view() = *wide.view();
  expect_error(STRUCTKD_ERR_DTYPE, "student is f32 and teacher is f64");
  *teacher_.view() = narrow;
  student_.view()->dtype = STRUCTKD_I64;
  expect_error(STRUCTKD_ERR_DTYPE, "student is i64, expected f16, bf16, f32 or f64");
}

TEST_F(PixelwiseArguments, RefusesWrongRankAndEmptyBatch) {
  student_.view()->rank = 3;
  expect_error(STRUCTKD_ERR_SHAPE, "student has shape [2, 3, 4], expected rank 4");
  student_.view()->rank = 4;
  student_.view()->sizes[0] = 0;
  expect_error(STRUCTKD_ERR_SHAPE, "student is empty: its shape is [0, 3, 4, 5]");
}

TEST_F(PixelwiseArguments, RefusesNullData) {
  teacher_.view()->data = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "teacher->data is NULL");
}

TEST_F(PixelwiseArguments, RefusesTemperaturesThatAreNotPositive) {
  for (double temperature : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    params_.temperature = temperature;
    expect_error(STRUCTKD_ERR_VALUE, "params->temperature is");
  }
}

TEST_F(PixelwiseArguments, RefusesUnknownEnumValues) {
  params_.divergence = static_cast<structkd_divergence>(3);
  expect_error(STRUCTKD_ERR_VALUE, "params->divergence is 3, expected 0 to 2");
  params_ = params_of();
  params_.divisor = static_cast<structkd_divisor>(3);
  expect_error(STRUCTKD_ERR_VALUE, "params->divisor is 3, expected 0 to 2");
}

TEST_F(PixelwiseArguments, RefusesParamsWithoutSize) {
  params_.struct_size = 0;
  expect_error(STRUCTKD_ERR_VALUE, "params->struct_size is 0");
}

TEST_F(PixelwiseArguments, RefusesUnknownBackendAndThreads) {
  ctx_.backend = "tpu";
  expect_error(STRUCTKD_ERR_BACKEND, "there is no backend \"tpu\"");
  ctx_.backend = "cpu";
  ctx_.threads = 0;
  expect_error(STRUCTKD_ERR_VALUE, "ctx->threads is 0");
}

TEST_F(PixelwiseArguments, RefusesGradOfAnotherShapeOrDtypeOrThatOverlapsItself) {
  TestTensor wrong({2, 3, 4, 6}, STRUCTKD_F32);
  expect_error(STRUCTKD_ERR_SHAPE, "grad has shape [2, 3, 4, 6]", wrong.view());
  TestTensor half({2, 3, 4, 5}, STRUCTKD_F16);
  expect_error(STRUCTKD_ERR_DTYPE, "grad is f16", half.view());
  TestTensor overlapping({2, 3, 4, 5}, STRUCTKD_F32);
  overlapping.view()->strides[0] = 0;
  expect_error(STRUCTKD_ERR_SHAPE, "grad overlaps itself", overlapping.view());
}

TEST_F(PixelwiseArguments, RefusesMasksOfAnotherShapeOrDtype) {
  TestTensor mask({2, 4, 4}, STRUCTKD_U8);
  params_.mask = mask.view();
  expect_error(STRUCTKD_ERR_SHAPE, "params->mask has shape [2, 4, 4], expected [2, 4, 5]");
  TestTensor weights({2, 4, 5}, STRUCTKD_F32);
  params_.mask = weights.view();
  expect_error(STRUCTKD_ERR_DTYPE, "params->mask is f32, expected u8");
}

TEST_F(PixelwiseArguments, RefusesUnalignedWorkspace) {
  AlignedBytes workspace(1 << 20);
  EXPECT_EQ(STRUCTKD_ERR_WORKSPACE,
            structkd_pixelwise(&ctx_, student_.view(), teacher_.view(), &params_,
                               workspace.data() + 8, &loss_, nullptr));
}

}  // namespace
}  // namespace structkd::test
