// src/test/cuda/kernel_smoke_test.cpp: every loss on maps just large enough for several blocks,
// with odd edges: few enough instructions for race detection and sanitizers, which are the point.
// Each case is run in three orders of threads and blocks and must give the same bits, close to the
// reference's numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "global_structural_cases.h"
#include "inter_class_similarity_cases.h"
#include "memory.h"
#include "pairwise_cases.h"
#include "pixelwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr const char* kEmulated = "cuda-emulated";

// Whose forms a case is for: those of GPUs with fast f64, or of others (STRUCTKD_CUDA_F64=slow).
enum class Device { kAny, kFastF64, kSlowF64 };

struct Case {
  int64_t student_channels, teacher_channels, height, width;
  Layout layout = Layout::kContiguous;
  Input input = Input::kRandom;
  bool fast = false;
  Device device = Device::kAny;
  bool large = false;  // one image, no f16 or bf16, fewer orders in race tests
};

bool device_fits(Device device) {
  const char* f64 = std::getenv("STRUCTKD_CUDA_F64");
  const bool slow = f64 != nullptr && std::strcmp(f64, "slow") == 0;
  return device == Device::kAny || (device == Device::kSlowF64) == slow;
}

// With STRUCTKD_SIMT_LAUNCHES launches are written down and nothing runs: kernel_coverage.py.
bool only_recorded() { return std::getenv("STRUCTKD_SIMT_LAUNCHES") != nullptr; }

class KernelSmoke : public testing::TestWithParam<structkd_dtype> {
 protected:
  TestTensor tensor(const Case& c, int64_t channels) const {
    return TestTensor({c.large ? 1 : 2, channels, c.height, c.width}, GetParam(), c.layout);
  }

  // f16 and bf16 share all but loads and stores with f32: each takes every second case.
  bool takes(int64_t index) const {
    if (GetParam() == STRUCTKD_F16) return index % 2 == 0;
    if (GetParam() == STRUCTKD_BF16) return index % 2 == 1;
    return true;
  }
  bool takes(const Case& c, int64_t index) const {
    const bool narrow = GetParam() == STRUCTKD_F16 || GetParam() == STRUCTKD_BF16;
    return takes(index) && device_fits(c.device) && !(c.large && narrow);
  }

  // Race tests, which are slow, name the orders; of these a large case takes the last.
  static std::vector<std::string> orders(bool large) {
    const char* named = std::getenv("STRUCTKD_SMOKE_ORDERS");
    std::istringstream list(named != nullptr ? named : "forward random:7 reverse");
    std::vector<std::string> orders{std::istream_iterator<std::string>(list), {}};
    if (large && named != nullptr) orders.erase(orders.begin(), orders.end() - 1);
    return orders;
  }

  // Runs a loss on both backends. `tolerance` is that of f32 or, for f64 inputs, ignored.
  template <class P>
  void check(const TestTensor& student,
             const TestTensor& teacher,
             const P& params,
             double tolerance,
             bool large = false) const {
    How how;
    how.f32_grad = GetParam() != STRUCTKD_F64;
    if (only_recorded()) {
      compute(kEmulated, student, teacher, params, how);
      return;
    }
    const Outcome truth = compute("reference", student, teacher, params, how);
    std::optional<Outcome> first;
    for (const std::string& order : orders(large)) {
      SCOPED_TRACE(order);
      setenv("STRUCTKD_SIMT_ORDER", order.c_str(), 1);
      const Outcome outcome = compute(kEmulated, student, teacher, params, how);
      unsetenv("STRUCTKD_SIMT_ORDER");
      SCOPED_TRACE(outcome.plan);
      if (!first) {
        first = outcome;
        if (GetParam() == STRUCTKD_F64) tolerance = 1e-8;
        EXPECT_NEAR(outcome.loss, truth.loss, tolerance * std::abs(truth.loss));
        EXPECT_LE(relative_error(outcome.grad, truth.grad), tolerance);
      }
      EXPECT_EQ(outcome.loss, first->loss);
      EXPECT_EQ(outcome.grad, first->grad);
    }
  }
};

TEST_P(KernelSmoke, Pairwise) {
  constexpr Layout kPlanes = Layout::kContiguous;
  constexpr Input kRandom = Input::kRandom, kClose = Input::kNearlyEqual;
  // Few nodes (pairs) and many (matrices), of equal and unequal widths; then gradient tiles of 128
  // channels, several tiles of pairs, more channels than a tile; matrices in tiles of 128 rows, and
  // of 128 x 128.
  const Case cases[] = {{13, 13, 3, 5},
                        {9, 5, 4, 19, Layout::kChannelsLast},
                        {34, 6, 5, 13, Layout::kSliced},
                        {5, 5, 3, 11},
                        {5, 5, 3, 11, kPlanes, kClose},
                        {5, 5, 3, 11, kPlanes, kClose, true},
                        {70, 6, 3, 5},
                        {40, 26, 5, 13, kPlanes, kRandom, false, Device::kAny, true},
                        {70, 6, 7, 11, kPlanes, kRandom, false, Device::kAny, true},
                        {130, 6, 5, 13, kPlanes, kRandom, false, Device::kAny, true},
                        {70, 70, 7, 20, kPlanes, kClose, false, Device::kSlowF64, true},
                        {65, 193, 6, 43, kPlanes, kRandom, false, Device::kFastF64, true},
                        {193, 193, 2, 193, kPlanes, kClose, true, Device::kFastF64, true}};
  for (const Case& c : cases) {
    if (!takes(c, &c - cases)) continue;
    // The largest tiles run once each; those of the fast mode are of f32.
    if (c.device == Device::kFastF64 && c.fast != (GetParam() == STRUCTKD_F32)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student) + " and " + describe(teacher));
    fill_pair(c.input, 3, student, teacher);
    TestTensor weights({2, c.height, c.width}, STRUCTKD_F32);
    weights.fill([](int64_t i) { return uniform(4, uint64_t(i)); });
    structkd_pairwise_params params = params_of(STRUCTKD_NORM_DIFFERENTIABLE);
    params.precision = c.fast ? STRUCTKD_PRECISION_FAST : STRUCTKD_PRECISION_EXACT;
    if (c.layout == Layout::kChannelsLast) {
      params.pairs = STRUCTKD_PAIRS_WHOLE_BATCH;
      params.weights = weights.view();
    }
    check(student, teacher, params, c.fast ? 2e-2 : 1e-5, c.large);
  }
}

TEST_P(KernelSmoke, Pixelwise) {
  // Class counts of each mapping: registers of one thread, of several, rows, too many.
  const Case cases[] = {{3, 3, 5, 27},
                        {19, 19, 5, 27},
                        {19, 19, 7, 9, Layout::kChannelsLast},
                        {40, 40, 3, 13},
                        {40, 40, 3, 13, Layout::kChannelsLast},
                        {180, 180, 1, 33},
                        {21, 21, 7, 9, Layout::kSliced},
                        {27, 27, 3, 43},
                        {140, 140, 1, 33},
                        {160, 160, 1, 33},
                        {260, 260, 1, 5},
                        {1030, 1030, 1, 2}};
  for (const Case& c : cases) {
    if (!takes(&c - cases)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student));
    fill_pair(c.input, 3, student, teacher);
    TestTensor mask({2, c.height, c.width}, STRUCTKD_U8);
    mask.fill([](int64_t i) { return uniform(5, uint64_t(i)) < 0.8 ? 1.0 : 0.0; });
    structkd_pixelwise_params params = params_of(STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT);
    params.temperature = 2.0;
    if (c.student_channels % 2 != 0) params.mask = mask.view();
    check(student, teacher, params, 1e-5);
  }
}

TEST_P(KernelSmoke, InterClassSimilarity) {
  const Case cases[] = {
      {3, 3, 5, 27},
      {19, 19, 5, 27},
      {19, 19, 7, 9, Layout::kChannelsLast},
      {21, 21, 3, 13},
      {70, 70, 1, 13, Layout::kSliced},
      // f32: more groups of classes than a block has threads.
      {1290, 1290, 1, 2, Layout::kContiguous, Input::kRandom, false, Device::kAny, true}};
  for (const Case& c : cases) {
    if (!takes(c, &c - cases) || (c.large && GetParam() != STRUCTKD_F32)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student));
    fill_pair(c.input, 3, student, teacher);
    TestTensor mask({student.view()->sizes[0], c.height, c.width}, STRUCTKD_U8);
    mask.fill([](int64_t i) { return uniform(5, uint64_t(i)) < 0.8 ? 1.0 : 0.0; });
    auto params = params_of(2.0, c.layout == Layout::kChannelsLast);
    if (c.student_channels > 19) params.mask = mask.view();
    check(student, teacher, params, 1e-4, c.large);
  }
}

TEST_P(KernelSmoke, GlobalStructural) {
  struct Mode {
    Case c;
    int64_t samples;
    structkd_shuffle shuffle;
    structkd_similarity similarity = STRUCTKD_SIMILARITY_SELF;
    bool normalize = true, table = false;
  };
  const Layout kPlanes = Layout::kContiguous, kLast = Layout::kChannelsLast;
  // The last one has more samples than tiles of small maps are for.
  const Mode modes[] = {
      {{5, 7, 5, 7}, 37, STRUCTKD_SHUFFLE_ROW_INDEPENDENT},
      {{9, 9, 6, 7, kLast}, 37, STRUCTKD_SHUFFLE_COLUMN_SHARED},
      {{5, 7, 5, 7}, 37, STRUCTKD_SHUFFLE_NONE, STRUCTKD_SIMILARITY_SELF, false},
      {{9, 9, 6, 7, kLast}, 37, STRUCTKD_SHUFFLE_ROW_INDEPENDENT, STRUCTKD_SIMILARITY_CROSS},
      {{5, 7, 5, 7}, 37, STRUCTKD_SHUFFLE_ROW_INDEPENDENT, STRUCTKD_SIMILARITY_SELF, true, true},
      {{3, 3, 18, 19, kPlanes, Input::kRandom, false, Device::kAny, true},
       330,
       STRUCTKD_SHUFFLE_COLUMN_SHARED}};
  for (const Mode& mode : modes) {
    const Case& c = mode.c;
    if (!takes(c, &mode - modes)) continue;
    TestTensor student = tensor(c, c.student_channels), teacher = tensor(c, c.teacher_channels);
    SCOPED_TRACE(describe(student) + " and " + describe(teacher));
    fill_pair(c.input, 3, student, teacher);
    const int64_t B = student.view()->sizes[0], M = mode.samples;
    const Sampled sampled(B, M, c.height * c.width);
    // Each row another rotation.
    TestTensor table({M, M}, STRUCTKD_I32);
    table.fill([M](int64_t i) { return double((i % M + i / M) % M); });
    structkd_global_structural_params params = params_of(-2, &sampled);
    params.shuffle = mode.shuffle;
    params.similarity = mode.similarity;
    params.normalize = mode.normalize;
    if (mode.table) params.permutation = table.view();
    check(student, teacher, params, 2e-4, c.large);
  }
}

TEST_P(KernelSmoke, GlobalStructuralSample) {
  const Case c = {3, 3, 17, 19};
  TestTensor logits = tensor(c, 3), labels({2, c.height, c.width}, STRUCTKD_U8);
  logits.fill([](int64_t i) { return gaussian(1, uint64_t(i)); });
  labels.fill([](int64_t i) { return std::floor(3.3 * uniform(2, uint64_t(i))); });
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  // Blocks of 1024 threads are slow to check for races: one way for each type of logits.
  params.sampling = GetParam() == STRUCTKD_F16    ? STRUCTKD_SAMPLING_RANDOM_GRID
                    : GetParam() == STRUCTKD_BF16 ? STRUCTKD_SAMPLING_ALL
                                                  : STRUCTKD_SAMPLING_CLASS_BALANCED;
  params.teacher_correct_only = GetParam() == STRUCTKD_F32 || GetParam() == STRUCTKD_BF16;
  params.samples = 50;
  params.min_candidates = 1;
  params.num_classes = 3;
  params.ignore_index = 255;
  params.seed = 42;
  params.step = default_step();
  int64_t bound = 0;
  ASSERT_EQ(structkd_global_structural_sample_bound(logits.view(), labels.view(), &params, &bound),
            STRUCTKD_OK)
      << structkd_last_error();
  // Indices, then counts.
  const auto draw = [&](const char* backend) {
    const structkd_ctx ctx = context(backend, 1);
    size_t bytes = 0;
    EXPECT_EQ(structkd_global_structural_sample_workspace(&ctx, logits.view(), labels.view(),
                                                          &params, &bytes),
              STRUCTKD_OK);
    AlignedBytes workspace(bytes);
    TestTensor indices({2, bound}, STRUCTKD_I32), counts({2, 2}, STRUCTKD_I32);
    EXPECT_EQ(structkd_global_structural_sample(&ctx, logits.view(), labels.view(), &params,
                                                workspace.data(), indices.view(), counts.view()),
              STRUCTKD_OK)
        << structkd_last_error();
    std::vector<double> result = indices.values(), more = counts.values();
    result.insert(result.end(), more.begin(), more.end());
    return result;
  };
  if (only_recorded()) {
    draw(kEmulated);
    return;
  }
  const std::vector<double> expected = draw("reference");
  for (const std::string& order : orders(false)) {
    setenv("STRUCTKD_SIMT_ORDER", order.c_str(), 1);
    EXPECT_EQ(draw(kEmulated), expected) << order;
    unsetenv("STRUCTKD_SIMT_ORDER");
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes,
                         KernelSmoke,
                         testing::ValuesIn(kFloatingDtypes),
                         [](const testing::TestParamInfo<structkd_dtype>& info) {
                           switch (info.param) {
                             case STRUCTKD_F64:
                               return "f64";
                             case STRUCTKD_F32:
                               return "f32";
                             case STRUCTKD_F16:
                               return "f16";
                             default:
                               return "bf16";
                           }
                         });

}  // namespace
}  // namespace structkd::test
