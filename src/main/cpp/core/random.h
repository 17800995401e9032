// core/random.h: counter-based random bits: the value at a position is a function of keys and
// position alone, so every backend, thread and order of work draws the same. Integers only; shared
// with CUDA sources.
#ifndef STRUCTKD_CORE_RANDOM_H
#define STRUCTKD_CORE_RANDOM_H

#include <stdint.h>

#include "core/host_device.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

// A bijection of 32-bit words in which every input bit moves every output bit with probability near
// 1/2: C. Wellons' "lowbias32" (public domain, nullprogram.com, 2018).
STRUCTKD_HOST_DEVICE inline uint32_t mix32(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// 64 bits of key, made by absorbing words.
struct RandomKey {
  uint32_t a, b;
};

STRUCTKD_HOST_DEVICE inline RandomKey absorb(RandomKey key, uint32_t word) {
  key.a = mix32(key.a ^ word);
  // The odd constant (2^32 / golden ratio) keeps the two halves from going the same way.
  key.b = mix32((key.b ^ key.a) + word * 0x9e3779b9u + 0x9e3779b9u);
  return key;
}

STRUCTKD_HOST_DEVICE inline RandomKey absorb64(RandomKey key, uint64_t word) {
  return absorb(absorb(key, uint32_t(word)), uint32_t(word >> 32));
}

// The key of one image of one step; `purpose` keeps the draws of different uses apart.
STRUCTKD_HOST_DEVICE inline RandomKey image_key(uint64_t seed,
                                                int64_t step,
                                                int64_t image,
                                                uint32_t purpose) {
  const RandomKey start = {0x243f6a88u, 0x85a308d3u};  // first digits of pi: any constant will do
  RandomKey key = absorb64(absorb64(start, seed), uint64_t(step));
  return absorb(absorb(key, uint32_t(image)), purpose);
}

STRUCTKD_HOST_DEVICE inline uint32_t random_bits(RandomKey key, uint32_t position) {
  return mix32(mix32(position ^ key.a) + key.b);
}

// An integer in [0, bound): the high half of a product, biased by less than bound / 2^32.
STRUCTKD_HOST_DEVICE inline uint32_t scale_to(uint32_t bits, uint32_t bound) {
  return uint32_t(uint64_t(bits) * bound >> 32);
}

// The purposes of draws.
constexpr uint32_t kPurposeShuffle = 1;
constexpr uint32_t kPurposeSample = 2;
constexpr uint32_t kPurposeFill = 3;
constexpr uint32_t kPurposeRepeat = 4;

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_RANDOM_H
