// isa/vector_math_rows.cpp: compiled once per instruction set level with that level's flags, like
// the files of cpu/, and like them without std templates and GoogleTest: see cpu/common/isa.h.
#include "isa/vector_math_rows.h"

#include "cpu/common/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

template <class T>
void exp2_row(const T* in, int64_t n, T* out) {
  map_row(in, n, out, vector_exp2<T>);
}

void log_row(const double* in, int64_t n, double* out) { map_row(in, n, out, vector_log); }

}  // namespace

const test::VectorMathRows vector_math_rows = {exp_row<float>, exp2_row<float>, exp_row<double>,
                                               exp2_row<double>, log_row};

}  // namespace structkd::cpu::STRUCTKD_ISA
