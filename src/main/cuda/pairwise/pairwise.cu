// cuda/pairwise/pairwise.cu: chooses the form of the pair-wise loss and launches it. Truth:
// reference/pairwise.cpp.
//
// There are two ways, which take the same number of multiply-adds where N = Cs + Ct:
//   matrices   N (Cs + Ct) ((Cs + Ct) / 2 + Cs)    gram.cuh, where N is at least Cs + Ct
//   pairs      N^2 ((Cs + Ct) / 2 + Cs)            pairs.cuh, below that
// Absolute values have no matrices: pairs, streamed, take their place, f64 or two-float, since a sign
// is not nearly right.
// Each has kinds of arithmetic; f64 inputs are always computed in f64:
//   f64 inputs, matrices         f64, then pairs, streamed, where the norms cancel
//   f64 tensor cores             f64, at the rate of f32
//   f64 slow, matrices           f32 for close features (D = S - T is small), else two-float
//   f64 slow, pairs              f32, as differences where Cs = Ct; two-float for few nodes
//   FAST, either way             on tensor cores, then as above where it cancels:
//     Cs = Ct                      differences and sums rounded once, bf16 for bf16 and else TF32;
//                                  pairs of more than a tile of 64 nodes, which else take no time
//     Cs != Ct, matrices           unit vectors rounded once to TF32; pairs are computed as above
// Whether features are close is told by the first pass, on the device, and whether differences or
// norms cancel by the reduction of their matrices: both kernels are launched, that of rounded operands
// or of matrices of differences first, that of pairs last, and the blocks of one leave at once.
#include <string>

#include "cuda/common/launch.cuh"
#include "cuda/kernels.h"
#include "cuda/pairwise/grad.cuh"
#include "cuda/pairwise/gram.cuh"
#include "cuda/pairwise/pairs.cuh"
#include "cuda/pairwise/rounded_gram.cuh"
#include "cuda/pairwise/rounded_pairs.cuh"

namespace structkd::cuda {
namespace {

// Channels per block of the gradient: all of them where that is possible, since <s, h> needs all.
// The 64 KB of shared memory of sm_75 do not hold 128 channels of a tile in f64.
using NarrowTile = BlockTile<64, kTileNodes, 32, 32, 2>;
// A warp with 64 x 32 sums reads less shared memory per product (gram.cuh); registers
// allow it where an operand is f32 and a sum one number.
template <class Real, class Math>
struct WideTileOf {
  using type = BlockTile<128, kTileNodes, 32, 32, 1>;
};
// Streamed pairs keep two sets of sums in registers, which leave room for no more channels.
template <class Math>
struct WideTileOf<double, Math> {
  using type = NarrowTile;
};
template <>
struct WideTileOf<float, F64Mma> {
  using type = BlockTile<128, kTileNodes, 64, 32, 2>;
};
template <class Real, class Math>
using WideTile = typename WideTileOf<Real, Math>::type;

int64_t grad_channels(const PairwiseArgs& args, const DeviceTraits& traits) {
  // Streamed pairs, which f64 inputs and signs may take, have no other.
  const bool narrow = args.student.dtype == STRUCTKD_F64 || args.student.C <= NarrowTile::kM ||
                      args.compare == STRUCTKD_COMPARE_L1 || !traits.has_async_copy;
  return narrow ? NarrowTile::kM : 128;
}

// A call: it holds the arguments, how they are cut and where its scratch memory is.
template <class Real>
class PairwiseCall {
 public:
  PairwiseCall(const Launch& launch, const PairwiseArgs& args, Workspace& workspace)
      : args_(args),
        stream_(stream_of(launch)),
        traits_(device_traits()),
        nodes_(args, workspace),
        loss_(args, nodes_.groups, workspace),
        out_(args, grad_channels(args, traits_), workspace) {}

  bool by_matrices() const { return nodes_.group_nodes() >= args_.student.C + args_.teacher.C; }

  Gram make_gram(Workspace& workspace) const {
    return Gram::exact(nodes_, /*may_be_large=*/tensor_f64(), args_.want_grad, workspace);
  }
  RoundedNodes make_rounded(Workspace& workspace) const {
    const bool with_student = !by_matrices() && (args_.want_grad || args_.kappa != nullptr);
    return RoundedNodes(nodes_, with_student, operand_bytes(), workspace);
  }
  RoundedPairs make_rounded_pairs(const RoundedNodes& rounded, Workspace& workspace) const {
    return RoundedPairs(nodes_, rounded, args_.want_grad, operand_bytes(), workspace);
  }
  Pairs make_pairs(Workspace& workspace) const { return Pairs(nodes_, args_.want_grad, workspace); }
  StreamedPairs make_streamed(Workspace& workspace) const {
    return StreamedPairs(nodes_, args_.want_grad, workspace);
  }

  // Lays out the scratch that run() uses, so that the workspace call can count it.
  void take_scratch(Workspace& workspace) const {
    Workspace first = workspace;  // of two forms, which follow each other in the same memory
    if (rounds()) {
      const RoundedNodes rounded = make_rounded(first);
      if (by_matrices()) {
        workspace = first;
        Gram::of_rounded(nodes_, args_.want_grad, first);
      } else {
        make_rounded_pairs(rounded, first);
      }
    }
    if (!by_matrices()) {
      make_pairs(workspace);
    } else if (signs()) {
      make_streamed(workspace);
    } else {
      make_gram(workspace);
    }
    if (first.bytes() > workspace.bytes()) workspace = first;
    if (!by_matrices() || signs()) return;
    if constexpr (sizeof(Real) == sizeof(double)) make_streamed(workspace);
  }

  void run(Workspace& workspace) const {
    if constexpr (sizeof(Real) == sizeof(float)) {
      if (rounds()) {
        in_bf16() ? run_rounded<Bf16Mma>(workspace) : run_rounded<Tf32Mma>(workspace);
        return;
      }
    }
    measure();
    if (by_matrices() && signs()) {
      run_signs(make_streamed(workspace));
    } else if (by_matrices()) {
      run_matrices(make_gram(workspace), workspace);
    } else {
      run_pairs(make_pairs(workspace));
    }
  }

 private:
  bool tensor_f64() const { return traits_.fast_f64 && traits_.has_async_copy; }
  bool signs() const { return args_.compare == STRUCTKD_COMPARE_L1; }
  bool wide() const { return sizeof(Real) == sizeof(double); }
  // Whether vectors, or differences and sums, are rounded to what tensor cores take.
  bool rounds() const {
    return args_.precision == STRUCTKD_PRECISION_FAST && !wide() && !signs() &&
           traits_.has_async_copy &&
           (by_matrices() || (same_channels() && nodes_.group_nodes() > kTileNodes));
  }
  bool same_channels() const { return args_.student.C == args_.teacher.C; }
  // Unit vectors rounded to bf16 would err by more than FAST promises even where nothing cancels.
  bool in_bf16() const { return args_.student.dtype == STRUCTKD_BF16 && same_channels(); }
  int64_t operand_bytes() const { return in_bf16() ? 2 : 4; }

  void measure() const {
    const dim3 grid(unsigned(args_.student.B * nodes_.strips));
    constexpr int kThreads = kMeasureWarps * kWarp;
    if (wide() || traits_.fast_f64) {
      launch<measure_nodes_strip_per_block_kernel<Real, double>>("pairwise: measure_nodes", grid,
                                                                 kThreads, 0, stream_, nodes_);
    } else if constexpr (sizeof(Real) == sizeof(float)) {
      launch<measure_nodes_strip_per_block_kernel<Real, TwoFloat>>("pairwise: measure_nodes", grid,
                                                                   kThreads, 0, stream_, nodes_);
    }
  }

  void run_matrices(const Gram& gram, Workspace& workspace) const {
    const char* form = "f64";
    if constexpr (sizeof(Real) == sizeof(double)) {
      form = "f64, pairs if norms cancel";
      const StreamedPairs pairs = make_streamed(workspace);
      if (tensor_f64()) {
        matrices<F64Mma, TeacherStudent>(gram, When::kAlways);
        streamed_pairs<F64Mma, /*kSigns=*/false>(pairs);
      } else {
        matrices<Fma<double>, TeacherStudent>(gram, When::kAlways);
        streamed_pairs<Fma<double>, /*kSigns=*/false>(pairs);
      }
    } else {
      // f32 products of differences pay where those of f64 are slow.
      const bool two_cases = same_channels() && !tensor_f64();
      if (two_cases) {
        form = "f32 differences if close, else two-float";
        matrices<Fma<float>, DifferenceStudent>(gram, When::kAligned);
      } else if (!tensor_f64()) {
        form = "two-float";
      }
      exact_matrices(gram, two_cases ? When::kNotAligned : When::kAlways);
    }
    finish_grad();
    set_matrices_plan(form, gram);
  }

  void exact_matrices(const Gram& gram, When when) const {
    if (tensor_f64()) {
      matrices<F64Mma, TeacherStudent>(gram, when);
    } else if constexpr (sizeof(Real) == sizeof(float)) {
      matrices<Fma<TwoFloat>, TeacherStudent>(gram, when);
    }
  }

  void set_matrices_plan(const char* form, const Gram& gram) const {
    set_plan("pairwise: cuda, matrices, %s, %lld splits, %lld groups of %lld nodes", form,
             static_cast<long long>(gram.splits), static_cast<long long>(nodes_.groups),
             static_cast<long long>(nodes_.group_nodes()));
  }

  // All groups of rounded operands, then, in the same memory, those that cancel.
  template <class Math>
  void run_rounded(Workspace& workspace) const {
    Workspace again = workspace;
    const RoundedNodes rounded_nodes = make_rounded(workspace);
    if (same_channels()) {
      round_nodes<Math, /*kDifferences=*/true>(rounded_nodes);
    } else if constexpr (__is_same(Math, Tf32Mma)) {
      round_nodes<Math, /*kDifferences=*/false>(rounded_nodes);
    }
    if (by_matrices()) {
      again = workspace;
      const Gram gram = Gram::of_rounded(nodes_, args_.want_grad, workspace);
      rounded_matrices<Math>(rounded_nodes, gram);
      exact_matrices(make_gram(again), When::kCancelled);
      set_matrices_plan(rounded_form<Math>("f64", "two-float").c_str(), gram);
    } else {
      rounded_pairs<Math>(rounded_nodes, make_rounded_pairs(rounded_nodes, workspace));
      exact_pairs(make_pairs(again), When::kCancelled);
      set_pairs_plan(rounded_form<Math>("f64", "f32").c_str());
    }
    finish_grad();
  }

  template <class Math, bool kDifferences>
  void round_nodes(const RoundedNodes& rounded_nodes) const {
    const unsigned grid = unsigned(args_.student.B * nodes_.strips);
    constexpr int kThreads = kMeasureWarps * kWarp;
    using T = typename Math::Operand;
    if (traits_.fast_f64) {
      launch<round_nodes_strip_per_block_kernel<Real, double, T, kDifferences>>(
          "pairwise: round_nodes", grid, kThreads, 0, stream_, nodes_, rounded_nodes);
    } else {
      launch<round_nodes_strip_per_block_kernel<Real, TwoFloat, T, kDifferences>>(
          "pairwise: round_nodes", grid, kThreads, 0, stream_, nodes_, rounded_nodes);
    }
  }

  template <class Math>
  void rounded_matrices(const RoundedNodes& rounded_nodes, const Gram& gram) const {
    using Rows = StagedAlongK<typename Math::Operand, RoundedTile::kM>;
    launch<pairwise_rounded_gram_tile_per_block_kernel<Math>>(
        "pairwise: rounded_gram_tile", unsigned(nodes_.groups * gram.splits * gram.slots),
        RoundedTile::kThreads, kPipelineBytes<Rows, Rows>, stream_, rounded_nodes,
        nodes_.group_nodes(), gram);
    if (same_channels()) {
      reduce<Math, DifferenceSum>(gram, When::kAlways);
    } else if constexpr (__is_same(Math, Tf32Mma)) {
      reduce<Math, RoundedTeacherStudent>(gram, When::kAlways);
    }
    if (!args_.grad.data) return;
    launch<pairwise_rounded_grad_tile_per_block_kernel<Real, Math>>(
        "pairwise: rounded_grad_tile", rounded_grad_blocks(), RoundedTile::kThreads,
        kRoundedGradBytes, stream_, nodes_, rounded_nodes, gram, out_);
  }

  template <class Math>
  void rounded_pairs(const RoundedNodes& rounded_nodes, const RoundedPairs& pairs) const {
    launch<pairwise_rounded_pairs_tile_per_block_kernel<Real, Math>>(
        "pairwise: rounded_pairs_tile", unsigned(nodes_.groups * pairs.slots),
        RoundedPairTile::kThreads, kStages * RoundedPairsStage<typename Math::Operand>::kBytes,
        stream_, nodes_, rounded_nodes, pairs, loss_, args_.kappa != nullptr, args_.want_grad);
    if (!args_.grad.data) return;
    launch<pairwise_rounded_pairs_grad_tile_per_block_kernel<Real, Math>>(
        "pairwise: rounded_pairs_grad_tile", rounded_grad_blocks(), RoundedTile::kThreads,
        kRoundedGradBytes, stream_, nodes_, rounded_nodes, pairs, out_);
  }

  unsigned rounded_grad_blocks() const {
    return unsigned(out_.tiles * nodes_.groups * divide_up(nodes_.group_nodes(), RoundedTile::kN));
  }

  // "tf32 differences, f64 if they cancel", or "unit vectors", or with `slow` where f64 is slow.
  template <class Math>
  std::string rounded_form(const char* fast, const char* slow) const {
    const bool bf16 = __is_same(typename Math::Operand, BFloat16);
    return std::string(bf16 ? "bf16" : "tf32") +
           (same_channels() ? " differences, " : " unit vectors, ") + (tensor_f64() ? fast : slow) +
           (same_channels() ? " if they cancel" : " if norms cancel");
  }

  template <class Math, class Stack>
  void matrices(const Gram& gram, When when) const {
    constexpr bool kDifference = __is_same(Stack, DifferenceStudent);
    if (gram.tile_rows == SmallGramTile::kM) {
      gram_tiles<Math, SmallGramTile, kDifference>(gram, when);
    } else if constexpr (__is_same(Math, F64Mma)) {
      gram_tiles<Math, LargeGramTile, kDifference>(gram, when);
    }
    reduce<Math, Stack>(gram, when);
    if (!args_.grad.data) return;
    if (grad_channels(args_, traits_) == NarrowTile::kM) {
      gram_grad<Math, NarrowTile>(gram, when);
    } else {
      gram_grad<Math, WideTile<Real, Math>>(gram, when);
    }
  }

  template <class Math, class Stack>
  void reduce(const Gram& gram, When when) const {
    launch<pairwise_gram_reduce_kernel<Real, Math, Stack>>(
        "pairwise: gram_reduce", unsigned(nodes_.groups * gram.sum_blocks),
        kWarp * Gram::kRowsPerBlock, 0, stream_, nodes_, gram, loss_, args_.want_grad, when);
  }

  template <class Math, class Tile, bool Difference>
  void gram_tiles(const Gram& gram, When when) const {
    using A = GramRows<Real, Math, Tile::kM, Tile::kThreads, Difference>;
    using B = GramRows<Real, Math, Tile::kN, Tile::kThreads, Difference>;
    launch<pairwise_gram_tile_per_block_kernel<Real, Math, Tile, Difference>>(
        "pairwise: gram_tile", unsigned(nodes_.groups * gram.splits * gram.slots), Tile::kThreads,
        kStageBytes<Math, typename A::Layout, typename B::Layout>, stream_, nodes_, gram, when);
  }

  template <class Math, class Tile>
  void gram_grad(const Gram& gram, When when) const {
    using T = typename Math::Operand;
    launch<pairwise_gram_grad_tile_per_block_kernel<Real, Math, Tile>>(
        "pairwise: gram_grad_tile", grad_blocks(), Tile::kThreads,
        grad_shared_bytes<Math, RowInnermost<T, Tile::kM>, RowInnermost<T, kTileNodes>, Tile>(),
        stream_, nodes_, gram, out_, when);
  }

  void run_signs(const StreamedPairs& pairs) const {
    const char* form = "f64";
    if (tensor_f64()) {
      streamed_pairs<F64Mma, /*kSigns=*/true>(pairs);
    } else if constexpr (sizeof(Real) == sizeof(double)) {
      streamed_pairs<Fma<double>, /*kSigns=*/true>(pairs);
    } else {
      form = "two-float";
      streamed_pairs<Fma<TwoFloat>, /*kSigns=*/true>(pairs);
    }
    finish_grad();
    set_plan("pairwise: cuda, pairs, streamed, %s, %lld groups of %lld nodes", form,
             static_cast<long long>(nodes_.groups), static_cast<long long>(nodes_.group_nodes()));
  }

  template <class Math, bool kSigns>
  void streamed_pairs(const StreamedPairs& pairs) const {
    using T = typename Math::Operand;
    launch<pairwise_streamed_tile_per_block_kernel<Real, Math, kSigns>>(
        "pairwise: streamed_tile", unsigned(pairs.blocks(nodes_)), StreamTile::kThreads,
        grad_shared_bytes<Math, KInnermost<T, StreamTile::kM>, RowInnermost<T, kTileNodes>,
                          StreamTile>(),
        stream_, nodes_, pairs, loss_, out_, args_.grad.data != nullptr);
  }

  void run_pairs(const Pairs& pairs) const {
    exact_pairs(pairs, When::kAlways);
    finish_grad();
    set_pairs_plan(wide() || tensor_f64() ? "f64" : in_two_floats(pairs) ? "two-float" : "f32");
  }

  // A single tile takes no time whatever its arithmetic.
  bool in_two_floats(const Pairs& pairs) const { return pairs.tiles == 1 || signs(); }

  void exact_pairs(const Pairs& pairs, When when) const {
    if (tensor_f64()) {
      pairs_in<F64Mma>(pairs, when);
    } else if constexpr (sizeof(Real) == sizeof(double)) {
      pairs_in<Fma<double>>(pairs, when);
    } else if (in_two_floats(pairs)) {
      pairs_in<Fma<TwoFloat>>(pairs, when);
    } else {
      pairs_in<Fma<float>>(pairs, when);
    }
  }

  void set_pairs_plan(const char* form) const {
    set_plan("pairwise: cuda, pairs, %s, %lld groups of %lld nodes", form,
             static_cast<long long>(nodes_.groups), static_cast<long long>(nodes_.group_nodes()));
  }

  template <class Math>
  void pairs_in(const Pairs& pairs, When when) const {
    if constexpr (!__is_same(Math, Fma<float>)) {
      if (signs()) pairs_tiles<Math, /*kSigns=*/true>(pairs, when);
    }
    if (!signs()) pairs_tiles<Math, /*kSigns=*/false>(pairs, when);
    if (!args_.grad.data) return;
    if (grad_channels(args_, traits_) == NarrowTile::kM) {
      pairs_grad<Math, NarrowTile>(pairs, when);
    } else {
      pairs_grad<Math, WideTile<Real, Math>>(pairs, when);
    }
  }

  template <class Math, bool kSigns>
  void pairs_tiles(const Pairs& pairs, When when) const {
    using Columns = RowInnermost<typename Math::Operand, kTileNodes>;
    launch<pairwise_pairs_tile_per_block_kernel<Real, Math, kSigns>>(
        "pairwise: pairs_tile", unsigned(nodes_.groups * pairs.slots), PairTile::kThreads,
        kStageBytes<Math, Columns, Columns>, stream_, nodes_, pairs, loss_, args_.kappa != nullptr,
        args_.want_grad, when);
  }

  template <class Math, class Tile>
  void pairs_grad(const Pairs& pairs, When when) const {
    using T = typename Math::Operand;
    launch<pairwise_pairs_grad_tile_per_block_kernel<Real, Math, Tile>>(
        "pairwise: pairs_grad_tile", grad_blocks(), Tile::kThreads,
        grad_shared_bytes<Math, KInnermost<T, Tile::kM>, RowInnermost<T, kTileNodes>, Tile>(),
        stream_, nodes_, pairs, out_, when);
  }

  int64_t node_tiles() const { return nodes_.groups * divide_up(nodes_.group_nodes(), kTileNodes); }
  unsigned grad_blocks() const { return unsigned(out_.tiles * node_tiles()); }

  // Every form ends with this: it completes gradients that tiles of channels left unfinished.
  void finish_grad() const {
    if (!args_.grad.data || !out_.in_two_steps()) return;
    const dim3 grid(unsigned(node_tiles()), unsigned(divide_up(args_.student.C, kFinishChannels)));
    if (wide() || tensor_f64()) {
      launch<pairwise_grad_finish_kernel<Real, double>>("pairwise: grad_finish", grid,
                                                        kFinishThreads, 0, stream_, nodes_, out_);
    } else if constexpr (sizeof(Real) == sizeof(float)) {
      launch<pairwise_grad_finish_kernel<Real, float>>("pairwise: grad_finish", grid,
                                                       kFinishThreads, 0, stream_, nodes_, out_);
    }
  }

  const PairwiseArgs& args_;
  cudaStream_t stream_;
  const DeviceTraits& traits_;
  Nodes<Real> nodes_;
  LossOut loss_;
  GradOut out_;
};

template <class Visit>
void with_call(const Launch& launch, const PairwiseArgs& args, void* memory, Visit&& visit) {
  Workspace workspace(memory);
  if (args.student.dtype == STRUCTKD_F64) {
    visit(PairwiseCall<double>(launch, args, workspace), workspace);
  } else {
    visit(PairwiseCall<float>(launch, args, workspace), workspace);
  }
}

}  // namespace

size_t pairwise_workspace(const Launch& launch, const PairwiseArgs& args) {
  size_t bytes = 0;
  with_call(launch, args, nullptr, [&](const auto& call, Workspace& workspace) {
    call.take_scratch(workspace);
    bytes = workspace.bytes();
  });
  return bytes;
}

void pairwise(const Launch& launch, const PairwiseArgs& args, void* memory) {
  with_call(launch, args, memory,
            [](const auto& call, Workspace& workspace) { call.run(workspace); });
}

}  // namespace structkd::cuda
