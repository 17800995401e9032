// simt/device.h: the GPU that the emulator stands for, as far as kernels are chosen and launched by
// it.
#ifndef STRUCTKD_SIMT_DEVICE_H
#define STRUCTKD_SIMT_DEVICE_H

#include <stddef.h>

namespace simt {

struct Device {
  int capability;
  int f64_ratio;      // how many times slower than f32
  size_t max_shared;  // bytes of a block, dynamic and static together
  bool runs_kernels = true;
};

// That of STRUCTKD_SIMT_DEVICE: 75 (T4), 89 (L4, RTX 40) or 90 (H100), which is the default; or 110
// (Jetson Thor), as if no kernel had been built for it.
const Device& device();

}  // namespace simt

#endif  // STRUCTKD_SIMT_DEVICE_H
