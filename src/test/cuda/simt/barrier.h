// simt/barrier.h: __syncthreads and its relatives.
#ifndef STRUCTKD_SIMT_BARRIER_H
#define STRUCTKD_SIMT_BARRIER_H

#include "simt/thread.h"

namespace simt {

// Waits until all threads of the block that have not exited are here; returns for how many `vote`
// was true.
int barrier(bool vote, Site site);

}  // namespace simt

inline void __syncthreads(simt::Site site = simt::here()) { simt::barrier(false, site); }
inline int __syncthreads_count(int predicate, simt::Site site = simt::here()) {
  return simt::barrier(predicate != 0, site);
}
inline int __syncthreads_or(int predicate, simt::Site site = simt::here()) {
  return simt::barrier(predicate != 0, site) != 0;
}
inline int __syncthreads_and(int predicate, simt::Site site = simt::here()) {
  return simt::barrier(predicate == 0, site) == 0;
}

// Memory is in order here: nothing to do but to keep the compiler from moving accesses.
inline void __threadfence() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

#endif  // STRUCTKD_SIMT_BARRIER_H
