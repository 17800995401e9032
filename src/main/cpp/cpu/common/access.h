// cpu/common/access.h: rows of a strided map of any dtype, in and out of contiguous buffers.
#ifndef STRUCTKD_CPU_COMMON_ACCESS_H
#define STRUCTKD_CPU_COMMON_ACCESS_H

#include "core/element_type.h"
#include "core/map.h"
#include "cpu/common/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

inline double widen(double x) { return x; }
inline float widen(float x) { return x; }
inline float widen(Half x) { return to_float(x); }
inline float widen(BFloat16 x) { return to_float(x); }

template <class Stored>
inline Stored narrow(double x);
template <>
inline double narrow<double>(double x) {
  return x;
}
template <>
inline float narrow<float>(double x) {
  return float(x);
}
template <>
inline Half narrow<Half>(double x) {
  return to_half(float(x));
}
template <>
inline BFloat16 narrow<BFloat16>(double x) {
  return to_bfloat16(float(x));
}

// Calls visit(offset, first, count) for runs of nodes first .. first+count-1 at one stride: the
// whole range where rows of the map follow each other in memory, else row by row.
template <class Visit>
inline void for_each_run(
    const Map& map, int64_t b, int64_t c, int64_t n0, int64_t count, Visit&& visit) {
  const int64_t base = b * map.stride_b + c * map.stride_c;
  if (map.stride_h == map.W * map.stride_w || map.H == 1) {
    visit(base + n0 * map.stride_w, int64_t(0), count);
    return;
  }
  for (int64_t done = 0; done < count;) {
    const int64_t h = (n0 + done) / map.W, w = (n0 + done) % map.W;
    const int64_t run = smaller(map.W - w, count - done);
    visit(base + h * map.stride_h + w * map.stride_w, done, run);
    done += run;
  }
}

// Calls element(i, map[b, c, n0 + i]) for i < count.
template <class Element>
inline void for_each_element(
    const Map& map, int64_t b, int64_t c, int64_t n0, int64_t count, Element&& element) {
  for_each_run(map, b, c, n0, count, [&](int64_t offset, int64_t first, int64_t run) {
    with_element_type(map.dtype, [&](auto stored) {
      const auto* in = static_cast<const decltype(stored)*>(map.data) + offset;
      const int64_t stride = map.stride_w;
      if (stride == 1) {
        // Mostly read channel by channel: the next one is a plane away, too far for hardware to
        // foresee.
        for (int64_t i = 0; i < run; i += 64 / int64_t(sizeof(*in))) {
          __builtin_prefetch(in + map.stride_c + i);
        }
        for (int64_t i = 0; i < run; ++i) element(first + i, widen(in[i]));
      } else {
        for (int64_t i = 0; i < run; ++i) element(first + i, widen(in[i * stride]));
      }
    });
  });
}

// out[i] = map[b, c, n0 + i], i < count.
template <class T>
inline void load_row(
    const Map& map, int64_t b, int64_t c, int64_t n0, int64_t count, T* __restrict out) {
  for_each_element(map, b, c, n0, count, [=](int64_t i, auto x) { out[i] = T(x); });
}

template <class Stored, class T>
inline void store_run(void* data, int64_t offset, int64_t stride, int64_t count, const T* in) {
  Stored* __restrict out = static_cast<Stored*>(data) + offset;
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) out[i] = narrow<Stored>(in[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) out[i * stride] = narrow<Stored>(in[i]);
  }
}

// map[b, c, n0 + i] = in[i], i < count.
template <class T>
inline void store_row(
    const Map& map, int64_t b, int64_t c, int64_t n0, int64_t count, const T* in) {
  for_each_run(map, b, c, n0, count, [&](int64_t offset, int64_t first, int64_t run) {
    with_element_type(map.dtype, [&](auto stored) {
      store_run<decltype(stored)>(map.data, offset, map.stride_w, run, in + first);
    });
  });
}

template <class T>
constexpr structkd_dtype kDtypeOf = sizeof(T) == sizeof(double) ? STRUCTKD_F64 : STRUCTKD_F32;

// Whether all nodes of a channel lie one after the other as numbers of type T.
template <class T>
inline bool is_plain(const Map& map) {
  return map.dtype == kDtypeOf<T> && map.stride_w == 1 && (map.H == 1 || map.stride_h == map.W);
}

// Channel 0 of such a map from node n0 on.
template <class T>
inline T* plain_row(const Map& map, int64_t b, int64_t n0) {
  return static_cast<T*>(map.data) + b * map.stride_b + n0;
}

// Whether a gradient goes past the caches. With 19 classes that took 0.9 of the time from 5 MB
// on, and 1.1 of it below 1 MB, where it stays in the second level (Cascade Lake).
template <class T>
inline bool streams(const Map& grad) {
  constexpr int64_t kBytes = 4 << 20;
  return grad.B * grad.C * grad.H * grad.W * int64_t(sizeof(T)) >= kBytes;
}

// Stores as store_row does, but past the caches where the whole gradient goes there and runs of the
// row are contiguous and of T. finish_streams() must end it.
template <class T>
inline void store_grad_row(
    const Map& map, int64_t b, int64_t c, int64_t n0, int64_t count, const T* in) {
  if (!streams<T>(map) || map.dtype != kDtypeOf<T> || map.stride_w != 1) {
    store_row(map, b, c, n0, count, in);
    return;
  }
  for_each_run(map, b, c, n0, count, [&](int64_t offset, int64_t first, int64_t run) {
    T* out = static_cast<T*>(map.data) + offset;
    const T* from = in + first;
    int64_t i = 0;
    for (; i < run && uintptr_t(out + i) % kVectorBytes != 0; ++i) out[i] = from[i];
    for (; i + kLanes<T> <= run; i += kLanes<T>) stream(out + i, load(from + i));
    for (; i < run; ++i) out[i] = from[i];
  });
}

// plane[b, n] as T, for a map of width W. Planes are small beside maps: element by element.
template <class T>
inline T plane_at(const Plane& plane, int64_t b, int64_t n, int64_t W) {
  const int64_t i = b * plane.stride_b + n / W * plane.stride_h + n % W * plane.stride_w;
  switch (plane.dtype) {
    case STRUCTKD_U8:
      return T(static_cast<const uint8_t*>(plane.data)[i]);
    case STRUCTKD_I32:
      return T(static_cast<const int32_t*>(plane.data)[i]);
    case STRUCTKD_I64:
      return T(static_cast<const int64_t*>(plane.data)[i]);
    default:
      return T(static_cast<const float*>(plane.data)[i]);
  }
}

// The loss scalar: f64 for f64 inputs, else f32.
inline void store_loss(void* loss, structkd_dtype input, double value) {
  if (input == STRUCTKD_F64) {
    *static_cast<double*>(loss) = value;
  } else {
    *static_cast<float*>(loss) = float(value);
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_ACCESS_H
