// cuda/global_structural.cu: the global structural loss of a ragged batch in five launches (four
// for the value alone). Truth: reference/global_structural.cpp.
//
//   gather    a warp per row            unit rows, permutations; the gradient cleared
//   maps      a block per 64 x 64 tile  V_S and V_T
//   groups    a block per part          softmax sums of each group in so many rows
//   totals    one block                 the loss, and what the gradient needs of each group
//   gradient  a block per 16 rows       slopes times rows, back through the unit length
//
// Blocks of images and samples that counts leave out return at once: nothing is read by the host.
// The maps live in the workspace, 8 M^2 bytes per image in f32.
#include "core/error.h"
#include "global_structural_grad.cuh"
#include "global_structural_groups.cuh"
#include "global_structural_maps.cuh"
#include "kernels.h"
#include "launch.cuh"

namespace structkd::cuda {
namespace {

template <class T>
struct Plan {
  Rows<T> student, teacher;
  ImageGroups* images;  // [B]
  Shuffle shuffle;
  PixelChains chains;
  GroupParts parts;
  T* student_map;  // [B, M, M]
  T* teacher_map;
  GroupSlope<T>* slopes;  // [B, M]
  T* parked;              // [B, M, stride of the student's rows]

  Plan(const GlobalStructuralArgs& args, Workspace& workspace)
      : student(args.student.B, args.max_samples, args.student.C, workspace),
        teacher(args.student.B, args.max_samples, args.teacher.C, workspace),
        images(workspace.take<ImageGroups>(args.student.B)),
        shuffle{},
        chains(args.student.B, args.want_grad ? args.max_samples : 0, workspace),
        parts(args.student.B, args.max_samples, workspace) {
    const int64_t B = args.student.B, M = args.max_samples, grads = args.want_grad ? 1 : 0;
    student_map = workspace.take<T>(B * M * M);
    teacher_map = workspace.take<T>(B * M * M);
    slopes = workspace.take<GroupSlope<T>>(grads * B * M);
    parked = workspace.take<T>(grads * B * M * student.stride);
    const bool table = reads_table(args), drawn = !table && args.shuffle != STRUCTKD_SHUFFLE_NONE;
    if (drawn) shuffle.permutations = workspace.take<Permutation>(B * M);
    if (table) shuffle.columns = workspace.take<int32_t>(B * M * M);
    if (args.want_grad) shuffle.groups = workspace.take<int32_t>(B * M * M);
    if (!args.want_grad) slopes = nullptr;
  }

  static bool reads_table(const GlobalStructuralArgs& args) {
    return args.permutation.data != nullptr && args.shuffle != STRUCTKD_SHUFFLE_NONE;
  }
};

template <class T>
void compare_maps(const GlobalStructuralArgs& args, const Plan<T>& plan, cudaStream_t stream) {
  const unsigned B = unsigned(args.student.B);
  const int64_t M = args.max_samples, tiles = divide_up(M, kMapTile);
  launch<similarity_map_tile_per_block_kernel<T>>(
      "similarity_map_tile_per_block", dim3(unsigned(tiles * tiles), 2, B), dim3(kMapThreads), 0,
      stream, args, plan.student, plan.teacher, plan.student_map, plan.teacher_map);
  if (Plan<T>::reads_table(args)) {
    launch<read_table_warp_per_row_kernel>("read_table_warp_per_row", dim3(unsigned(B * M)),
                                           dim3(kWarp), size_t(divide_up(M, kWarp)) * 4, stream,
                                           args, plan.shuffle);
  }
  const int64_t tasks = M * plan.parts.parts;
  launch<group_sums_part_per_block_kernel<T>>(
      "group_sums_part_per_block", dim3(unsigned(tasks < kGroupBlocks ? tasks : kGroupBlocks), B),
      dim3(kGroupThreads), 0, stream, args, plan.images, plan.shuffle, plan.student_map,
      plan.teacher_map, plan.parts);
  launch<group_totals_single_block_kernel<T>>("group_totals_single_block", dim3(1),
                                              dim3(kTotalThreads), 0, stream, args, plan.images,
                                              plan.parts, plan.slopes);
}

template <class Element, class Gradient>
void run_typed(const GlobalStructuralArgs& args, cudaStream_t stream, void* memory) {
  using T = Widened<Element>;
  Workspace workspace(memory);
  const Plan<T> plan(args, workspace);
  const int64_t B = args.student.B, M = args.max_samples;
  const MapOf<Gradient> grad(args.grad);
  launch<gather_rows_warp_per_row_kernel<Element, Gradient>>(
      "gather_rows_warp_per_row", dim3(unsigned(divide_up(2 * B * M * kWarp, kRowThreads))),
      dim3(kRowThreads), 0, stream, args, MapOf<const Element>(args.student),
      MapOf<const Element>(args.teacher), plan.student, plan.teacher, plan.images,
      plan.shuffle.permutations, plan.chains, grad);
  compare_maps(args, plan, stream);
  if (args.grad.data == nullptr) return;
  const bool cross = args.similarity == STRUCTKD_SIMILARITY_CROSS;
  const MapsAndSlopes<T> maps = {plan.student_map,
                                 plan.teacher_map,
                                 plan.shuffle.groups,
                                 plan.slopes,
                                 plan.chains,
                                 M,
                                 T(1.0 / args.temperature),
                                 cross};
  launch<row_gradient_rows_per_block_kernel<T, Gradient>>(
      "row_gradient_rows_per_block", dim3(unsigned(divide_up(M, kGradRows)), unsigned(B)),
      dim3(kGradThreads), 0, stream, args, maps, plan.student, cross ? plan.teacher : plan.student,
      plan.parked, grad);
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
      "global_structural: cuda, %s products, f64 sums, %d launches, %lld images of at most %lld "
      "samples",
      args.student.dtype == STRUCTKD_F64 ? "f64" : "f32", args.grad.data ? 5 : 4,
      static_cast<long long>(args.student.B), static_cast<long long>(args.max_samples));
}

}  // namespace structkd::cuda
