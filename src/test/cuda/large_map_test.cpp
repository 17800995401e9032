// src/test/cuda/large_map_test.cpp: maps with more than 2^31 elements, without the memory for them,
// and launches that a device refuses.
//
// With STRUCTKD_SIMT_LAUNCHES the emulator writes down launches and runs nothing, so sizes may be
// anything: grids and workspaces must be those of a small map times the growth. And kernels run on
// few elements that lie more than 2^31 apart, in address space that has pages only where it is
// touched.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "global_structural_cases.h"
#include "inter_class_similarity_cases.h"
#include "pairwise_cases.h"
#include "pixelwise_cases.h"
#include "structkd/structkd.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr structkd_ctx kContext = {"cuda-emulated", nullptr, 1, {}};

// Aligned as the library asks, and never read.
void* nowhere() { return reinterpret_cast<void*>(uintptr_t(1) << 40); }

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

// What a call would start, and how much scratch it asks for.
struct Planned {
  structkd_status status;
  uint64_t workspace = 0;
  std::map<std::string, uint64_t> blocks;  // by kernel, without template arguments
};

using PlannedCall = std::function<structkd_status(size_t* bytes)>;

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

// A loss of maps that nobody reads.
template <class Params>
structkd_status call(structkd_tensor student, const Params& params, size_t* bytes) {
  const LossEntries<Params> entries = entries_of(params);
  structkd_tensor grad = student;
  EXPECT_EQ(entries.workspace(&kContext, &student, &student, &params, 1, bytes), STRUCTKD_OK)
      << structkd_last_error();
  return entries.run(&kContext, &student, &student, &params, nowhere(), nowhere(), &grad);
}

structkd_status pairwise(const structkd_tensor& map, size_t* bytes) {
  return call(map, params_of(STRUCTKD_NORM_DIFFERENTIABLE), bytes);
}

structkd_status pixelwise(const structkd_tensor& map, size_t* bytes) {
  return call(map, params_of(STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT), bytes);
}

structkd_status global_structural(const structkd_tensor& map, int64_t samples, size_t* bytes) {
  const structkd_tensor indices = tensor_of({map.sizes[0], samples}, STRUCTKD_I32),
                        counts = tensor_of({map.sizes[0], 2}, STRUCTKD_I32);
  structkd_global_structural_params params = params_of(-1, nullptr);
  params.indices = &indices;
  params.counts = &counts;
  params.step = static_cast<const int64_t*>(nowhere());
  return call(map, params, bytes);
}

// 2^14 and 2^31 pixels, of 19 channels: 4e10 elements.
constexpr int64_t kGrowth = 1 << 17;
structkd_tensor small_map() { return tensor_of({1, 19, 128, 128}, STRUCTKD_F32); }
structkd_tensor large_map() { return tensor_of({8, 19, 16384, 16384}, STRUCTKD_F32); }

void expect_growth(const Planned& small, const Planned& large, const char* kernel) {
  ASSERT_EQ(small.status, STRUCTKD_OK) << structkd_last_error();
  ASSERT_EQ(large.status, STRUCTKD_OK) << structkd_last_error();
  ASSERT_EQ(small.blocks.count(kernel), 1u) << kernel;
  EXPECT_EQ(large.blocks.at(kernel), kGrowth * small.blocks.at(kernel)) << kernel;
}

TEST(LargeMaps, PixelwiseGrowsWithThePixels) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return pixelwise(map, bytes); });
  };
  const Planned small = run(small_map()), large = run(large_map());
  expect_growth(small, large, "pixelwise_registers_kernel");
  EXPECT_EQ(large.workspace, kGrowth * small.workspace);  // a sum per block
}

TEST(LargeMaps, PairwiseGrowsWithTheNodes) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return pairwise(map, bytes); });
  };
  const Planned small = run(small_map()), large = run(large_map());
  expect_growth(small, large, "measure_nodes_strip_per_block_kernel");
  expect_growth(small, large, "pairwise_gram_grad_tile_per_block_kernel");
  EXPECT_GE(large.workspace, uint64_t(kGrowth) * 128 * 128 * 16);  // the length of each vector
}

TEST(LargeMaps, PairwiseKeepsTheGapsOfManyPairs) {
  const structkd_tensor map = tensor_of({1, 70000, 256, 256}, STRUCTKD_F32);
  const Planned pairs = planned([&](size_t* bytes) { return pairwise(map, bytes); });
  ASSERT_EQ(pairs.status, STRUCTKD_OK) << structkd_last_error();
  const uint64_t nodes = 256 * 256, tiles = nodes / 64, channel_tiles = (70000 + 127) / 128;
  EXPECT_EQ(pairs.blocks.at("pairwise_pairs_tile_per_block_kernel"), tiles * (tiles + 1) / 2);
  EXPECT_EQ(pairs.blocks.at("pairwise_pairs_grad_tile_per_block_kernel"), tiles * channel_tiles);
  EXPECT_GE(pairs.workspace, nodes * nodes * sizeof(double));
}

TEST(LargeMaps, InterClassSimilarityGrowsWithThePixels) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return call(map, params_of(1.0, false), bytes); });
  };
  // A multiple of every tile of pixels that the kernel may choose.
  const Planned small = run(tensor_of({1, 19, 96, 128}, STRUCTKD_F32));
  const Planned large = run(tensor_of({8, 19, 96 << 7, 128 << 7}, STRUCTKD_F32));
  expect_growth(small, large, "class_grad_kernel");
  EXPECT_LT(large.workspace, 4u << 20);  // K x K numbers, whatever the map
}

TEST(LargeMaps, GlobalStructuralGrowsWithTheSamples) {
  constexpr uint64_t kSamples = 1 << 15, kImages = 8;
  const structkd_tensor map = large_map();
  const Planned few = planned([&](size_t* bytes) { return global_structural(map, 37, bytes); });
  const Planned many =
      planned([&](size_t* bytes) { return global_structural(map, kSamples, bytes); });
  ASSERT_EQ(few.status, STRUCTKD_OK) << structkd_last_error();
  ASSERT_EQ(many.status, STRUCTKD_OK) << structkd_last_error();
  EXPECT_LT(few.workspace, 1u << 20);
  // Maps of both nets, order of columns, groups: 8.6e9 entries of each.
  EXPECT_GE(many.workspace, kImages * kSamples * kSamples * 16);
  EXPECT_EQ(many.blocks.at("row_gradient_tile_per_block_kernel"), kImages * kSamples / 32);
}

TEST(LargeMaps, SamplingKeepsTheClassOfEachPixel) {
  structkd_tensor labels = tensor_of({8, 16384, 16384}, STRUCTKD_U8);
  structkd_tensor indices = tensor_of({8, 1900}, STRUCTKD_I32),
                  counts = tensor_of({8, 2}, STRUCTKD_I32), logits = large_map();
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  params.samples = 100;
  params.min_candidates = 1;
  params.num_classes = 19;
  params.ignore_index = 255;
  params.step = static_cast<const int64_t*>(nowhere());
  const Planned sampling = planned([&](size_t* bytes) {
    EXPECT_EQ(
        structkd_global_structural_sample_workspace(&kContext, &logits, &labels, &params, bytes),
        STRUCTKD_OK);
    return structkd_global_structural_sample(&kContext, &logits, &labels, &params, nowhere(),
                                             &indices, &counts);
  });
  ASSERT_EQ(sampling.status, STRUCTKD_OK) << structkd_last_error();
  EXPECT_GE(sampling.workspace, (uint64_t(1) << 31) * sizeof(int32_t));
  EXPECT_EQ(sampling.blocks.at("select_block_per_stratum_kernel"), 8u * 19u);
}

TEST(RefusedLaunches, NameTheKernel) {
  // 2^31 blocks of 128 pixels: one more than a grid may have.
  const structkd_tensor map = tensor_of({1 << 18, 1, 1024, 1024}, STRUCTKD_F32);
  const Planned refused = planned([&](size_t* bytes) { return pixelwise(map, bytes); });
  EXPECT_EQ(refused.status, STRUCTKD_ERR_CUDA);
  EXPECT_STREQ(structkd_last_error(),
               "cuda: launch of pixelwise_registers_kernel failed: invalid configuration argument "
               "(cudaErrorInvalidConfiguration)");
  // Nothing of it is left for the next call.
  const structkd_tensor small = small_map();
  const Planned next = planned([&](size_t* bytes) { return pixelwise(small, bytes); });
  EXPECT_EQ(next.status, STRUCTKD_OK) << structkd_last_error();
}

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

TEST(FarElements, Pairwise) { expect_same_bits_far_apart(params_of(STRUCTKD_NORM_DIFFERENTIABLE)); }

TEST(FarElements, Pixelwise) {
  expect_same_bits_far_apart(params_of(STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT));
}

TEST(FarElements, InterClassSimilarity) { expect_same_bits_far_apart(params_of(1.0, false)); }

TEST(FarElements, GlobalStructural) { expect_same_bits_far_apart(params_of(int64_t(3))); }

}  // namespace
}  // namespace structkd::test
