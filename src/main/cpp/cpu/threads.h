// cpu/threads.h: when it pays to wake more than one thread.
#ifndef STRUCTKD_CPU_THREADS_H
#define STRUCTKD_CPU_THREADS_H

#include "cpu/isa.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Threads for a loss of several parallel regions. To wake a sleeping team takes 5 to 10 us for each
// of them: a thread must find 4 M multiply-adds, about 0.1 ms of work. Results do not depend on it.
inline int useful_threads(int threads, double multiply_adds) {
  const double enough = multiply_adds / double(4 << 20);
  return enough >= double(threads) ? threads : enough < 1.0 ? 1 : int(enough);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_THREADS_H
