// src/test/cpp/permutation_test.cpp: keyed permutations and the random bits under them.
#include "core/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace structkd::test {
namespace {

Permutation permutation(uint64_t seed, int64_t step, uint32_t row, uint32_t size) {
  return make_permutation(absorb(image_key(seed, step, 0, kPurposeShuffle), row), size);
}

TEST(Permutation, IsABijectionWithItsInverseForEverySize) {
  for (uint32_t size = 1; size <= 300; ++size) {
    const Permutation pi = permutation(7, 3, size, size);
    std::vector<bool> seen(size, false);
    for (uint32_t j = 0; j < size; ++j) {
      const uint32_t position = position_of(pi, j);
      ASSERT_LT(position, size);
      ASSERT_FALSE(seen[position]) << "size " << size;
      seen[position] = true;
      ASSERT_EQ(j, column_at(pi, position));
    }
  }
}

TEST(Permutation, IsABijectionAroundPowersOfTwo) {
  for (uint32_t size : {4095u, 4096u, 4097u, 65535u, 65536u, 65537u}) {
    const Permutation pi = permutation(1, 0, 5, size);
    std::vector<bool> seen(size, false);
    for (uint32_t j = 0; j < size; ++j) seen[position_of(pi, j)] = true;
    for (uint32_t j = 0; j < size; ++j) ASSERT_TRUE(seen[j]);
  }
}

// Chi-squared over all (column, position) cells: mean (M-1)^2, variance 2 (M-1)^2; five deviations.
TEST(Permutation, SendsEveryColumnToEveryPositionEquallyOften) {
  for (uint32_t size : {2u, 3u, 5u, 8u, 12u, 19u, 33u}) {
    const int draws = 20000;
    std::vector<int> hits(size * size, 0);
    for (int row = 0; row < draws; ++row) {
      const Permutation pi = permutation(11, 2, uint32_t(row), size);
      for (uint32_t j = 0; j < size; ++j) ++hits[j * size + position_of(pi, j)];
    }
    const double expected = double(draws) / size, freedom = double(size - 1) * (size - 1);
    double chi = 0.0;
    for (int h : hits) chi += (h - expected) * (h - expected) / expected;
    EXPECT_LE(std::abs(chi * (size - 1) / size - freedom), 5 * std::sqrt(2 * freedom)) << size;
  }
}

// All 24 orders of 4 columns: 23 degrees of freedom, five deviations.
TEST(Permutation, DrawsEveryOrderOfFourEquallyOften) {
  std::vector<int> hits(256, 0);
  const int draws = 24000;
  for (int row = 0; row < draws; ++row) {
    const Permutation pi = permutation(5, 9, uint32_t(row), 4);
    uint32_t code = 0;
    for (uint32_t j = 0; j < 4; ++j) code = 4 * code + position_of(pi, j);
    ++hits[code];
  }
  int orders = 0;
  double chi = 0.0;
  for (int h : hits) {
    if (h == 0) continue;
    ++orders;
    chi += (h - 1000.0) * (h - 1000.0) / 1000.0;
  }
  EXPECT_EQ(24, orders);
  EXPECT_LE(chi, 23 + 5 * std::sqrt(46.0));
}

TEST(Permutation, DependsOnEveryPartOfTheKey) {
  auto order = [](const Permutation& pi) {
    std::vector<uint32_t> positions(100);
    for (uint32_t j = 0; j < 100; ++j) positions[j] = position_of(pi, j);
    return positions;
  };
  const auto base = order(permutation(1, 2, 3, 100));
  EXPECT_NE(base, order(permutation(2, 2, 3, 100)));
  EXPECT_NE(base, order(permutation(1 + (uint64_t(1) << 40), 2, 3, 100)));
  EXPECT_NE(base, order(permutation(1, 3, 3, 100)));
  EXPECT_NE(base, order(permutation(1, 2 + (int64_t(1) << 40), 3, 100)));
  EXPECT_NE(base, order(permutation(1, 2, 4, 100)));
  EXPECT_EQ(base, order(permutation(1, 2, 3, 100)));
}

// Written down once: a change of these bits changes what every training run draws.
TEST(Permutation, KeepsItsBits) {
  EXPECT_EQ(1753845952u, mix32(1));
  EXPECT_EQ(2923807558u, random_bits(image_key(42, 7, 3, kPurposeSample), 1234));
  const Permutation small = permutation(42, 7, 3, 12);
  const uint32_t expected[12] = {10, 7, 3, 6, 8, 0, 4, 1, 2, 9, 5, 11};
  for (uint32_t j = 0; j < 12; ++j) EXPECT_EQ(expected[j], position_of(small, j));
  const Permutation large = permutation(42, 7, 3, 1200);
  const uint32_t first[6] = {414, 306, 1180, 1176, 57, 968};
  for (uint32_t j = 0; j < 6; ++j) EXPECT_EQ(first[j], position_of(large, j));
}

TEST(Random, BitsOfAStreamAreBalanced) {
  const RandomKey key = image_key(3, 1, 0, kPurposeSample);
  int ones[32] = {};
  for (uint32_t n = 0; n < 40000; ++n) {
    const uint32_t bits = random_bits(key, n);
    for (int k = 0; k < 32; ++k) ones[k] += bits >> k & 1;
  }
  for (int count : ones) EXPECT_NEAR(count, 20000, 5 * 100);  // five deviations
}

}  // namespace
}  // namespace structkd::test
