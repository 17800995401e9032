// src/test/cpp/global_structural_sample_test.cpp: the sampling of the global structural loss on
// every backend: equal to the reference bit for bit, and what the reference promises.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "loss_run.h"

namespace structkd::test {
namespace {

// Of all tests that set no other.
const int64_t* default_step() {
  static const Scalar<int64_t> step(5);
  return step.get();
}

structkd_global_structural_sample_params sample_params(int32_t samples, int32_t classes) {
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  params.sampling = STRUCTKD_SAMPLING_CLASS_BALANCED;
  params.teacher_correct_only = 1;
  params.samples = samples;
  params.min_candidates = 1;
  params.num_classes = classes;
  params.ignore_index = -1;
  params.seed = 42;
  params.step = default_step();
  return params;
}

struct Samples {
  std::vector<double> indices;  // [B, M_max]
  std::vector<double> counts;   // [B, 2]
};

Samples draw(const std::string& backend,
             const TestTensor* logits,
             const TestTensor* labels,
             const structkd_global_structural_sample_params& params,
             int threads = 2,
             Layout layout = Layout::kContiguous) {
  const structkd_ctx ctx = context(backend, threads);
  const structkd_tensor* z = logits ? logits->view() : nullptr;
  const structkd_tensor* y = labels ? labels->view() : nullptr;
  int64_t bound = 0;
  EXPECT_EQ(STRUCTKD_OK, structkd_global_structural_sample_bound(z, y, &params, &bound))
      << structkd_last_error();
  size_t bytes = 0;
  EXPECT_EQ(STRUCTKD_OK, structkd_global_structural_sample_workspace(&ctx, z, y, &params, &bytes));
  AlignedBytes workspace(bytes);
  const int64_t B = (y ? y : z)->sizes[0];
  TestTensor indices({B, bound + 2}, STRUCTKD_I32, layout), counts({B, 2}, STRUCTKD_I32, layout);
  EXPECT_EQ(STRUCTKD_OK, structkd_global_structural_sample(&ctx, z, y, &params, workspace.data(),
                                                           indices.view(), counts.view()))
      << structkd_last_error();
  finish_calls();
  EXPECT_TRUE(indices.gaps_untouched() && counts.gaps_untouched());
  return {indices.values(), counts.values()};
}

// Labels by position, logits that agree with them at about two pixels of three.
void fill_scene(uint64_t seed, TestTensor& logits, TestTensor& labels) {
  const int64_t K = logits.view()->sizes[1];
  const int64_t N = logits.view()->sizes[2] * logits.view()->sizes[3];
  labels.fill([&](int64_t i) {
    const double u = uniform(seed, uint64_t(i));
    return double(int64_t(double(K) * u * u));  // low classes are more frequent
  });
  logits.fill([&](int64_t i) {
    const int64_t n = i % N, k = i / N % K, b = i / (N * K);
    const bool right = uniform(seed + 1, uint64_t(b * N + n)) < 0.67;
    return 0.2 * uniform(seed + 2, uint64_t(i)) +
           (right && double(k) == labels.get(b * N + n) ? 1.0 : 0.0);
  });
}

class SampleOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(SampleOnBackend, MatchesReferenceInEveryMode) {
  const int64_t sizes[][4] = {{2, 3, 1, 1}, {1, 1, 3, 5},   {3, 5, 13, 11},
                              {2, 7, 1, 9}, {1, 4, 11, 17}, {2, 19, 16, 17}};
  for (const auto& n : sizes) {
    TestTensor logits({n[0], n[1], n[2], n[3]}, STRUCTKD_F32, Layout::kChannelsLast);
    TestTensor labels({n[0], n[2], n[3]}, STRUCTKD_I64);
    fill_scene(uint64_t(n[3]), logits, labels);
    for (int sampling = 0; sampling < 4; ++sampling) {
      for (int fill = 0; fill < 3; ++fill) {
        for (int draw_mode = 0; draw_mode < 2; ++draw_mode) {
          auto params = sample_params(9, int32_t(n[1]));
          params.sampling = static_cast<structkd_sampling>(sampling);
          params.fill = static_cast<structkd_fill>(fill);
          params.draw = static_cast<structkd_draw>(draw_mode);
          params.min_candidates = 1 + fill % 2;
          const Samples truth = draw("reference", &logits, &labels, params, 1);
          const Samples samples = draw(GetParam(), &logits, &labels, params);
          EXPECT_EQ(truth.indices, samples.indices) << sampling << fill << draw_mode;
          EXPECT_EQ(truth.counts, samples.counts) << sampling << fill << draw_mode;
        }
      }
    }
  }
}

TEST_P(SampleOnBackend, MatchesReferenceForEveryDtypeAndLayout) {
  for (structkd_dtype dtype : kFloatingDtypes) {
    for (structkd_dtype integer : {STRUCTKD_U8, STRUCTKD_I32, STRUCTKD_I64}) {
      for (Layout layout : kLayouts) {
        TestTensor logits({2, 5, 9, 7}, dtype, layout), labels({2, 9, 7}, integer, layout);
        fill_scene(3, logits, labels);
        const auto params = sample_params(4, 5);
        const Samples truth = draw("reference", &logits, &labels, params, 1);
        const Samples samples = draw(GetParam(), &logits, &labels, params, 2, layout);
        EXPECT_EQ(truth.indices, samples.indices);
        EXPECT_EQ(truth.counts, samples.counts);
      }
    }
  }
}

TEST_P(SampleOnBackend, TakesCorrectPixelsOfEachClassOnce) {
  TestTensor logits({1, 4, 30, 30}, STRUCTKD_F32), labels({1, 30, 30}, STRUCTKD_I32);
  fill_scene(8, logits, labels);
  const Samples samples = draw(GetParam(), &logits, &labels, sample_params(16, 4));
  ASSERT_EQ(64, samples.counts[0]);
  ASSERT_EQ(4, samples.counts[1]);
  std::set<double> seen;
  for (int64_t m = 0; m < 64; ++m) {
    const int64_t n = int64_t(samples.indices[size_t(m)]);
    EXPECT_TRUE(seen.insert(double(n)).second);
    EXPECT_EQ(double(m / 16), labels.get(n)) << "rows are class-major";
    for (int64_t k = 0; k < 4; ++k) {
      EXPECT_LE(logits.get(k * 900 + n), logits.get(int64_t(labels.get(n)) * 900 + n));
    }
  }
  EXPECT_EQ(-1.0, samples.indices[64]);
}

// One image, six pixels, classes 0 0 0 0 1 1, all correct.
struct SixPixels {
  TestTensor logits{{1, 2, 1, 6}, STRUCTKD_F32};
  TestTensor labels{{1, 1, 6}, STRUCTKD_I32};
  SixPixels() {
    labels.fill([](int64_t n) { return n < 4 ? 0.0 : 1.0; });
    logits.fill([](int64_t i) { return (i < 6) == (i % 6 < 4) ? 1.0 : 0.0; });
  }
};

TEST_P(SampleOnBackend, FillsAShortClassFromTheOthersInRasterOrder) {
  const SixPixels scene;
  auto params = sample_params(3, 2);
  params.draw = STRUCTKD_DRAW_RASTER;
  const Samples samples = draw(GetParam(), &scene.logits, &scene.labels, params);
  EXPECT_EQ((std::vector<double>{0, 1, 2, 4, 5, 0, -1, -1}), samples.indices);
  EXPECT_EQ((std::vector<double>{6, 2}), samples.counts);
}

TEST_P(SampleOnBackend, RepeatsFillPixelsWhenTheyRunOut) {
  const SixPixels scene;
  auto params = sample_params(7, 2);
  params.draw = STRUCTKD_DRAW_RASTER;
  const Samples samples = draw(GetParam(), &scene.logits, &scene.labels, params);
  EXPECT_EQ((std::vector<double>{0, 1, 2, 3, 4, 5, 4, 4, 5, 0, 1, 2, 3, 0, -1, -1}),
            samples.indices);
}

TEST_P(SampleOnBackend, FillsByReplacementOrSkips) {
  const SixPixels scene;
  auto params = sample_params(3, 2);
  params.fill = STRUCTKD_FILL_WITH_REPLACEMENT;
  const Samples repeated = draw(GetParam(), &scene.logits, &scene.labels, params);
  for (int m = 3; m < 6; ++m) EXPECT_GE(repeated.indices[size_t(m)], 4);
  params.fill = STRUCTKD_FILL_SKIP;
  const Samples skipped = draw(GetParam(), &scene.logits, &scene.labels, params);
  EXPECT_EQ((std::vector<double>{3, 1}), skipped.counts);
}

TEST_P(SampleOnBackend, SkipsAOnePixelClassOnlyIfAsked) {
  SixPixels scene;
  scene.labels.set(5, -1);  // ignored: class 1 has one pixel
  auto params = sample_params(2, 2);
  EXPECT_EQ((std::vector<double>{4, 2}),
            draw(GetParam(), &scene.logits, &scene.labels, params).counts);
  params.min_candidates = 2;
  EXPECT_EQ((std::vector<double>{2, 1}),
            draw(GetParam(), &scene.logits, &scene.labels, params).counts);
}

TEST_P(SampleOnBackend, AnImageWithoutCorrectPixelsGivesNoSample) {
  SixPixels scene;
  scene.logits.fill([](int64_t i) { return (i < 6) == (i % 6 < 4) ? 0.0 : 1.0; });
  const Samples samples = draw(GetParam(), &scene.logits, &scene.labels, sample_params(2, 2));
  EXPECT_EQ((std::vector<double>{0, 0}), samples.counts);
  for (double n : samples.indices) EXPECT_EQ(-1.0, n);
}

TEST_P(SampleOnBackend, TiesGoToTheLowestClass) {
  SixPixels scene;
  scene.logits.fill([](int64_t) { return 0.5; });
  const Samples samples = draw(GetParam(), &scene.logits, &scene.labels, sample_params(2, 2));
  EXPECT_EQ((std::vector<double>{2, 1}), samples.counts);
  EXPECT_LT(samples.indices[0], 4);
}

TEST_P(SampleOnBackend, LabelsOutsideTheClassesAreNoCandidates) {
  TestTensor labels({1, 1, 4}, STRUCTKD_I64);
  const double values[4] = {-5, 0, 255, 1};
  labels.fill([&](int64_t n) { return values[n]; });
  auto params = sample_params(1, 2);
  params.teacher_correct_only = 0;
  EXPECT_EQ((std::vector<double>{1, 3, -1, -1}),
            draw(GetParam(), nullptr, &labels, params).indices);
  params.ignore_index = 1;
  EXPECT_EQ((std::vector<double>{1, -1, -1, -1}),
            draw(GetParam(), nullptr, &labels, params).indices);
}

TEST_P(SampleOnBackend, WithoutLabelsEveryPixelIsACandidateOfOneClass) {
  TestTensor features({2, 3, 4, 5}, STRUCTKD_F32);
  auto params = sample_params(8, 1);
  params.teacher_correct_only = 0;
  params.sampling = STRUCTKD_SAMPLING_ALL;
  const Samples all = draw(GetParam(), &features, nullptr, params);
  EXPECT_EQ((std::vector<double>{20, 1, 20, 1}), all.counts);
  for (int64_t n = 0; n < 20; ++n) EXPECT_EQ(double(n), all.indices[size_t(n)]);
  params.sampling = STRUCTKD_SAMPLING_RANDOM;
  const Samples drawn = draw(GetParam(), &features, nullptr, params);
  EXPECT_EQ((std::vector<double>{8, 1, 8, 1}), drawn.counts);
  params.sampling = STRUCTKD_SAMPLING_RANDOM_GRID;
  const Samples grid = draw(GetParam(), &features, nullptr, params);
  for (int64_t m = 0; m < 8; ++m) {
    const int64_t n = int64_t(grid.indices[size_t(m)]);
    EXPECT_EQ(m / 2, 2 * (n / 5 >= 2) + (n % 5 >= 2));
  }
}

TEST_P(SampleOnBackend, StepSeedAndImageRedraw) {
  TestTensor features({2, 1, 16, 16}, STRUCTKD_F32);
  auto params = sample_params(32, 1);
  params.teacher_correct_only = 0;
  params.sampling = STRUCTKD_SAMPLING_RANDOM;
  const Samples first = draw(GetParam(), &features, nullptr, params);
  EXPECT_EQ(first.indices, draw(GetParam(), &features, nullptr, params, 7).indices);
  const auto image = [&](const Samples& s, int b) {
    return std::vector<double>(s.indices.begin() + 34 * b, s.indices.begin() + 34 * b + 32);
  };
  EXPECT_NE(image(first, 0), image(first, 1));
  const Scalar<int64_t> later(6);
  params.step = later.get();
  EXPECT_NE(first.indices, draw(GetParam(), &features, nullptr, params).indices);
  params.step = default_step();
  params.seed = 43;
  EXPECT_NE(first.indices, draw(GetParam(), &features, nullptr, params).indices);
}

TEST_P(SampleOnBackend, WhatPixelsWithoutALabelHoldDoesNotMatter) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  TestTensor logits({2, 5, 6, 11}, STRUCTKD_F32), labels({2, 6, 11}, STRUCTKD_I64);
  labels.fill([](int64_t i) { return i % 3 == 1 ? 4.0 : i % 7 == 0 ? -9.0 : double(i % 4); });
  auto params = sample_params(6, 5);
  params.ignore_index = 4;
  const auto drawn = [&](double value) {
    logits.fill([&](int64_t i) {
      const double label = labels.get(i / (5 * 66) * 66 + i % 66);
      if (label == 4.0 || label < 0.0) return value;
      return (label == double(i / 66 % 5) ? 1.0 : 0.0) + 0.9 * uniform(3, uint64_t(i));
    });
    return draw(GetParam(), &logits, &labels, params);
  };
  const Samples clean = drawn(0.0);
  for (double value : {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity, 1e300}) {
    const Samples samples = drawn(value);
    EXPECT_EQ(clean.indices, samples.indices) << value;
    EXPECT_EQ(clean.counts, samples.counts) << value;
  }
}

// Written down once: a change of these bits changes what every training run draws.
TEST_P(SampleOnBackend, KeepsItsBits) {
  TestTensor features({1, 1, 10, 10}, STRUCTKD_F32);
  auto params = sample_params(6, 1);
  params.teacher_correct_only = 0;
  params.sampling = STRUCTKD_SAMPLING_RANDOM;
  const Samples samples = draw(GetParam(), &features, nullptr, params);
  EXPECT_EQ((std::vector<double>{26, 57, 8, 14, 40, 44, -1, -1}), samples.indices);
}

TEST_P(SampleOnBackend, DrawsEveryPixelEquallyOften) {
  TestTensor features({1, 1, 5, 5}, STRUCTKD_F32);
  auto params = sample_params(5, 1);
  params.teacher_correct_only = 0;
  params.sampling = STRUCTKD_SAMPLING_RANDOM;
  std::vector<int> hits(25, 0);
  for (int64_t i = 0; i < 5000; ++i) {
    const Scalar<int64_t> step(i);
    params.step = step.get();
    const Samples samples = draw(GetParam(), &features, nullptr, params, 1);
    for (int m = 0; m < 5; ++m) ++hits[size_t(samples.indices[size_t(m)])];
  }
  for (int count : hits) EXPECT_NEAR(count, 1000, 5 * 29);  // five deviations of a binomial
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         SampleOnBackend,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

class SampleArguments : public testing::Test {
 protected:
  SixPixels scene_;
  structkd_global_structural_sample_params params_ = sample_params(2, 2);
  TestTensor indices_{{1, 4}, STRUCTKD_I32};
  TestTensor counts_{{1, 2}, STRUCTKD_I32};
  const structkd_tensor* logits_ = scene_.logits.view();
  const structkd_tensor* labels_ = scene_.labels.view();

  void expect_error(structkd_status status, const char* sentence_part) {
    const structkd_ctx ctx = context("cpu", 1);
    AlignedBytes workspace(1 << 20);
    counts_.fill([](int64_t) { return 77.0; });
    EXPECT_EQ(status,
              structkd_global_structural_sample(&ctx, logits_, labels_, &params_, workspace.data(),
                                                indices_.view(), counts_.view()));
    EXPECT_NE(nullptr, std::strstr(structkd_last_error(), sentence_part)) << structkd_last_error();
    EXPECT_EQ(77.0, counts_.get(0)) << "a failed call wrote";
  }
};

TEST_F(SampleArguments, RefusesMissingTensorsSayingWhatNeedsThem) {
  logits_ = nullptr;
  expect_error(STRUCTKD_ERR_NULL,
               "teacher_logits, which params->teacher_correct_only needs, is NULL");
  logits_ = scene_.logits.view();
  labels_ = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "labels, which params->teacher_correct_only needs, is NULL");
  params_.teacher_correct_only = 0;
  expect_error(STRUCTKD_ERR_NULL, "labels, which STRUCTKD_SAMPLING_CLASS_BALANCED needs, is NULL");
  logits_ = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "teacher_logits and labels are both NULL");
}

TEST_F(SampleArguments, RefusesLabelsOfAnotherSizeOrType) {
  scene_.labels.view()->sizes[2] = 5;
  expect_error(STRUCTKD_ERR_SHAPE, "labels [1, 1, 5] and teacher_logits [1, 2, 1, 6] differ");
  scene_.labels.view()->sizes[2] = 6;
  scene_.labels.view()->dtype = STRUCTKD_F32;
  expect_error(STRUCTKD_ERR_DTYPE, "labels is f32, expected u8, i32 or i64");
}

TEST_F(SampleArguments, RefusesParametersOutsideTheirRange) {
  params_.samples = 0;
  expect_error(STRUCTKD_ERR_VALUE, "params->samples is 0, expected at least 1");
  params_.samples = 3;
  params_.sampling = STRUCTKD_SAMPLING_RANDOM_GRID;
  expect_error(STRUCTKD_ERR_VALUE, "params->samples is 3, expected at least 4");
  params_ = sample_params(2, 3);
  expect_error(STRUCTKD_ERR_VALUE, "params->num_classes is 3, expected the 2 channels");
  params_ = sample_params(2, 2);
  params_.min_candidates = 0;
  expect_error(STRUCTKD_ERR_VALUE, "params->min_candidates is 0");
  params_ = sample_params(2, 2);
  params_.step = nullptr;
  expect_error(STRUCTKD_ERR_NULL, "params->step is NULL");
  params_ = sample_params(2, 2);
  params_.fill = static_cast<structkd_fill>(3);
  expect_error(STRUCTKD_ERR_VALUE, "params->fill is 3, expected 0 to 2");
  params_ = sample_params(2, 2);
  params_.struct_size = 4;
  expect_error(STRUCTKD_ERR_VALUE, "params->struct_size is 4");
}

TEST_F(SampleArguments, RefusesOutputsThatAreTooSmallOrOfAnotherType) {
  indices_.view()->sizes[1] = 3;
  expect_error(STRUCTKD_ERR_SHAPE, "indices has shape [1, 3], expected [1, at least 4]");
  indices_.view()->sizes[1] = 4;
  indices_.view()->dtype = STRUCTKD_I64;
  expect_error(STRUCTKD_ERR_DTYPE, "indices is i64, expected i32");
}

}  // namespace
}  // namespace structkd::test
