// bench/cuda/launch_list/main.cpp: structkd_launch_list, which kernels a call of each case
// launches, with which grid and how much dynamic shared memory. Runs nothing and needs no GPU: the
// emulator writes the launches down, and kernels' host code reads no memory of the device. Prints
// lines "loss;case;kernel;grid;threads;dynamic shared bytes".
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "cases.h"
#include "losses.h"

namespace structkd::bench {
namespace {

// Addresses of arrays that nobody reads, far from each other.
void* pretend(uintptr_t number) { return reinterpret_cast<void*>(number << 40); }

Arrays arrays_of(const Case& c) {
  const bool draws = c.loss == Loss::kGlobalStructuralSample;
  Arrays a;
  a.step = static_cast<const int64_t*>(pretend(1));
  a.teacher =
      tensor_of(pretend(2), c.dtype, {c.B, c.teacher_channels(), c.H, c.W}, c.channels_last);
  if (c.samples > 0) {
    a.indices = tensor_of(pretend(3), STRUCTKD_I32, {c.B, draws ? c.samples * c.C : c.samples});
    a.counts = tensor_of(pretend(4), STRUCTKD_I32, {c.B, 2});
  }
  if (draws) {
    a.labels = tensor_of(pretend(5), STRUCTKD_I64, {c.B, c.H, c.W});
    return a;
  }
  const structkd_dtype grad = c.dtype == STRUCTKD_F16 ? STRUCTKD_F32 : c.dtype;
  a.student = tensor_of(pretend(6), c.dtype, {c.B, c.C, c.H, c.W}, c.channels_last);
  a.grad = tensor_of(pretend(7), grad, {c.B, c.C, c.H, c.W}, c.channels_last);
  a.loss = pretend(8);
  return a;
}

void list(const std::string& launches) {
  for (const Case& c : all_cases()) {
    std::ofstream(launches, std::ios::trunc);
    Arrays arrays = arrays_of(c);
    call(c, {"cuda-emulated", nullptr, 1, {}}, arrays, pretend(9));
    std::ifstream file(launches);
    for (std::string line; std::getline(file, line);) {
      std::printf("%s;%s;%s\n", c.kernel().c_str(), c.name().c_str(), line.c_str());
    }
  }
}

}  // namespace
}  // namespace structkd::bench

int main() {
  std::string launches = std::filesystem::temp_directory_path() / "structkd-launches.XXXXXX";
  if (mkstemp(launches.data()) < 0 || setenv("STRUCTKD_SIMT_LAUNCHES", launches.c_str(), 1) != 0) {
    return 1;
  }
  int status = 0;
  try {
    structkd::bench::list(launches.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "structkd_launch_list: %s\n", error.what());
    status = 1;
  }
  std::remove(launches.c_str());
  return status;
}
