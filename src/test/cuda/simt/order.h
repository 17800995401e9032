// simt/order.h: which of several ready threads, and which block, runs next.
#ifndef STRUCTKD_SIMT_ORDER_H
#define STRUCTKD_SIMT_ORDER_H

#include <stdint.h>

#include "simt/runtime_api.h"

namespace simt {

struct Thread;

struct Order {
  enum Kind { kForward, kReverse, kRandom } kind = kForward;
  uint64_t state = 0;  // of the random numbers

  // From STRUCTKD_SIMT_ORDER: forward (default), reverse, random, random:SEED.
  static Order of_environment();

  uint64_t below(uint64_t bound);
};

// The numbers 0 .. count - 1 in that order. For blocks.
class Sequence {
 public:
  Sequence(Order& order, uint64_t count);
  uint64_t operator[](uint64_t i) const;

 private:
  Order::Kind kind_;
  uint64_t count_;
  uint64_t offset_ = 0, step_ = 1;
};

// Ready threads of a block.
class ReadyQueue {
 public:
  void reset(Order* order);
  void push(Thread* thread);
  Thread* pop();  // nullptr if there is none

 private:
  Thread*& at(unsigned i) { return ring_[(first_ + i) % kMaxBlockThreads]; }

  Order* order_ = nullptr;
  unsigned first_ = 0, count_ = 0;
  Thread* ring_[kMaxBlockThreads];
};

}  // namespace simt

#endif  // STRUCTKD_SIMT_ORDER_H
