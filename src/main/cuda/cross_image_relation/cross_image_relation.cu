// cuda/cross_image_relation/cross_image_relation.cu: the cross-image relation loss in tiles of
// cosines that never leave a block, but for the tile of slopes that it works on. Truth:
// reference/cross_image_relation.cpp.
//
//   measure  lengths of all nodes           sums    a block per 64 nodes and image
//   loss     one block                      slopes  a block per 64 nodes and 64 channels
//   finish   where a node has more channels than a block
#include "core/error.h"
#include "cuda/common/launch.cuh"
#include "cuda/cross_image_relation/slopes.cuh"
#include "cuda/cross_image_relation/sums.cuh"
#include "cuda/kernels.h"

namespace structkd::cuda {
namespace {

// A call with features in Real and products by Math.
template <class Real, class Math>
class RelationCall {
 public:
  using T = typename Math::Operand;

  RelationCall(const Launch& launch, const CrossImageRelationArgs& args, Workspace& workspace)
      : args_(args),
        stream_(stream_of(launch)),
        node_args_(node_args(args)),
        nodes_(node_args_, workspace),
        rows_(nodes_, workspace),
        tiles_(nodes_, args.want_grad, workspace),
        out_(node_args_, StreamTile::kM, workspace) {}

  void run() const {
    measure();
    using Columns = RowInnermost<T, kTileNodes>;
    launch<relation_sums_tile_per_block_kernel<Real, Math>>(
        "cross-image relation: sums_tile", unsigned(nodes_.images * rows_.tiles),
        StreamTile::kThreads, kStageBytes<Math, Columns, Columns>, stream_, nodes_, rows_,
        args_.temperature);
    launch<relation_loss_kernel>("cross-image relation: loss", 1, kLossThreads, 0, stream_,
                                 rows_.divergence, nodes_.images * rows_.tiles,
                                 relation_scale(args_), args_.student.dtype, args_.loss);
    if (args_.grad.data) write_grad();
    set_plan("cross_image_relation: cuda, %s tiles, %lld images of %lld nodes",
             sizeof(T) == sizeof(float) ? "f32" : "f64", static_cast<long long>(nodes_.images),
             static_cast<long long>(nodes_.N));
  }

 private:
  void measure() const {
    const dim3 grid(unsigned(nodes_.images * nodes_.strips));
    constexpr int kThreads = kMeasureWarps * kWarp;
    if (sizeof(Real) == sizeof(double) || device_traits().fast_f64) {
      launch<measure_nodes_strip_per_block_kernel<Real, double>>(
          "cross-image relation: measure_nodes", grid, kThreads, 0, stream_, nodes_);
    } else if constexpr (sizeof(Real) == sizeof(float)) {
      launch<measure_nodes_strip_per_block_kernel<Real, TwoFloat>>(
          "cross-image relation: measure_nodes", grid, kThreads, 0, stream_, nodes_);
    }
  }

  void write_grad() const {
    launch<relation_slopes_tile_per_block_kernel<Real, Math>>(
        "cross-image relation: slopes_tile", unsigned(tiles_.blocks()), StreamTile::kThreads,
        grad_shared_bytes<Math, KInnermost<T, StreamTile::kM>, RowInnermost<T, kTileNodes>,
                          StreamTile>(),
        stream_, nodes_, rows_, tiles_, out_, args_.temperature);
    if (!out_.in_two_steps()) return;
    const dim3 grid(unsigned(rows_.tiles), unsigned(divide_up(args_.student.C, kFinishChannels)));
    launch<pairwise_grad_finish_kernel<Real, Epilogue<T>>>(
        "cross-image relation: grad_finish", grid, kFinishThreads, 0, stream_, nodes_, out_);
  }

  const CrossImageRelationArgs& args_;
  cudaStream_t stream_;
  PairwiseArgs node_args_;
  Nodes<Real> nodes_;
  RelationRows<T> rows_;
  SlopeTiles<T> tiles_;
  GradOut out_;
};

template <class Visit>
void with_call(const Launch& launch,
               const CrossImageRelationArgs& args,
               Workspace& workspace,
               Visit&& visit) {
  if (args.student.dtype == STRUCTKD_F64) {
    visit(RelationCall<double, Fma<double>>(launch, args, workspace));
  } else if (relates_in_f64(args)) {
    visit(RelationCall<float, Fma<double>>(launch, args, workspace));
  } else {
    visit(RelationCall<float, Fma<float>>(launch, args, workspace));
  }
}

}  // namespace

size_t cross_image_relation_workspace(const Launch& launch, const CrossImageRelationArgs& args) {
  Workspace workspace(nullptr);
  with_call(launch, args, workspace, [](const auto&) {});
  return workspace.bytes();
}

void cross_image_relation(const Launch& launch, const CrossImageRelationArgs& args, void* memory) {
  Workspace workspace(memory);
  with_call(launch, args, workspace, [](const auto& call) { call.run(); });
}

}  // namespace structkd::cuda
