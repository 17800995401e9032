// core/pixelwise_args.h: checked arguments of the pixel-wise loss, as backends receive them.
#ifndef STRUCTKD_CORE_PIXELWISE_ARGS_H
#define STRUCTKD_CORE_PIXELWISE_ARGS_H

#include "core/loss_args.h"
#include "structkd/pixelwise.h"

namespace structkd {

struct PixelwiseArgs : LossArgs {
  Plane mask;  // u8, or not given
  structkd_divergence divergence;
  structkd_divisor divisor;
  double temperature;
  bool temperature_squared;
};

namespace {  // internal linkage: per-ISA sources may not share inline copies

// Fewer pixels than this per image fill less than half of an AVX-512 register of f32, or a sector
// of 32 bytes, with neighbours of one class.
constexpr int64_t kFewPixels = 8;
// With up to this many classes side by side a sector of 32 bytes holds whole pixels of f32, so that
// it makes no difference for whole maps.
constexpr int64_t kFewClasses = 4;

// Which of the two forms of the loss suits a batch: rows, each the classes of one pixel, or planes,
// each the pixels of one class.
inline bool prefers_rows(const PixelwiseArgs& args) {
  if (args.student.H * args.student.W < kFewPixels) return true;
  const auto holds_rows = [](const Map& map) {
    const int64_t to_next = map.W > 1 ? map.stride_w : map.stride_h;
    return map.stride_c == 1 && to_next != 1;
  };
  return args.student.C > kFewClasses && holds_rows(args.student) && holds_rows(args.teacher);
}

// What the sum over the valid pixels is multiplied with, and what the derivative of a pixel by
// logits / temperature is. 0 if no pixel is valid.
struct PixelwiseScales {
  double value;
  double grad;
};

inline PixelwiseScales pixelwise_scales(const PixelwiseArgs& args, int64_t valid_pixels) {
  if (valid_pixels == 0) return {0.0, 0.0};
  const double V = double(valid_pixels);
  const double divisor = args.divisor == STRUCTKD_DIVISOR_PIXELS_PER_IMAGE
                             ? V / double(args.student.B)
                         : args.divisor == STRUCTKD_DIVISOR_PIXELS ? V
                                                                   : V * double(args.student.C);
  const double t = args.temperature;
  // t^2 / t = t, not a product that might overflow on the way.
  return {(args.temperature_squared ? t * t : 1.0) / divisor,
          (args.temperature_squared ? t : 1.0 / t) / divisor};
}

}  // namespace

}  // namespace structkd

#endif  // STRUCTKD_CORE_PIXELWISE_ARGS_H
