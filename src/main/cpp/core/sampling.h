// core/sampling.h: the random order in which candidates of the global structural loss are taken.
// Integers only, the same for every backend; shared with CUDA sources.
#ifndef STRUCTKD_CORE_SAMPLING_H
#define STRUCTKD_CORE_SAMPLING_H

#include "core/global_structural_args.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

// A candidate's place in an order: by key, then by pixel. No two pixels share a rank.
STRUCTKD_HOST_DEVICE inline uint64_t rank_of(uint32_t key, int64_t pixel) {
  return uint64_t(key) << 32 | uint64_t(pixel);
}

STRUCTKD_HOST_DEVICE inline int64_t pixel_of_rank(uint64_t rank) {
  return int64_t(rank & 0xffffffffu);
}

// The keys of one image.
struct SampleKeys {
  bool raster;
  RandomKey sample, fill, repeat;
};

STRUCTKD_HOST_DEVICE inline SampleKeys sample_keys(const GlobalStructuralSampleArgs& args,
                                                   int64_t b) {
  SampleKeys keys = {};
  keys.raster = args.draw == STRUCTKD_DRAW_RASTER || args.sampling == STRUCTKD_SAMPLING_ALL;
  if (keys.raster) return keys;
  keys.sample = image_key(args.seed, *args.step, b, kPurposeSample);
  keys.fill = image_key(args.seed, *args.step, b, kPurposeFill);
  keys.repeat = image_key(args.seed, *args.step, b, kPurposeRepeat);
  return keys;
}

STRUCTKD_HOST_DEVICE inline uint64_t sample_rank(const SampleKeys& keys, int64_t pixel) {
  return rank_of(keys.raster ? 0 : random_bits(keys.sample, uint32_t(pixel)), pixel);
}

// Every stratum fills itself in an order of its own: with one order for all, the same few pixels
// would stand in every short class.
STRUCTKD_HOST_DEVICE inline uint64_t fill_rank(const SampleKeys& keys,
                                               int64_t stratum,
                                               int64_t pixel) {
  if (keys.raster) return rank_of(0, pixel);
  return rank_of(random_bits(absorb(keys.fill, uint32_t(stratum)), uint32_t(pixel)), pixel);
}

// Which of `count` pixels stands in for the r-th sample that none is left for.
STRUCTKD_HOST_DEVICE inline int64_t repeated(const SampleKeys& keys,
                                             int64_t stratum,
                                             int64_t r,
                                             int64_t count) {
  if (keys.raster) return r % count;
  return scale_to(random_bits(absorb(keys.repeat, uint32_t(stratum)), uint32_t(r)),
                  uint32_t(count));
}

// 32 bits are enough for every pixel, and a division of 64 bits is a call on a GPU.
STRUCTKD_HOST_DEVICE inline int64_t quadrant_of(uint32_t pixel, uint32_t H, uint32_t W) {
  return 2 * (pixel / W >= H / 2) + (pixel % W >= W / 2);
}

// The stratum that a candidate is drawn for: its class, its quadrant, or 0.
STRUCTKD_HOST_DEVICE inline int64_t stratum_of(const GlobalStructuralSampleArgs& args,
                                               int64_t pixel,
                                               int64_t label) {
  switch (args.sampling) {
    case STRUCTKD_SAMPLING_CLASS_BALANCED:
      return label;
    case STRUCTKD_SAMPLING_RANDOM_GRID:
      return quadrant_of(uint32_t(pixel), uint32_t(args.H), uint32_t(args.W));
    default:
      return 0;
  }
}

// Samples that a stratum of so many candidates gives.
STRUCTKD_HOST_DEVICE inline int64_t samples_given(const GlobalStructuralSampleArgs& args,
                                                  int64_t candidates) {
  if (candidates < args.min_candidates || candidates == 0) return 0;
  if (args.sampling == STRUCTKD_SAMPLING_ALL) return candidates;
  if (candidates < args.samples && args.fill == STRUCTKD_FILL_SKIP) return 0;
  return args.samples;
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_SAMPLING_H
