#include "fma_loop.h"

#include "cpu/common/isa.h"

namespace structkd::bench::STRUCTKD_ISA {
namespace {

using structkd::cpu::STRUCTKD_ISA::kLanes;
using structkd::cpu::STRUCTKD_ISA::store;
using structkd::cpu::STRUCTKD_ISA::Vector;

// Two units with a latency of four or five cycles need ten sums in flight; with two operands they
// fit the 16 registers of AVX2.
constexpr int kSums = 12;

template <class T>
double fma_loop(int64_t rounds, T* sink) {
  // The factor is below 1 and nothing gets denormal: each sum tends to 1.
  Vector<T> sums[kSums], factor = Vector<T>{} + T(0.5), term = Vector<T>{} + T(0.5);
  for (int i = 0; i < kSums; ++i) sums[i] = Vector<T>{} + T(i);
  // Hidden from the compiler, which could otherwise compute a round before the loop.
  asm volatile("" : "+m"(factor), "+m"(term));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * factor + term;
  }
  Vector<T> total = {};
  for (int i = 0; i < kSums; ++i) total += sums[i];
  T lanes[kLanes<T>];
  store(lanes, total);
  *sink = lanes[0];
  return 2.0 * kSums * kLanes<T> * double(rounds);
}

}  // namespace

double fma_loop_f32(int64_t rounds, float* sink) { return fma_loop(rounds, sink); }
double fma_loop_f64(int64_t rounds, double* sink) { return fma_loop(rounds, sink); }

}  // namespace structkd::bench::STRUCTKD_ISA
