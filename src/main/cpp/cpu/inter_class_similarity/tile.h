// cpu/inter_class_similarity/tile.h: the valid pixels of a tile with all classes, as the kernels of
// the inter-class similarity loss read them.
//
// Kernels work on u = (z - shift) / (temperature ln 2), so that e^{z / temperature} is a power of
// two. Divergences do not depend on the shift, which is fixed per class, but rounding does: u
// should be small where p is large (sample_shift in inter_class_similarity.cpp).
#ifndef STRUCTKD_CPU_INTER_CLASS_SIMILARITY_TILE_H
#define STRUCTKD_CPU_INTER_CLASS_SIMILARITY_TILE_H

#include <math.h>

#include "core/inter_class_similarity_args.h"
#include "core/workspace.h"
#include "cpu/common/access.h"
#include "cpu/common/gemm.h"
#include "cpu/common/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// A tile has 512 pixels, so that adding up the lanes at the end of a tile takes a fifth of the time
// of its products, or as many as keep u within half of a second-level cache of 1 MB.
template <class T>
inline int64_t tile_pixels(int64_t K) {
  constexpr int64_t kBytes = 512 << 10, kStep = 64;
  const int64_t fitting = kBytes / (K * int64_t(sizeof(T))) / kStep * kStep;
  return larger(kStep, smaller(int64_t(512), fitting));
}

// From class to class lies an odd number of cache lines: a column of a tile then spreads over all
// sets of the first cache.
template <class T>
inline int64_t tile_stride(int64_t K) {
  return tile_pixels<T>(K) + 64 / int64_t(sizeof(T));
}

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

// The valid logits of one class, close together.
template <class T>
inline void load_logits(const Map& map, int64_t b, int64_t k, const Pixels& pixels, T* row) {
  load_row(map, b, k, pixels.first, pixels.span, row);
  if (pixels.index == nullptr) return;
  for (int64_t i = 0; i < pixels.count; ++i) row[i] = row[pixels.index[i]];  // index[i] >= i
}

// Columns that kernels walk over: count rounded up to whole steps of the gradient.
template <class T>
inline int64_t padded_columns(int64_t count) {
  return round_up(count, kColumns<T>);
}

// The valid logits of a tile, a row per class: in the map itself, or a copy of them.
template <class T>
struct Logits {
  const T* data;
  int64_t stride;
  bool in_place;

  const T* row(int64_t k) const { return data + k * stride; }
};

// The tile in the map, a row per class, if kernels can walk over it as it lies; else nullptr.
template <class T>
inline T* tile_in_place(const Map& map, int64_t b, const Pixels& pixels) {
  const bool whole = pixels.index == nullptr && padded_columns<T>(pixels.count) == pixels.count;
  return whole && is_plain<T>(map) ? plain_row<T>(map, b, pixels.first) : nullptr;
}

// Copies only what the kernels cannot read as it lies. A copy is padded by the shift, where u is 0.
template <class T>
inline Logits<T> logits_of_tile(
    const Map& map, const T* shift, int64_t b, const Pixels& pixels, T* copy, int64_t stride) {
  const int64_t columns = padded_columns<T>(pixels.count);
  const T* in_place = tile_in_place<T>(map, b, pixels);
  if (in_place != nullptr) return {in_place, map.stride_c, true};
  for (int64_t k = 0; k < map.C; ++k) {
    T* row = copy + k * stride;
    load_logits(map, b, k, pixels, row);
    for (int64_t i = pixels.count; i < columns; ++i) row[i] = shift[k];
  }
  return {copy, stride, false};
}

// The largest of `count` numbers in room for whole vectors; not NaN unless all are.
template <class T>
inline T largest_of(T* row, int64_t count) {
  for (int64_t i = count; i < round_up(count, kLanes<T>); ++i) row[i] = row[0];
  Vector<T> largest = load(row);
  for (int64_t i = kLanes<T>; i < count; i += kLanes<T>) {
    largest = vector_max<T>(load(row + i), largest);
  }
  T lanes[kLanes<T>];
  store(lanes, largest);
  for (int l = 1; l < kLanes<T>; ++l) lanes[0] = larger(lanes[0], lanes[l]);
  return lanes[0];
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTER_CLASS_SIMILARITY_TILE_H
