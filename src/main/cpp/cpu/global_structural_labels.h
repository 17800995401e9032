// cpu/global_structural_labels.h: the group of every entry of a row, a vector of columns at a time.
// The same integers as core/descriptor_groups.h gives one by one.
#ifndef STRUCTKD_CPU_GLOBAL_STRUCTURAL_LABELS_H
#define STRUCTKD_CPU_GLOBAL_STRUCTURAL_LABELS_H

#include "core/global_structural_args.h"
#include "cpu/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

using Words = Vector<uint32_t>;
using WordMask = Vector<int32_t>;

inline Words mix32(Words x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// One pass of the network; a result beyond the permutation's size has to go through it again.
inline Words feistel(const Permutation& pi, Words j) {
  int high_bits = pi.high_bits, low_bits = pi.low_bits;
  for (int round = 0; round < kFeistelRounds; ++round) {
    const Words low = j & low_mask(low_bits);
    const Words mixed =
        ((j >> low_bits) ^ mix32(low + pi.round_keys[round])) & low_mask(high_bits);
    j = low << high_bits | mixed;
    const int swapped = high_bits;
    high_bits = low_bits;
    low_bits = swapped;
  }
  return j;
}

inline bool any(WordMask mask) {
  int32_t lanes[kLanes<int32_t>], found = 0;
  store(lanes, mask);
  for (int i = 0; i < kLanes<int32_t>; ++i) found |= lanes[i];
  return found != 0;
}

// position_of() of a vector of columns.
inline Words positions_of(const Permutation& pi, Words j) {
  j = feistel(pi, j);
  for (WordMask beyond = j >= pi.size; any(beyond); beyond = j >= pi.size) {
    j = (feistel(pi, j) & Words(beyond)) | (j & ~Words(beyond));
  }
  return j;
}

// labels[0 .. columns) of a row under a drawn permutation, columns a multiple of the lanes. Entries
// from M on get some number: they belong to no sample.
inline void label_row_by_key(const DescriptorGroups& groups,
                             RandomKey stream,
                             int64_t columns,
                             int32_t* labels) {
  const Permutation pi = make_permutation(stream, uint32_t(groups.M));
  Words lane;
  for (int i = 0; i < kLanes<uint32_t>; ++i) lane[i] = uint32_t(i);
  for (int64_t j = 0; j < columns; j += kLanes<uint32_t>) {
    // Columns beyond the last walk with it: an index outside the domain would leave the network.
    const Words column = lane + uint32_t(j), last = Words{} + (pi.size - 1);
    const Words inside = Words(column < pi.size);
    const Words position = positions_of(pi, (column & inside) | (last & ~inside));
    // Exact: a quotient of numbers below 2^16 is at least 2^-16 of itself away from the next integer.
    const Vector<float> quotient =
        __builtin_convertvector(position, Vector<float>) / float(groups.width);
    store(labels + j, __builtin_convertvector(quotient, WordMask));
  }
}

// label_row() into a row that has room for a multiple of the lanes.
inline void label_padded_row(const GlobalStructuralArgs& args,
                             const DescriptorGroups& groups,
                             int64_t b,
                             int64_t row,
                             int64_t columns,
                             int32_t* labels) {
  const bool drawn = args.shuffle != STRUCTKD_SHUFFLE_NONE && args.permutation.data == nullptr;
  if (!drawn || groups.M >= 1 << 16) {
    label_row(args, groups, b, row, labels);
    return;
  }
  const RandomKey image = image_key(args.seed, *args.step, b, kPurposeShuffle);
  label_row_by_key(groups, absorb(image, shuffle_stream(args.shuffle, row)), columns, labels);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_GLOBAL_STRUCTURAL_LABELS_H
