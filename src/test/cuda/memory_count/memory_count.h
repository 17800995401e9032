// src/test/cuda/memory_count/memory_count.h: what each kernel asks of memory, against what its comment
// says: no bank conflicts, whole sectors, the bytes that the algorithm needs.
// STRUCTKD_MEMORY_REPORT=1 prints the counts of every access. A loss has its tests in a file beside this one.
#ifndef STRUCTKD_TEST_MEMORY_COUNT_H
#define STRUCTKD_TEST_MEMORY_COUNT_H

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "loss_run.h"
#include "memory.h"
#include "memory_tracer/memory_tracer.h"
#include "tensors.h"

namespace structkd::test {

using memory_tracer::Site;
using memory_tracer::sites_of;
using memory_tracer::Traffic;
using memory_tracer::traffic_of;

constexpr const char* kEmulated = "cuda-emulated";

class MemoryCount : public testing::Test {
 protected:
  void SetUp() override { memory_tracer::reset(); }
  void TearDown() override {
    if (getenv("STRUCTKD_MEMORY_REPORT") != nullptr) memory_tracer::print_sites(stdout);
  }
};

// The forms of GPUs whose f64 is slow; devices are asked once, so these run in a process of their
// own.
class MemoryCountOfSlowF64 : public MemoryCount {
 protected:
  void SetUp() override {
    MemoryCount::SetUp();
    const char* f64 = getenv("STRUCTKD_CUDA_F64");
    if (f64 == nullptr || std::string(f64) != "slow") GTEST_SKIP() << "STRUCTKD_CUDA_F64=slow asks";
  }
};

// With the gradient in the student's layout.
How like(const TestTensor& student);

// Student and teacher of one image.
struct Maps {
  TestTensor student, teacher;
  Maps(int64_t student_channels,
       int64_t teacher_channels,
       int64_t height,
       int64_t width,
       structkd_dtype dtype = STRUCTKD_F32,
       Layout layout = Layout::kContiguous,
       Input input = Input::kRandom)
      : student({1, student_channels, height, width}, dtype, layout),
        teacher({1, teacher_channels, height, width}, dtype, layout) {
    fill_pair(input, 1, student, teacher);
  }
};

// The number in front of `what` in a plan.
double number_before(const std::string& plan, const std::string& what);

// What the comment of a kernel says of memory, in numbers of one case.
struct Promise {
  std::string kernel;    // without template arguments
  double reads, writes;  // bytes at least, of a memory behind perfect caches
  double sectors = 4.0;  // per request of a warp for 32 numbers: 4 f32, 8 f64; kNoStream: none
  uint64_t bank_conflicts = 0;  // of all requests to shared memory together
  uint64_t arrivals = 0;  // of blocks that count themselves, the only atomics in global memory
};
constexpr double kNoStream = 0.0;

// Requests of whole warps that read as many different numbers.
uint64_t streamed_reads(const std::string& kernel, unsigned bytes);

// Every kernel that ran is in the table, and nothing else.
void expect_counts(const std::vector<Promise>& promises);

// And without any cache: each byte is asked for once.
void expect_bytes_once(const std::string& kernel, double minimum);

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_MEMORY_COUNT_H
