#include "simt/order.h"

#include <stdlib.h>
#include <string.h>

#include <utility>

#include "simt/report.h"

namespace simt {
namespace {

uint64_t gcd(uint64_t a, uint64_t b) { return b == 0 ? a : gcd(b, a % b); }

}  // namespace

Order Order::of_environment() {
  const char* text = getenv("STRUCTKD_SIMT_ORDER");
  Order order;
  if (text == nullptr || strcmp(text, "forward") == 0) return order;
  if (strcmp(text, "reverse") == 0) {
    order.kind = kReverse;
  } else if (strncmp(text, "random", 6) == 0 && (text[6] == 0 || text[6] == ':')) {
    order.kind = kRandom;
    order.state = text[6] == ':' ? strtoull(text + 7, nullptr, 10) : 1;
  } else {
    fail("STRUCTKD_SIMT_ORDER is \"%s\", expected forward, reverse, random or random:SEED", text);
  }
  return order;
}

// splitmix64 (Steele, Lea, Flood, OOPSLA 2014). The bias of % does not matter here.
uint64_t Order::below(uint64_t bound) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (z ^ z >> 31) % bound;
}

Sequence::Sequence(Order& order, uint64_t count) : kind_(order.kind), count_(count) {
  if (kind_ != Order::kRandom) return;
  // A stride without a common divisor visits all; no table for grids of millions.
  offset_ = order.below(count);
  do {
    step_ = 1 + order.below(count);
  } while (gcd(step_, count) != 1);
}

uint64_t Sequence::operator[](uint64_t i) const {
  switch (kind_) {
    case Order::kForward:
      return i;
    case Order::kReverse:
      return count_ - 1 - i;
    case Order::kRandom:
      return (offset_ + i * step_) % count_;
  }
  return i;
}

void ReadyQueue::reset(Order* order) {
  order_ = order;
  first_ = count_ = 0;
}

void ReadyQueue::push(Thread* thread) { at(count_++) = thread; }

Thread* ReadyQueue::pop() {
  if (count_ == 0) return nullptr;
  --count_;
  if (order_->kind == Order::kReverse) return at(count_);
  if (order_->kind == Order::kRandom) std::swap(at(0), at(unsigned(order_->below(count_ + 1))));
  Thread* next = at(0);
  first_ = (first_ + 1) % kMaxBlockThreads;
  return next;
}

}  // namespace simt
