// reference/access.h: element access in f64, by (b, c, n) whatever dtype and strides.
#ifndef STRUCTKD_REFERENCE_ACCESS_H
#define STRUCTKD_REFERENCE_ACCESS_H

#include "core/half.h"
#include "core/map.h"

namespace structkd::reference {

inline double element(const void* data, structkd_dtype dtype, int64_t i) {
  switch (dtype) {
    case STRUCTKD_F16:
      return to_float(static_cast<const Half*>(data)[i]);
    case STRUCTKD_BF16:
      return to_float(static_cast<const BFloat16*>(data)[i]);
    case STRUCTKD_F32:
      return static_cast<const float*>(data)[i];
    case STRUCTKD_F64:
      return static_cast<const double*>(data)[i];
    case STRUCTKD_U8:
      return static_cast<const uint8_t*>(data)[i];
    case STRUCTKD_I32:
      return static_cast<const int32_t*>(data)[i];
    case STRUCTKD_I64:
      return double(static_cast<const int64_t*>(data)[i]);
  }
  return 0.0;
}

inline void set_element(void* data, structkd_dtype dtype, int64_t i, double value) {
  switch (dtype) {
    case STRUCTKD_F16:
      static_cast<Half*>(data)[i] = to_half(float(value));
      return;
    case STRUCTKD_BF16:
      static_cast<BFloat16*>(data)[i] = to_bfloat16(float(value));
      return;
    case STRUCTKD_F32:
      static_cast<float*>(data)[i] = float(value);
      return;
    default:
      static_cast<double*>(data)[i] = value;
      return;
  }
}

inline int64_t offset(const Map& map, int64_t b, int64_t c, int64_t n) {
  return b * map.stride_b + c * map.stride_c + n / map.W * map.stride_h + n % map.W * map.stride_w;
}

inline double at(const Map& map, int64_t b, int64_t c, int64_t n) {
  return element(map.data, map.dtype, offset(map, b, c, n));
}

inline void set(const Map& map, int64_t b, int64_t c, int64_t n, double value) {
  set_element(map.data, map.dtype, offset(map, b, c, n), value);
}

// Plane of a map of width W.
inline double at(const Plane& plane, int64_t b, int64_t n, int64_t W) {
  return element(plane.data, plane.dtype,
                 b * plane.stride_b + n / W * plane.stride_h + n % W * plane.stride_w);
}

// The loss scalar: f64 for f64 inputs, else f32.
inline void set_loss(void* loss, structkd_dtype input, double value) {
  if (input == STRUCTKD_F64) {
    *static_cast<double*>(loss) = value;
  } else {
    *static_cast<float*>(loss) = float(value);
  }
}

}  // namespace structkd::reference

#endif  // STRUCTKD_REFERENCE_ACCESS_H
