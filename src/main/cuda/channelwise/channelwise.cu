// cuda/channelwise/channelwise.cu: the channel-wise loss. Truth: reference/channelwise.cpp.
//
// what      KL of the two softmaxes of each channel over its positions, and its gradient.
// launches  channelwise_sums_kernel    maxima and sums of each part of a channel
//           channelwise_excess_kernel  what close distributions need besides; others leave at once
//           channelwise_grad_kernel    the value of each channel, the gradient
//           channelwise_sum_kernel     the loss
//           and count_valid_positions_kernel before them where there is a mask.
// mapping   a warp per channel of up to 1024 positions, else a block of 256 threads per part of
//           4096, so that few long channels fill a GPU, too. Each block adds the parts of its
//           channel in their order: all find the same sums, whatever they are for.
// traffic   20 bytes per f32 activation with gradient: both nets twice, the gradient once; 28 where
//           all channels are close. 8 without gradient; f16, bf16 half.
// shared    up to 160 bytes in which the warps of a part meet; no bank conflicts.
// tests     channelwise_test.cpp: channels at and around each change of the mapping, all layouts.
#include "core/workspace.h"
#include "cuda/channelwise/kernels.cuh"
#include "cuda/common/launch.cuh"
#include "cuda/kernels.h"

namespace structkd::cuda {
namespace {

// Longest channel of a warp.
constexpr int64_t kWarpPositions = 1024;

// Calls visit(Mapping, its name) with that of channels of this length.
template <class Visit>
void with_mapping(const ChannelwiseArgs& args, Visit&& visit) {
  if (args.student.H * args.student.W <= kWarpPositions) {
    visit(ClassLanes<kWarp>{}, "a warp per channel");
  } else {
    visit(ClassBlock<256>{}, "a block per part");
  }
}

int64_t parts_of(const ChannelwiseArgs& args) {
  return divide_up(args.student.H * args.student.W, kPartPositions);
}

// The arrays of a call in its workspace.
template <class T>
struct ChannelwiseMemory {
  int64_t* image_valid;
  PartSums<T>* sums;
  PartExcess<T>* excess;
  double* values;

  ChannelwiseMemory(const ChannelwiseArgs& args, Workspace& workspace) {
    const int64_t channels = args.student.B * args.student.C, units = channels * parts_of(args);
    image_valid = args.mask.data ? workspace.take<int64_t>(args.student.B) : nullptr;
    sums = workspace.take<PartSums<T>>(units);
    excess = workspace.take<PartExcess<T>>(units);
    values = workspace.take<double>(channels);
  }
};

template <class Element, class Mapping>
void run(const Launch& launched,
         const ChannelwiseArgs& args,
         void* memory,
         Mapping,
         const char* description) {
  using T = Widened<Element>;
  const cudaStream_t stream = stream_of(launched);
  const int64_t B = args.student.B, C = args.student.C, N = args.student.H * args.student.W;
  Workspace workspace(memory);
  const ChannelwiseMemory<T> scratch(args, workspace);
  if (scratch.image_valid != nullptr) {
    launch<count_valid_positions_kernel>("count_valid_positions_kernel", dim3(unsigned(B)),
                                         dim3(kImageThreads), 0, stream, args.mask, N,
                                         args.student.W, scratch.image_valid);
  }
  const double t = args.temperature;
  const ChannelwiseTask<Element> task = {T(1.0 / t),
                                         T(t / double(C)),
                                         MapOf<Element>(args.teacher),
                                         MapOf<Element>(args.student),
                                         GradOf<Element>(args.grad),
                                         args.mask,
                                         scratch.image_valid,
                                         N,
                                         parts_of(args),
                                         scratch.sums,
                                         scratch.excess,
                                         scratch.values};
  const int64_t blocks = divide_up(B * C * task.parts, Mapping::kPixels);
  const dim3 grid{unsigned(blocks)}, block{unsigned(Mapping::kThreads)};
  launch<channelwise_sums_kernel<Element, Mapping>>("channelwise_sums_kernel", grid, block, 0,
                                                    stream, task);
  launch<channelwise_excess_kernel<Element, Mapping>>("channelwise_excess_kernel", grid, block, 0,
                                                      stream, task);
  launch<channelwise_grad_kernel<Element, Mapping>>("channelwise_grad_kernel", grid, block, 0,
                                                    stream, task);
  launch<channelwise_sum_kernel>(
      "channelwise_sum_kernel", 1, kChannelSumThreads, 0, stream,
      static_cast<const double*>(scratch.values), B * C, t * t / double(C),
      static_cast<const int64_t*>(scratch.image_valid), B, args.loss, args.student.dtype);
  set_plan("channelwise: cuda, %s, %s, %lld parts per channel, %d launches",
           sizeof(Element) == 8 ? "f64" : "f32", description, static_cast<long long>(task.parts),
           args.mask.data ? 5 : 4);
}

}  // namespace

size_t channelwise_workspace(const Launch&, const ChannelwiseArgs& args) {
  Workspace workspace(nullptr);
  with_element_type(args.student.dtype, [&](auto element) {
    ChannelwiseMemory<Widened<decltype(element)>>(args, workspace);
  });
  return workspace.bytes();
}

void channelwise(const Launch& launched, const ChannelwiseArgs& args, void* workspace) {
  with_element_type(args.student.dtype, [&](auto element) {
    with_mapping(args, [&](auto mapping, const char* description) {
      run<decltype(element)>(launched, args, workspace, mapping, description);
    });
  });
}

}  // namespace structkd::cuda
