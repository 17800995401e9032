// src/test/cpp/cross_image_relation_cases.cpp: the cross-image relation loss in the table of
// losses.
#include "cross_image_relation_cases.h"

#include <algorithm>
#include <cmath>

#include "losses.h"

namespace structkd::test {

using P = structkd_cross_image_relation_params;

Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor&,
                         const P& params,
                         const Outcome& truth,
                         const Outcome& outcome,
                         double scale) {
  // A cosine is rounded once or twice, and the temperature divides by what it is wrong; a high one
  // and cosines of many channels leave small differences of nearly uniform rows. Of the sum of
  // slopes, which is rounded, the part along a node is taken away. The outputs are rounded as well.
  const bool f64_tiles = outcome.plan.find("f64 tiles") != std::string::npos;
  const double unit = f64_tiles ? 0x1p-53 : 0x1p-24, tau = params.temperature;
  const double stored = student.view()->dtype == STRUCTKD_F64 ? 0x1p-53 : 0x1p-24;
  const double uniform = tau * std::sqrt(double(student.view()->sizes[1]));
  const double tolerance = scale * unit * (32 + 2 / tau + 2 * uniform) + stored;
  const double norm = std::sqrt(dot(truth.grad, truth.grad));
  // Where the true gradient vanishes, as of one channel, slopes of 1 / temperature cancel.
  return {tolerance * truth.loss + 1e-15, norm > 0.0 ? tolerance * norm : 4 * unit / tau};
}

Loss cross_image_relation_row() {
  const auto plain = [](double temperature) {
    return [=](const Shape&) { return Params(relation_params_of(temperature)); };
  };
  Loss loss = loss_row<P>("cross_image_relation", "cross-image relation loss");
  loss.variants = {{"cirkd", plain(0.1)}, {"soft", plain(4.0)}, {"sharp", plain(1.0 / 64)}};
  loss.variants.push_back({"large_eps", [](const Shape&) {
                             P params = relation_params_of();
                             params.eps = 1e-3;
                             return Params(params);
                           }});
  // One panel of nodes per image and several; blocks of channels.
  loss.shapes = {{2, 4, 8, 9}, {3, 40, 5, 5}, {2, 140, 7, 10}};
  loss.large = {{2, 6, 19, 31}, {3, 70, 11, 11}, {5, 3, 9, 2}};
  loss.same_channels = false;
  loss.positives = {{"temperature", offsetof(P, temperature)}, {"eps", offsetof(P, eps)}};
  loss.blind_to_factor = true;
  loss.nearly_equal_scale = 200;  // differences of 1e-3
  // Never the N^2 numbers of the cosines: of each node its shares against all images, packed
  // vectors of as many nodes as 32 MiB hold, and on CUDA the gradient in f32 where it is stored in
  // fewer bits.
  loss.scratch = [](const Shape& n, int threads) {
    const double B = double(n.B), C = double(n.C), N = double(n.H * n.W);
    const double nodes = B * (N + 96), node = 8 * (8 * (C + 144) + 4 * B);
    return 8.0 * (3 * B * B * N + 8 * B * N + 576 * 8 * (C + 144) +
                  threads * (2 * 96 * 96 + 64 * C + 2048)) +
           std::min(nodes * node, 33554432.0 + 96 * node) + 4 * B * N * C + 65536;
  };
  return loss;
}

}  // namespace structkd::test
