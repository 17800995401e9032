// src/test/cuda/large_map/large_map.cpp: what a call would start, and launches that a device refuses.
#include "large_map/large_map.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "pixelwise_cases.h"

namespace structkd::test {

structkd_tensor tensor_of(std::vector<int64_t> sizes, structkd_dtype dtype) {
  structkd_tensor tensor{};
  tensor.data = nowhere();
  tensor.dtype = dtype;
  tensor.rank = int32_t(sizes.size());
  int64_t stride = 1;
  for (size_t d = sizes.size(); d-- > 0; stride *= sizes[d]) {
    tensor.sizes[d] = sizes[d];
    tensor.strides[d] = stride;
  }
  return tensor;
}

Planned planned(const PlannedCall& call) {
  std::string path = testing::TempDir() + "structkd-launches-XXXXXX";
  const int file = mkstemp(path.data());
  EXPECT_GE(file, 0) << path;
  close(file);
  setenv("STRUCTKD_SIMT_LAUNCHES", path.c_str(), 1);
  Planned result;
  size_t bytes = 0;
  result.status = call(&bytes);
  result.workspace = bytes;
  unsetenv("STRUCTKD_SIMT_LAUNCHES");
  std::ifstream lines(path);
  for (std::string line; std::getline(lines, line);) {
    const size_t end = line.find(';');
    unsigned long long x = 0, y = 0, z = 0;
    EXPECT_EQ(std::sscanf(line.c_str() + end, ";%llux%llux%llu", &x, &y, &z), 3) << line;
    std::string kernel = line.substr(0, line.find_first_of("<;"));
    kernel = kernel.substr(kernel.rfind(':') + 1);
    result.blocks[kernel] += x * y * z;
  }
  unlink(path.c_str());
  return result;
}

void expect_growth(const Planned& small, const Planned& large, const char* kernel) {
  ASSERT_EQ(small.status, STRUCTKD_OK) << structkd_last_error();
  ASSERT_EQ(large.status, STRUCTKD_OK) << structkd_last_error();
  ASSERT_EQ(small.blocks.count(kernel), 1u) << kernel;
  EXPECT_EQ(large.blocks.at(kernel), kGrowth * small.blocks.at(kernel)) << kernel;
}

TEST(RefusedLaunches, NameTheKernel) {
  // 2^31 blocks of 128 pixels: one more than a grid may have.
  const structkd_tensor map = tensor_of({1 << 18, 1, 1024, 1024}, STRUCTKD_F32);
  const Planned refused = planned([&](size_t* bytes) { return call(map, params_of(), bytes); });
  EXPECT_EQ(refused.status, STRUCTKD_ERR_CUDA);
  EXPECT_STREQ(structkd_last_error(),
               "cuda: launch of pixelwise_registers_kernel failed: invalid configuration argument "
               "(cudaErrorInvalidConfiguration)");
  // Nothing of it is left for the next call.
  const structkd_tensor small = small_map();
  const Planned next = planned([&](size_t* bytes) { return call(small, params_of(), bytes); });
  EXPECT_EQ(next.status, STRUCTKD_OK) << structkd_last_error();
}

}  // namespace structkd::test
