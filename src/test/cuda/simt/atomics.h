// simt/atomics.h: CUDA's atomics, relaxed as on a device. Compiled into the kernels' units, so that
// a race detector sees them as atomics, and the order that arrivals bring.
#ifndef STRUCTKD_SIMT_ATOMICS_H
#define STRUCTKD_SIMT_ATOMICS_H

#include <stdint.h>

#include <type_traits>

#include "simt/intrinsics.h"
#include "simt/report.h"

namespace simt {

// Replaces *address by f(*address) in one step and returns the old value.
template <int Order = __ATOMIC_RELAXED, class T, class F>
T atomic_update(T* address, F f) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "atomics work on 4 or 8 bytes");
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  Bits* bits = reinterpret_cast<Bits*>(address);
  Bits expected = __atomic_load_n(bits, __ATOMIC_RELAXED);
  for (;;) {
    const T old = bit_cast<T>(expected);
    if (__atomic_compare_exchange_n(bits, &expected, bit_cast<Bits>(T(f(old))), true, Order,
                                    __ATOMIC_RELAXED)) {
      return old;
    }
  }
}

// A type that template argument deduction leaves alone: literals convert as in CUDA's overloads.
template <class T>
using As = typename std::common_type<T>::type;

}  // namespace simt

template <class T>
T atomicAdd(T* address, simt::As<T> value) {
  return simt::atomic_update(address, [=](T old) { return old + value; });
}
template <class T>
T atomicSub(T* address, simt::As<T> value) {
  return simt::atomic_update(address, [=](T old) { return old - value; });
}
template <class T>
T atomicMin(T* address, simt::As<T> value) {
  return simt::atomic_update(address, [=](T old) { return value < old ? value : old; });
}
template <class T>
T atomicMax(T* address, simt::As<T> value) {
  return simt::atomic_update(address, [=](T old) { return old < value ? value : old; });
}
template <class T>
T atomicAnd(T* address, simt::As<T> value) {
  return simt::atomic_update(address, [=](T old) { return old & value; });
}
template <class T>
T atomicOr(T* address, simt::As<T> value) {
  return simt::atomic_update(address, [=](T old) { return old | value; });
}
template <class T>
T atomicExch(T* address, simt::As<T> value) {
  return simt::atomic_update(address, [=](T) { return value; });
}
template <class T>
T atomicCAS(T* address, simt::As<T> compare, simt::As<T> value) {
  return simt::atomic_update(address, [=](T old) { return old == compare ? value : old; });
}

namespace structkd::cuda {
namespace {

// Twins of device.cuh's, the atomics that order memory.
inline uint32_t count_arrival(uint32_t* counter) {
  return simt::atomic_update<__ATOMIC_ACQ_REL>(counter, [](uint32_t old) { return old + 1; });
}

// Blocks run one after another here. Where a device might wait for ever, nobody is left to arrive.
inline void wait_for_arrivals(const uint32_t* counter, uint32_t count) {
  const uint32_t arrived = __atomic_load_n(counter, __ATOMIC_ACQUIRE);
  if (arrived < count) {
    simt::fail("a block waits for blocks that may not have started: %u of %u have arrived", arrived,
               count);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_SIMT_ATOMICS_H
