// cpu/inter_class_tile.h: a tile of pixels with all classes, as the inter-class similarity kernels
// work on it.
//
// Rows are classes, columns the valid pixels of the tile, close together: ignored pixels are left
// out while loading, so no kernel behind has a mask. Logits are shifted by a fixed value per class
// and divided by the temperature: u = (z - shift) / temperature. Divergences do not depend on the
// shift, but rounding does: u should be small where p is large (set_shift in
// inter_class_similarity.cpp).
#ifndef STRUCTKD_CPU_INTER_CLASS_TILE_H
#define STRUCTKD_CPU_INTER_CLASS_TILE_H

#include <math.h>

#include "core/inter_class_similarity_args.h"
#include "core/workspace.h"
#include "cpu/access.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Classes are taken in blocks of 4; rows of the last block beyond K are zero.
constexpr int64_t kClassBlock = 4;

inline int64_t class_rows(int64_t K) { return round_up(K, kClassBlock); }

// Pixels per tile: 512, so that the horizontal sums at the end of a tile do not count, or as many
// as keep both buffers of a tile within half of a 1 MB second-level cache.
template <class T>
inline int64_t tile_pixels(int64_t K) {
  constexpr int64_t kBytes = 512 << 10, kStep = 64;
  const int64_t fitting = kBytes / (2 * class_rows(K) * int64_t(sizeof(T))) / kStep * kStep;
  return larger(kStep, smaller(int64_t(512), fitting));
}

// An odd number of cache lines: a column of a tile then spreads over all sets of the first cache.
template <class T>
inline int64_t tile_stride(int64_t K) {
  return tile_pixels<T>(K) + 64 / int64_t(sizeof(T));
}

// Pixels per step of the gradient: with 4 classes and two sums, 16 of the 32 registers of AVX-512,
// 8 of 16 else.
template <class T>
constexpr int kStepPixels = (kVectorBytes == 64 ? 2 : 1) * kLanes<T>;

// One thread's buffers.
template <class T>
struct Tile {
  int64_t stride;
  T* u;            // [class_rows, stride] shifted, scaled logits
  T* e;            // [class_rows, stride] exponentials or probabilities
  T* step;         // [class_rows, kStepPixels] gradients of a few pixels
  T* expanded;     // [stride] a row with the ignored pixels back in
  int32_t* index;  // [stride] positions of the valid pixels in the tile

  Tile(int64_t K, Workspace& workspace) : stride(tile_stride<T>(K)) {
    u = workspace.take<T>(class_rows(K) * stride);
    e = workspace.take<T>(class_rows(K) * stride);
    step = workspace.take<T>(class_rows(K) * kStepPixels<T>);
    expanded = workspace.take<T>(stride);
    index = workspace.take<int32_t>(stride);
  }

  void clear_rows_beyond(int64_t K) {
    const size_t bytes = size_t((class_rows(K) - K) * stride) * sizeof(T);
    memset(u + K * stride, 0, bytes);
    memset(e + K * stride, 0, bytes);
  }
};

// The pixels of one tile.
struct Pixels {
  int64_t first;         // of the image
  int64_t span;          // pixels in the tile
  int64_t count;         // valid ones
  const int32_t* index;  // their positions, or nullptr: all are valid
};

inline Pixels pixels_of_tile(
    const Plane& mask, int64_t W, int64_t b, int64_t first, int64_t span, int32_t* index) {
  if (mask.data == nullptr) return {first, span, span, nullptr};
  const uint8_t* plane = static_cast<const uint8_t*>(mask.data) + b * mask.stride_b;
  int64_t h = first / W, w = first % W, count = 0;
  for (int64_t i = 0; i < span; ++i) {
    index[count] = int32_t(i);
    count += plane[h * mask.stride_h + w * mask.stride_w] != 0;
    if (++w == W) {
      w = 0;
      ++h;
    }
  }
  return {first, span, count, count == span ? nullptr : index};
}

// The valid logits of one class, as they are.
template <class T>
inline void load_logits(const Map& map, int64_t b, int64_t k, const Pixels& pixels, T* row) {
  load_row(map, b, k, pixels.first, pixels.span, row);
  if (pixels.index == nullptr) return;
  for (int64_t i = 0; i < pixels.count; ++i) row[i] = row[pixels.index[i]];  // index[i] >= i
}

template <class T>
inline T largest_of(const T* row, int64_t count) {
  T lanes[kLanes<T>];
  int64_t x = 0;
  T result = row[0];
  if (count >= kLanes<T>) {
    Vector<T> most = load(row);
    for (x = kLanes<T>; x + kLanes<T> <= count; x += kLanes<T>) {
      const Vector<T> v = load(row + x);
      most = v > most ? v : most;
    }
    store(lanes, most);
    for (int l = 0; l < kLanes<T>; ++l) result = larger(result, lanes[l]);
  }
  for (; x < count; ++x) result = larger(result, row[x]);
  return result;
}

// Columns of the tile that kernels walk over: count rounded up to whole steps.
template <class T>
inline int64_t padded_columns(int64_t count) {
  return round_up(count, kStepPixels<T>);
}

// Row k of u, with zeros in the columns behind count.
template <class T>
inline void load_shifted(const Map& map,
                         int64_t b,
                         int64_t k,
                         const Pixels& pixels,
                         T shift,
                         T inverse_temperature,
                         T* row) {
  load_logits(map, b, k, pixels, row);
  for (int64_t i = 0; i < pixels.count; ++i) row[i] = (row[i] - shift) * inverse_temperature;
  for (int64_t i = pixels.count; i < padded_columns<T>(pixels.count); ++i) row[i] = T(0);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTER_CLASS_TILE_H
