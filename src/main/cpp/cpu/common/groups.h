// cpu/common/groups.h: rows in groups of nearly equal size, for kernels that are compiled once per
// size: no row is padded.
#ifndef STRUCTKD_CPU_COMMON_GROUPS_H
#define STRUCTKD_CPU_COMMON_GROUPS_H

#include "cpu/common/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// As few groups of at most `most` rows as there can be; their sizes differ by one at most.
struct Groups {
  int64_t count, size, larger;  // the first `larger` groups have size + 1 rows

  // 32 bits: a division of 64 takes up to 90 cycles.
  Groups(int64_t rows, int64_t most)
      : count(uint32_t(rows + most - 1) / uint32_t(most)),
        size(uint32_t(rows) / uint32_t(count)),
        larger(rows - count * size) {}

  // Calls visit(first, size) for each group.
  template <class Visit>
  void for_each(Visit&& visit) const {
    int64_t first = 0;
    for (int64_t g = 0; g < count; ++g) {
      const int64_t rows = size + (g < larger);
      visit(first, rows);
      first += rows;
    }
  }
};

// A number that is known to the compiler.
template <int N>
struct Constant {
  static constexpr int value = N;
};

// kernel(Constant<size>{}), 1 <= size <= most.
template <int most, class Kernel>
inline void with_size(int64_t size, Kernel&& kernel) {
  if constexpr (most > 1) {
    if (size < most) return with_size<most - 1>(size, kernel);
  }
  kernel(Constant<most>{});
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_GROUPS_H
