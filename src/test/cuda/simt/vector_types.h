// simt/vector_types.h: CUDA's built-in vector types, with CUDA's alignment.
#ifndef STRUCTKD_SIMT_VECTOR_TYPES_H
#define STRUCTKD_SIMT_VECTOR_TYPES_H

#include <stdint.h>

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Assignment moves the whole vector at once, as a device does: g++ would store element by element,
// and the memory tracer would count that.
#define SIMT_WHOLE_ASSIGNMENT(type)                                                    \
  type(const type&) = default;                                                         \
  type& operator=(const type& other) {                                                 \
    typedef char Whole                                                                 \
        __attribute__((vector_size(sizeof(type)), may_alias, aligned(alignof(type)))); \
    *reinterpret_cast<Whole*>(this) = *reinterpret_cast<const Whole*>(&other);         \
    return *this;                                                                      \
  }

#define SIMT_VECTOR_TYPES(prefix, scalar)                                       \
  struct alignas(2 * sizeof(scalar)) prefix##2 {                                \
    scalar x, y;                                                                \
    prefix##2() = default;                                                      \
    SIMT_WHOLE_ASSIGNMENT(prefix##2)                                            \
  };                                                                            \
  struct alignas(4 * sizeof(scalar) < 16 ? 4 * sizeof(scalar) : 16) prefix##4 { \
    scalar x, y, z, w;                                                          \
    prefix##4() = default;                                                      \
    SIMT_WHOLE_ASSIGNMENT(prefix##4)                                            \
  };                                                                            \
  inline prefix##2 make_##prefix##2(scalar x, scalar y) { return {x, y}; }      \
  inline prefix##4 make_##prefix##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }

SIMT_VECTOR_TYPES(char, signed char)
SIMT_VECTOR_TYPES(uchar, unsigned char)
SIMT_VECTOR_TYPES(short, short)
SIMT_VECTOR_TYPES(ushort, unsigned short)
SIMT_VECTOR_TYPES(int, int)
SIMT_VECTOR_TYPES(uint, unsigned)
SIMT_VECTOR_TYPES(longlong, long long)
SIMT_VECTOR_TYPES(ulonglong, unsigned long long)
SIMT_VECTOR_TYPES(float, float)
SIMT_VECTOR_TYPES(double, double)

#undef SIMT_VECTOR_TYPES
#undef SIMT_WHOLE_ASSIGNMENT

#endif  // STRUCTKD_SIMT_VECTOR_TYPES_H
