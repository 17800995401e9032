// core/map.h: checked views that backends work on. Plain data: safe in per-ISA and CUDA sources.
#ifndef STRUCTKD_CORE_MAP_H
#define STRUCTKD_CORE_MAP_H

#include <stdint.h>

#include "structkd/core.h"

namespace structkd {

// A [B, C, H, W] map. data == nullptr: not given.
struct Map {
  void* data;
  structkd_dtype dtype;
  int64_t B, C, H, W;
  int64_t stride_b, stride_c, stride_h, stride_w;  // in elements
};

// A [B, H, W] plane per image: weights, masks, labels. data == nullptr: not given.
struct Plane {
  void* data;
  structkd_dtype dtype;
  int64_t stride_b, stride_h, stride_w;
};

}  // namespace structkd

#endif  // STRUCTKD_CORE_MAP_H
