// cpu/intra_class_variation/class_sums.h: the classes of positions, and sums over the positions of
// each class.
#ifndef STRUCTKD_CPU_INTRA_CLASS_VARIATION_CLASS_SUMS_H
#define STRUCTKD_CPU_INTRA_CLASS_VARIATION_CLASS_SUMS_H

#include "core/centre_similarity.h"
#include "cpu/common/lane_sums.h"
#include "cpu/intra_class_variation/turned_block.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Positions [first, first + count) of an image.
struct Span {
  int64_t first, count;
};

inline int64_t label_at(const Plane& plane, int64_t i) {
  switch (plane.dtype) {
    case STRUCTKD_U8:
      return static_cast<const uint8_t*>(plane.data)[i];
    case STRUCTKD_I32:
      return static_cast<const int32_t*>(plane.data)[i];
    default:
      return static_cast<const int64_t*>(plane.data)[i];
  }
}

// classes[n] = the class of a position, or -1, and how many there are of each; returns how many
// positions are valid.
inline int64_t find_classes(
    const IntraClassVariationArgs& args, int64_t b, Span span, int32_t* classes, int64_t* counts) {
  const Plane &labels = args.labels, &mask = args.mask;
  const uint8_t* bytes = static_cast<const uint8_t*>(mask.data);
  memset(counts, 0, size_t(args.classes) * sizeof(int64_t));
  int64_t h = span.first / args.student.W, w = span.first % args.student.W, valid = 0;
  for (int64_t n = span.first; n < span.first + span.count; ++n) {
    const bool counted =
        bytes == nullptr || bytes[b * mask.stride_b + h * mask.stride_h + w * mask.stride_w] != 0;
    const int64_t label =
        label_at(labels, b * labels.stride_b + h * labels.stride_h + w * labels.stride_w);
    const bool is_class = counted && label >= 0 && label < args.classes;
    classes[n] = is_class ? int32_t(label) : -1;
    if (is_class) ++counts[label];
    valid += counted;
    if (++w < args.student.W) continue;
    w = 0;
    ++h;
  }
  return valid;
}

// sums[k, c0 + c] = sum over the positions of class k of weights[n] f[c0 + c, n], for the channels
// of a block. Sums are [classes, padded channels]; classes and weights are those of the image, and
// without weights all are 1.
template <class T>
void sum_classes(const BlockMap& map,
                 int64_t b,
                 int64_t c0,
                 Span span,
                 const int32_t* __restrict classes,
                 const double* __restrict weights,
                 int64_t class_count,
                 double* __restrict sums) {
  alignas(64) T rows[kBlockChannels * kTilePositions] = {}, vectors[sizeof(rows) / sizeof(T)];
  const int64_t pitch = map.padded_channels();
  for (int64_t k = 0; k < class_count; ++k) {
    memset(sums + k * pitch + c0, 0, kBlockChannels * sizeof(double));
  }
  const int64_t end = span.first + span.count;
  for (int64_t n0 = span.first; n0 < end; n0 += kTilePositions) {
    const int64_t count = smaller(kTilePositions, end - n0);
    map.load(b, c0, n0, count, rows, vectors);
    for (int64_t i = 0; i < count; ++i) {
      if (classes[n0 + i] < 0) continue;
      const double weight = weights == nullptr ? 1.0 : weights[n0 + i];
      double* sum = sums + classes[n0 + i] * pitch + c0;
      const T* vector = vectors + i * kBlockChannels;
#pragma GCC unroll 16
      for (int64_t c = 0; c < kBlockChannels; c += kWide) {
        store(sum + c, load(sum + c) + weight * load_wide(vector + c));
      }
    }
  }
}

// Adds the parts of a class in their order and divides them by the number of its positions: what is
// there is the first of `parts`, `stride` apart. Returns the sum of their squares.
inline double finish_mean(
    double* sums, int64_t parts, int64_t stride, int64_t padded_channels, int64_t positions) {
  const double inverse = 1.0 / (double(positions) + kBesideCount);
  Vector<double> squares = {};
  for (int64_t c = 0; c < padded_channels; c += kWide) {
    Vector<double> sum = load(sums + c);
    for (int64_t part = 1; part < parts; ++part) sum += load(sums + part * stride + c);
    sum *= inverse;
    store(sums + c, sum);
    squares += sum * sum;
  }
  return sum_of_lanes<double>(squares);
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_INTRA_CLASS_VARIATION_CLASS_SUMS_H
