// cpu/pixelwise/exchange.h: logits on their way into a tile of pixels and a gradient on its way
// out, a little at a time, while another tile is computed.
//
// Reading, computing and writing in turn took the sum of their times; a copy of a whole tile waits
// for memory and computes nothing. Logits that are merely foreseen must not stay in the caches for
// long either: planes of a power of two put one pixel of all classes into the same set.
#ifndef STRUCTKD_CPU_PIXELWISE_EXCHANGE_H
#define STRUCTKD_CPU_PIXELWISE_EXCHANGE_H

#include "cpu/common/access.h"
#include "cpu/pixelwise/tile.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// A run of pixels of an image: n0 and the count - 1 after it.
struct Pixels {
  int64_t b, n0, count;
};

// Exchanges what a tile holds, class by class: the gradient in `second` goes out, then logits come
// in. move() makes the way ready for one vector of pixels of one class, so that it is called once
// per class of each vector of pixels that is computed meanwhile; settle() ends it.
template <class T>
class Exchange {
 public:
  // Where a count is 0, nothing goes out or comes in.
  Exchange(const Map& first,
           const Map& second,
           const Map& grad,
           const PixelTile<T>& tile,
           Pixels out,
           Pixels in)
      : first_(first), second_(second), grad_(grad), tile_(tile), out_(out), in_(in) {
    if (in.count > 0 && is_plain<T>(first) && is_plain<T>(second)) {
      next_first_ = plain_row<T>(first, in.b, in.n0);
      next_second_ = plain_row<T>(second, in.b, in.n0);
    }
    if (out.count == tile.pixels && is_plain<T>(grad) && streams<T>(grad) &&
        grad.stride_c % kLanes<T> == 0) {
      T* row = plain_row<T>(grad, out.b, out.n0);
      if (uintptr_t(row) % kVectorBytes == 0) next_grad_ = row;
    }
  }

  void move() {
    if (next_first_ != nullptr) {
      __builtin_prefetch(next_first_ + at_);
      __builtin_prefetch(next_second_ + at_);
    }
    if (next_grad_ != nullptr) {
      stream(next_grad_ + at_, load(tile_.second + moved_ * tile_.stride + at_));
    }
    at_ += kLanes<T>;
    if (at_ < tile_.pixels) return;
    at_ = 0;
    ++moved_;
    if (next_first_ != nullptr) {
      next_first_ += first_.stride_c;
      next_second_ += second_.stride_c;
    }
    if (next_grad_ != nullptr) next_grad_ += grad_.stride_c;
  }

  // Ends the exchange for the classes that move() has passed. Maps with all classes of a pixel side
  // by side wait for finish(): their lines are shared by many classes and would leave the caches in
  // between.
  void settle() {
    if (next_first_ != nullptr || in_.count == 0) settle_moved();
  }

  // Ends the exchange for all classes. What move() has not passed is read as it comes: the first
  // tile, in the main.
  void finish() {
    while (next_grad_ != nullptr && moved_ < tile_.K) move();
    moved_ = tile_.K;
    settle_moved();
  }

 private:
  // Map by map: with all classes of a pixel side by side, the next class is in the same lines.
  void settle_moved() {
    for (int64_t c = settled_; c < moved_; ++c) store_gradient(c);
    for (int64_t c = settled_; c < moved_; ++c) load_logits(first_, c, tile_.first);
    for (int64_t c = settled_; c < moved_; ++c) load_logits(second_, c, tile_.second);
    settled_ = moved_;
  }

  void store_gradient(int64_t c) const {
    if (out_.count == 0 || next_grad_ != nullptr) return;
    const T* row = tile_.second + c * tile_.stride;
    store_grad_row(grad_, out_.b, c, out_.n0, out_.count, row);
  }

  void load_logits(const Map& logits, int64_t c, T* buffer) const {
    if (in_.count == 0) return;
    T* row = buffer + c * tile_.stride;
    if (next_first_ != nullptr) {  // load_row() would look ahead once more
      const T* from = plain_row<T>(logits, in_.b, in_.n0) + c * logits.stride_c;
      for (int64_t i = 0; i < in_.count; ++i) row[i] = from[i];
    } else {
      load_row(logits, in_.b, c, in_.n0, in_.count, row);
    }
    // Pixels beyond the image get logits 0, so that they cost no slow arithmetic, and are not
    // valid.
    for (int64_t i = in_.count; i < round_up(in_.count, kLanes<T>); ++i) row[i] = T(0);
  }

  const Map &first_, &second_, &grad_;
  const PixelTile<T>& tile_;
  const Pixels out_, in_;
  // Rows at which move() is, null where it has nothing to do; pixels of them that it has passed.
  const T *next_first_ = nullptr, *next_second_ = nullptr;
  T* next_grad_ = nullptr;
  int64_t at_ = 0;
  int64_t moved_ = 0, settled_ = 0;  // classes
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_EXCHANGE_H
