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
  How how;
  const bool channels_last = student.view()->strides[1] == 1;
  how.grad_layout = channels_last ? Layout::kChannelsLast : Layout::kContiguous;
  structkd_pixelwise_params params{};
  params.struct_size = sizeof(params);
  params.divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
  params.divisor = STRUCTKD_DIVISOR_PIXELS;
  params.temperature = 1.0;
  run_loss(
      kEmulated, student, how,
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

// All sites of a kernel, of which there must be some.
std::vector<Site> sites_that_ran(const std::string& kernel) {
  std::vector<Site> sites = sites_of(kernel);
  EXPECT_FALSE(sites.empty()) << "no kernel of this name ran: " << kernel;
  return sites;
}

// Bank conflicts of all requests to shared memory, or of reads alone.
uint64_t bank_conflicts(const std::string& kernel, bool with_writes = true) {
  uint64_t requests = 0, conflicts = 0;
  for (const Site& site : sites_that_ran(kernel)) {
    if (!site.is_shared || (site.is_write && !with_writes)) continue;
    requests += site.requests;
    conflicts += site.bank_conflicts;
  }
  EXPECT_GT(requests, 0u) << kernel << " does not use shared memory";
  return conflicts;
}

// Whole warps that stream `bytes` per lane: 4.0 sectors per request for f32, 16.0 for 16 bytes.
void expect_whole_sectors(const std::string& kernel, unsigned bytes, bool is_write) {
  uint64_t requests = 0;
  for (const Site& site : sites_that_ran(kernel)) {
    const bool streams =
        site.lanes == 32 * site.requests && site.fewest_sectors == site.requests * bytes;
    if (site.is_shared || site.is_write != is_write || site.bytes != bytes || !streams) continue;
    requests += site.requests;
    EXPECT_EQ(double(site.sectors) / double(site.requests), double(bytes)) << site.kernel;
  }
  EXPECT_GT(requests, 0u) << kernel << " does not stream " << bytes << " bytes per lane";
}

// `minimum` as the kernel's comment states it. No sector may be moved that is not needed: by
// distinct sectors, of a memory behind perfect caches.
void expect_bytes(const std::string& kernel, double read_minimum, double write_minimum) {
  const Traffic traffic = traffic_of(kernel);
  EXPECT_GE(double(traffic.reads.distinct_bytes()), read_minimum) << kernel;
  EXPECT_LE(double(traffic.reads.distinct_bytes()), 1.1 * read_minimum) << kernel;
  EXPECT_GE(double(traffic.writes.distinct_bytes()), write_minimum) << kernel;
  EXPECT_LE(double(traffic.writes.distinct_bytes()), 1.1 * write_minimum) << kernel;
}

// And without any cache: each byte is asked for once.
void expect_bytes_once(const std::string& kernel, double minimum) {
  const Traffic traffic = traffic_of(kernel);
  EXPECT_LE(double(traffic.reads.sectors + traffic.writes.sectors) * memory_tracer::kSectorBytes,
            1.1 * minimum)
      << kernel;
}

TEST_F(MemoryCount, PairwiseMatrices) {
  const double N = 32 * 32, C = 64;
  const Maps maps(64, 64, 32, 32);
  run_pairwise(maps.student, maps.teacher);

  EXPECT_EQ(bank_conflicts("measure_nodes_strip_per_block_kernel"), 0u);
  expect_whole_sectors("measure_nodes_strip_per_block_kernel", 4, false);
  expect_bytes("measure_nodes_strip_per_block_kernel", 4 * N * 2 * C, 40 * N);
  expect_bytes_once("measure_nodes_strip_per_block_kernel", 4 * N * 2 * C + 40 * N);

  // Features are copied two rows to a warp, which share 4 banks; products read without conflicts.
  const Traffic gram = traffic_of("pairwise_gram_tile_per_block_kernel");
  EXPECT_EQ(bank_conflicts("pairwise_gram_tile_per_block_kernel", false), 0u);
  EXPECT_LE(gram.shared.bank_conflicts, 4 * N * 3 * C / 64);
  expect_whole_sectors("pairwise_gram_tile_per_block_kernel", 4, false);
  EXPECT_LE(double(gram.reads.distinct_bytes()), 1.1 * (4 * N * 2 * C));

  EXPECT_EQ(bank_conflicts("pairwise_gram_reduce_kernel"), 0u);
  expect_whole_sectors("pairwise_gram_reduce_kernel", 8, false);

  EXPECT_EQ(bank_conflicts("pairwise_gram_grad_tile_per_block_kernel", false), 0u);
  expect_whole_sectors("pairwise_gram_grad_tile_per_block_kernel", 4, false);
  expect_whole_sectors("pairwise_gram_grad_tile_per_block_kernel", 4, true);
  EXPECT_EQ(traffic_of("pairwise_gram_grad_tile_per_block_kernel").writes.distinct_bytes(),
            4 * N * C);
}

TEST_F(MemoryCount, PairwisePairs) {
  const Maps maps(96, 96, 8, 8);
  run_pairwise(maps.student, maps.teacher);
  EXPECT_EQ(bank_conflicts("pairwise_pairs_tile_per_block_kernel"), 0u);
  expect_whole_sectors("pairwise_pairs_tile_per_block_kernel", 4, false);
  EXPECT_EQ(bank_conflicts("pairwise_pairs_grad_tile_per_block_kernel", false), 0u);
  expect_whole_sectors("pairwise_pairs_grad_tile_per_block_kernel", 4, true);
}

void expect_one_pass(const Maps& maps) {
  const double logits = double(maps.student.elements());
  run_pixelwise(maps.student, maps.teacher);
  expect_whole_sectors("pixelwise_registers_kernel", 4, false);
  expect_whole_sectors("pixelwise_registers_kernel", 4, true);
  EXPECT_EQ(bank_conflicts("pixelwise_registers_kernel"), 0u);
  expect_bytes("pixelwise_registers_kernel", 8 * logits, 4 * logits);
  expect_bytes_once("pixelwise_registers_kernel", 12 * logits);
}

TEST_F(MemoryCount, PixelwiseThreadPerPixel) { expect_one_pass(Maps(19, 19, 32, 64)); }

TEST_F(MemoryCount, PixelwiseWarpsPerPixels) { expect_one_pass(Maps(100, 100, 32, 32)); }

TEST_F(MemoryCount, PixelwiseChannelsLast) {
  expect_one_pass(Maps(24, 24, 32, 32, STRUCTKD_F32, Layout::kChannelsLast));
}

// Both kernels read their maps once; the factors of the gradient, 8 K^2 bytes and 8 K, stay small.
void expect_similarity_streams(const Maps& maps) {
  const double logits = double(maps.student.elements());
  const double K = double(maps.student.view()->sizes[1]);
  run_inter_class_similarity(maps.student, maps.teacher);
  expect_whole_sectors("class_products_kernel", 4, false);
  EXPECT_LE(double(traffic_of("class_products_kernel").reads.distinct_bytes()), 1.1 * 8 * logits);

  expect_whole_sectors("class_grad_kernel", 4, false);
  expect_whole_sectors("class_grad_kernel", 4, true);
  EXPECT_EQ(bank_conflicts("class_grad_kernel"), 0u);
  expect_bytes("class_grad_kernel", 4 * logits + 8 * K * K, 4 * logits);
}

TEST_F(MemoryCount, InterClassSimilarityOf19) { expect_similarity_streams(Maps(19, 19, 32, 64)); }

TEST_F(MemoryCount, InterClassSimilarityOf70) { expect_similarity_streams(Maps(70, 70, 32, 32)); }

TEST_F(MemoryCount, GlobalStructural) {
  const int64_t C = 64, M = 200;
  const Maps maps(C, C, 16, 16);
  run_global_structural(maps.student, maps.teacher, M);

  // In NCHW a sampled element is a sector of its own, read once for the student and the teacher.
  uint64_t single_elements = 0;
  for (const Site& site : sites_that_ran("gather_rows_warp_per_row_kernel")) {
    if (!site.is_write && site.sectors == site.lanes) single_elements += site.sectors;
  }
  EXPECT_GE(single_elements, uint64_t(2 * M * C));
  EXPECT_LE(double(single_elements), 1.1 * 2 * M * C);
  EXPECT_EQ(bank_conflicts("similarity_map_tile_per_block_kernel", false), 0u);
  EXPECT_EQ(bank_conflicts("row_gradient_tile_per_block_kernel", false), 0u);
  for (const Site& site : sites_of("kernel")) EXPECT_FALSE(site.is_atomic) << site.kernel;
}

}  // namespace
}  // namespace structkd::test
