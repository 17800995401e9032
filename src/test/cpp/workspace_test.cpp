// src/test/cpp/workspace_test.cpp: scratch that a call asks for by its context instead of taking it:
// of every loss, on every backend.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "loss_run.h"

namespace structkd::test {
namespace {

// Gives memory of the backend and keeps account.
struct Memory {
  std::vector<size_t> asked;
  size_t shift = 0;   // from 64-byte alignment
  bool none = false;  // gives nothing
  std::optional<AlignedBytes> given;

  structkd_allocator allocator() { return {&Memory::allocate, this}; }

 private:
  static void* allocate(void* owner, size_t bytes) {
    Memory& memory = *static_cast<Memory*>(owner);
    memory.asked.push_back(bytes);
    if (memory.none) return nullptr;
    memory.given.emplace(bytes + memory.shift);
    return memory.given->data() + memory.shift;
  }
};

class WorkspaceOnBackend : public testing::TestWithParam<std::string> {
 protected:
  TestTensor student_{{2, 5, 4, 9}, STRUCTKD_F32}, teacher_{{2, 5, 4, 9}, STRUCTKD_F32};
  TestTensor grad_{{2, 5, 4, 9}, STRUCTKD_F32};
  Scalar<float> loss_{7.0f};

  void SetUp() override { fill_pair(Input::kRandom, 3, student_, teacher_); }

  template <class Params>
  structkd_status call(const Params& params, const structkd_allocator& allocator) {
    const structkd_ctx ctx{GetParam().c_str(), nullptr, 2, allocator};
    const structkd_status status = entries_of(params).run(
        &ctx, student_.view(), teacher_.view(), &params, nullptr, loss_.get(), grad_.view());
    finish_calls();
    return status;
  }

  template <class Params>
  void expect_nothing_written(const Params& params,
                              const structkd_allocator& allocator,
                              structkd_status status,
                              const std::string& sentence) {
    EXPECT_EQ(status, call(params, allocator));
    EXPECT_NE(std::string(structkd_last_error()).find(sentence), std::string::npos)
        << structkd_last_error();
    EXPECT_EQ(7.0f, *loss_.get());
    EXPECT_EQ(std::vector<double>(grad_.values().size(), 7.0), grad_.values());
  }

  template <class Params>
  void expect_promises(const Params& params) {
    grad_.fill([](int64_t) { return 7.0; });
    const structkd_ctx ctx{GetParam().c_str(), nullptr, 2, {}};
    size_t bytes = 0;
    EXPECT_EQ(STRUCTKD_OK, entries_of(params).workspace(&ctx, student_.view(), teacher_.view(),
                                                        &params, 1, &bytes));
    Memory empty, shifted, memory;
    empty.none = true;
    shifted.shift = 8;
    expect_nothing_written(params, {}, STRUCTKD_ERR_NULL, "workspace is NULL");
    expect_nothing_written(
        params, empty.allocator(), STRUCTKD_ERR_WORKSPACE,
        "ctx->allocator gave no memory for a workspace of " + std::to_string(bytes) + " bytes");
    expect_nothing_written(params, shifted.allocator(), STRUCTKD_ERR_WORKSPACE,
                           "is not aligned to 64 bytes");

    const Outcome expected = run_loss(GetParam(), student_, teacher_, params);
    EXPECT_EQ(STRUCTKD_OK, call(params, memory.allocator())) << structkd_last_error();
    EXPECT_EQ(std::vector<size_t>{bytes}, memory.asked);
    EXPECT_EQ(expected.loss, double(*loss_.get()));
    EXPECT_EQ(expected.grad, grad_.values());
  }
};

TEST_P(WorkspaceOnBackend, PixelwiseAsksOnceForWhatItNeeds) {
  structkd_pixelwise_params params{};
  params.struct_size = sizeof(params);
  params.temperature = 1.0;
  expect_promises(params);
}

TEST_P(WorkspaceOnBackend, PairwiseAsksOnceForWhatItNeeds) {
  structkd_pairwise_params params{};
  params.struct_size = sizeof(params);
  params.eps = 1e-8;
  expect_promises(params);
}

TEST_P(WorkspaceOnBackend, InterClassSimilarityAsksOnceForWhatItNeeds) {
  structkd_inter_class_similarity_params params{};
  params.struct_size = sizeof(params);
  params.temperature = 1.0;
  expect_promises(params);
}

TEST_P(WorkspaceOnBackend, GlobalStructuralAsksOnceForWhatItNeeds) {
  const Scalar<int64_t> step(3);
  structkd_global_structural_params params{};
  params.struct_size = sizeof(params);
  params.normalize = 1;
  params.group_width = 4;
  params.temperature = 1.0;
  params.eps = 1e-8;
  params.classes = 1;
  params.step = step.get();
  expect_promises(params);
}

std::vector<std::string> backends_and_reference() {
  std::vector<std::string> backends = backends_under_test();
  backends.insert(backends.begin(), "reference");
  return backends;
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         WorkspaceOnBackend,
                         testing::ValuesIn(backends_and_reference()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
