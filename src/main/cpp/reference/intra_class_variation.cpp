// reference/intra_class_variation.cpp: the intra-class variation loss in the order of its formula:
// long double, one thread. All backends are tested against it: a change here redefines the loss.
#include <cmath>

#include "core/error.h"
#include "core/intra_class_variation_args.h"
#include "reference/access.h"
#include "reference/divergence.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

bool is_valid(const IntraClassVariationArgs& args, int64_t b, int64_t n) {
  return args.mask.data == nullptr || at(args.mask, b, n, args.student.W) != 0.0;
}

// -1: none.
int64_t class_of(const IntraClassVariationArgs& args, int64_t b, int64_t n) {
  const double label = at(args.labels, b, n, args.student.W);
  const bool is_class = label >= 0.0 && label < double(args.classes);
  return is_class && is_valid(args, b, n) ? int64_t(label) : -1;
}

// The centres of one image, [classes, channels].
void find_centres(const IntraClassVariationArgs& args, const Map& map, int64_t b, Real* centres) {
  for (int64_t k = 0; k < args.classes; ++k) {
    Real count = 0;
    for (int64_t c = 0; c < map.C; ++c) centres[k * map.C + c] = 0;
    for (int64_t n = 0; n < map.H * map.W; ++n) {
      if (class_of(args, b, n) != k) continue;
      count += 1;
      for (int64_t c = 0; c < map.C; ++c) centres[k * map.C + c] += at(map, b, c, n);
    }
    for (int64_t c = 0; c < map.C; ++c) centres[k * map.C + c] /= count + Real(kBesideCount);
  }
}

// A position and the centre of its class.
struct Similarity {
  Real value, feature_length, centre_length;

  Similarity(const Map& map, int64_t b, int64_t n, const Real* centre) {
    Real product = 0, feature_squares = 0, centre_squares = 0;
    for (int64_t c = 0; c < map.C; ++c) {
      const Real f = at(map, b, c, n);
      product += f * centre[c];
      feature_squares += f * f;
      centre_squares += centre[c] * centre[c];
    }
    feature_length = std::sqrt(feature_squares);
    centre_length = std::sqrt(centre_squares);
    value = is_zero() ? 0 : product / std::fmax(lengths(), Real(kLeastLengths));
    if (std::isnan(lengths()) || std::isnan(product)) value = lengths() + product;
  }

  Real lengths() const { return feature_length * centre_length; }
  bool is_zero() const { return lengths() == 0; }

  // The derivative of the value by an element of one of the two vectors.
  Real by(Real own, Real own_length, Real other, Real other_length) const {
    if (is_zero()) return 0;
    if (lengths() < Real(kLeastLengths)) return other / Real(kLeastLengths);
    return (other / other_length - value * own / own_length) / own_length;
  }
};

}  // namespace

size_t intra_class_variation_workspace(const Launch&, const IntraClassVariationArgs& args) {
  return size_t(args.classes * (2 * args.student.C + args.teacher.C + 1)) * sizeof(Real);
}

void intra_class_variation(const Launch&, const IntraClassVariationArgs& args, void* workspace) {
  const int64_t B = args.student.B, C = args.student.C, N = args.student.H * args.student.W;
  Real* student = static_cast<Real*>(workspace);  // centres of an image
  Real* teacher = student + args.classes * C;
  Real* pulls = teacher + args.classes * args.teacher.C;  // d loss / d centres
  Real* counts = pulls + args.classes * C;
  int64_t valid = 0;
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t n = 0; n < N; ++n) valid += is_valid(args, b, n);
  }
  const Real divisor = valid == 0 ? 1 : Real(valid);

  Real sum = 0;
  for (int64_t b = 0; b < B; ++b) {
    find_centres(args, args.student, b, student);
    find_centres(args, args.teacher, b, teacher);
    for (int64_t i = 0; i < args.classes * C; ++i) pulls[i] = 0;
    for (int64_t k = 0; k < args.classes; ++k) counts[k] = 0;
    const auto slope_of = [&](int64_t n, int64_t k, const Similarity& ours) {
      const Similarity theirs(args.teacher, b, n, teacher + k * args.teacher.C);
      return 2 * (ours.value - theirs.value) / divisor;
    };
    for (int64_t n = 0; n < N; ++n) {
      const int64_t k = class_of(args, b, n);
      if (k < 0) continue;
      counts[k] += 1;
      const Real* centre = student + k * C;
      const Similarity ours(args.student, b, n, centre);
      const Real slope = slope_of(n, k, ours), gap = slope * divisor / 2;
      sum += gap * gap;
      for (int64_t c = 0; c < C; ++c) {
        pulls[k * C + c] += slope * ours.by(centre[c], ours.centre_length,
                                            at(args.student, b, c, n), ours.feature_length);
      }
    }
    for (int64_t n = 0; n < (args.grad.data == nullptr ? 0 : N); ++n) {
      const int64_t k = class_of(args, b, n);
      if (k < 0) {
        for (int64_t c = 0; c < C; ++c) set(args.grad, b, c, n, 0.0);
        continue;
      }
      const Real* centre = student + k * C;
      const Similarity ours(args.student, b, n, centre);
      const Real slope = slope_of(n, k, ours);
      for (int64_t c = 0; c < C; ++c) {
        const Real own =
            ours.by(at(args.student, b, c, n), ours.feature_length, centre[c], ours.centre_length);
        const Real by_centre = pulls[k * C + c] / (counts[k] + Real(kBesideCount));
        set(args.grad, b, c, n, double(slope * own + by_centre));
      }
    }
  }
  set_loss(args.loss, args.student.dtype, double(sum / divisor));
  set_plan("intra_class_variation: reference, %lld classes", static_cast<long long>(args.classes));
}

}  // namespace structkd::reference
