// simt_test/run.h: how tests of the emulator start kernels and expect reports.
#ifndef STRUCTKD_SIMT_TEST_RUN_H
#define STRUCTKD_SIMT_TEST_RUN_H

#include <gtest/gtest.h>

#include "cuda/common/device.cuh"
#include "simt/report.h"

namespace simt_test {

template <auto Kernel, class... Arguments>
void run(dim3 grid, dim3 block, size_t shared_bytes, Arguments... arguments) {
  STRUCTKD_ENQUEUE(Kernel, grid, block, shared_bytes, nullptr, arguments...);
  ASSERT_EQ(cudaGetLastError(), cudaSuccess);
}

// The statement must end the process with the emulator's report, of which `text` is a part.
#define EXPECT_MISUSE(statement, text) \
  EXPECT_EXIT(statement, testing::ExitedWithCode(simt::kMisuseStatus), text)

// Sets STRUCTKD_SIMT_ORDER while it lives.
class OrderScope {
 public:
  explicit OrderScope(const char* order) { setenv("STRUCTKD_SIMT_ORDER", order, 1); }
  ~OrderScope() { unsetenv("STRUCTKD_SIMT_ORDER"); }
};
inline constexpr const char* kOrders[] = {"forward", "reverse", "random:1", "random:2"};

}  // namespace simt_test

#endif  // STRUCTKD_SIMT_TEST_RUN_H
