// simt/warp.h: what the lanes of a warp do together: shuffles, votes, __syncwarp.
#ifndef STRUCTKD_SIMT_WARP_H
#define STRUCTKD_SIMT_WARP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simt/thread.h"

namespace simt {

// Room for one lane's value: the largest are the fragments of mma_f64_m16n8k16.
constexpr size_t kSlotBytes = 128;
struct alignas(16) Slot {
  unsigned char bytes[kSlotBytes];
};

// What the lanes handed in. Valid until the calling lane's next exchange.
struct Exchange {
  const Slot* slots;
  uint32_t lanes;  // those that took part: the mask, without lanes that a partial warp lacks

  bool has(unsigned lane) const { return lanes >> lane & 1; }

  template <class T>
  const T& of(unsigned lane) const {
    return *reinterpret_cast<const T*>(slots[lane].bytes);
  }
};

// Waits until all lanes of the mask are in the collective `name` with that mask.
Exchange exchange(const char* name, uint32_t mask, const void* value, size_t bytes, Site site);

template <class T>
Exchange exchange(const char* name, uint32_t mask, const T& value, Site site) {
  static_assert(sizeof(T) <= kSlotBytes, "too large for a slot");
  return exchange(name, mask, &value, sizeof(value), site);
}

// The value of lane `source`. CUDA leaves it undefined where that lane takes no part: NaN, or -1.
template <class T>
T shuffle(const char* name, uint32_t mask, T value, unsigned source, Site site) {
  const Exchange all = exchange(name, mask, value, site);
  if (all.has(source)) return all.of<T>(source);
  memset(&value, 0xff, sizeof(value));
  return value;
}

// Lanes of the mask whose predicate is true.
inline uint32_t ballot(const char* name, uint32_t mask, bool predicate, Site site) {
  const Exchange all = exchange(name, mask, predicate, site);
  uint32_t result = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (all.has(lane) && all.of<bool>(lane)) result |= 1u << lane;
  }
  return result;
}

}  // namespace simt

inline void __syncwarp(unsigned mask = 0xffffffffu, simt::Site site = simt::here()) {
  simt::exchange("__syncwarp", mask, nullptr, 0, site);
}

// width: a power of two; lanes shuffle within segments of that many.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, simt::Site site = simt::here()) {
  const unsigned segment = simt::running->lane & ~unsigned(width - 1);
  return simt::shuffle("__shfl_sync", mask, value, segment | (unsigned(source) & (width - 1)),
                       site);
}

template <class T>
T __shfl_up_sync(
    unsigned mask, T value, unsigned delta, int width = 32, simt::Site site = simt::here()) {
  const unsigned lane = simt::running->lane, in_segment = lane & (width - 1);
  return simt::shuffle("__shfl_up_sync", mask, value, in_segment < delta ? lane : lane - delta,
                       site);
}

template <class T>
T __shfl_down_sync(
    unsigned mask, T value, unsigned delta, int width = 32, simt::Site site = simt::here()) {
  const unsigned lane = simt::running->lane, in_segment = lane & (width - 1);
  return simt::shuffle("__shfl_down_sync", mask, value,
                       in_segment + delta < unsigned(width) ? lane + delta : lane, site);
}

template <class T>
T __shfl_xor_sync(
    unsigned mask, T value, int lane_mask, int width = 32, simt::Site site = simt::here()) {
  // Later segments are out of reach, earlier ones are not: so says CUDA.
  const unsigned lane = simt::running->lane, source = (lane ^ unsigned(lane_mask)) & 31;
  const unsigned segment_end = (lane & ~unsigned(width - 1)) + unsigned(width);
  return simt::shuffle("__shfl_xor_sync", mask, value, source < segment_end ? source : lane, site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, simt::Site site = simt::here()) {
  return simt::ballot("__ballot_sync", mask, predicate != 0, site);
}
inline int __any_sync(unsigned mask, int predicate, simt::Site site = simt::here()) {
  return simt::ballot("__any_sync", mask, predicate != 0, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, simt::Site site = simt::here()) {
  return simt::ballot("__all_sync", mask, predicate == 0, site) == 0;
}

#endif  // STRUCTKD_SIMT_WARP_H
