// src/test/cpp/vector_math_test.cpp: the error bounds that cpu/common/vector_math.h states, at
// every instruction set level that build and machine have.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "isa/vector_math_rows.h"
#include "tensors.h"

namespace structkd::test {
namespace {

struct Level {
  const char* name;
  const VectorMathRows* rows;
};

std::vector<Level> levels() {
  std::vector<Level> levels = {{"baseline", &cpu::baseline::vector_math_rows}};
#ifdef STRUCTKD_CPU_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    levels.push_back({"avx2", &cpu::avx2::vector_math_rows});
  }
#endif
#ifdef STRUCTKD_CPU_AVX512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    levels.push_back({"avx512", &cpu::avx512::vector_math_rows});
  }
#endif
  return levels;
}

class VectorMath : public testing::TestWithParam<Level> {
 protected:
  const VectorMathRows& rows() const { return *GetParam().rows; }
};

INSTANTIATE_TEST_SUITE_P(, VectorMath, testing::ValuesIn(levels()), [](const auto& level) {
  return std::string(level.param.name);
});

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// |actual - expected| in units of the last place of a T near expected, subnormals included.
template <class T>
double ulps(T actual, long double expected) {
  if (std::isinf(T(expected)) || std::isinf(actual)) return T(expected) == actual ? 0.0 : kInfinity;
  const int lowest = std::numeric_limits<T>::min_exponent - 1;
  const int exponent = expected == 0.0L ? lowest : std::max(std::ilogb(expected), lowest);
  const long double unit = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
  return double(std::fabs((long double)(actual)-expected) / unit);
}

TEST_P(VectorMath, ExpOfFloatsIsWithinItsBoundOverTheWholeRange) {
  // Every 997th bit pattern: both signs, subnormals, infinities and NaNs among them.
  std::vector<float> x, y;
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 997) {
    const uint32_t pattern = uint32_t(bits);
    float value;
    std::memcpy(&value, &pattern, sizeof(value));
    x.push_back(value);
  }
  y.resize(x.size());
  rows().exp_f32(x.data(), int64_t(x.size()), y.data());
  double worst = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else {
      worst = std::max(worst, ulps(y[i], std::exp((long double)(x[i]))));
    }
  }
  EXPECT_LE(worst, 1.1);
}

TEST_P(VectorMath, ExpOfDoublesIsWithinItsBound) {
  std::vector<double> x, y;
  for (uint64_t i = 0; i < 400000; ++i) {
    const double scale = i % 3 == 0 ? 1.0 : i % 3 == 1 ? 30.0 : 746.0;
    x.push_back(scale * (2.0 * uniform(1, i) - 1.0));
  }
  y.resize(x.size());
  rows().exp_f64(x.data(), int64_t(x.size()), y.data());
  double worst = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, ulps(y[i], std::exp((long double)(x[i]))));
  }
  EXPECT_LE(worst, 1.1);
}

template <class T>
void expect_exp_at_the_ends(RowFunction<T> exp_row) {
  const T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T smallest = std::numeric_limits<T>::denorm_min();
  const T overflow = std::log(std::numeric_limits<T>::max());  // rounded: within an ulp of it
  const T underflow = std::log(smallest);
  const T x[] = {0,
                 -T(0),
                 infinity,
                 -infinity,
                 nan,
                 smallest,
                 overflow * 2,
                 underflow * 2,
                 underflow + 1,
                 underflow - T(0.6),
                 1,
                 -1};
  constexpr int kCount = int(sizeof(x) / sizeof(x[0]));
  T y[kCount];
  exp_row(x, kCount, y);
  EXPECT_EQ(T(1), y[0]);
  EXPECT_EQ(T(1), y[1]);
  EXPECT_EQ(infinity, y[2]);
  EXPECT_EQ(T(0), y[3]);
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_EQ(T(1), y[5]);
  EXPECT_EQ(infinity, y[6]);
  EXPECT_EQ(T(0), y[7]);
  for (int i = 8; i < kCount; ++i) EXPECT_LE(ulps(y[i], std::exp((long double)(x[i]))), 1.1) << i;
}

TEST_P(VectorMath, ExpIsRightAtTheEnds) {
  expect_exp_at_the_ends<float>(rows().exp_f32);
  expect_exp_at_the_ends<double>(rows().exp_f64);
}

template <class T>
void expect_exp2_within_its_bound(RowFunction<T> exp2_row, double normal_range) {
  const T infinity = std::numeric_limits<T>::infinity();
  const T lowest = T(std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits);
  std::vector<T> x = {T(-1e-9), lowest, lowest - 2, T(-1e30), T(1e30), -infinity, infinity};
  for (uint64_t i = 0; i < 400000; ++i) {
    const double scale = i % 3 == 0 ? 1.0 : i % 3 == 1 ? 30.0 : normal_range;
    x.push_back(T(scale * (2.0 * uniform(3, i) - 1.0)));
  }
  for (int whole = -20; whole <= 20; ++whole) {
    x.push_back(T(whole));
    x.push_back(std::nextafter(T(whole), -infinity));
  }
  std::vector<T> y(x.size());
  exp2_row(x.data(), int64_t(x.size()), y.data());
  double worst = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, ulps(y[i], std::exp2((long double)(x[i]))));
  }
  EXPECT_LE(worst, 1.8);
  T nan = std::numeric_limits<T>::quiet_NaN();
  exp2_row(&nan, 1, &nan);
  EXPECT_TRUE(std::isnan(nan));
}

TEST_P(VectorMath, Exp2IsWithinItsBound) {
  expect_exp2_within_its_bound<float>(rows().exp2_f32, 150.0);
  expect_exp2_within_its_bound<double>(rows().exp2_f64, 1080.0);
}

TEST_P(VectorMath, LogIsWithinItsBound) {
  std::vector<double> x, y;
  for (uint64_t i = 0; i < 400000; ++i) {
    const double u = uniform(2, i);
    x.push_back(i % 4 == 0   ? std::exp(1400.0 * u - 700.0)
                : i % 4 == 1 ? 1.0 + 1e-3 * (u - 0.5)  // where log crosses 0
                : i % 4 == 2 ? 4.0 * u
                             : 0x1p-1022 * u);  // subnormal
  }
  y.resize(x.size());
  rows().log_f64(x.data(), int64_t(x.size()), y.data());
  double worst = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, ulps(y[i], std::log((long double)(x[i]))));
  }
  EXPECT_LE(worst, 1.0);
}

TEST_P(VectorMath, LogIsRightAtTheEnds) {
  const double x[] = {0.0, -0.0, 1.0, kInfinity, -1.0, -kInfinity, kNaN};
  double y[7];
  rows().log_f64(x, 7, y);
  EXPECT_EQ(-kInfinity, y[0]);
  EXPECT_EQ(-kInfinity, y[1]);
  EXPECT_EQ(0.0, y[2]);
  EXPECT_EQ(kInfinity, y[3]);
  for (int i = 4; i < 7; ++i) EXPECT_TRUE(std::isnan(y[i])) << x[i];
}

}  // namespace
}  // namespace structkd::test
