// src/test/cuda/large_map/large_map.h: maps with more than 2^31 elements, without the memory for them.
//
// With STRUCTKD_SIMT_LAUNCHES the emulator writes down launches and runs nothing, so sizes may be
// anything: grids and workspaces must be those of a small map times the growth. And kernels run on
// few elements that lie more than 2^31 apart, in address space that has pages only where it is
// touched. A loss has its tests in a file beside this one.
#ifndef STRUCTKD_TEST_LARGE_MAP_H
#define STRUCTKD_TEST_LARGE_MAP_H

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "loss_run.h"
#include "tensors.h"

namespace structkd::test {

constexpr structkd_ctx kContext = {"cuda-emulated", nullptr, 1, {}};

// Aligned as the library asks, and never read.
inline void* nowhere() { return reinterpret_cast<void*>(uintptr_t(1) << 40); }

structkd_tensor tensor_of(std::vector<int64_t> sizes, structkd_dtype dtype);

// What a call would start, and how much scratch it asks for.
struct Planned {
  structkd_status status;
  uint64_t workspace = 0;
  std::map<std::string, uint64_t> blocks;  // by kernel, without template arguments
};

using PlannedCall = std::function<structkd_status(size_t* bytes)>;

Planned planned(const PlannedCall& call);

// A loss of maps that nobody reads.
template <class Params>
structkd_status call(structkd_tensor student, const Params& params, size_t* bytes) {
  const LossEntries<Params> entries = entries_of(params);
  structkd_tensor grad = student;
  EXPECT_EQ(entries.workspace(&kContext, &student, &student, &params, 1, bytes), STRUCTKD_OK)
      << structkd_last_error();
  return entries.run(&kContext, &student, &student, &params, nowhere(), nowhere(), &grad);
}

// 2^14 and 2^31 pixels, of 19 channels: 4e10 elements.
constexpr int64_t kGrowth = 1 << 17;
inline structkd_tensor small_map() { return tensor_of({1, 19, 128, 128}, STRUCTKD_F32); }
inline structkd_tensor large_map() { return tensor_of({8, 19, 16384, 16384}, STRUCTKD_F32); }

void expect_growth(const Planned& small, const Planned& large, const char* kernel);

// A map whose rows, channels and images begin more than 2^31 elements apart.
class FarMap {
 public:
  static constexpr int64_t kFar = (int64_t(1) << 31) + 64;

  FarMap(int64_t B, int64_t C, int64_t H, int64_t W, structkd_dtype dtype)
      : tensor_(tensor_of({B, C, H, W}, dtype)) {
    tensor_.strides[2] = kFar;
    tensor_.strides[1] = H * kFar;
    tensor_.strides[0] = C * H * kFar;
    bytes_ = size_t(B * C * H) * size_t(kFar) * element_size(dtype);
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    tensor_.data = memory_;
  }
  ~FarMap() {
    if (mapped()) munmap(memory_, bytes_);
  }
  FarMap(const FarMap&) = delete;

  bool mapped() const { return memory_ != MAP_FAILED; }
  structkd_tensor* view() { return &tensor_; }

  // Rows of a contiguous tensor of the same sizes, there and back.
  void take(const structkd_tensor& from) { copy(from, true); }
  void give(const structkd_tensor& to) { copy(to, false); }

 private:
  static size_t element_size(structkd_dtype dtype) { return dtype == STRUCTKD_F64 ? 8 : 4; }

  void copy(const structkd_tensor& near, bool in) {
    const size_t row = size_t(tensor_.sizes[3]) * element_size(tensor_.dtype);
    const int64_t rows = tensor_.sizes[0] * tensor_.sizes[1] * tensor_.sizes[2];
    for (int64_t r = 0; r < rows; ++r) {
      char* far = static_cast<char*>(memory_) + size_t(r * kFar) * element_size(tensor_.dtype);
      char* close = static_cast<char*>(near.data) + size_t(r) * row;
      std::memcpy(in ? far : close, in ? close : far, row);
    }
  }

  structkd_tensor tensor_;
  size_t bytes_;
  void* memory_;
};

template <class Params>
void run(const Params& params,
         const structkd_tensor& student,
         const structkd_tensor& teacher,
         float* loss,
         structkd_tensor* grad) {
  const LossEntries<Params> entries = entries_of(params);
  size_t bytes = 0;
  ASSERT_EQ(entries.workspace(&kContext, &student, &teacher, &params, 1, &bytes), STRUCTKD_OK)
      << structkd_last_error();
  AlignedBytes workspace(bytes);
  ASSERT_EQ(entries.run(&kContext, &student, &teacher, &params, workspace.data(), loss, grad),
            STRUCTKD_OK)
      << structkd_last_error();
}

// Value and gradient of far elements are those of the same elements close together.
template <class Params>
void expect_same_bits_far_apart(const Params& params) {
  const std::vector<int64_t> sizes = {2, 3, 2, 5};
  TestTensor student(sizes, STRUCTKD_F32), teacher(sizes, STRUCTKD_F32);
  fill_pair(Input::kRandom, 3, student, teacher);
  TestTensor grad(sizes, STRUCTKD_F32), far_grad(sizes, STRUCTKD_F32);
  FarMap far_student(2, 3, 2, 5, STRUCTKD_F32), far_teacher(2, 3, 2, 5, STRUCTKD_F32),
      far_out(2, 3, 2, 5, STRUCTKD_F32);
  if (!far_student.mapped() || !far_teacher.mapped() || !far_out.mapped()) {
    GTEST_SKIP() << "no address space for three times 96 GiB";
  }
  far_student.take(*student.view());
  far_teacher.take(*teacher.view());
  float near_value = NAN, far_value = NAN;
  run(params, *student.view(), *teacher.view(), &near_value, grad.view());
  run(params, *far_student.view(), *far_teacher.view(), &far_value, far_out.view());
  far_out.give(*far_grad.view());
  EXPECT_GT(near_value, 0.0f);
  EXPECT_EQ(near_value, far_value);
  EXPECT_EQ(grad.values(), far_grad.values());
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_LARGE_MAP_H
