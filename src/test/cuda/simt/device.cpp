#include "simt/device.h"

#include <stdlib.h>

#include "simt/report.h"
#include "simt/runtime_api.h"

namespace simt {
namespace {

// CUDA programming guide, "compute capabilities" and "throughput of native arithmetic
// instructions".
constexpr Device kDevices[] = {
    {75, 32, 64 << 10}, {89, 64, 99 << 10}, {90, 2, kMaxShared}, {110, 64, kMaxShared, false}};

const Device& of_environment() {
  const char* text = getenv("STRUCTKD_SIMT_DEVICE");
  if (text == nullptr) return kDevices[2];
  for (const Device& known : kDevices) {
    if (atoi(text) == known.capability) return known;
  }
  fail("STRUCTKD_SIMT_DEVICE is \"%s\", expected 75, 89, 90 or 110", text);
}

}  // namespace

const Device& device() {
  static const Device& chosen = of_environment();
  return chosen;
}

}  // namespace simt
