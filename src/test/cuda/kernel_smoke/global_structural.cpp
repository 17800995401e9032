// src/test/cuda/kernel_smoke/global_structural.cpp: the global structural loss and its samples.
#include "global_structural_cases.h"
#include "kernel_smoke/kernel_smoke.h"

namespace structkd::test {
namespace {

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

}  // namespace
}  // namespace structkd::test
