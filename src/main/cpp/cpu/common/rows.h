// cpu/common/rows.h: a map as rows: row r = the classes of pixel r, counted over all images; or the
// positions of channel r. What is said of classes and pixels holds for positions and channels then.
#ifndef STRUCTKD_CPU_COMMON_ROWS_H
#define STRUCTKD_CPU_COMMON_ROWS_H

#include "cpu/common/access.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

class Rows {
 public:
  // The pixels of all images as rows. data == nullptr: not given.
  explicit Rows(const Map& map) : map_(map), pixels_(map.H * map.W), row_(map) {
    const bool even = map.H == 1 || map.stride_h == map.W * map.stride_w;
    if (pixels_ == 1) {
      pitch_ = map.stride_b;
    } else if (even && (map.B == 1 || map.stride_b == pixels_ * map.stride_w)) {
      pitch_ = map.stride_w;
    } else {
      uneven_ = true;
      pitch_ = map.stride_w;
    }
    row_.B = map.B * pixels_;
    row_.C = row_.H = 1;
    row_.W = map.C;
    row_.stride_b = row_.stride_c = pitch_;
    row_.stride_h = map.C * map.stride_c;
    row_.stride_w = map.stride_c;
  }

  // The channels of all images as rows. A position that the mask leaves out has no weight: it is
  // loaded as -inf, and its gradient is stored as 0.
  static Rows of_channels(const Map& map, const Plane& mask) {
    const bool linear = map.H == 1 || map.W == 1 || map.stride_h == map.W * map.stride_w;
    Map channels = map;
    channels.C = map.H * map.W;
    channels.stride_c = !linear ? 0 : map.W == 1 ? map.stride_h : map.stride_w;
    channels.H = 1;
    channels.W = map.C;
    channels.stride_w = map.stride_c;
    Rows rows(channels);
    if (!linear) {
      rows.row_.H = map.H;
      rows.row_.W = map.W;
      rows.row_.stride_h = map.stride_h;
      rows.row_.stride_w = map.stride_w;
    }
    rows.mask_ = mask;
    rows.mask_width_ = map.W;
    return rows;
  }

  // out[i] = class c0 + i of row r, i < count.
  template <class T>
  void load(int64_t r, int64_t c0, int64_t count, T* out) const {
    load_row(row(r), 0, 0, c0, count, out);
    set_left_out(r, c0, count, T(-__builtin_inf()), out);
  }

  // Class c0 + i of row r = in[i], as store_grad_row() does it; `in` may be changed.
  template <class T>
  void store_grad(int64_t r, int64_t c0, int64_t count, T* in) const {
    set_left_out(r, c0, count, T(0), in);
    store_grad_row(row(r), 0, 0, c0, count, in);
  }

  // The rows as a map of [rows, 1, 1, C] whose image 0 is row r, for access.h.
  Map row(int64_t r) const {
    Map row = row_;
    const int64_t bytes = map_.dtype == STRUCTKD_F64 ? 8 : map_.dtype == STRUCTKD_F32 ? 4 : 2;
    row.data = static_cast<char*>(map_.data) + offset(r) * bytes;
    return row;
  }

  // Whether the classes of a row can be read where they lie: all of them, one after the other, as
  // numbers of type T.
  template <class T>
  bool are_plain() const {
    return map_.data != nullptr && mask_.data == nullptr && map_.dtype == kDtypeOf<T> &&
           map_.stride_c == 1;
  }

  // Whether all rows lie one after the other as numbers of type T.
  template <class T>
  bool are_dense() const {
    return are_plain<T>() && !uneven_ && pitch_ == map_.C;
  }

  int64_t count() const { return row_.B; }

  template <class T>
  T* plain(int64_t r) const {
    return static_cast<T*>(map_.data) + offset(r);
  }

 private:
  int64_t offset(int64_t r) const {
    if (!uneven_) return r * pitch_;
    const int64_t n = r % pixels_;
    return r / pixels_ * map_.stride_b + n / map_.W * map_.stride_h + n % map_.W * map_.stride_w;
  }

  template <class T>
  void set_left_out(int64_t r, int64_t c0, int64_t count, T value, T* row) const {
    if (mask_.data == nullptr) return;
    const uint8_t* plane = static_cast<const uint8_t*>(mask_.data) + r / pixels_ * mask_.stride_b;
    int64_t h = c0 / mask_width_, w = c0 % mask_width_;
    for (int64_t i = 0; i < count; ++i) {
      if (plane[h * mask_.stride_h + w * mask_.stride_w] == 0) row[i] = value;
      if (++w < mask_width_) continue;
      w = 0;
      ++h;
    }
  }

  Map map_;
  int64_t pixels_;
  Map row_;
  Plane mask_ = {};  // of positions, u8, or not given
  int64_t mask_width_ = 1;
  bool uneven_ = false;  // the rows are not all at one distance, which is pitch_
  int64_t pitch_;
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_ROWS_H
