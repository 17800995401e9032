// src/test/cuda/main.cpp: runs the tests on a GPU, or says in a sentence why not.
#include <gtest/gtest.h>

#include <cstdio>

#include "cuda/structkd_cuda.h"
#include "structkd/core.h"

namespace {

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE of CTest

}  // namespace

int main(int argc, char** argv) {
  // What is not of the backend "cuda" needs no GPU and is tested elsewhere.
  testing::GTEST_FLAG(filter) = "*/cuda";
  testing::InitGoogleTest(&argc, argv);
  if (structkd_cuda_open() != STRUCTKD_OK) {
    std::printf("nothing was tested: %s\n", structkd_last_error());
    return kSkipped;
  }
  const int failed = RUN_ALL_TESTS();
  if (testing::UnitTest::GetInstance()->test_to_run_count() > 0) return failed;
  std::printf("no test fits --gtest_filter: nothing was tested\n");
  return 1;
}
