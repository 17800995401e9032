// cuda/pixelwise/pixelwise.cu: the pixel-wise loss, one pass over the logits. Truth:
// reference/pixelwise.cpp.
//
// what      sum over pixels of the divergence, and its gradient, from one read of both nets.
// mapping   mapping.cuh: the classes of a pixel lie in the registers of one thread
//           (K <= 32), of 8 warps (K <= 176), or, of rows, of 8 lanes (K <= 24), a warp (K <= 256)
//           or a block (K <= 1024); 128 or 256 threads, a block per 32 to 128 pixels or 1 to 16
//           rows. More classes of a plane are read again for each of four passes, from the second
//           cache; of a row they stay in shared memory for the second of two passes (rows.cuh: 512
//           threads a row), as far as it goes.
// result    a sum in f64 per block; pixelwise_sum_kernel adds them in the order of the blocks.
//           With a mask the valid pixels are counted first, and every warp adds the 128 counts.
// traffic   12 bytes per f32 logit with gradient (read two, write one), 8 without; f16, bf16 half.
// shared    none, or up to 8 KB in which the warps of a pixel meet; of long rows all that a block may
//           have; no bank conflicts.
// registers three per class held (e^a, e^b, d) and about 35; launches are bounded so that at least
//           two blocks share a multiprocessor.
// tests     pixelwise_test.cpp: class counts at and around each dispatch boundary, all layouts.
#include "core/workspace.h"
#include "cuda/common/launch.cuh"
#include "cuda/kernels.h"
#include "cuda/pixelwise/kernels.cuh"
#include "cuda/pixelwise/rows.cuh"

namespace structkd::cuda {
namespace {

// A kernel and how its blocks are cut.
template <class M, auto K>
struct Form {
  using Mapping = M;
  static constexpr auto kKernel = K;
  const char* kernel_name;
  const char* description;
  size_t piece_bytes = 0;  // of a row in shared memory, for each piece that a thread keeps
};

template <class Element, class Mapping, int Fewest, int MostPerPart, class Visit>
void visit_registers(const char* description, Visit&& visit) {
  visit(Form<Mapping, pixelwise_registers_kernel<Element, Mapping, Fewest, MostPerPart>>{
      "pixelwise_registers_kernel", description});
}

template <class Element, int Width, class Visit>
void visit_rows(const char* description, Visit&& visit) {
  visit(Form<ClassBlock<kRowThreads>, pixelwise_rows_kernel<Element, Width>>{
      "pixelwise_rows_kernel", description, kPieceBytes<Element, Width>});
}

// The classes of each row lie side by side and begin and end at a multiple of 16 bytes.
bool rows_are_aligned(const Map& map, int64_t size) {
  const auto aligned = [&](int64_t count, int64_t stride) {
    return count == 1 || stride * size % int64_t(sizeof(uint4)) == 0;
  };
  return map.stride_c == 1 && map.C * size % int64_t(sizeof(uint4)) == 0 &&
         reinterpret_cast<uintptr_t>(map.data) % sizeof(uint4) == 0 &&
         aligned(map.B, map.stride_b) && aligned(map.H, map.stride_h) &&
         aligned(map.W, map.stride_w);
}
// The bits of the value may not depend on the gradient, so its layout does not choose the form.
template <class Element>
bool rows_are_aligned(const PixelwiseArgs& args) {
  return rows_are_aligned(args.student, sizeof(Element)) &&
         rows_are_aligned(args.teacher, sizeof(Element));
}

// Calls visit(Form) with the kernel for maps of this shape and layout. Class counts of the common
// data sets get a kernel whose last class is the last one held: 19 (Cityscapes), 21 (Pascal VOC),
// 150, 151 (ADE20K), 171 (COCO-Stuff). f64 holds half as many.
template <class Element, class Visit>
void with_form(const PixelwiseArgs& args, Visit&& visit) {
  constexpr bool kWide = sizeof(Element) == 8;
  const int64_t K = args.student.C;
  if (prefers_rows(args)) {
    if (K <= 24) {
      visit_registers<Element, ClassLanes<8>, 1, 3>("8 lanes per row", visit);
    } else if (K <= (kWide ? 128 : 256)) {
      visit_registers<Element, ClassLanes<32>, 25, kWide ? 4 : 8>("a warp per row", visit);
    } else if (K <= (kWide ? 512 : 1024)) {
      visit_registers<Element, ClassBlock<128>, kWide ? 129 : 257, kWide ? 4 : 8>("a block per row",
                                                                                  visit);
    } else {
      // More than one f64 at once would spill.
      constexpr int kWidth = kWide ? 1 : sizeof(uint4) / sizeof(Element);
      if (rows_are_aligned<Element>(args)) {
        visit_rows<Element, kWidth>("a block per row, 16 bytes at once", visit);
      } else {
        visit_rows<Element, 1>("a block per row", visit);
      }
    }
    return;
  }
  constexpr const char* kThread = "a thread per pixel";
  constexpr const char* kWarps = "8 warps per 32 pixels";
  const auto reread = [&] {
    using Mapping = PixelLanes<8>;
    visit(Form<Mapping, pixelwise_reread_kernel<Element, Mapping>>{
        "pixelwise_reread_kernel", "8 warps per 32 pixels, classes read again"});
  };
  if (K <= 16) {
    visit_registers<Element, PixelLanes<1>, 1, 16>(kThread, visit);
  } else if constexpr (kWide) {
    if (K <= 96) {
      visit_registers<Element, PixelLanes<8>, 17, 12>(kWarps, visit);
    } else {
      reread();
    }
  } else {
    if (K <= 19) {
      visit_registers<Element, PixelLanes<1>, 17, 19>(kThread, visit);
    } else if (K <= 21) {
      visit_registers<Element, PixelLanes<1>, 20, 21>(kThread, visit);
    } else if (K <= 32) {
      visit_registers<Element, PixelLanes<1>, 22, 32>(kThread, visit);
    } else if (K <= 128) {
      visit_registers<Element, PixelLanes<8>, 33, 16>(kWarps, visit);
    } else if (K <= 152) {
      visit_registers<Element, PixelLanes<8>, 129, 19>(kWarps, visit);
    } else if (K <= 176) {
      visit_registers<Element, PixelLanes<8>, 153, 22>(kWarps, visit);
    } else {
      reread();
    }
  }
}

struct PixelwiseMemory {
  int64_t* valid_counts;
  double* sums;

  PixelwiseMemory(const PixelwiseArgs& args, int64_t blocks, Workspace& workspace)
      : valid_counts(args.mask.data ? workspace.take<int64_t>(kCountBlocks) : nullptr),
        sums(workspace.take<double>(blocks)) {}
};

template <class Mapping>
int64_t blocks_per_image(const PixelwiseArgs& args) {
  return divide_up(args.student.H * args.student.W, Mapping::kPixels);
}

template <class Mapping>
int64_t blocks_of(const PixelwiseArgs& args) {
  const int64_t B = args.student.B, N = args.student.H * args.student.W;
  return Mapping::kOverImages ? divide_up(B * N, Mapping::kPixels)
                              : B * blocks_per_image<Mapping>(args);
}

void count_valid_pixels(cudaStream_t stream, const PixelwiseArgs& args, int64_t* counts) {
  const Plane& mask = args.mask;
  const Map& map = args.student;
  const bool dense = mask.stride_w == 1 && (map.H == 1 || mask.stride_h == map.W) &&
                     (map.B == 1 || mask.stride_b == map.H * map.W) &&
                     reinterpret_cast<uintptr_t>(mask.data) % sizeof(uint4) == 0;
  launch<count_valid_pixels_kernel>("count_valid_pixels_kernel", kCountBlocks, kCountThreads, 0,
                                    stream, mask, map.B, map.H * map.W, map.W, dense, counts);
}

// How many pieces of a row of K classes each thread keeps.
template <class Element>
int kept_pieces(int64_t K, size_t piece_bytes) {
  if (piece_bytes == 0) return 0;
  constexpr size_t kMeeting = 1024;  // bytes, at most, in which warps meet
  const int64_t room = int64_t((device_traits().shared_bytes - kMeeting) / piece_bytes);
  const int64_t all = divide_up(2 * K * int64_t(sizeof(Element)), int64_t(piece_bytes));
  return int(all < room ? all : room);
}

template <class Element, class Form>
void run(const Launch& launched, const PixelwiseArgs& args, void* memory, const Form& form) {
  using Mapping = typename Form::Mapping;
  const cudaStream_t stream = stream_of(launched);
  const int64_t per_image = blocks_per_image<Mapping>(args), blocks = blocks_of<Mapping>(args);
  Workspace workspace(memory);
  const PixelwiseMemory scratch(args, blocks, workspace);
  if (scratch.valid_counts != nullptr) count_valid_pixels(stream, args, scratch.valid_counts);

  using T = Widened<Element>;
  const int64_t pixels = args.student.H * args.student.W;
  // With a mask both scales are those of one valid pixel, and kernels divide by the count.
  const PixelwiseScales scales =
      pixelwise_scales(args, scratch.valid_counts != nullptr ? 1 : args.student.B * pixels);
  const bool student_first = args.divergence == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
  const PixelwiseTask<Element> task = {
      args.divergence,
      T(1.0 / args.temperature),
      T(scales.grad),
      MapOf<Element>(student_first ? args.student : args.teacher),
      MapOf<Element>(student_first ? args.teacher : args.student),
      GradOf<Element>(args.grad),
      args.mask,
      pixels,
      per_image,
      scratch.valid_counts,
      scratch.sums,
      kept_pieces<Element>(args.student.C, form.piece_bytes),
      rows_are_aligned(args.grad, GradOf<Element>(args.grad).wide ? int64_t(sizeof(float))
                                                                  : int64_t(sizeof(Element)))};
  launch<Form::kKernel>(form.kernel_name, dim3(unsigned(blocks)), dim3(Mapping::kThreads),
                        size_t(task.kept_pieces) * form.piece_bytes, stream, task);
  launch<pixelwise_sum_kernel>("pixelwise_sum_kernel", 1, kSumThreads, 0, stream,
                               static_cast<const double*>(scratch.sums), blocks, scales.value,
                               static_cast<const int64_t*>(scratch.valid_counts), args.loss,
                               args.student.dtype);
  set_plan("pixelwise: cuda, one pass, %s, %s, %lld blocks of %d pixels, %d launches",
           sizeof(Element) == 8 ? "f64" : "f32", form.description, static_cast<long long>(blocks),
           Mapping::kPixels, args.mask.data ? 3 : 2);
}

}  // namespace

size_t pixelwise_workspace(const Launch&, const PixelwiseArgs& args) {
  Workspace workspace(nullptr);
  with_element_type(args.student.dtype, [&](auto element) {
    with_form<decltype(element)>(args, [&](auto form) {
      using Mapping = typename decltype(form)::Mapping;
      PixelwiseMemory(args, blocks_of<Mapping>(args), workspace);
    });
  });
  return workspace.bytes();
}

void pixelwise(const Launch& launched, const PixelwiseArgs& args, void* workspace) {
  with_element_type(args.student.dtype, [&](auto element) {
    with_form<decltype(element)>(
        args, [&](auto form) { run<decltype(element)>(launched, args, workspace, form); });
  });
}

}  // namespace structkd::cuda
