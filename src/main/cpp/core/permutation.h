// core/permutation.h: keyed random permutations of [0, size) without a table: a Feistel network
// over the next power of two and cycle walking, as in Mitchell et al., "Bandwidth-optimal random
// shuffling for GPUs" (2021). Integers only: every backend shuffles alike. Shared with CUDA
// sources.
//
// The two halves of an index differ in width by at most one bit and swap in every round, so the
// domain is less than twice the size (from 32 columns on) and a walk takes less than two steps on
// average. (Halves of equal width would need up to four times the size.)
#ifndef STRUCTKD_CORE_PERMUTATION_H
#define STRUCTKD_CORE_PERMUTATION_H

#include "core/random.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

constexpr int kFeistelRounds = 6;  // even: the widths of the halves are back in place at the end

// One permutation pi. The network's forward direction is the inverse pi^-1: "at which position does
// column j stand?" is what the kernels ask.
struct Permutation {
  uint32_t size;
  int high_bits, low_bits;  // of an index of the domain
  uint32_t round_keys[kFeistelRounds];
};

STRUCTKD_HOST_DEVICE inline Permutation make_permutation(RandomKey key, uint32_t size) {
  // At least six: halves of one or two bits mix too little in six rounds (some orders of 4 columns
  // came up 4 % too often), and a few more steps of a walk cost nothing at these sizes.
  int bits = 6;
  while (bits < 32 && (uint64_t(1) << bits) < size) ++bits;
  Permutation pi{size, bits / 2, bits - bits / 2, {}};
  for (int round = 0; round < kFeistelRounds; ++round) {
    pi.round_keys[round] = random_bits(key, uint32_t(round));
  }
  return pi;
}

STRUCTKD_HOST_DEVICE inline uint32_t low_mask(int bits) {
  return uint32_t((uint64_t(1) << bits) - 1);
}

// position of column j: pi^-1(j), j < size.
STRUCTKD_HOST_DEVICE inline uint32_t position_of(const Permutation& pi, uint32_t j) {
  do {
    int high_bits = pi.high_bits, low_bits = pi.low_bits;
    for (int round = 0; round < kFeistelRounds; ++round) {
      const uint32_t high = j >> low_bits, low = j & low_mask(low_bits);
      const uint32_t mixed = (high ^ mix32(low + pi.round_keys[round])) & low_mask(high_bits);
      j = low << high_bits | mixed;
      const int swapped = high_bits;
      high_bits = low_bits;
      low_bits = swapped;
    }
  } while (j >= pi.size);
  return j;
}

// column at a position: pi(position), position < size.
STRUCTKD_HOST_DEVICE inline uint32_t column_at(const Permutation& pi, uint32_t position) {
  uint32_t j = position;
  do {
    // Widths as they are after the last round; each step undoes one.
    int high_bits = pi.high_bits, low_bits = pi.low_bits;
    for (int round = kFeistelRounds - 1; round >= 0; --round) {
      const int before_high = low_bits, before_low = high_bits;
      const uint32_t low = j >> low_bits, mixed = j & low_mask(low_bits);
      const uint32_t high = (mixed ^ mix32(low + pi.round_keys[round])) & low_mask(before_high);
      j = high << before_low | low;
      high_bits = before_high;
      low_bits = before_low;
    }
  } while (j >= pi.size);
  return j;
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_PERMUTATION_H
