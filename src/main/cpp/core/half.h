// core/half.h: binary16 and bfloat16 as bit patterns. g++ 11 has no _Float16 and g++ 12 no __bf16.
#ifndef STRUCTKD_CORE_HALF_H
#define STRUCTKD_CORE_HALF_H

#include <stdint.h>
#include <string.h>

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

struct Half {
  uint16_t bits;
};

struct BFloat16 {
  uint16_t bits;
};

inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float to_float(BFloat16 h) { return float_of(uint32_t(h.bits) << 16); }

inline BFloat16 to_bfloat16(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return BFloat16{uint16_t((bits >> 16) | 0x40u)};  // NaN
  return BFloat16{uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};  // round to nearest even
}

inline float to_float(Half h) {
  const uint32_t sign = uint32_t(h.bits & 0x8000u) << 16;
  const uint32_t magnitude = h.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return float_of(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  if (magnitude < 0x400u) {  // subnormal: an integer multiple of 2^-24
    const float value = float(magnitude) * 0x1p-24f;
    return float_of(sign | bits_of(value));
  }
  return float_of(sign | ((magnitude << 13) + (112u << 23)));  // rebias the exponent, 15 to 127
}

inline Half to_half(float value) {
  const uint32_t bits = bits_of(value);
  const uint16_t sign = uint16_t((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return Half{uint16_t(sign | 0x7e00u)};   // NaN
  if (magnitude >= 0x477ff000u) return Half{uint16_t(sign | 0x7c00u)};  // rounds above 65504
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 aligns the mantissa to 2^-24 and rounds
    return Half{uint16_t(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u))};
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return Half{uint16_t(sign | ((magnitude - (112u << 23) + 0xfffu + odd) >> 13))};
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_HALF_H
