// isa/vector_math_rows.h: the functions of cpu/common/vector_math.h at one instruction set level.
#ifndef STRUCTKD_TEST_VECTOR_MATH_ROWS_H
#define STRUCTKD_TEST_VECTOR_MATH_ROWS_H

#include <stdint.h>

namespace structkd::test {

// out[i] = f(in[i]), i < n.
template <class T>
using RowFunction = void (*)(const T* in, int64_t n, T* out);

struct VectorMathRows {
  RowFunction<float> exp_f32, exp2_f32;
  RowFunction<double> exp_f64, exp2_f64, log_f64;
};

}  // namespace structkd::test

// vector_math_rows is defined once per level that the build has.
namespace structkd::cpu::baseline {
extern const test::VectorMathRows vector_math_rows;
}
namespace structkd::cpu::avx2 {
extern const test::VectorMathRows vector_math_rows;
}
namespace structkd::cpu::avx512 {
extern const test::VectorMathRows vector_math_rows;
}

#endif  // STRUCTKD_TEST_VECTOR_MATH_ROWS_H
