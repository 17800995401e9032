// src/test/cpp/pairwise_cases.cpp: the pair-wise loss in the table of losses.
#include "pairwise_cases.h"

#include <cmath>
#include <limits>

#include "losses.h"

namespace structkd::test {

using P = structkd_pairwise_params;

Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor&,
                         const P& params,
                         const Outcome& truth,
                         const Outcome& outcome,
                         double scale) {
  // f64 inputs: f64 throughout, but the plain Gram form loses kappa^2 of it. f32 inputs: products
  // in f64, or of differences in f32. Tile by tile in f32, affinities round like those of a
  // composition. The fast mode promises its own bound for the gradient.
  const bool f64 = student.view()->dtype == STRUCTKD_F64;
  const bool plain_f32 = outcome.plan.find("tile, f32") != std::string::npos ||
                         outcome.plan.find("streamed, f32") != std::string::npos;
  double tolerance = scale * (f64 ? 1e-9 : (plain_f32 ? 16 : 4) * 0x1p-24);
  if (params.precision == STRUCTKD_PRECISION_FAST) tolerance = 2.5e-3;
  // On tensor cores, sums and differences are rounded to 8 or 11 bits; up to 15/16 of them cancel.
  if (outcome.plan.find("bf16 differences") != std::string::npos) tolerance = 0x1p-7;
  if (outcome.plan.find("tf32 differences") != std::string::npos) tolerance = 0x1p-10;
  const double norm = std::sqrt(dot(truth.grad, truth.grad));
  // Of one node only eps leaves something, some 1e-16: less than the f64 rounding of a Gram form,
  // whose sums of about 1, 4 in all, cancel after a few roundings each.
  // Absolute values keep that of two floats, which have 48 bits.
  const bool l1 = params.compare == STRUCTKD_COMPARE_L1;
  const bool two_floats = l1 && outcome.plan.find("two-float") != std::string::npos;
  const double rounding = 8 * (two_floats ? 0x1p-48 : 0x1p-52);
  if (truth.loss < rounding) return {rounding, std::numeric_limits<double>::infinity()};
  // Of a node with itself eps leaves its square, or itself.
  const double rest = l1 ? rounding : 1e-16;
  return {tolerance * truth.loss + rest, 2 * tolerance * (norm > 0.0 ? norm : 1.0)};
}

void fill_turned(double angle, uint64_t seed, TestTensor& student, TestTensor& teacher) {
  const int64_t positions = student.view()->sizes[2] * student.view()->sizes[3];
  student.fill([&](int64_t i) { return gaussian(seed, uint64_t(i)); });
  teacher.fill([&](int64_t i) {
    const bool first = i / positions % 2 == 0;
    const double other = student.get(first ? i + positions : i - positions);
    return std::cos(angle) * student.get(i) + (first ? -1.0 : 1.0) * std::sin(angle) * other +
           1e-3 * gaussian(seed + 1000003, uint64_t(i));
  });
}

FastOutcome compute_fast(const std::string& backend,
                         const TestTensor& student,
                         const TestTensor& teacher) {
  How how;
  how.f32_grad = true;
  Scalar<double> kappa(0.0);
  structkd_pairwise_params params = fast_params();
  params.kappa = kappa.get();
  const Outcome outcome = compute(backend, student, teacher, params, how);
  return {outcome, *kappa.get()};
}

Outcome expect_right_images(const std::string& backend,
                            TestTensor& student,
                            const TestTensor& teacher,
                            double loss_bound,
                            double bound) {
  const structkd_tensor& s = *student.view();
  const int64_t channels = s.sizes[1], nodes = s.sizes[2] * s.sizes[3], image = channels * nodes;
  TestTensor weights({3, s.sizes[2], s.sizes[3]}, STRUCTKD_F32);
  weights.fill([&](int64_t i) {
    return i >= 2 * nodes && i % 3 == 0 ? 0.0 : 0.1 + uniform(9, uint64_t(i));
  });
  int64_t weightless = 2 * nodes;
  while (weights.get(weightless) != 0.0) ++weightless;
  for (int64_t c = 0; c < channels; ++c) {
    student.set(2 * image + c * nodes + weightless - 2 * nodes,
                std::numeric_limits<double>::quiet_NaN());
  }
  structkd_pairwise_params params = fast_params();
  params.weights = weights.view();
  How how;
  how.f32_grad = true;
  const Outcome truth = compute("reference", student, teacher, params, how);
  const Outcome once = compute(backend, student, teacher, params, how);
  const Outcome twice = compute(backend, student, teacher, params, how);
  SCOPED_TRACE(once.plan);
  EXPECT_EQ(once.loss, twice.loss);
  EXPECT_EQ(once.grad, twice.grad);
  EXPECT_NEAR(once.loss, truth.loss, loss_bound * truth.loss);
  const auto of_image = [&](const std::vector<double>& grad, int64_t b) {
    return std::vector<double>(grad.begin() + b * image, grad.begin() + (b + 1) * image);
  };
  for (int64_t b : {0, 1, 2}) {
    EXPECT_LE(relative_error(of_image(once.grad, b), of_image(truth.grad, b)),
              b == 0 ? 2e-4 : bound)
        << "image " << b;
  }
  return once;
}

Loss pairwise_row() {
  const auto plain = [](auto change) {
    return [change](const Shape&) {
      P params = params_of();
      change(params);
      return Params(params);
    };
  };
  const auto weighted = [](structkd_pairs pairs, structkd_precision precision,
                           structkd_compare compare = STRUCTKD_COMPARE_SQUARED) {
    return [=](const Shape& n) {
      P params = params_of(STRUCTKD_NORM_DETACHED);
      params.pairs = pairs;
      params.precision = precision;
      params.compare = compare;
      TestTensor weights(
          n.plane(), STRUCTKD_F32,
          pairs == STRUCTKD_PAIRS_WHOLE_BATCH ? Layout::kSliced : Layout::kContiguous);
      weights.fill([&](int64_t i) {
        return left_out(n, i / (n.H * n.W), n.pixel(i)) ? 0.0 : 0.5 + uniform(9, uint64_t(i));
      });
      Params result(params);
      result.as<P>().weights = result.keep(std::move(weights));
      return result;
    };
  };
  constexpr auto kImage = STRUCTKD_PAIRS_PER_IMAGE, kBatch = STRUCTKD_PAIRS_WHOLE_BATCH;
  constexpr auto kExact = STRUCTKD_PRECISION_EXACT, kFast = STRUCTKD_PRECISION_FAST;
  Loss loss = loss_row<P>("pairwise", "pair-wise loss");
  loss.variants = {
      {"differentiable", plain([](P&) {})},
      // Large enough to show in the derivative of f / (|f| + eps).
      {"large_eps", plain([](P& p) { p.eps_mode = STRUCTKD_EPS_ADD, p.eps = 0.5; })},
      {"whole_batch", plain([](P& p) { p.pairs = STRUCTKD_PAIRS_WHOLE_BATCH; })},
      {"detached", plain([](P& p) { p.norm = STRUCTKD_NORM_DETACHED; }), false, true, false},
      {"fast", plain([](P& p) { p.precision = STRUCTKD_PRECISION_FAST; })},
      {"weighted", weighted(kImage, kExact), true, true, false},
      {"weighted_whole_batch", weighted(kBatch, kExact), true, true, false},
      {"fast_weighted", weighted(kImage, kFast), true, true, false},
      {"fast_weighted_whole_batch", weighted(kBatch, kFast), true, true, false},
      // Finite differences meet the kinks: pairwise_test.cpp has those of signs.
      {"l1", plain([](P& p) { p.compare = STRUCTKD_COMPARE_L1; }), false, true, false},
      {"l1_whole_batch_sum", plain([](P& p) {
         p.compare = STRUCTKD_COMPARE_L1, p.reduction = STRUCTKD_REDUCTION_SUM;
         p.pairs = STRUCTKD_PAIRS_WHOLE_BATCH, p.eps_mode = STRUCTKD_EPS_ADD;
       }),
       false, true, false},
      {"l1_weighted", weighted(kImage, kExact, STRUCTKD_COMPARE_L1), true, true, false},
      {"l1_weighted_whole_batch", weighted(kBatch, kExact, STRUCTKD_COMPARE_L1), true, true, false},
      {"sum", plain([](P& p) { p.reduction = STRUCTKD_REDUCTION_SUM; })},
  };
  // Matrices and tiles, one tile of nodes and several; then of channels, too.
  loss.shapes = {{2, 4, 8, 9}, {3, 40, 5, 5}, {2, 80, 7, 10}};
  loss.large = {{2, 6, 19, 3}, {2, 70, 19, 3}, {1, 129, 1, 290}};
  loss.same_channels = false;
  loss.enums = {{"norm", offsetof(P, norm), 2},       {"eps_mode", offsetof(P, eps_mode), 2},
                {"pairs", offsetof(P, pairs), 2},     {"precision", offsetof(P, precision), 2},
                {"compare", offsetof(P, compare), 2}, {"reduction", offsetof(P, reduction), 2}};
  loss.positives = {{"eps", offsetof(P, eps)}};
  loss.planes = {{"weights", offsetof(P, weights), STRUCTKD_F32}};
  loss.blind_to_factor = true;
  // Never the N^2 numbers of the affinities: matrices of C^2, the maps once, or 64 MB of pairs.
  loss.scratch = [](const Shape& n, int threads) {
    const double C = double(n.C), N = double(n.B * n.H * n.W);
    return 8.0 * (16 * (2 * C) * (2 * C) * double(n.B) * threads + 4 * N * (2 * C)) +
           double(80 << 20);
  };
  return loss;
}

}  // namespace structkd::test
