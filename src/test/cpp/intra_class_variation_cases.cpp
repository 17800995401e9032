// src/test/cpp/intra_class_variation_cases.cpp: the intra-class variation loss in the table of
// losses.
#include "intra_class_variation_cases.h"

#include <cmath>

#include "losses.h"

namespace structkd::test {
namespace {

using P = structkd_intra_class_variation_params;

double plane_at(const structkd_tensor& plane, int64_t b, int64_t h, int64_t w) {
  const int64_t i = b * plane.strides[0] + h * plane.strides[1] + w * plane.strides[2];
  switch (plane.dtype) {
    case STRUCTKD_U8:
      return static_cast<const uint8_t*>(plane.data)[i];
    case STRUCTKD_I32:
      return static_cast<const int32_t*>(plane.data)[i];
    default:
      return double(static_cast<const int64_t*>(plane.data)[i]);
  }
}

// Root of the sum over positions of 1 / |f|^2 + 1 / |c|^2: what an error of similarities is
// multiplied by in the gradient, of which lengths are the only unit. Lengths of 0 have no slope.
double inverse_lengths(const TestTensor& map, const P& params) {
  const int64_t* n = map.view()->sizes;
  const int64_t C = n[1], N = n[2] * n[3];
  double sum = 0.0;
  const auto add = [&](double squares) { sum += squares > 0.0 ? 1.0 / squares : 0.0; };
  for (int64_t b = 0; b < n[0]; ++b) {
    for (int64_t k = 0; k < params.num_classes; ++k) {
      std::vector<double> centre(size_t(C), 0.0);
      int64_t count = 0;
      for (int64_t i = 0; i < N; ++i) {
        const int64_t h = i / n[3], w = i % n[3];
        if (plane_at(*params.labels, b, h, w) != double(k)) continue;
        if (params.mask != nullptr && plane_at(*params.mask, b, h, w) == 0.0) continue;
        double squares = 0.0;
        for (int64_t c = 0; c < C; ++c) {
          const double f = map.get((b * C + c) * N + i);
          squares += f * f;
          centre[size_t(c)] += f;
        }
        add(squares);
        ++count;
      }
      if (count > 0) add(dot(centre, centre) / double(count * count));
    }
  }
  return std::sqrt(sum);
}

}  // namespace

Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor&,
                         const P& params,
                         const Outcome& truth,
                         const Outcome& outcome,
                         double scale) {
  // A similarity is at most 1 and rounded some times, in f64 or in f32; a gap of two of them has
  // that error whatever its size. The outputs are rounded as well.
  const int64_t* n = student.view()->sizes;
  const bool f64 = outcome.plan.find("f64") != std::string::npos;
  const double rounding = scale * (f64 ? 0x1p-50 : 8 * 0x1p-24);
  const double stored = student.view()->dtype == STRUCTKD_F64 ? 0x1p-51 : 0x1p-24;
  const double gap = std::sqrt(truth.loss), positions = double(n[0] * n[2] * n[3]);
  const double norm = std::sqrt(dot(truth.grad, truth.grad));
  return {
      2 * gap * rounding + rounding * rounding + stored * truth.loss,
      4 * rounding / positions * inverse_lengths(student, params) + 2 * (stored + rounding) * norm};
}

Loss intra_class_variation_row() {
  constexpr int64_t kClasses = 3;
  const auto params_of = [](const Shape& n, structkd_dtype dtype, Layout layout, auto label) {
    TestTensor labels(n.plane(), dtype, layout);
    labels.fill([&](int64_t i) { return label(i / (n.H * n.W), n.pixel(i)); });
    P params{};
    params.struct_size = sizeof(params);
    params.num_classes = kClasses;
    Params result(params);
    result.as<P>().labels = result.keep(std::move(labels));
    return result;
  };
  const auto drawn = [](int64_t b, int64_t n) {
    return std::floor(double(kClasses) * uniform(uint64_t(31 + b), uint64_t(n)));
  };
  const auto plain = [=](const Shape& n) {
    return params_of(n, STRUCTKD_I64, Layout::kContiguous, drawn);
  };
  // Of no class are what is below, above, and beyond 32 bits.
  const auto without_class = [=](const Shape& n) {
    return params_of(n, STRUCTKD_I64, Layout::kContiguous, [&](int64_t b, int64_t i) {
      constexpr double kNone[] = {-1, double(kClasses), 255, 4294967296.0};
      return left_out(n, b, i) ? kNone[i % 4] : drawn(b, i);
    });
  };
  const auto masked = [=](const Shape& n) {
    Params result = params_of(n, STRUCTKD_U8, Layout::kContiguous, drawn);
    TestTensor mask(n.plane(), STRUCTKD_U8, Layout::kSliced);
    mask.fill([&](int64_t i) {
      return left_out(n, i / (n.H * n.W), n.pixel(i)) ? 0.0 : double(1 + i % 255);
    });
    result.as<P>().mask = result.keep(std::move(mask));
    return result;
  };
  const auto many_classes = [=](const Shape& n) {
    Params result = params_of(n, STRUCTKD_I32, Layout::kSliced, [](int64_t b, int64_t i) {
      return std::floor(40 * uniform(uint64_t(57 + b), uint64_t(i)));
    });
    result.as<P>().num_classes = 40;
    return result;
  };
  Loss loss = loss_row<P>("intra_class_variation", "intra-class variation loss");
  loss.variants = {{"plain", plain},
                   {"many_classes", many_classes},
                   {"without_class", without_class, true},
                   {"masked", masked, true}};
  // A block of channels and several, a tile of positions and several.
  loss.shapes = {{3, 6, 7, 9}, {2, 35, 9, 8}, {2, 70, 5, 29}};
  loss.large = {{2, 5, 129, 131}, {3, 40, 37, 31}, {9, 33, 7, 7}};
  loss.same_channels = false;
  loss.planes = {{"mask", offsetof(P, mask), STRUCTKD_U8},
                 {"labels", offsetof(P, labels), STRUCTKD_I64}};
  loss.blind_to_factor = true;
  // Some numbers per position; per class and channel of both nets, of some parts of an image and
  // for some images, which are as many as 4 MB of maps have.
  loss.scratch = [](const Shape& n, int) {
    const double B = double(n.B), C = double(n.C), N = double(n.H * n.W), K = kClasses;
    const double parts = 1 + N / 128;
    return 64 * B * (N + 8) + 8 * B * (parts + K) * (6 * (C + 32) + 4) + 65536;
  };
  return loss;
}

}  // namespace structkd::test
