// src/test/cuda/memory_count/pairwise.cpp: the pair-wise loss.
#include "memory_count/memory_count.h"
#include "pairwise_cases.h"

namespace structkd::test {
namespace {

// The plan, which tells how the work was cut.
std::string run_pairwise(const TestTensor& student,
                         const TestTensor& teacher,
                         structkd_precision precision = STRUCTKD_PRECISION_EXACT) {
  structkd_pairwise_params params = params_of(STRUCTKD_NORM_DIFFERENTIABLE);
  params.precision = precision;
  return compute(kEmulated, student, teacher, params, like(student)).plan;
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
void expect_one_of_two_cases(Input input, double operand_bytes) {
  const double N = 32 * 32, C = 64;
  const Maps maps(64, 64, 32, 32, STRUCTKD_F32, Layout::kContiguous, input);
  const double splits = number_before(run_pairwise(maps.student, maps.teacher), "splits");
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

// Sums and differences of operand_bytes each. The exact kernels, launched as well, leave without a
// word of their own: what has cancelled was just written and read. `bytes`: of an input's element.
void expect_rounded(structkd_dtype dtype, double bytes, double operand_bytes) {
  const double N = 32 * 32, C = 64;
  const Maps maps(64, 64, 32, 32, dtype, Layout::kContiguous, Input::kNearlyEqual);
  const double splits =
      number_before(run_pairwise(maps.student, maps.teacher, STRUCTKD_PRECISION_FAST), "splits");
  const double partial = splits * 128 * 128 * 4, coefficients = 2 * C * C * operand_bytes;
  const double operands = 2 * C * N * operand_bytes;
  const double parts = C * C / 32, strips = N / 32;
  expect_counts({
      {"round_nodes_strip_per_block_kernel", bytes * N * 2 * C, operands + (kScales + kAlong) * N,
       kNoStream},
      {"pairwise_rounded_gram_tile_per_block_kernel", operands, partial, kNoStream},
      // Of the only tile all but the quarter of rows of U and columns of D.
      {"pairwise_gram_reduce_kernel", 0.75 * partial + kStripSums * strips + kPairSums * parts,
       coefficients + kPairSums * parts, kNoStream, 0, uint64_t(parts)},
      {"pairwise_rounded_grad_tile_per_block_kernel",
       operands + (bytes * C + kScales + kAlong) * N + coefficients, bytes * N * C, kNoStream},
      {"pairwise_gram_tile_per_block_kernel", 4, 0, kNoStream},
      {"pairwise_gram_grad_tile_per_block_kernel", 4, 0, kNoStream},
  });
}
TEST_F(MemoryCount, PairwiseRoundedToBf16) { expect_rounded(STRUCTKD_BF16, 2, 2); }
TEST_F(MemoryCount, PairwiseRoundedToTf32) { expect_rounded(STRUCTKD_F16, 2, 4); }
TEST_F(MemoryCount, PairwiseFast) { expect_rounded(STRUCTKD_F32, 4, 4); }

// Unit vectors of different channels in TF32, whatever the inputs are.
void expect_rounded_vectors(structkd_dtype dtype, double bytes) {
  const double N = 32 * 32, Cs = 64, Ct = 32;
  const Maps maps(64, 32, 32, 32, dtype);
  const double splits =
      number_before(run_pairwise(maps.student, maps.teacher, STRUCTKD_PRECISION_FAST), "splits");
  const double operands = 4 * (Cs + Ct) * N, coefficients = 4 * (Cs + Ct) * Cs;
  const double parts = Cs * Cs / 32, strips = N / 32;
  expect_counts({
      {"round_nodes_strip_per_block_kernel", bytes * N * (Cs + Ct),
       operands + (kScales + kAlong) * N, kNoStream},
      {"pairwise_rounded_gram_tile_per_block_kernel", operands, splits * 128 * 128 * 4, kNoStream},
      // SS', TS' and TT'.
      {"pairwise_gram_reduce_kernel",
       4 * splits * (Cs * Cs + Ct * Cs + Ct * Ct) + kStripSums * strips + kPairSums * parts,
       coefficients + kPairSums * parts, kNoStream, 0, uint64_t(parts)},
      {"pairwise_rounded_grad_tile_per_block_kernel",
       operands + (bytes * Cs + kScales + kAlong) * N + coefficients, bytes * N * Cs, kNoStream},
      {"pairwise_gram_tile_per_block_kernel", 4, 0, kNoStream},
      {"pairwise_gram_grad_tile_per_block_kernel", 4, 0, kNoStream},
  });
}
TEST_F(MemoryCount, PairwiseUnlikeChannelsRounded) { expect_rounded_vectors(STRUCTKD_BF16, 2); }
TEST_F(MemoryCount, PairwiseUnlikeChannelsFast) { expect_rounded_vectors(STRUCTKD_F32, 4); }

TEST_F(MemoryCountOfSlowF64, PairwiseTwoFloat) { expect_one_of_two_cases(Input::kRandom, 8); }

TEST_F(MemoryCountOfSlowF64, PairwiseDifferences) {
  expect_one_of_two_cases(Input::kNearlyEqual, 4);
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

// Differences, sums and the student of operand_bytes each, of few nodes. The exact kernels leave as in
// expect_rounded.
void expect_rounded_pairs(structkd_dtype dtype, double bytes, double operand_bytes) {
  const double N = 8 * 16, C = 96;
  const Maps maps(96, 96, 8, 16, dtype, Layout::kContiguous, Input::kNearlyEqual);
  run_pairwise(maps.student, maps.teacher, STRUCTKD_PRECISION_FAST);
  const double plane = C * N * operand_bytes, gaps = N * N * operand_bytes;
  const double tiles = 2, strips = N / 32;  // of 128 x 64 pairs
  expect_counts({
      {"round_nodes_strip_per_block_kernel", bytes * N * 2 * C, 3 * plane + (kScales + kAlong) * N,
       kNoStream},
      {"pairwise_rounded_pairs_tile_per_block_kernel",
       2 * plane + kPairSums * tiles + kStripSums * strips, gaps + kPairSums * tiles, kNoStream, 0,
       uint64_t(tiles)},
      {"pairwise_rounded_pairs_grad_tile_per_block_kernel",
       plane + gaps + (bytes * C + kScales + kAlong) * N, bytes * N * C, kNoStream},
      {"pairwise_pairs_tile_per_block_kernel", 4, 0, kNoStream},
      {"pairwise_pairs_grad_tile_per_block_kernel", 4, 0, kNoStream},
  });
}
TEST_F(MemoryCount, PairwisePairsRoundedToBf16) { expect_rounded_pairs(STRUCTKD_BF16, 2, 2); }
TEST_F(MemoryCount, PairwisePairsRoundedToTf32) { expect_rounded_pairs(STRUCTKD_F16, 2, 4); }
TEST_F(MemoryCount, PairwisePairsFast) { expect_rounded_pairs(STRUCTKD_F32, 4, 4); }

// Maps of other types and layouts take other ways through shared memory, free of conflicts, too,
// but for stores of 4-byte operands (lane_row), and for one 8-byte read in forty of the streamed
// kernel, which works where norms cancel only. Asynchronous copies are seen where they are waited for,
// the first ones of all lanes as one request, and so on: lanes of rounded pairs that have no columns
// make fewer, so that others' columns seem to meet their rows. Of all kinds of arithmetic: the two
// tests choose between the rates of f64, inputs between the rest.
void expect_banks_of_pairwise(structkd_precision precision) {
  for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64, STRUCTKD_BF16}) {
    for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
      for (Input input : {Input::kRandom, Input::kNearlyEqual}) {
        // Matrices, pairs, matrices of different channels.
        for (const auto& [Cs, Ct] : {std::pair<int64_t, int64_t>{34, 34}, {70, 70}, {34, 70}}) {
          if (Cs != Ct && input == Input::kNearlyEqual) continue;
          memory_tracer::reset();
          const Maps maps(Cs, Ct, 9, 15, dtype, layout, input);
          SCOPED_TRACE(describe(maps.student) + ", " +
                       run_pairwise(maps.student, maps.teacher, precision));
          for (const Site& site : sites_of("")) {
            const bool may_conflict =
                layout == Layout::kChannelsLast && site.is_write && site.bytes == 4;
            const bool is_streamed = site.kernel.rfind("pairwise_streamed", 0) == 0;
            const bool is_mixed = site.is_write && site.bytes == 16 &&
                                  site.kernel.rfind("pairwise_rounded_pairs_tile", 0) == 0;
            const uint64_t most = may_conflict                    ? site.requests
                                  : is_streamed && !site.is_write ? site.requests / 40
                                  : is_mixed                      ? site.requests / 5
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

}  // namespace
}  // namespace structkd::test
