// cpu/channelwise/channelwise.cpp: the channel-wise loss. Truth: reference/channelwise.cpp.
//
// It is the pixel-wise loss of maps turned over: the positions of a channel are the classes of a
// pixel there, and the channels of all images its pixels. Short channels are turned into tiles;
// longer ones are rows, whose exponentials are kept between their two passes (cpu/pixelwise/).
#include "core/channelwise_args.h"
#include "cpu/kernels.h"
#include "cpu/pixelwise/cut.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// A map whose pixels are the channels of `map`; it tells sizes, and rows tell where elements lie.
Map turned(const Map& map) {
  Map channels = map;
  channels.C = map.H * map.W;
  channels.H = 1;
  channels.W = map.C;
  return channels;
}

// The loss as a pixel-wise one whose mask tells which images have a valid position.
PixelwiseArgs pixelwise_args(const ChannelwiseArgs& args, uint8_t* valid_images) {
  PixelwiseArgs turned_args{};
  turned_args.student = turned(args.student);
  turned_args.teacher = turned(args.teacher);
  turned_args.loss = args.loss;
  turned_args.grad = turned(args.grad);
  turned_args.want_grad = args.want_grad;
  if (args.mask.data != nullptr) turned_args.mask = {valid_images, STRUCTKD_U8, 1, 0, 0};
  turned_args.divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
  turned_args.divisor = STRUCTKD_DIVISOR_PIXELS;
  turned_args.temperature = args.temperature;
  turned_args.temperature_squared = true;
  return turned_args;
}

void find_valid_images(const ChannelwiseArgs& args, uint8_t* valid_images) {
  const int64_t H = args.student.H, W = args.student.W;
  for (int64_t b = 0; b < args.student.B; ++b) {
    valid_images[b] = 0;
    for (int64_t n = 0; n < H * W && !valid_images[b]; ++n) {
      valid_images[b] = plane_at<int>(args.mask, b, n, W) != 0;
    }
  }
}

// Calls use(cut, workspace) with how the channels are cut.
template <class T, class Use>
void with_cut_of(const Launch& launch,
                 const ChannelwiseArgs& args,
                 const PixelwiseArgs& turned_args,
                 Workspace& workspace,
                 Use&& use) {
  const NetRows rows = {Rows::of_channels(args.student, args.mask),
                        Rows::of_channels(args.teacher, args.mask),
                        Rows::of_channels(args.grad, args.mask)};
  with_row_cut<T>(launch, turned_args, rows, workspace, use);
}

template <class Use>
void with_cut(const Launch& launch, const ChannelwiseArgs& args, void* memory, Use&& use) {
  Workspace workspace(memory);
  uint8_t* valid_images = workspace.take<uint8_t>(args.mask.data ? args.student.B : 0);
  if (memory != nullptr && args.mask.data != nullptr) find_valid_images(args, valid_images);
  const PixelwiseArgs turned_args = pixelwise_args(args, valid_images);
  const auto used = [&](const auto& cut, const Workspace& all) { use(cut, all, turned_args); };
  if (args.student.dtype == STRUCTKD_F64) {
    with_cut_of<double>(launch, args, turned_args, workspace, used);
  } else {
    with_cut_of<float>(launch, args, turned_args, workspace, used);
  }
}

}  // namespace

size_t channelwise_workspace(const Launch& launch, const ChannelwiseArgs& args) {
  size_t bytes = 0;
  with_cut(launch, args, nullptr,
           [&](const auto&, const Workspace& all, const PixelwiseArgs&) { bytes = all.bytes(); });
  return bytes;
}

void channelwise(const Launch& launch, const ChannelwiseArgs& args, void* workspace) {
  with_cut(launch, args, workspace,
           [&](const auto& cut, const Workspace&, const PixelwiseArgs& turned_args) {
             run_cut<STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT>("channelwise", launch, turned_args,
                                                             cut);
           });
}

}  // namespace structkd::cpu::STRUCTKD_ISA
