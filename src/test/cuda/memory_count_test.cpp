// src/test/cuda/memory_count_test.cpp: what each kernel asks of memory, against what its comment
// says: no bank conflicts, whole sectors, the bytes that the algorithm needs.
// STRUCTKD_MEMORY_REPORT=1 prints the counts of every access.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "global_structural_cases.h"
#include "loss_run.h"
#include "memory.h"
#include "memory_tracer/memory_tracer.h"
#include "tensors.h"

namespace structkd::test {
namespace {

using memory_tracer::Site;
using memory_tracer::sites_of;
using memory_tracer::Traffic;
using memory_tracer::traffic_of;

constexpr const char* kEmulated = "cuda-emulated";

class MemoryCount : public testing::Test {
 protected:
  void SetUp() override { memory_tracer::reset(); }
  void TearDown() override {
    if (getenv("STRUCTKD_MEMORY_REPORT") != nullptr) memory_tracer::print_sites(stdout);
  }
};

void run_pairwise(const TestTensor& student, const TestTensor& teacher, bool want_grad = true) {
  structkd_pairwise_params params{};
  params.struct_size = sizeof(params);
  params.norm = STRUCTKD_NORM_DIFFERENTIABLE;
  params.eps_mode = STRUCTKD_EPS_MAX;
  params.eps = 1e-8;
  How how;
  how.want_grad = want_grad;
  run_loss(
      kEmulated, student, how,
      [&](const structkd_ctx* ctx, size_t* bytes) {
        return structkd_pairwise_workspace(ctx, student.view(), teacher.view(), &params, want_grad,
                                           bytes);
      },
      [&](const structkd_ctx* ctx, void* workspace, void* loss, structkd_tensor* grad) {
        return structkd_pairwise(ctx, student.view(), teacher.view(), &params, workspace, loss,
                                 grad);
      });
}

void run_pixelwise(const TestTensor& student, const TestTensor& teacher) {
  structkd_pixelwise_params params{};
  params.struct_size = sizeof(params);
  params.divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
  params.divisor = STRUCTKD_DIVISOR_PIXELS;
  params.temperature = 1.0;
  run_loss(
      kEmulated, student, {},
      [&](const structkd_ctx* ctx, size_t* bytes) {
        return structkd_pixelwise_workspace(ctx, student.view(), teacher.view(), &params, 1, bytes);
      },
      [&](const structkd_ctx* ctx, void* workspace, void* loss, structkd_tensor* grad) {
        return structkd_pixelwise(ctx, student.view(), teacher.view(), &params, workspace, loss,
                                  grad);
      });
}

void run_inter_class_similarity(const TestTensor& student, const TestTensor& teacher) {
  structkd_inter_class_similarity_params params{};
  params.struct_size = sizeof(params);
  params.temperature = 1.0;
  run_loss(
      kEmulated, student, {},
      [&](const structkd_ctx* ctx, size_t* bytes) {
        return structkd_inter_class_similarity_workspace(ctx, student.view(), teacher.view(),
                                                         &params, 1, bytes);
      },
      [&](const structkd_ctx* ctx, void* workspace, void* loss, structkd_tensor* grad) {
        return structkd_inter_class_similarity(ctx, student.view(), teacher.view(), &params,
                                               workspace, loss, grad);
      });
}

void run_global_structural(const TestTensor& student, const TestTensor& teacher, int64_t samples) {
  const Sampled sampled(student.view()->sizes[0], samples,
                        student.view()->sizes[2] * student.view()->sizes[3]);
  structkd_global_structural_params params = params_of(-2);
  run_loss(
      kEmulated, student, {},
      [&](const structkd_ctx* ctx, size_t* bytes) {
        return structkd_global_structural_workspace(ctx, student.view(), teacher.view(),
                                                    sampled.indices.view(), sampled.counts.view(),
                                                    &params, 1, bytes);
      },
      [&](const structkd_ctx* ctx, void* workspace, void* loss, structkd_tensor* grad) {
        return structkd_global_structural(ctx, student.view(), teacher.view(),
                                          sampled.indices.view(), sampled.counts.view(), &params,
                                          workspace, loss, grad);
      });
}

// Student and teacher of one image.
struct Maps {
  TestTensor student, teacher;
  Maps(int64_t student_channels,
       int64_t teacher_channels,
       int64_t height,
       int64_t width,
       structkd_dtype dtype = STRUCTKD_F32,
       Layout layout = Layout::kContiguous)
      : student({1, student_channels, height, width}, dtype, layout),
        teacher({1, teacher_channels, height, width}, dtype, layout) {
    fill_pair(Input::kRandom, 1, student, teacher);
  }
};

TEST_F(MemoryCount, PairwiseMatrices) {
  const Maps maps(64, 64, 32, 32);
  run_pairwise(maps.student, maps.teacher);
}
TEST_F(MemoryCount, PairwisePairs) {
  const Maps maps(96, 96, 8, 8);
  run_pairwise(maps.student, maps.teacher);
}
TEST_F(MemoryCount, PixelwiseThreadPerPixel) {
  const Maps maps(19, 19, 32, 64);
  run_pixelwise(maps.student, maps.teacher);
}
TEST_F(MemoryCount, PixelwiseWarps) {
  const Maps maps(100, 100, 32, 32);
  run_pixelwise(maps.student, maps.teacher);
}
TEST_F(MemoryCount, PixelwiseChannelsLast) {
  const Maps maps(24, 24, 32, 32, STRUCTKD_F32, Layout::kChannelsLast);
  run_pixelwise(maps.student, maps.teacher);
}
TEST_F(MemoryCount, InterClassSimilarity19) {
  const Maps maps(19, 19, 32, 64);
  run_inter_class_similarity(maps.student, maps.teacher);
}
TEST_F(MemoryCount, InterClassSimilarity70) {
  const Maps maps(70, 70, 32, 32);
  run_inter_class_similarity(maps.student, maps.teacher);
}
TEST_F(MemoryCount, GlobalStructural) {
  const Maps maps(64, 64, 16, 16);
  run_global_structural(maps.student, maps.teacher, 200);
}

}  // namespace
}  // namespace structkd::test
