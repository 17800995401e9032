// cpu/intra_class_variation/turned_block.h: some channels of some positions, turned over so that
// the channels of a position lie side by side: what belongs to a class is then added, and
// multiplied with its centre, a vector at a time, whatever class the next position has.
#ifndef STRUCTKD_CPU_INTRA_CLASS_VARIATION_TURNED_BLOCK_H
#define STRUCTKD_CPU_INTRA_CLASS_VARIATION_TURNED_BLOCK_H

#include "cpu/common/access.h"
#include "cpu/common/rows.h"
#include "cpu/common/transpose.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// 8 KB of f32 for the rows of a block and as much for its vectors: both stay in the first cache.
constexpr int64_t kTilePositions = 64, kBlockChannels = 32;

constexpr int kWide = kLanes<double>;

// As many numbers of T as a vector of f64 has.
template <class T>
struct NarrowVectorOf {
  typedef T type __attribute__((vector_size(kWide * sizeof(T))));
};

template <class T>
inline Vector<double> load_wide(const T* p) {
  typename NarrowVectorOf<T>::type v;
  memcpy(&v, p, sizeof(v));
  return __builtin_convertvector(v, Vector<double>);
}

template <class T>
inline void store_narrow(T* p, Vector<double> v) {
  const auto narrow = __builtin_convertvector(v, typename NarrowVectorOf<T>::type);
  memcpy(p, &narrow, sizeof(narrow));
}

// A map whose blocks are read or written.
class BlockMap {
 public:
  explicit BlockMap(const Map& map)
      : map_(map), pixels_(map), by_position_(map.stride_c == 1 && map.C > 1) {}

  const Map& map() const { return map_; }
  int64_t blocks() const { return divide_up(map_.C, kBlockChannels); }
  int64_t padded_channels() const { return round_up(map_.C, kBlockChannels); }

  // vectors[i * kBlockChannels + c] = map[b, c0 + c, n0 + i] for i < count; 0 past the last
  // channel. `rows` is room for a block.
  template <class T>
  void load(int64_t b, int64_t c0, int64_t n0, int64_t count, T* rows, T* vectors) const {
    const int64_t channels = smaller(kBlockChannels, map_.C - c0);
    if (by_position_) {
      for (int64_t i = 0; i < count; ++i) {
        T* vector = vectors + i * kBlockChannels;
        pixels_.load(row(b, n0 + i), c0, channels, vector);
        memset(vector + channels, 0, size_t(kBlockChannels - channels) * sizeof(T));
      }
      return;
    }
    if (channels == kBlockChannels && count == kTilePositions && is_plain<T>(map_)) {
      transpose(kBlockChannels, kTilePositions, plain_row<T>(map_, b, n0) + c0 * map_.stride_c,
                map_.stride_c, vectors, kBlockChannels);
      return;
    }
    for (int64_t c = 0; c < channels; ++c) {
      load_row(map_, b, c0 + c, n0, count, rows + c * kTilePositions);
    }
    memset(rows + channels * kTilePositions, 0,
           size_t((kBlockChannels - channels) * kTilePositions) * sizeof(T));
    transpose(kBlockChannels, kTilePositions, rows, kTilePositions, vectors, kBlockChannels);
  }

  // The way back.
  template <class T>
  void store(int64_t b, int64_t c0, int64_t n0, int64_t count, T* rows, T* vectors) const {
    const int64_t channels = smaller(kBlockChannels, map_.C - c0);
    if (by_position_) {
      for (int64_t i = 0; i < count; ++i) {
        pixels_.store_grad(row(b, n0 + i), c0, channels, vectors + i * kBlockChannels);
      }
      return;
    }
    transpose(kTilePositions, kBlockChannels, vectors, kBlockChannels, rows, kTilePositions);
    for (int64_t c = 0; c < channels; ++c) {
      store_grad_row(map_, b, c0 + c, n0, count, rows + c * kTilePositions);
    }
  }

 private:
  int64_t row(int64_t b, int64_t n) const { return b * map_.H * map_.W + n; }

  Map map_;
  Rows pixels_;
  bool by_position_;
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTRA_CLASS_VARIATION_TURNED_BLOCK_H
