// cpu/global_structural/labels.h: the group of every entry of a row, a vector of columns at a time.
// The same integers as core/descriptor_groups.h gives one by one.
#ifndef STRUCTKD_CPU_GLOBAL_STRUCTURAL_LABELS_H
#define STRUCTKD_CPU_GLOBAL_STRUCTURAL_LABELS_H

#include "core/global_structural_args.h"
#include "cpu/common/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

using Words = Vector<uint32_t>;

inline Words mix32(Words x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// Vectors that go through the network side by side: a round of one of them waits for each of its
// own steps.
constexpr int kAbreast = 4;

// One pass of the network for `vectors` vectors of numbers; a result beyond the permutation's size
// has to go through it again.
template <int vectors>
inline void feistel(const Permutation& pi, uint32_t* numbers) {
  Words j[vectors];
  for (int v = 0; v < vectors; ++v) j[v] = load(numbers + v * kLanes<uint32_t>);
  int high_bits = pi.high_bits, low_bits = pi.low_bits;
  for (int round = 0; round < kFeistelRounds; ++round) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Words low = j[v] & low_mask(low_bits);
      const Words mixed = (j[v] >> low_bits) ^ mix32(low + pi.round_keys[round]);
      j[v] = low << high_bits | (mixed & low_mask(high_bits));
    }
    const int swapped = high_bits;
    high_bits = low_bits;
    low_bits = swapped;
  }
  for (int v = 0; v < vectors; ++v) store(numbers + v * kLanes<uint32_t>, j[v]);
}

// How many columns walk together: enough that few places of a pass are empty.
constexpr int64_t kWalkers = 1024;

// position_of() of columns j0 .. j0 + count - 1. A pass takes all that still walk, packed densely:
// the passes of one column depend on each other, those of different columns do not.
inline void positions_of(const Permutation& pi, int64_t j0, int64_t count, uint32_t* positions) {
  uint32_t x[kWalkers], names[kWalkers];
  constexpr int64_t L = kLanes<uint32_t>;
  for (int64_t k = 0; k < round_up(count, L); ++k) {
    x[k] = uint32_t(j0 + (k < count ? k : 0));
    names[k] = uint32_t(k);
  }
  for (int64_t walking = count; walking > 0;) {
    int64_t passed = 0;
    for (; passed + kAbreast * L <= walking; passed += kAbreast * L) {
      feistel<kAbreast>(pi, x + passed);
    }
    for (; passed < walking; passed += L) feistel<1>(pi, x + passed);
    int64_t left = 0;
    for (int64_t k = 0; k < walking; ++k) {
      const uint32_t number = x[k], name = names[k];
      positions[name] = number;  // overwritten by a later pass if it is still outside
      x[left] = number;
      names[left] = name;
      left += number >= pi.size;
    }
    walking = left;
  }
}

// labels[0 .. M) of a row under a drawn permutation.
inline void label_row_by_walk(const DescriptorGroups& groups, RandomKey stream, int32_t* labels) {
  if (groups.M == groups.width) {  // one group, in whatever order
    for (int64_t j = 0; j < groups.M; ++j) labels[j] = 0;
    return;
  }
  const Permutation pi = make_permutation(stream, uint32_t(groups.M));
  const float width = float(groups.width);
  for (int64_t j = 0; j < groups.M; j += kWalkers) {
    const int64_t count = smaller(kWalkers, groups.M - j);
    uint32_t positions[kWalkers];
    positions_of(pi, j, count, positions);
    // Exact: a quotient of numbers below 2^16 is at least 2^-16 of itself away from the next
    // integer.
    for (int64_t k = 0; k < count; ++k) labels[j + k] = int32_t(float(positions[k]) / width);
  }
}

// label_row(), a vector of columns at a time where it is drawn.
inline void label_row_fast(const GlobalStructuralArgs& args,
                           const DescriptorGroups& groups,
                           int64_t b,
                           int64_t row,
                           int32_t* labels) {
  const bool drawn = args.shuffle != STRUCTKD_SHUFFLE_NONE && args.permutation.data == nullptr;
  if (!drawn || groups.M >= 1 << 16) {
    label_row(args, groups, b, row, labels);
    return;
  }
  const RandomKey image = image_key(args.seed, *args.step, b, kPurposeShuffle);
  label_row_by_walk(groups, absorb(image, shuffle_stream(args.shuffle, row)), labels);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_GLOBAL_STRUCTURAL_LABELS_H
