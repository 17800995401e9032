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

#include "losses.h"

namespace structkd::bench {
namespace {

// Addresses of arrays that nobody reads, far from each other.
void* pretend(uintptr_t number) { return reinterpret_cast<void*>(number << 40); }

Arrays pretended(const Case& c) {
  return arrays_of(c, {pretend(1), pretend(2), pretend(3), pretend(4), pretend(5), pretend(6),
                       pretend(7), pretend(8)});
}

void list(const std::string& launches) {
  for (const Case& c : all_cases()) {
    std::ofstream(launches, std::ios::trunc);
    Arrays arrays = pretended(c);
    loss_of(c).call(c, {"cuda-emulated", nullptr, 1, {}}, arrays, pretend(9));
    std::ifstream file(launches);
    for (std::string line; std::getline(file, line);) {
      std::printf("%s;%s;%s\n", c.loss.c_str(), c.name().c_str(), line.c_str());
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
