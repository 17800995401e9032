// cpu/pixelwise/turned.h: rows of classes on their way into a tile of pixels, and a gradient on its
// way out: turned over, so that each lane has a row of its own. A few classes would leave most
// lanes empty, and their sums over the lanes would take longer than the classes.
#ifndef STRUCTKD_CPU_PIXELWISE_TURNED_H
#define STRUCTKD_CPU_PIXELWISE_TURNED_H

#include "cpu/common/rows.h"
#include "cpu/common/transpose.h"
#include "cpu/pixelwise/exchange.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Does what Exchange does, for pixels counted over all images.
template <class T>
class TurnedExchange {
 public:
  TurnedExchange(const Rows& first,
                 const Rows& second,
                 const Rows& grad,
                 const PixelTile<T>& tile,
                 Pixels out,
                 Pixels in)
      : first_(first), second_(second), grad_(grad), tile_(tile), out_(out), in_(in) {
    if (in.count == 0) return;
    if (first_.are_dense<T>()) next_first_ = first_.plain<T>(in.n0);
    if (second_.are_dense<T>()) next_second_ = second_.plain<T>(in.n0);
  }

  // Is called for all vectors of a tile in turn: just as many as its rows have.
  void move() {
    if (next_first_ != nullptr) __builtin_prefetch(next_first_ + at_);
    if (next_second_ != nullptr) __builtin_prefetch(next_second_ + at_);
    at_ += kLanes<T>;
  }

  void settle() {}

  void finish() const {
    for (int64_t i = 0; i < out_.count; i += kLanes<T>) store_gradients(i);
    for (int64_t i = 0; i < in_.count; i += kLanes<T>) {
      load_logits(first_, i, tile_.first);
      load_logits(second_, i, tile_.second);
    }
  }

 private:
  // kLanes rows, one after the other without a gap, and the rest of a vector. They lie where a
  // tile keeps what is gone when it is exchanged.
  T* rows() const { return tile_.e_first; }

  void load_logits(const Rows& logits, int64_t i, T* buffer) const {
    const int64_t K = tile_.K;
    const T* from = rows_from(logits, i);
    for (int64_t c = 0; c < K; c += kLanes<T>) {
      if (c + kLanes<T> <= K) {
        transpose(from + c, K, buffer + c * tile_.stride + i, tile_.stride);
      } else {
        T last[kLanes<T> * kLanes<T>];
        transpose<T>(from + c, K, last, kLanes<T>);
        for (int64_t k = c; k < K; ++k) {
          store(buffer + k * tile_.stride + i, load(last + (k - c) * kLanes<T>));
        }
      }
    }
  }

  // kLanes rows from the i-th on as rows() holds them; what follows may be read up to a vector.
  const T* rows_from(const Rows& logits, int64_t i) const {
    const int64_t K = tile_.K, r = in_.n0 + i, count = smaller<int64_t>(kLanes<T>, in_.count - i);
    const bool dense = logits.are_dense<T>();
    if (dense && (r + kLanes<T>)*K + kLanes<T> <= logits.count() * K) return logits.plain<T>(r);
    if (dense) {
      memcpy(rows(), logits.plain<T>(r), size_t(count * K) * sizeof(T));
    } else {
      for (int64_t l = 0; l < count; ++l) {
        logits.load(r + l, 0, K, rows() + l * K);
      }
    }
    // Rows that do not exist are 0, as in Exchange.
    memset(rows() + count * K, 0, size_t((kLanes<T> - count) * K) * sizeof(T));
    return rows();
  }

  void store_gradients(int64_t i) const {
    const int64_t K = tile_.K, count = smaller<int64_t>(kLanes<T>, out_.count - i);
    const T* grads = tile_.second + i;
    // It goes from the last classes to the first and from the first row to the last: what is too
    // much of a vector is overwritten by the first classes of the next row.
    for (int64_t c = (K - 1) / kLanes<T> * kLanes<T>; c >= 0; c -= kLanes<T>) {
      if (c + kLanes<T> <= K) {
        transpose(grads + c * tile_.stride, tile_.stride, rows() + c, K);
      } else {
        T last[kLanes<T> * kLanes<T>] = {};
        for (int64_t k = c; k < K; ++k) {
          store(last + (k - c) * kLanes<T>, load(grads + k * tile_.stride));
        }
        transpose<T>(last, kLanes<T>, rows() + c, K);
      }
    }
    if (grad_.are_dense<T>()) {
      Map all = grad_.row(out_.n0 + i);
      all.W *= all.B;
      all.B = 1;
      store_grad_row(all, 0, 0, 0, count * K, rows());
      return;
    }
    for (int64_t l = 0; l < count; ++l) {
      grad_.store_grad(out_.n0 + i + l, 0, K, rows() + l * K);
    }
  }

  const Rows first_, second_, grad_;
  const PixelTile<T>& tile_;
  const Pixels out_, in_;
  // What move() fetches, null where it has nothing to do, and how far it is.
  const T *next_first_ = nullptr, *next_second_ = nullptr;
  int64_t at_ = 0;
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_TURNED_H
