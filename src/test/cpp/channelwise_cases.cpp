// src/test/cpp/channelwise_cases.cpp: the channel-wise loss in the table of losses.
#include "channelwise_cases.h"

#include <cmath>

#include "losses.h"

namespace structkd::test {

using P = structkd_channelwise_params;

Bounds LossOf<P>::bounds(const TestTensor& student,
                         const TestTensor&,
                         const P&,
                         const Outcome& truth,
                         const Outcome&,
                         double scale) {
  // As of the pixel-wise loss, whose arithmetic it shares: activations relative to their maximum
  // are rounded, and e^x turns that into |x| roundings.
  const double tolerance = scale * (student.view()->dtype == STRUCTKD_F64 ? 1e-9 : 10 * 0x1p-24);
  return {tolerance * std::abs(truth.loss) + 2e-16,
          tolerance * std::sqrt(dot(truth.grad, truth.grad))};
}

Loss channelwise_row() {
  const auto plain = [](double temperature) {
    return [=](const Shape&) { return Params(channelwise_params(temperature)); };
  };
  const auto masked = [](double temperature, Layout layout) {
    return [=](const Shape& n) {
      TestTensor mask(n.plane(), STRUCTKD_U8, layout);
      mask.fill([&](int64_t i) {
        return left_out(n, i / (n.H * n.W), n.pixel(i)) ? 0.0 : double(1 + i % 255);
      });
      Params result(channelwise_params(temperature));
      result.as<P>().mask = result.keep(std::move(mask));
      return result;
    };
  };
  Loss loss = loss_row<P>("channelwise", "channel-wise loss");
  loss.variants = {
      {"plain", plain(1.0)},
      {"softened", plain(4.0)},
      {"sharpened", plain(0.5)},
      {"masked", masked(1.0, Layout::kContiguous), true},
      {"masked_softened", masked(4.0, Layout::kSliced), true},
  };
  // Channels that are turned over, and rows of one piece, of several, of two parts on a GPU.
  loss.shapes = {{3, 6, 3, 7}, {2, 19, 9, 13}, {3, 2, 33, 35}, {2, 1, 65, 67}};
  loss.large = {{2, 40, 5, 7}, {3, 19, 33, 31}, {2, 3, 91, 93}};
  loss.positives = {{"temperature", offsetof(P, temperature)}};
  loss.planes = {{"mask", offsetof(P, mask), STRUCTKD_U8}};
  loss.blind_to_offset = true;
  // For each thread both nets of two channels and three numbers per position, or a tile of both
  // nets; some numbers per channel and 1024 positions.
  loss.scratch = [](const Shape& n, int threads) {
    const double N = double(n.H * n.W), channels = double(n.B * n.C);
    return threads * (7.0 * (N + 64) * 8 + double(1 << 20)) + 64 * channels * (2 + N / 1024) + 4096;
  };
  return loss;
}

}  // namespace structkd::test
