// cpu/pairwise/pairwise.cpp: chooses the form of the pair-wise loss by counting operations. Truth:
// reference/pairwise.cpp.
//
//   Gram form  N ((Cs + Ct)^2 + 2 Cs (Cs + Ct))   multiply-adds times 2, O(C^2) memory
//   tile form  N^2 ((Cs + Ct) + 2 Cs)             the same unit, N^2 + O(N C) memory
// f64 products count twice, because their rate is half of f32. At equal widths f32 inputs take the
// Gram form from N = 4 C on, and from N = 2 C on if it is the difference form; f64 inputs take it
// from N = 2 C on, and tiles after all where the norms of the plain form cancel. Absolute values
// have no Gram form.
#include "core/error.h"
#include "cpu/kernels.h"
#include "cpu/pairwise/gram.h"
#include "cpu/pairwise/tile.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Largest u kappa^2 / C, u = 2^-24, for which plain f32 products are accepted in FAST mode: the
// relative error of the loss by the cancellation of three norms (docs/methods/pairwise.md).
constexpr double kFastLimit = 1e-3;

// Whether f32 products were exact enough, judged by what they left. NaN is not.
bool f32_suffices(const PairSums& sums, bool difference, int64_t channels) {
  if (difference) return !terms_cancel(sums);
  return 0x1p-24 * (sums.student / sums.gaps) / double(channels) <= kFastLimit;
}

// The most memory for gaps that the tile form keeps although the Gram form needs none: that of 4096
// nodes in f32.
constexpr int64_t kMaxGapBytes = int64_t(64) << 20;

bool takes_gram(const PairwiseArgs& args, int64_t nodes, bool f32_gram, bool f32_tile) {
  const double Cs = double(args.student.C), Ct = double(args.teacher.C), N = double(nodes);
  const double gap_bytes = N * N * (f32_tile ? sizeof(float) : sizeof(double));
  if (N > 2.0 * larger(Cs, Ct) && gap_bytes > double(kMaxGapBytes)) return true;
  const double gram = N * ((Cs + Ct) * (Cs + Ct) + (args.want_grad ? 2.0 * Cs * (Cs + Ct) : 0.0));
  const double tile = N * N * (Cs + Ct + (args.want_grad ? 2.0 * Cs : 0.0));
  return (f32_gram ? gram : 2.0 * gram) < (f32_tile ? tile : 2.0 * tile);
}

// The nodes up to which a call is all overhead, and the exact way costs nothing.
constexpr int64_t kFewNodes = 64;

// Products of the tile form in f64: f64 inputs, few nodes, and kappa, which is only as good as its
// sums.
bool wants_f64(const PairwiseArgs& args, int64_t nodes) {
  return args.student.dtype == STRUCTKD_F64 || nodes <= kFewNodes || args.kappa != nullptr;
}

// Absolute values need tiles for any N. Gaps are kept where they are no more than the maps.
bool takes_tiles_alone(const PairwiseArgs& args) { return args.compare == STRUCTKD_COMPARE_L1; }

bool streams_signs(const PairwiseArgs& args, int64_t nodes) {
  return double(nodes) > 2.0 * double(larger(args.student.C, args.teacher.C));
}

NodeGroup make_group(const PairwiseArgs& args, int threads, Workspace& workspace) {
  const bool whole_batch = args.pairs == STRUCTKD_PAIRS_WHOLE_BATCH;
  const int64_t images = whole_batch ? args.student.B : 1, N = args.student.H * args.student.W;
  NodeGroup group{args, 0, images, N, threads, {}, {}, {}, {}, {}, {}, 0.0, 0.0};
  group.student_scale = workspace.take<double>(images * N);
  group.teacher_scale = workspace.take<double>(images * N);
  group.along = workspace.take<double>(images * N);
  group.root = workspace.take<double>(images * N);
  group.strip_weight = workspace.take<double>(images * strips_per_image(N));
  group.strip_gap = workspace.take<double>(images * strips_per_image(N));
  return group;
}

struct Result {
  PairSums sums;
  const char* form;
};

template <class T>
Result by_tiles(
    const NodeGroup& group, bool close, bool streamed, double factor, Workspace workspace) {
  const PairTiles<T> tiles(group.args, close, streamed, group.N, group.images, group.threads,
                           workspace);
  const bool f32_products = sizeof(T) == sizeof(float);
  const char* form = "";
  if (!f32_products) {
    form = streamed ? "tile, streamed, f64" : "tile, f64";
  } else if (close) {
    form = streamed ? "tile, streamed, difference, f32" : "tile, difference, f32";
  } else {
    form = streamed ? "tile, streamed, f32" : "tile, f32";
  }
  return {pair_by_pair(group, tiles, factor), form};
}

template <class T>
Result by_gram(const NodeGroup& group, bool difference, double factor, Workspace workspace) {
  Workspace own = workspace;  // another attempt begins where this one did
  const Gram<T> gram(group.args, group.N, group.threads, own);
  accumulate_matrices(group, gram, difference);
  const PairSums sums = pair_sums(group, gram, difference);
  const bool f32_products = sizeof(T) == sizeof(float);
  if (f32_products ? !f32_suffices(sums, difference, gram.Cs) : difference && terms_cancel(sums)) {
    return by_gram<double>(group, /*difference=*/false, factor, workspace);
  }
  if (group.args.student.dtype == STRUCTKD_F64 && !difference && norms_cancel(sums)) {
    return by_tiles<double>(group, /*close=*/false, /*streamed=*/true, factor, workspace);
  }
  if (group.args.grad.data) write_grad(group, gram, difference, factor);
  const char* form = difference ? (f32_products ? "gram, difference, f32" : "gram, difference, f64")
                                : (f32_products ? "gram, f32" : "gram, f64");
  return {sums, form};
}

Result pair_up(const NodeGroup& group, double factor, Workspace workspace) {
  const PairwiseArgs& args = group.args;
  const int64_t nodes = group.images * group.N;
  const bool aligned = is_aligned(group), f32_tile = !wants_f64(args, nodes);
  if (takes_tiles_alone(args)) {
    const bool streamed = streams_signs(args, nodes);
    return f32_tile ? by_tiles<float>(group, aligned, streamed, factor, workspace)
                    : by_tiles<double>(group, /*close=*/false, streamed, factor, workspace);
  }
  const bool f32_gram =
      args.student.dtype != STRUCTKD_F64 && (aligned || args.precision == STRUCTKD_PRECISION_FAST);
  if (takes_gram(args, nodes, f32_gram, f32_tile)) {
    const bool f64_input = args.student.dtype == STRUCTKD_F64;
    return f32_gram ? by_gram<float>(group, aligned, factor, workspace)
                    : by_gram<double>(group, aligned && f64_input, factor, workspace);
  }
  return f32_tile ? by_tiles<float>(group, aligned, /*streamed=*/false, factor, workspace)
                  : by_tiles<double>(group, /*close=*/false, false, factor, workspace);
}

}  // namespace

size_t pairwise_workspace(const Launch& launch, const PairwiseArgs& args) {
  Workspace shared(nullptr);
  const NodeGroup group = make_group(args, launch.threads, shared);
  const int64_t nodes = group.images * group.N;
  // The form depends on the data: room for the largest that these shapes can take.
  size_t largest = 0;
  const bool f32_tile = !wants_f64(args, nodes);
  const auto tiles = [&](bool f32, bool streamed) {
    Workspace tile = shared;
    if (f32) {
      PairTiles<float>(args, false, streamed, group.N, group.images, launch.threads, tile);
    } else {
      PairTiles<double>(args, false, streamed, group.N, group.images, launch.threads, tile);
    }
    largest = larger(largest, tile.bytes());
  };
  if (takes_tiles_alone(args)) {
    tiles(f32_tile, streams_signs(args, nodes));
    return largest;
  }
  if (takes_gram(args, nodes, /*f32_gram=*/true, f32_tile)) {
    Workspace narrow = shared, wide = shared;
    Gram<float>(args, group.N, launch.threads, narrow);
    Gram<double>(args, group.N, launch.threads, wide);
    largest = larger(narrow.bytes(), wide.bytes());
  }
  if (args.student.dtype == STRUCTKD_F64) tiles(/*f32=*/false, /*streamed=*/true);
  if (!takes_gram(args, nodes, /*f32_gram=*/false, f32_tile)) tiles(f32_tile, /*streamed=*/false);
  return largest;
}

void pairwise(const Launch& launch, const PairwiseArgs& args, void* memory) {
  Workspace workspace(memory);
  NodeGroup group = make_group(args, launch.threads, workspace);
  const int64_t groups = args.student.B / group.images;
  double loss = 0.0, kappa = 0.0;
  const char* form = "";
  for (int64_t g = 0; g < groups; ++g) {
    group.first_image = g * group.images;
    measure_nodes(group);
    const double share = share_of_loss(args.reduction, group.total_weight, double(groups));
    const Result result = pair_up(group, derivative_factor(args.compare) * share, workspace);
    loss += share * result.sums.gaps;
    kappa = larger(kappa, condition_number(args.compare, result.sums));
    form = result.form;
  }
  store_loss(args.loss, args.student.dtype, loss);
  if (args.kappa) *args.kappa = kappa;
  set_plan("pairwise: cpu, %s, %d threads, %lld groups of %lld nodes", form, launch.threads,
           static_cast<long long>(groups), static_cast<long long>(group.images * group.N));
}

}  // namespace structkd::cpu::STRUCTKD_ISA
