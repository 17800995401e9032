// src/test/cpp/global_structural_definition_test.cpp: the global structural loss of every backend,
// the reference among them, against a second statement of its definition that shares no code with
// the library: shuffled maps are made, groups are slices of them, in long double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "global_structural_cases.h"

namespace structkd::test {
namespace {

using Real = long double;
using Matrix = std::vector<std::vector<Real>>;

// Cosines of all pairs of columns of a [1, C, 1, M] map.
Matrix similarity_map(const TestTensor& map) {
  const int64_t C = map.view()->sizes[1], M = map.view()->sizes[3];
  Matrix unit(static_cast<size_t>(M), std::vector<Real>(static_cast<size_t>(C)));
  for (int64_t m = 0; m < M; ++m) {
    Real squares = 0;
    for (int64_t c = 0; c < C; ++c) {
      unit[size_t(m)][size_t(c)] = Real(map.get(c * M + m));
      squares += unit[size_t(m)][size_t(c)] * unit[size_t(m)][size_t(c)];
    }
    for (Real& x : unit[size_t(m)]) x /= std::sqrt(squares);
  }
  Matrix v(static_cast<size_t>(M), std::vector<Real>(static_cast<size_t>(M)));
  for (size_t i = 0; i < size_t(M); ++i) {
    for (size_t j = 0; j < size_t(M); ++j) {
      v[i][j] = std::inner_product(unit[i].begin(), unit[i].end(), unit[j].begin(), Real(0));
    }
  }
  return v;
}

Matrix shuffled(const Matrix& v, const TestTensor& permutation) {
  const int64_t M = int64_t(v.size());
  Matrix result = v;
  for (int64_t i = 0; i < M; ++i) {
    for (int64_t j = 0; j < M; ++j) {
      result[size_t(i)][size_t(j)] = v[size_t(i)][size_t(permutation.get(i * M + j))];
    }
  }
  return result;
}

// KL of the softmaxes over all entries of columns [first, end) of two maps.
Real divergence(const Matrix& teacher, const Matrix& student, size_t first, size_t end, Real tau) {
  const auto log_sum = [&](const Matrix& map) {
    Real sum = 0;
    for (const auto& row : map) {
      for (size_t j = first; j < end; ++j) sum += std::exp(row[j] / tau);
    }
    return std::log(sum);
  };
  const Real log_t = log_sum(teacher), log_s = log_sum(student);
  Real kl = 0;
  for (size_t i = 0; i < teacher.size(); ++i) {
    for (size_t j = first; j < end; ++j) {
      const Real log_q = teacher[i][j] / tau - log_t;
      kl += std::exp(log_q) * (log_q - (student[i][j] / tau - log_s));
    }
  }
  return kl;
}

// One image: w = S or -S C; G = floor(M / w) groups; G = 0: every column by itself, their mean.
double image_loss(const Matrix& teacher,
                  const Matrix& student,
                  const structkd_global_structural_params& params,
                  Real classes) {
  const size_t M = teacher.size();
  const Real tau = Real(params.temperature);
  const Real w =
      params.group_width > 0 ? Real(params.group_width) : -Real(params.group_width) * classes;
  const auto divisor = [&](Real entries) {
    return params.reduction == STRUCTKD_GROUP_REDUCTION_DIV_L   ? entries
           : params.reduction == STRUCTKD_GROUP_REDUCTION_DIV_M ? Real(M)
                                                                : Real(1);
  };
  Real sum = 0;
  if (w == 0 || w > Real(M)) {
    for (size_t j = 0; j < M; ++j) sum += divergence(teacher, student, j, j + 1, tau);
    const bool plain = params.reduction == STRUCTKD_GROUP_REDUCTION_SUM;
    return double(tau * tau * sum / (plain ? Real(1) : Real(M)));
  }
  const size_t width = size_t(w), groups = M / width, rest = M % width;
  for (size_t g = 0; g < groups; ++g) {
    sum += divergence(teacher, student, g * width, (g + 1) * width, tau) / divisor(Real(M) * w);
  }
  const Real remainder = rest == 0 ? Real(0)
                                   : divergence(teacher, student, groups * width, M, tau) /
                                         divisor(Real(M) * Real(rest));
  switch (params.remainder) {
    case STRUCTKD_REMAINDER_ADDED:
      return double(tau * tau * (sum / Real(groups) + remainder));
    case STRUCTKD_REMAINDER_AVERAGED:
      return double(tau * tau * (sum + remainder) / Real(groups + (rest > 0 ? 1 : 0)));
    default:
      return double(tau * tau * sum / Real(groups));
  }
}

// A random permutation in every row.
TestTensor permutation_table(int64_t M) {
  TestTensor table({M, M}, STRUCTKD_I32);
  for (int64_t i = 0; i < M; ++i) {
    std::vector<int64_t> row(static_cast<size_t>(M));
    std::iota(row.begin(), row.end(), 0);
    std::sort(row.begin(), row.end(), [&](int64_t a, int64_t b) {
      return uniform(7, uint64_t(i * M + a)) < uniform(7, uint64_t(i * M + b));
    });
    for (int64_t j = 0; j < M; ++j) table.set(i * M + j, double(row[size_t(j)]));
  }
  return table;
}

double loss_of(const std::string& backend,
               const TestTensor& student,
               const TestTensor& teacher,
               const structkd_global_structural_params& params) {
  How how;
  how.want_grad = false;
  how.threads = 1;  // maps of a few samples: starting threads would take most of the time
  return compute(backend, student, teacher, params, how).loss;
}

class GlobalStructuralDefinition : public testing::TestWithParam<std::string> {};

TEST_P(GlobalStructuralDefinition, HoldsForEveryGroupWidth) {
  for (int64_t M : {1, 2, 8}) {
    TestTensor student({1, 5, 1, M}, STRUCTKD_F64), teacher({1, 4, 1, M}, STRUCTKD_F64);
    fill_pair(Input::kRandom, 31, student, teacher);
    const TestTensor permutation = permutation_table(M);
    const Matrix v_s = shuffled(similarity_map(student), permutation);
    const Matrix v_t = shuffled(similarity_map(teacher), permutation);
    for (int32_t classes : {1, 3, 8, 19}) {
      for (int64_t width = -2 * M; width <= 2 * M; ++width) {
        for (int mode = 0; mode < 9; ++mode) {
          auto params = params_of(width);
          params.classes = classes;
          params.permutation = permutation.view();
          params.temperature = 0.3;
          params.reduction = static_cast<structkd_group_reduction>(mode % 3);
          params.remainder = static_cast<structkd_remainder>(mode / 3);
          const double expected = image_loss(v_t, v_s, params, classes);
          EXPECT_NEAR(loss_of(GetParam(), student, teacher, params), expected,
                      1e-12 * expected + 1e-15)
              << "M " << M << ", classes " << classes << ", width " << width << ", mode " << mode;
        }
      }
    }
  }
}

// Widths that only exceed M, however far, all leave no group.
TEST_P(GlobalStructuralDefinition, HoldsForWidthsBeyondAllBounds) {
  TestTensor student({1, 5, 1, 6}, STRUCTKD_F64), teacher({1, 4, 1, 6}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 31, student, teacher);
  const TestTensor permutation = permutation_table(6);
  const Matrix v_s = shuffled(similarity_map(student), permutation);
  const Matrix v_t = shuffled(similarity_map(teacher), permutation);
  using Limits = std::numeric_limits<int64_t>;
  for (int64_t width :
       {Limits::min(), Limits::min() + 1, -(int64_t(1) << 33), int64_t(1) << 62, Limits::max()}) {
    for (int32_t classes : {1, 7, std::numeric_limits<int32_t>::max()}) {
      auto params = params_of(width);
      params.classes = classes;
      params.permutation = permutation.view();
      const double expected = image_loss(v_t, v_s, params, classes);
      EXPECT_NEAR(loss_of(GetParam(), student, teacher, params), expected, 1e-12 * expected)
          << width << " " << classes;
    }
  }
}

// 8 random pixels of a scene of 19 classes: -S C counts the classes of the scene, more than there
// are samples.
TEST_P(GlobalStructuralDefinition, HoldsForFewSamplesOfManyClasses) {
  constexpr int64_t kClasses = 19, kSamples = 8, kWidth = 30;
  TestTensor labels({1, 5, kWidth}, STRUCTKD_I64);
  labels.fill([](int64_t i) { return double(i % kClasses); });
  structkd_global_structural_sample_params sampling{};
  sampling.struct_size = sizeof(sampling);
  sampling.sampling = STRUCTKD_SAMPLING_RANDOM;
  sampling.samples = kSamples;
  sampling.min_candidates = 1;
  sampling.num_classes = kClasses;
  sampling.ignore_index = -1;
  sampling.step = default_step();
  const structkd_ctx ctx = context(GetParam(), 2);
  size_t bytes = 0;
  ASSERT_EQ(STRUCTKD_OK, structkd_global_structural_sample_workspace(&ctx, nullptr, labels.view(),
                                                                     &sampling, &bytes));
  AlignedBytes workspace(bytes);
  TestTensor indices({1, kSamples}, STRUCTKD_I32), counts({1, 2}, STRUCTKD_I32);
  ASSERT_EQ(STRUCTKD_OK,
            structkd_global_structural_sample(&ctx, nullptr, labels.view(), &sampling,
                                              workspace.data(), indices.view(), counts.view()))
      << structkd_last_error();
  finish_calls();
  ASSERT_EQ(double(kSamples), counts.get(0));
  ASSERT_EQ(double(kClasses), counts.get(1));

  TestTensor student({1, 5, 5, kWidth}, STRUCTKD_F64), teacher({1, 4, 5, kWidth}, STRUCTKD_F64);
  fill_pair(Input::kRandom, 31, student, teacher);
  const auto rows_of = [&](const TestTensor& map) {
    const int64_t C = map.view()->sizes[1];
    TestTensor rows({1, C, 1, kSamples}, STRUCTKD_F64);
    rows.fill([&](int64_t i) {
      return map.get(i / kSamples * 5 * kWidth + int64_t(indices.get(i % kSamples)));
    });
    return rows;
  };
  const TestTensor permutation = permutation_table(kSamples);
  const Matrix v_s = shuffled(similarity_map(rows_of(student)), permutation);
  const Matrix v_t = shuffled(similarity_map(rows_of(teacher)), permutation);
  for (int64_t width = -3; width <= 9; ++width) {
    auto params = params_of(width);
    params.permutation = permutation.view();
    const double expected = image_loss(v_t, v_s, params, kClasses);
    params.indices = indices.view();
    params.counts = counts.view();
    EXPECT_NEAR(loss_of(GetParam(), student, teacher, params), expected, 1e-12 * expected) << width;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         GlobalStructuralDefinition,
                         testing::ValuesIn(backends_and_reference()),
                         backend_test_name);

}  // namespace
}  // namespace structkd::test
