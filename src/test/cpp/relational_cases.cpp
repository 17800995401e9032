// src/test/cpp/relational_cases.cpp: the relational loss in the table of losses.
#include "relational_cases.h"

#include <cmath>

#include "losses.h"

namespace structkd::test {

using P = structkd_relational_params;

// F64 on all backends; the value and the gradient are rounded once. The area of a needle, as points in
// a plane make now and then, may be rounded by 2^-19.
Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor&,
                         const P& params,
                         const Outcome& truth,
                         const Outcome&,
                         double scale) {
  const bool needles = params.relation == STRUCTKD_RELATION_AREA && student.view()->sizes[1] < 4;
  const double f64 = needles ? 0x1p-19 : 1e-9, f32 = needles ? 0x1p-19 : 4 * 0x1p-24;
  const double tolerance = scale * (student.view()->dtype == STRUCTKD_F64 ? f64 : f32);
  const double norm = std::sqrt(dot(truth.grad, truth.grad));
  // Where all angles are straight and all areas flat, as with one channel, rounding alone is left.
  return {tolerance * truth.loss + 1e-15, tolerance * norm + 1e-13};
}

Loss relational_row() {
  const auto plain = [](structkd_relation relation, bool normalize) {
    return [=](const Shape&) { return Params(params_of(relation, normalize)); };
  };
  Loss loss = loss_row<P>("relational", "relational loss");
  loss.variants = {
      {"distance", plain(STRUCTKD_RELATION_DISTANCE, false)},
      {"angle", plain(STRUCTKD_RELATION_ANGLE, false)},
      // Finite differences meet kinks, where triangles are flat: relational_test.cpp has those of areas.
      {"area", plain(STRUCTKD_RELATION_AREA, false), false, true, false},
      {"distance_normalized", plain(STRUCTKD_RELATION_DISTANCE, true)},
      {"angle_normalized", plain(STRUCTKD_RELATION_ANGLE, true)},
      {"area_normalized", plain(STRUCTKD_RELATION_AREA, true), false, true, false},
  };
  // One panel, and several; positions of several images in one.
  loss.shapes = {{2, 4, 3, 3}, {3, 5, 1, 7}, {40, 6, 1, 1}};
  loss.large = {{5, 6, 7, 2}, {130, 3, 1, 1}};
  loss.same_channels = false;
  loss.most_positions = 32768;
  loss.enums = {{"relation", offsetof(P, relation), 3}, {"normalize", offsetof(P, normalize), 2}};
  loss.blind_to_factor = true;
  loss.scratch = [](const Shape& n, int threads) {
    const double N = double(n.B * n.H * n.W) + 64, C = double(n.C);
    return 8.0 * (8 * N * N + 4 * N * C + (6.0 * N + 64 * (N + C)) * threads + 1024);
  };
  return loss;
}

}  // namespace structkd::test
