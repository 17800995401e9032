// cuda/common/access.cuh: elements of strided maps and planes on the device.
#ifndef STRUCTKD_CUDA_COMMON_ACCESS_CUH
#define STRUCTKD_CUDA_COMMON_ACCESS_CUH

#include "core/element_type.h"
#include "core/map.h"
#include "cuda/common/device.cuh"

namespace structkd::cuda {
namespace {

// The type that elements are computed in: f64 for f64, else f32.
template <class Element>
struct WidenedOf {
  using type = float;
};
template <>
struct WidenedOf<double> {
  using type = double;
};
template <class Element>
using Widened = typename WidenedOf<Element>::type;

__device__ __forceinline__ double widen(double x) { return x; }
__device__ __forceinline__ float widen(float x) { return x; }
#ifdef __CUDACC__
__device__ __forceinline__ float widen(Half x) { return __half2float(__ushort_as_half(x.bits)); }
__device__ __forceinline__ float widen(BFloat16 x) {
  return __uint_as_float(uint32_t(x.bits) << 16);
}
#else
inline float widen(Half x) { return to_float(x); }
inline float widen(BFloat16 x) { return to_float(x); }
#endif

// A number as an element of a map, rounded to nearest even.
template <class Element, class T>
__device__ __forceinline__ Element narrow(T x) {
  if constexpr (sizeof(Element) > 2) {
    return Element(x);
  } else if constexpr (__is_same(Element, Half)) {
#ifdef __CUDACC__
    return Half{__half_as_ushort(__float2half_rn(float(x)))};
#else
    return to_half(float(x));
#endif
  } else {
#ifdef __CUDACC__
    return BFloat16{__bfloat16_as_ushort(__float2bfloat16_rn(float(x)))};
#else
    return to_bfloat16(float(x));
#endif
  }
}

// Four neighbouring numbers in one or two 16-byte accesses; the address is a multiple of 16 bytes.
template <class T>
struct alignas(16) FourOf {
  T value[4];
};
template <class T>
__device__ __forceinline__ FourOf<T> load_four(const T* numbers) {
  return *reinterpret_cast<const FourOf<T>*>(numbers);
}

// A [B, C, H, W] map of known element type, as kernels take it.
template <class Element>
struct MapOf {
  Element* data;
  int64_t B, C, H, W;
  int64_t stride_b, stride_c, stride_h, stride_w;

  MapOf() = default;
  explicit MapOf(const Map& map)
      : data(static_cast<Element*>(map.data)),
        B(map.B),
        C(map.C),
        H(map.H),
        W(map.W),
        stride_b(map.stride_b),
        stride_c(map.stride_c),
        stride_h(map.stride_h),
        stride_w(map.stride_w) {}

  // Pixels follow each other at stride_w, row after row.
  __host__ __device__ bool is_linear() const { return H == 1 || stride_h == W * stride_w; }

  // All elements lie in one block of memory, in whatever order.
  __host__ __device__ bool is_dense() const {
    const int64_t N = H * W;
    const bool nchw = stride_w == 1 && stride_h == W && stride_c == N && stride_b == C * N;
    const bool channels_last = stride_c == 1 && stride_w == C && stride_h == W * C;
    return nchw || (channels_last && stride_b == C * N);
  }

  // Offset of pixel n = h * W + w within a channel plane. The division is left out where it can be.
  __device__ __forceinline__ int64_t pixel_offset(int64_t n) const {
    if (is_linear()) return n * stride_w;
    if (n <= 0xffffffff && W <= 0xffffffff) {  // 32-bit division: a quarter of the instructions
      const uint32_t h = uint32_t(n) / uint32_t(W);
      return int64_t(h) * stride_h + int64_t(uint32_t(n) - h * uint32_t(W)) * stride_w;
    }
    return n / W * stride_h + n % W * stride_w;
  }

  __device__ __forceinline__ Element* at(int64_t b, int64_t c, int64_t n) const {
    return data + b * stride_b + c * stride_c + pixel_offset(n);
  }
};

// Where a gradient goes: a map of the inputs' own type, or of f32 for narrower inputs.
template <class Element>
struct GradOf {
  void* data;
  bool wide;  // f32 though Element is narrower
  MapOf<Element> layout;

  explicit GradOf(const Map& map)
      : data(map.data), wide(sizeof(Element) == 2 && map.dtype == STRUCTKD_F32), layout(map) {}

  __host__ __device__ bool given() const { return data != nullptr; }

  __device__ __forceinline__ int64_t offset(int64_t b, int64_t c, int64_t n) const {
    return b * layout.stride_b + c * layout.stride_c + layout.pixel_offset(n);
  }

  template <class T>
  __device__ __forceinline__ void store(int64_t offset, T value) const {
    if (sizeof(Element) == 2 && wide) {
      static_cast<float*>(data)[offset] = float(value);
    } else {
      static_cast<Element*>(data)[offset] = narrow<Element>(value);
    }
  }
};

// plane[b, n] as T, for a map of width W.
template <class T>
__device__ __forceinline__ T plane_at(const Plane& plane, int64_t b, int64_t n, int64_t W) {
  int64_t i = b * plane.stride_b;
  if (n <= 0xffffffff && W <= 0xffffffff) {  // as in pixel_offset()
    const uint32_t h = uint32_t(n) / uint32_t(W);
    i += int64_t(h) * plane.stride_h + int64_t(uint32_t(n) - h * uint32_t(W)) * plane.stride_w;
  } else {
    i += n / W * plane.stride_h + n % W * plane.stride_w;
  }
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
__device__ __forceinline__ void store_loss(void* loss, structkd_dtype input, double value) {
  if (input == STRUCTKD_F64) {
    *static_cast<double*>(loss) = value;
  } else {
    *static_cast<float*>(loss) = float(value);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_COMMON_ACCESS_CUH
