// cuda/global_structural/global_structural.cu: the global structural loss of a ragged batch in
// three launches (two for the value alone). Truth: reference/global_structural.cpp.
//
//   gather    a warp per row     unit rows; the order of columns; the gradient cleared
//   compare   a block per tile   V_S and V_T
//             a block per part   softmax sums of each group in so many rows; in the blocks that end
//                                last the loss, and what the gradient needs of each group
//   gradient  a block per tile   slopes of the map entries times rows, back through the unit length
//
// Blocks of images and samples that counts leave out return at once: nothing is read by the host.
// Maps, order and groups live in the workspace, 16 M^2 bytes per image in f32.
#include "core/error.h"
#include "cuda/common/launch.cuh"
#include "cuda/global_structural/compare.cuh"
#include "cuda/global_structural/grad.cuh"
#include "cuda/kernels.h"

namespace structkd::cuda {
namespace {

template <class T>
struct Plan {
  Rows<T> student, teacher;
  ImageGroups* images;  // [B]
  Shuffle shuffle;
  PixelChains chains;
  GroupParts parts;
  Arrivals arrivals;
  SimilarityMaps<T> maps;
  GroupSlope<T>* slopes;  // [B, M], or nullptr
  double* losses;         // [B]

  Plan(const GlobalStructuralArgs& args, Workspace& workspace)
      : student(args.student.B, args.max_samples, args.student.C, workspace),
        teacher(args.student.B, args.max_samples, args.teacher.C, workspace),
        images(workspace.take<ImageGroups>(args.student.B)),
        shuffle{},
        chains(args.student.B, args.want_grad ? args.max_samples : 0, workspace),
        parts(args.student.B, args.max_samples, workspace),
        arrivals(args.student.B, workspace),
        maps(args.student.B, args.max_samples, workspace) {
    const int64_t B = args.student.B, M = args.max_samples, grads = args.want_grad ? 1 : 0;
    slopes = workspace.take<GroupSlope<T>>(grads * B * M);
    losses = workspace.take<double>(B);
    const bool shuffled = args.shuffle != STRUCTKD_SHUFFLE_NONE;
    shuffle.pitch = maps.pitch;
    if (shuffled) shuffle.columns = workspace.take<int32_t>(B * M * M);
    // Reading a table needs them, too.
    const bool groups = args.want_grad || (shuffled && args.permutation.data != nullptr);
    if (groups) shuffle.groups = workspace.take<int32_t>(B * M * maps.pitch);
    if (!args.want_grad) slopes = nullptr;
  }

  GroupWork<T> group_work() const {
    return {images, shuffle, parts, maps, slopes, losses, arrivals};
  }
};

template <class T, class Shape>
void compare_maps(const GlobalStructuralArgs& args, const Plan<T>& plan, cudaStream_t stream) {
  const CompareGrid<Shape> grid(args, plan.parts);
  launch<compare_maps_kernel<T, Shape>>("compare_maps", dim3(grid.blocks()), dim3(Shape::kThreads),
                                        0, stream, args, grid, plan.student, plan.teacher,
                                        plan.group_work());
}

template <class T, class Gradient, class Tile>
void write_grad(const GlobalStructuralArgs& args,
                const Plan<T>& plan,
                const MapOf<Gradient>& grad,
                cudaStream_t stream) {
  const SlopeSources<T> sources = {
      plan.maps,         plan.shuffle.groups, plan.slopes,           plan.chains.next,
      plan.chains.owner, args.max_samples,    1.0 / args.temperature};
  const int64_t tiles =
      divide_up(args.student.C, Tile::kChannels) * divide_up(args.max_samples, Tile::kRows);
  const bool cross = args.similarity == STRUCTKD_SIMILARITY_CROSS;
  launch<row_gradient_tile_per_block_kernel<T, Gradient, Tile>>(
      "row_gradient_tile_per_block", dim3(unsigned(tiles * args.student.B)), dim3(Tile::kThreads),
      sizeof(typename Tile::Shared), stream, args, sources, plan.student,
      cross ? plan.teacher : plan.student, grad);
}

// Blocks of the gather, which also clears the gradient: 8 for each of 132 multiprocessors, if the
// gradient has work for them.
constexpr int64_t kClearBlocks = 8 * 132;

template <class Element, class Gradient>
void run_typed(const GlobalStructuralArgs& args, cudaStream_t stream, void* memory) {
  using T = Widened<Element>;
  Workspace workspace(memory);
  const Plan<T> plan(args, workspace);
  const MapOf<Gradient> grad(args.grad);
  const Map& map = args.grad;
  const int64_t rows = divide_up(3 * args.student.B * args.max_samples * kWarp, kRowThreads);
  const int64_t elements = map.data == nullptr ? 0 : map.B * map.C * map.H * map.W;
  const int64_t clears = divide_up(elements, kRowThreads * kClearedPerThread);
  const int64_t clear_blocks = clears < kClearBlocks ? clears : kClearBlocks;
  launch<gather_rows_warp_per_row_kernel<Element, Gradient>>(
      "gather_rows_warp_per_row", dim3(unsigned(rows > clear_blocks ? rows : clear_blocks)),
      dim3(kRowThreads), 0, stream, args, MapOf<const Element>(args.student),
      MapOf<const Element>(args.teacher), plan.student, plan.teacher, plan.images, plan.shuffle,
      plan.chains, plan.arrivals, grad);
  if (args.max_samples <= kSmallMap) {
    compare_maps<T, SmallMapTile<T>>(args, plan, stream);
    if (grad.data != nullptr) write_grad<T, Gradient, SmallGradTile<T>>(args, plan, grad, stream);
  } else {
    compare_maps<T, LargeMapTile<T>>(args, plan, stream);
    if (grad.data != nullptr) write_grad<T, Gradient, LargeGradTile<T>>(args, plan, grad, stream);
  }
}

}  // namespace

size_t global_structural_workspace(const Launch&, const GlobalStructuralArgs& args) {
  Workspace workspace(nullptr);
  if (args.student.dtype == STRUCTKD_F64) {
    Plan<double>(args, workspace);
  } else {
    Plan<float>(args, workspace);
  }
  return workspace.bytes();
}

void global_structural(const Launch& launch_settings,
                       const GlobalStructuralArgs& args,
                       void* memory) {
  const cudaStream_t stream = stream_of(launch_settings);
  with_element_type(args.student.dtype, [&](auto element) {
    using Element = decltype(element);
    if (args.grad.data != nullptr && args.grad.dtype != args.student.dtype) {
      run_typed<Element, float>(args, stream, memory);
    } else {
      run_typed<Element, Element>(args, stream, memory);
    }
  });
  set_plan(
      "global_structural: cuda, %s products, f64 sums, %d launches, "
      "%lld images of at most %lld samples",
      args.student.dtype == STRUCTKD_F64 ? "f64" : "f32", args.grad.data ? 3 : 2,
      static_cast<long long>(args.student.B), static_cast<long long>(args.max_samples));
}

}  // namespace structkd::cuda
