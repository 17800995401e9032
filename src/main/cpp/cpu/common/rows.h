// cpu/common/rows.h: a map as rows: row r = the classes of pixel r, counted over all images.
#ifndef STRUCTKD_CPU_COMMON_ROWS_H
#define STRUCTKD_CPU_COMMON_ROWS_H

#include "cpu/common/access.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

class Rows {
 public:
  // data == nullptr: not given.
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

  // The rows as a map of [rows, 1, 1, C] whose image 0 is row r, for access.h.
  Map row(int64_t r) const {
    Map row = row_;
    const int64_t bytes = map_.dtype == STRUCTKD_F64 ? 8 : map_.dtype == STRUCTKD_F32 ? 4 : 2;
    row.data = static_cast<char*>(map_.data) + offset(r) * bytes;
    return row;
  }

  // Whether the classes of a row lie one after the other as numbers of type T.
  template <class T>
  bool are_plain() const {
    return map_.data != nullptr && map_.dtype == kDtypeOf<T> && map_.stride_c == 1;
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

  Map map_;
  int64_t pixels_;
  Map row_;
  bool uneven_ = false;  // the rows are not all at one distance, which is pitch_
  int64_t pitch_;
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_COMMON_ROWS_H
