// src/test/cuda/memory_count_test.cpp: what each kernel asks of memory, against what its comment
// says: no bank conflicts, whole sectors, the bytes that the algorithm needs.
// STRUCTKD_MEMORY_REPORT=1 prints the counts of every access.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "global_structural_cases.h"
#include "inter_class_similarity_cases.h"
#include "memory.h"
#include "memory_tracer/memory_tracer.h"
#include "pairwise_cases.h"
#include "pixelwise_cases.h"
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

// With the gradient in the student's layout.
How like(const TestTensor& student) {
  How how;
  const bool channels_last = student.view()->strides[1] == 1;
  how.grad_layout = channels_last ? Layout::kChannelsLast : Layout::kContiguous;
  return how;
}

// The plan, which tells how the work was cut.
std::string run_pairwise(const TestTensor& student,
                         const TestTensor& teacher,
                         structkd_precision precision = STRUCTKD_PRECISION_EXACT) {
  structkd_pairwise_params params = params_of(STRUCTKD_NORM_DIFFERENTIABLE);
  params.precision = precision;
  return compute(kEmulated, student, teacher, params, like(student)).plan;
}

void run_pixelwise(const TestTensor& student,
                   const TestTensor& teacher,
                   const TestTensor* mask = nullptr) {
  structkd_pixelwise_params params = params_of(STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT);
  if (mask != nullptr) params.mask = mask->view();
  compute(kEmulated, student, teacher, params, like(student));
}

std::string run_inter_class_similarity(const TestTensor& student, const TestTensor& teacher) {
  return compute(kEmulated, student, teacher, params_of(1.0, false)).plan;
}

// Samples in sectors of their own, so that no two share what is read of a plane.
void run_global_structural(const TestTensor& student,
                           const TestTensor& teacher,
                           int64_t samples,
                           const TestTensor* permutation = nullptr) {
  const int64_t pixels = student.view()->sizes[2] * student.view()->sizes[3];
  Sampled sampled(1, samples, pixels);
  sampled.indices.fill([&](int64_t m) { return double(8 * m); });
  ASSERT_LE(8 * samples, pixels);
  structkd_global_structural_params params = params_of(-2, &sampled);
  if (permutation != nullptr) params.permutation = permutation->view();
  compute(kEmulated, student, teacher, params);
}

// Student and teacher of one image.
struct Maps {
  TestTensor student, teacher;
  Maps(int64_t student_channels,
       int64_t teacher_channels,
       int64_t height,
       int64_t width,
       structkd_dtype dtype = STRUCTKD_F32,
       Layout layout = Layout::kContiguous,
       Input input = Input::kRandom)
      : student({1, student_channels, height, width}, dtype, layout),
        teacher({1, teacher_channels, height, width}, dtype, layout) {
    fill_pair(input, 1, student, teacher);
  }
};

// The number in front of `what` in a plan.
double number_before(const std::string& plan, const std::string& what) {
  const size_t end = plan.find(" " + what), begin = plan.rfind(' ', end - 1) + 1;
  EXPECT_NE(end, std::string::npos) << plan;
  return end == std::string::npos ? 0.0 : std::stod(plan.substr(begin, end - begin));
}

// What the comment of a kernel says of memory, in numbers of one case.
struct Promise {
  std::string kernel;    // without template arguments
  double reads, writes;  // bytes at least, of a memory behind perfect caches
  double sectors = 4.0;  // per request of a warp for 32 numbers: 4 f32, 8 f64; kNoStream: none
  uint64_t bank_conflicts = 0;  // of all requests to shared memory together
  uint64_t arrivals = 0;  // of blocks that count themselves, the only atomics in global memory
};
constexpr double kNoStream = 0.0;

// Sectors that may be moved for less than they hold: the ends of arrays, and single numbers.
constexpr double kEdges = 16 * memory_tracer::kSectorBytes;

void expect_within_a_tenth(double bytes, double minimum) {
  EXPECT_GE(bytes, minimum);
  EXPECT_LE(bytes, 1.1 * minimum + kEdges);
}

// Requests of whole warps for as many different numbers.
std::vector<Site> streams_of(const std::string& kernel, unsigned bytes) {
  std::vector<Site> streams;
  for (const Site& site : sites_of(kernel)) {
    if (!site.is_shared && !site.is_atomic && site.bytes == bytes &&
        site.lanes == 32 * site.requests && site.fewest_sectors == bytes * site.requests) {
      streams.push_back(site);
    }
  }
  return streams;
}

uint64_t streamed_reads(const std::string& kernel, unsigned bytes) {
  uint64_t reads = 0;
  for (const Site& site : streams_of(kernel, bytes)) reads += site.is_write ? 0 : site.requests;
  return reads;
}

// Reads, and writes where there are any. A sector holds 32 bytes, so of 32 numbers each byte is
// one.
void expect_sectors(const std::string& kernel, double sectors) {
  const unsigned bytes = unsigned(sectors);
  for (const Site& site : streams_of(kernel, bytes)) {
    EXPECT_EQ(double(site.sectors) / double(site.requests), sectors)
        << (site.is_write ? "writes" : "reads");
  }
  EXPECT_GT(streamed_reads(kernel, bytes), 0u) << "no warp reads 32 numbers at once";
}

uint64_t global_atomics_of(const std::string& kernel) {
  uint64_t requests = 0;
  for (const Site& site : sites_of(kernel)) {
    if (site.is_atomic && !site.is_shared) requests += site.requests;
  }
  return requests;
}

// Every kernel that ran is in the table, and nothing else.
void expect_counts(const std::vector<Promise>& promises) {
  std::set<std::string> ran, named;
  for (const Site& site : sites_of("")) {
    ran.insert(site.kernel.substr(0, site.kernel.find('<')));
  }
  for (const Promise& promise : promises) {
    SCOPED_TRACE(promise.kernel);
    named.insert(promise.kernel);
    const Traffic traffic = traffic_of(promise.kernel);
    expect_within_a_tenth(double(traffic.reads.distinct_bytes()), promise.reads);
    expect_within_a_tenth(double(traffic.writes.distinct_bytes()), promise.writes);
    if (promise.sectors != kNoStream) expect_sectors(promise.kernel, promise.sectors);
    EXPECT_EQ(traffic.shared.bank_conflicts, promise.bank_conflicts);
    EXPECT_EQ(global_atomics_of(promise.kernel), promise.arrivals);
  }
  EXPECT_EQ(ran, named);
}

// And without any cache: each byte is asked for once.
void expect_bytes_once(const std::string& kernel, double minimum) {
  const Traffic traffic = traffic_of(kernel);
  EXPECT_LE(double(traffic.reads.sectors + traffic.writes.sectors) * memory_tracer::kSectorBytes,
            1.1 * minimum)
      << kernel;
}

// Per node, of both nets: scales of 16 bytes; 1 / |f| of the student.
constexpr double kScales = 32, kAlong = 8;
constexpr double kPairSums = 24, kStripSums = 16;

TEST_F(MemoryCount, PairwiseMatrices) {
  const double N = 32 * 32, C = 64;
  const Maps maps(64, 64, 32, 32);
  const double splits = number_before(run_pairwise(maps.student, maps.teacher), "splits");
  const double tiles = 3;  // of 64 x 64 f64, per split
  const double partial = splits * tiles * 64 * 64 * 8, coefficients = 2 * C * C * 8;
  const double parts = C * C / 32, strips = N / 32;
  expect_counts({
      {"measure_nodes_strip_per_block_kernel", 4 * N * 2 * C, (kScales + kAlong) * N},
      {"pairwise_gram_tile_per_block_kernel", (4 * 2 * C + kScales) * N, partial, 4.0},
      {"pairwise_gram_reduce_kernel", partial + kPairSums * parts + kStripSums * strips,
       coefficients + kPairSums * parts, kNoStream, 0, uint64_t(parts)},
      {"pairwise_gram_grad_tile_per_block_kernel",
       (4 * 2 * C + kScales + kAlong) * N + coefficients, 4 * N * C, 4.0},
  });
  expect_bytes_once("measure_nodes_strip_per_block_kernel", 4 * N * 2 * C + 40 * N);
}

// Two kinds of arithmetic, for close features and for others: kernels of both are launched, and
// those of one leave when they have read how close the features are, without counting themselves.
void expect_one_of_two_cases(Input input, structkd_precision precision, double operand_bytes) {
  const double N = 32 * 32, C = 64;
  const Maps maps(64, 64, 32, 32, STRUCTKD_F32, Layout::kContiguous, input);
  const double splits =
      number_before(run_pairwise(maps.student, maps.teacher, precision), "splits");
  const double partial = splits * 3 * 64 * 64 * 8, coefficients = 2 * C * C * operand_bytes;
  const double parts = C * C / 32, strips = N / 32, close = 2 * kStripSums * strips;
  expect_counts({
      {"measure_nodes_strip_per_block_kernel", 4 * N * 2 * C, (kScales + kAlong) * N},
      {"pairwise_gram_tile_per_block_kernel", (4 * 2 * C + kScales) * N + close, partial, 4.0},
      {"pairwise_gram_reduce_kernel", partial + close + kPairSums * parts,
       coefficients + kPairSums * parts, kNoStream, 0, uint64_t(parts)},
      {"pairwise_gram_grad_tile_per_block_kernel",
       (4 * 2 * C + kScales + kAlong) * N + coefficients + close, 4 * N * C, 4.0},
  });
}

// Differences in TF32.
TEST_F(MemoryCount, PairwiseFast) {
  expect_one_of_two_cases(Input::kNearlyEqual, STRUCTKD_PRECISION_FAST, 4);
}

// The forms of GPUs whose f64 is slow; devices are asked once, so these run in a process of their
// own.
class MemoryCountOfSlowF64 : public MemoryCount {
 protected:
  void SetUp() override {
    MemoryCount::SetUp();
    const char* f64 = getenv("STRUCTKD_CUDA_F64");
    if (f64 == nullptr || std::string(f64) != "slow") GTEST_SKIP() << "STRUCTKD_CUDA_F64=slow asks";
  }
};

TEST_F(MemoryCountOfSlowF64, PairwiseTwoFloat) {
  expect_one_of_two_cases(Input::kRandom, STRUCTKD_PRECISION_EXACT, 8);
}

TEST_F(MemoryCountOfSlowF64, PairwiseDifferences) {
  expect_one_of_two_cases(Input::kNearlyEqual, STRUCTKD_PRECISION_EXACT, 4);
}

// More channels than a block of the gradient holds: it takes a second step.
TEST_F(MemoryCount, PairwiseManyChannels) {
  const double N = 16 * 18, C = 136;
  const Maps maps(136, 136, 16, 18);
  const double splits = number_before(run_pairwise(maps.student, maps.teacher), "splits");
  const double tiles = 21;  // 3 of 64 x 64 for each net, those that touch the upper triangle
  // A symmetric C x C matrix in its upper tiles, of 64, 64 and 8 channels.
  const double symmetric = 3 * 64 * 64 + 2 * 64 * 8 + 8 * 8;
  const double pitch = 160, coefficients = 2 * C * pitch * 8, channel_tiles = 2;
  const double parts = pitch * pitch / 32, strips = N / 32;
  expect_counts({
      {"measure_nodes_strip_per_block_kernel", 4 * N * 2 * C, (kScales + kAlong) * N},
      {"pairwise_gram_tile_per_block_kernel", (4 * 2 * C + kScales) * N,
       splits * tiles * 64 * 64 * 8, 4.0},
      {"pairwise_gram_reduce_kernel",
       splits * (2 * symmetric + C * C) * 8 + kPairSums * parts + kStripSums * strips,
       coefficients + kPairSums * parts, kNoStream, 0, uint64_t(parts)},
      {"pairwise_gram_grad_tile_per_block_kernel", (4 * 2 * C + kScales) * N + coefficients,
       4 * N * C + 8 * N * channel_tiles, 4.0},
      {"pairwise_grad_finish_kernel", (4 * 2 * C + kScales + kAlong + 8 * channel_tiles) * N,
       4 * N * C},
  });
}

TEST_F(MemoryCount, PairwisePairs) {
  const double N = 8 * 16, C = 96;
  const Maps maps(96, 96, 8, 16);
  run_pairwise(maps.student, maps.teacher);
  const double tiles = 3;  // of 64 x 64 pairs, on and above the diagonal
  expect_counts({
      {"measure_nodes_strip_per_block_kernel", 4 * N * 2 * C, (kScales + kAlong) * N},
      {"pairwise_pairs_tile_per_block_kernel",
       (4 * 2 * C + kScales) * N + kPairSums * tiles + kStripSums * N / 32,
       8 * N * N + kPairSums * tiles, 4.0, 0, uint64_t(tiles)},
      {"pairwise_pairs_grad_tile_per_block_kernel", (4 * C + kScales + kAlong) * N + 8 * N * N,
       4 * N * C, 4.0},
  });
}

// Maps of other types and layouts take other ways through shared memory, free of conflicts, too,
// but for stores of 4-byte operands (lane_row), and for one 8-byte read in forty of the streamed
// kernel, which works where norms cancel only. Of all kinds of arithmetic: the two tests choose
// between the rates of f64, inputs between the rest.
void expect_banks_of_pairwise(structkd_precision precision) {
  for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
    for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
      for (Input input : {Input::kRandom, Input::kNearlyEqual}) {
        for (int64_t channels : {34, 70}) {  // matrices, pairs
          memory_tracer::reset();
          const Maps maps(channels, channels, 9, 15, dtype, layout, input);
          SCOPED_TRACE(describe(maps.student) + ", " +
                       run_pairwise(maps.student, maps.teacher, precision));
          for (const Site& site : sites_of("")) {
            const bool may_conflict =
                layout == Layout::kChannelsLast && site.is_write && site.bytes == 4;
            const bool is_streamed = site.kernel.rfind("pairwise_streamed", 0) == 0;
            const uint64_t most = may_conflict                    ? site.requests
                                  : is_streamed && !site.is_write ? site.requests / 40
                                                                  : 0;
            EXPECT_LE(site.bank_conflicts, most)
                << site.kernel << ": " << (site.is_write ? "writes " : "reads ") << site.bytes
                << " bytes, " << site.requests << " requests";
          }
        }
      }
    }
  }
}
TEST_F(MemoryCount, PairwiseBanks) { expect_banks_of_pairwise(STRUCTKD_PRECISION_FAST); }
TEST_F(MemoryCountOfSlowF64, PairwiseBanks) { expect_banks_of_pairwise(STRUCTKD_PRECISION_EXACT); }

// Two reads and a write of every logit, without caches, too, and 8 bytes per block.
void expect_one_pass(const Maps& maps, double pixels_per_block) {
  const double logits = double(maps.student.elements());
  const double sums = 8 * logits / double(maps.student.view()->sizes[1]) / pixels_per_block;
  run_pixelwise(maps.student, maps.teacher);
  expect_counts({{"pixelwise_registers_kernel", 8 * logits, 4 * logits + sums},
                 {"pixelwise_sum_kernel", sums, 4, kNoStream}});
  expect_bytes_once("pixelwise_registers_kernel", 12 * logits);
}

TEST_F(MemoryCount, PixelwiseThreadPerPixel) { expect_one_pass(Maps(19, 19, 32, 64), 128); }

TEST_F(MemoryCount, PixelwiseWarpsPerPixels) { expect_one_pass(Maps(100, 100, 32, 32), 32); }

TEST_F(MemoryCount, PixelwiseChannelsLast) {
  expect_one_pass(Maps(24, 24, 32, 32, STRUCTKD_F32, Layout::kChannelsLast), 16);
}

// Four passes, three of which find the logits in the second cache.
TEST_F(MemoryCount, PixelwiseManyClasses) {
  const Maps maps(200, 200, 16, 32);
  const double logits = double(maps.student.elements()), sums = 8 * (16 * 32) / 32.0;
  run_pixelwise(maps.student, maps.teacher);
  expect_counts({{"pixelwise_reread_kernel", 8 * logits, 4 * logits + sums},
                 {"pixelwise_sum_kernel", sums, 4, kNoStream}});
}

TEST_F(MemoryCount, PixelwiseRowOfAWarp) {
  expect_one_pass(Maps(128, 128, 16, 32, STRUCTKD_F32, Layout::kChannelsLast), 4);
}

TEST_F(MemoryCount, PixelwiseRowOfABlock) {
  expect_one_pass(Maps(1024, 1024, 4, 8, STRUCTKD_F32, Layout::kChannelsLast), 1);
}

// Two passes, the second of which finds the logits in the second cache.
TEST_F(MemoryCount, PixelwiseLongRows) {
  const Maps maps(4096, 4096, 2, 5, STRUCTKD_F32, Layout::kChannelsLast);
  const double logits = double(maps.student.elements()), sums = 8 * 10;
  run_pixelwise(maps.student, maps.teacher);
  expect_counts({{"pixelwise_rows_kernel", 8 * logits, 4 * logits + sums},
                 {"pixelwise_sum_kernel", sums, 4, kNoStream}});
  expect_bytes_once("pixelwise_rows_kernel", 20 * logits);
}

TEST_F(MemoryCount, PixelwiseMasked) {
  const Maps maps(19, 19, 32, 64);
  TestTensor mask({1, 32, 64}, STRUCTKD_U8);
  mask.fill([](int64_t i) { return double(i % 5 != 0); });
  const double N = 32 * 64, logits = 19 * N, counts = 8 * 128, sums = 8 * N / 128;
  run_pixelwise(maps.student, maps.teacher, &mask);
  expect_counts({{"count_valid_pixels_kernel", N, counts, kNoStream},
                 {"pixelwise_registers_kernel", 8 * logits + N + counts, 4 * logits + sums},
                 {"pixelwise_sum_kernel", sums + counts, 4, kNoStream}});
}

void expect_similarity(const Maps& maps,
                       uint64_t product_conflicts,
                       const char* grad_kernel = "class_grad_kernel") {
  const double bytes = maps.student.view()->dtype == STRUCTKD_F64 ? 8 : 4;
  const double logits = bytes * double(maps.student.elements());
  const double K = double(maps.student.view()->sizes[1]);
  const std::string plan = run_inter_class_similarity(maps.student, maps.teacher);
  // Of each part and net: products and masses in f64; top and shift.
  const double sums = 2 * number_before(plan, "parts") * (8 * K * K + 8 * K + 2 * bytes * K);
  const double matrices = 3 * 8 * K * K, factors = 2 * bytes * K * K;
  expect_counts({
      {"class_products_kernel", 2 * logits, sums, bytes, product_conflicts},
      {"divergence_rows_kernel", sums + matrices, matrices + factors, kNoStream},
      {"divergence_columns_kernel", 8 * K * K, bytes * K, kNoStream},
      {grad_kernel, logits + factors, logits, bytes},
  });
}

TEST_F(MemoryCount, InterClassSimilarityOf19) { expect_similarity(Maps(19, 19, 32, 64), 858); }
TEST_F(MemoryCount, InterClassSimilarityOf21) { expect_similarity(Maps(21, 21, 32, 64), 2162); }
TEST_F(MemoryCount, InterClassSimilarityOf70) { expect_similarity(Maps(70, 70, 32, 32), 4608); }
TEST_F(MemoryCount, InterClassSimilarityOf150) { expect_similarity(Maps(150, 150, 16, 32), 0); }

// More groups of six classes than threads. Each block reads all logits of its pixels, and those of
// its own classes twice.
TEST_F(MemoryCount, InterClassSimilarityManyClasses) {
  const double K = 774, N = 32, groups = K / 6;
  expect_similarity(Maps(774, 774, 4, 8, STRUCTKD_F64), 254016, "class_grad_reread_kernel");
  EXPECT_EQ(double(streamed_reads("class_grad_reread_kernel", 8)), (groups + 1) * K * N / 32);
}

// Planes: a sampled element is a sector of its own, of both nets, and so is an element of the
// gradient.
void expect_global_structural(double C, double M, bool table) {
  const int64_t channels = int64_t(C);
  const Maps maps(channels, channels, 64, 64);
  const double N = 64 * 64, rows = 4 * M * C, map = 4 * M * M;
  TestTensor permutation({1, int64_t(M), int64_t(M)}, STRUCTKD_I32);
  permutation.fill([&](int64_t i) {
    const int64_t m = int64_t(M);
    return double((i / m + i % m * 7) % m);
  });
  run_global_structural(maps.student, maps.teacher, int64_t(M), table ? &permutation : nullptr);
  const double groups = std::ceil(M / 6), parts = std::ceil(M / 16);
  const double sums = 40 * parts * groups, slopes = 32 * groups;
  // The tiles of both maps, by blocks that take a ticket and arrive, as those of the groups do.
  const double side = std::ceil(M / (M <= 320 ? 32 : 64)), tiles = side * (side + 1);
  const double blocks = std::min(264.0, M * parts);
  const std::vector<Promise> promises = {
      // Rows are written, read and scaled.
      {"gather_rows_warp_per_row_kernel", 2 * (32 * M * C + rows) + (table ? 2 * map : 0),
       2 * rows + 2 * map + 4 * C * N, kNoStream},
      {"compare_maps_kernel", 2 * rows + 3 * map + sums, 2 * map + sums + slopes, kNoStream, 0,
       uint64_t(2 * tiles + 2 * blocks + 1)},
      {"row_gradient_tile_per_block_kernel", 3 * map + rows, 32 * M * C, kNoStream},
  };
  expect_counts(promises);
}

TEST_F(MemoryCount, GlobalStructuralFewSamples) { expect_global_structural(64, 200, false); }
TEST_F(MemoryCount, GlobalStructuralManySamples) { expect_global_structural(16, 352, false); }
TEST_F(MemoryCount, GlobalStructuralTable) { expect_global_structural(16, 64, true); }

// Samples of three classes where the teacher is right: logits and labels once, classes per stratum.
TEST_F(MemoryCount, GlobalStructuralSample) {
  const double K = 3, N = 64 * 64, drawn = 3 * 50;
  TestTensor logits({1, 3, 64, 64}, STRUCTKD_F32), labels({1, 64, 64}, STRUCTKD_U8);
  logits.fill([](int64_t i) { return gaussian(1, uint64_t(i)); });
  labels.fill([](int64_t i) { return std::floor(3 * uniform(2, uint64_t(i))); });
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  params.sampling = STRUCTKD_SAMPLING_CLASS_BALANCED;
  params.teacher_correct_only = 1;
  params.samples = 50;
  params.min_candidates = 1;
  params.num_classes = 3;
  params.ignore_index = 255;
  params.seed = 42;
  params.step = default_step();
  const structkd_ctx ctx = context(kEmulated, 1);
  size_t bytes = 0;
  ASSERT_EQ(structkd_global_structural_sample_workspace(&ctx, logits.view(), labels.view(), &params,
                                                        &bytes),
            STRUCTKD_OK);
  AlignedBytes workspace(bytes);
  TestTensor indices({1, int64_t(drawn)}, STRUCTKD_I32), counts({1, 2}, STRUCTKD_I32);
  ASSERT_EQ(structkd_global_structural_sample(&ctx, logits.view(), labels.view(), &params,
                                              workspace.data(), indices.view(), counts.view()),
            STRUCTKD_OK)
      << structkd_last_error();
  expect_counts({
      {"classify_thread_per_pixel_kernel", (4 * K + 1) * N, 4 * N},
      {"select_block_per_stratum_kernel", 4 * N, 4 * drawn, 4.0, 374},
      {"assemble_block_per_image_kernel", 4 * drawn, 4 * drawn, kNoStream},
  });
  expect_bytes_once("classify_thread_per_pixel_kernel", (4 * K + 5) * N);
}

}  // namespace
}  // namespace structkd::test
