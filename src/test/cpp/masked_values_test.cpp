// src/test/cpp/masked_values_test.cpp: what a mask, a weight of 0 or a sampling leaves out takes no
// part, whatever it holds: of every loss, on every backend, the same bits as without it.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "loss_run.h"
#include "tensors.h"

namespace structkd::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kPoisons[] = {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity,
                               1e300};  // infinite in narrower types

// Whether pixel n of image b is left out.
using LeftOut = std::function<bool(int64_t b, int64_t n)>;
using Compute = std::function<Outcome(const TestTensor& student, const TestTensor& teacher)>;

struct Shape {
  int64_t B, C, H, W;
  int64_t pixel(int64_t element) const { return element % (H * W); }
  int64_t channel(int64_t element) const { return element / (H * W) % C; }
  int64_t image(int64_t element) const { return element / (C * H * W); }
};

// Poisons the pixels that are left out, each with another value: in all channels, or in the last.
void poison(const Shape& n, const LeftOut& left_out, bool all, TestTensor& map) {
  for (int64_t i = 0; i < map.elements(); ++i) {
    if (!left_out(n.image(i), n.pixel(i))) continue;
    if (all || n.channel(i) == n.C - 1) map.set(i, kPoisons[n.pixel(i) / 3 % 4]);
  }
}

void expect_left_out(const Shape& n,
                     structkd_dtype dtype,
                     Layout layout,
                     Input input,
                     const LeftOut& left_out,
                     const Compute& compute,
                     double rounding = 0.0) {
  TestTensor student({n.B, n.C, n.H, n.W}, dtype, layout);
  TestTensor teacher({n.B, n.C, n.H, n.W}, dtype, layout);
  fill_pair(input, 23, student, teacher);
  SCOPED_TRACE(describe(student));
  const Outcome clean = compute(student, teacher);
  SCOPED_TRACE(clean.plan);
  EXPECT_TRUE(std::isfinite(clean.loss));
  for (size_t i = 0; i < clean.grad.size(); ++i) {
    if (left_out(n.image(int64_t(i)), n.pixel(int64_t(i)))) {
      EXPECT_EQ(0.0, clean.grad[i]) << i;
    }
  }
  for (bool all : {true, false}) {
    SCOPED_TRACE(all ? "everywhere" : "in one channel");
    poison(n, left_out, all, student);
    poison(n, left_out, all, teacher);
    const Outcome outcome = compute(student, teacher);
    EXPECT_NEAR(clean.loss, outcome.loss, rounding * clean.loss);
    EXPECT_LE(relative_error(outcome.grad, clean.grad), rounding);
    for (size_t i = 0; i < clean.grad.size(); ++i) {
      if (clean.grad[i] == 0.0) {
        EXPECT_EQ(0.0, outcome.grad[i]) << i;
      }
    }
    fill_pair(input, 23, student, teacher);
  }
}

// Every third pixel, and the whole of the last image of several.
bool every_third(const Shape& n, int64_t b, int64_t pixel) {
  return pixel % 3 == 1 || (n.B > 1 && b == n.B - 1);
}

class LeftOutOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(LeftOutOnBackend, PixelwiseMask) {
  const Shape shapes[] = {{3, 6, 9, 17}, {2, 70, 3, 11}, {3, 40, 1, 1}, {1, 300, 2, 5}};
  for (const Shape& n : shapes) {
    const LeftOut left_out = [&](int64_t b, int64_t x) { return every_third(n, b, x); };
    TestTensor mask({n.B, n.H, n.W}, STRUCTKD_U8);
    mask.fill([&](int64_t i) { return left_out(i / (n.H * n.W), n.pixel(i)) ? 0.0 : 1.0; });
    for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32, STRUCTKD_BF16}) {
      for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
        for (int divergence = 0; divergence < 3; ++divergence) {
          structkd_pixelwise_params params{};
          params.struct_size = sizeof(params);
          params.divergence = static_cast<structkd_divergence>(divergence);
          params.divisor = STRUCTKD_DIVISOR_PIXELS;
          params.temperature = 2.0;
          params.mask = mask.view();
          expect_left_out(
              n, dtype, layout, divergence == 1 ? Input::kNearlyEqual : Input::kRandom, left_out,
              [&](const TestTensor& s, const TestTensor& t) {
                return run_loss(GetParam(), s, t, params);
              },
              // Pixels that are computed side by side choose the way to round together.
              dtype == STRUCTKD_F64 ? 1e-14 : 4 * 0x1p-24 + 2 * storage_error(dtype));
        }
      }
    }
  }
}

TEST_P(LeftOutOnBackend, InterClassSimilarityMask) {
  const Shape shapes[] = {{3, 5, 9, 17}, {2, 40, 3, 11}, {1, 150, 2, 5}};
  for (const Shape& n : shapes) {
    const LeftOut left_out = [&](int64_t b, int64_t x) { return every_third(n, b, x); };
    TestTensor mask({n.B, n.H, n.W}, STRUCTKD_U8);
    mask.fill([&](int64_t i) { return left_out(i / (n.H * n.W), n.pixel(i)) ? 0.0 : 1.0; });
    for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32, STRUCTKD_BF16}) {
      for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
        for (int row_normalize : {0, 1}) {
          structkd_inter_class_similarity_params params{};
          params.struct_size = sizeof(params);
          params.row_normalize = row_normalize;
          params.temperature = 1.5;
          params.mask = mask.view();
          expect_left_out(n, dtype, layout, Input::kRandom, left_out,
                          [&](const TestTensor& s, const TestTensor& t) {
                            return run_loss(GetParam(), s, t, params);
                          });
        }
      }
    }
  }
}

TEST_P(LeftOutOnBackend, PairwiseWeights) {
  // Matrices and tiles, one tile of nodes and several, one tile of channels and several.
  const Shape shapes[] = {{2, 4, 8, 9}, {3, 40, 5, 5}, {2, 80, 7, 10}, {1, 129, 1, 290}};
  for (const Shape& n : shapes) {
    const bool large = n.H * n.W > 100;  // slow on the reference, O(N^2 C), and on the emulator
    if (large && GetParam() == "reference") continue;
    const LeftOut left_out = [&](int64_t b, int64_t x) { return every_third(n, b, x); };
    TestTensor weights({n.B, n.H, n.W}, STRUCTKD_F32);
    weights.fill([&](int64_t i) {
      return left_out(i / (n.H * n.W), n.pixel(i)) ? 0.0 : 0.5 + uniform(9, uint64_t(i));
    });
    for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32, STRUCTKD_F16}) {
      for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
        for (int mode = 0; mode < 8; ++mode) {
          if (large && (dtype != STRUCTKD_F32 || layout != Layout::kContiguous || mode > 1))
            continue;
          if (mode > 3 && dtype == STRUCTKD_F64) continue;  // nothing is faster there
          structkd_pairwise_params params{};
          params.struct_size = sizeof(params);
          params.norm = static_cast<structkd_norm_gradient>(mode & 1);
          params.pairs = static_cast<structkd_pairs>(mode >> 1 & 1);
          params.precision = static_cast<structkd_precision>(mode >> 2);
          params.eps = 1e-8;
          params.weights = weights.view();
          expect_left_out(n, dtype, layout, mode % 3 == 0 ? Input::kNearlyEqual : Input::kRandom,
                          left_out, [&](const TestTensor& s, const TestTensor& t) {
                            return run_loss(GetParam(), s, t, params);
                          });
        }
      }
    }
  }
}

// Pixels that are not sampled, and rows behind the count of an image.
TEST_P(LeftOutOnBackend, GlobalStructuralSamples) {
  const Shape n{3, 9, 6, 11};
  const LeftOut left_out = [&](int64_t b, int64_t x) { return every_third(n, b, x); };
  std::vector<double> pixels;
  for (int64_t x = 0; x < n.H * n.W; ++x) {
    if (!left_out(0, x)) pixels.push_back(double(x));
  }
  const int64_t M = int64_t(pixels.size());
  TestTensor indices({n.B, M}, STRUCTKD_I32), counts({n.B, 2}, STRUCTKD_I32);
  // Behind the 20 samples that count stand pixels that do not.
  indices.fill([&](int64_t i) { return i % M < 20 ? pixels[size_t(i % M)] : 1.0; });
  counts.fill([&](int64_t i) { return i / 2 == n.B - 1 ? 0.0 : i % 2 == 0 ? 20.0 : 3.0; });
  const Scalar<int64_t> step(3);
  for (structkd_dtype dtype : {STRUCTKD_F64, STRUCTKD_F32, STRUCTKD_F16}) {
    for (Layout layout : {Layout::kContiguous, Layout::kChannelsLast}) {
      for (int similarity : {0, 1}) {
        structkd_global_structural_params params{};
        params.struct_size = sizeof(params);
        params.normalize = 1;
        params.similarity = static_cast<structkd_similarity>(similarity);
        params.group_width = -1;
        params.temperature = 1.0;
        params.eps = 1e-8;
        params.indices = indices.view();
        params.counts = counts.view();
        params.step = step.get();
        expect_left_out(n, dtype, layout, Input::kRandom, left_out,
                        [&](const TestTensor& s, const TestTensor& t) {
                          return run_loss(GetParam(), s, t, params);
                        });
      }
    }
  }
}

// The sampling itself: logits at pixels whose label is ignored, or no class.
TEST_P(LeftOutOnBackend, GlobalStructuralLabels) {
  const Shape n{2, 5, 6, 11};
  TestTensor logits({n.B, n.C, n.H, n.W}, STRUCTKD_F32), labels({n.B, n.H, n.W}, STRUCTKD_I64);
  const auto draw = [&](double value) {
    labels.fill([&](int64_t i) { return i % 3 == 1 ? 4.0 : i % 7 == 0 ? -9.0 : double(i % 4); });
    logits.fill([&](int64_t i) {
      const double label = labels.get(n.image(i) * n.H * n.W + n.pixel(i));
      if (label == 4.0 || label < 0.0) return value;
      return (label == double(n.channel(i)) ? 1.0 : 0.0) + 0.9 * uniform(3, uint64_t(i));
    });
    structkd_global_structural_sample_params params{};
    params.struct_size = sizeof(params);
    params.teacher_correct_only = 1;
    params.samples = 6;
    params.min_candidates = 1;
    params.num_classes = int32_t(n.C);
    params.ignore_index = 4;
    const Scalar<int64_t> step(3);
    params.step = step.get();
    const structkd_ctx ctx{GetParam().c_str(), nullptr, 2, {}};
    size_t bytes = 0;
    EXPECT_EQ(STRUCTKD_OK, structkd_global_structural_sample_workspace(
                               &ctx, logits.view(), labels.view(), &params, &bytes));
    AlignedBytes workspace(bytes);
    TestTensor indices({n.B, 6 * n.C}, STRUCTKD_I32), counts({n.B, 2}, STRUCTKD_I32);
    EXPECT_EQ(STRUCTKD_OK,
              structkd_global_structural_sample(&ctx, logits.view(), labels.view(), &params,
                                                workspace.data(), indices.view(), counts.view()))
        << structkd_last_error();
    finish_calls();
    std::vector<double> drawn = indices.values();
    const std::vector<double> sizes = counts.values();
    drawn.insert(drawn.end(), sizes.begin(), sizes.end());
    return drawn;
  };
  const std::vector<double> clean = draw(0.0);
  for (double value : kPoisons) EXPECT_EQ(clean, draw(value)) << value;
}

std::vector<std::string> backends_and_reference() {
  std::vector<std::string> backends = backends_under_test();
  backends.insert(backends.begin(), "reference");
  return backends;
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         LeftOutOnBackend,
                         testing::ValuesIn(backends_and_reference()),
                         backend_test_name);

// Any byte but 0 counts: all 255 of them, in runs long enough to be read by words, and beside 0.
class MaskBytesOnBackend : public testing::TestWithParam<std::string> {};

TEST_P(MaskBytesOnBackend, AnyByteButZeroCounts) {
  for (int64_t width : {37, 48}) {  // rows that are no whole words, and rows that are
    const Shape n{2, 4, 11, width};
    TestTensor student({n.B, n.C, n.H, n.W}, STRUCTKD_F32);
    TestTensor teacher({n.B, n.C, n.H, n.W}, STRUCTKD_F32);
    fill_pair(Input::kRandom, 23, student, teacher);
    const auto counts = [&](int64_t i) { return i % 5 != 2; };
    const auto outcomes = [&](const std::function<double(int64_t)>& byte) {
      TestTensor mask({n.B, n.H, n.W}, STRUCTKD_U8);
      mask.fill([&](int64_t i) { return counts(i) ? byte(i) : 0.0; });
      structkd_pixelwise_params pixelwise{};
      pixelwise.struct_size = sizeof(pixelwise);
      pixelwise.divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
      pixelwise.divisor = STRUCTKD_DIVISOR_PIXELS;
      pixelwise.temperature = 1.0;
      pixelwise.mask = mask.view();
      structkd_inter_class_similarity_params classes{};
      classes.struct_size = sizeof(classes);
      classes.temperature = 1.0;
      classes.mask = mask.view();
      return std::vector<Outcome>{run_loss(GetParam(), student, teacher, pixelwise),
                                  run_loss(GetParam(), student, teacher, classes)};
    };
    const std::vector<Outcome> ones = outcomes([](int64_t) { return 1.0; });
    for (int64_t first : {1, 2, 127, 128, 129, 254}) {
      const auto many = outcomes([&](int64_t i) { return double((i + first) % 255 + 1); });
      const auto one = outcomes([&](int64_t) { return double(first); });
      for (size_t loss = 0; loss < ones.size(); ++loss) {
        EXPECT_EQ(ones[loss].loss, many[loss].loss) << "bytes from " << first;
        EXPECT_EQ(ones[loss].grad, many[loss].grad) << "bytes from " << first;
        EXPECT_EQ(ones[loss].loss, one[loss].loss) << "bytes " << first;
        EXPECT_EQ(ones[loss].grad, one[loss].grad) << "bytes " << first;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         MaskBytesOnBackend,
                         testing::ValuesIn(backends_and_reference()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
