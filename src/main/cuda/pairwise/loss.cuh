// cuda/pairwise/loss.cuh: the end of the sum over pairs: the loss and kappa, by the block that ends
// last of those that add pairs, in the launch that adds them.
#ifndef STRUCTKD_CUDA_PAIRWISE_LOSS_CUH
#define STRUCTKD_CUDA_PAIRWISE_LOSS_CUH

#include "cuda/common/arrival.cuh"
#include "cuda/pairwise/nodes.cuh"

namespace structkd::cuda {
namespace {

// A group's share of the loss, and its condition number. student: PairSums::student of a group
// whose norms cancel, which the kernel that takes it over need not sum again.
struct GroupLoss {
  double loss, kappa, student;
};

// What the sums of a kernel may have lost, so that another one takes over (core/pairwise_forms.h).
enum class Cancels { kNothing, kDifferences, kRoundedDifferences, kRoundedNorms, kNorms };

// The terms that the sum of gaps may have had, for each that it keeps; 0 where they are not asked for.
template <Cancels kCancels>
constexpr double kMostTermsOf = kCancels == Cancels::kDifferences          ? kMostTerms
                                : kCancels == Cancels::kRoundedDifferences ? kMostRoundedTerms
                                : kCancels == Cancels::kRoundedNorms       ? kMostRoundedNorms
                                                                           : 0.0;

struct LossOut {
  void* loss;
  double* kappa;      // or nullptr
  GroupLoss* groups;  // [groups]

  LossOut(const PairwiseArgs& args, int64_t groups, Workspace& workspace)
      : loss(args.loss), kappa(args.kappa), groups(workspace.take<GroupLoss>(groups)) {}
};

// Ends one of the `parts` blocks of Threads that have written sums[group * parts ..]. The last of a
// group closes it, and the one that closes the last group adds all. Two kernels that share groups
// between them may both call: each group counts the blocks of one of them. A group whose sums
// cancel is left to the other one, which counts anew.
template <int Threads, Cancels kCancels, class Real>
__device__ __forceinline__ void end_pairs(const Nodes<Real>& nodes,
                                          int64_t group,
                                          const PairSums* sums,
                                          int64_t parts,
                                          const LossOut& out) {
  constexpr double kMost = kMostTermsOf<kCancels>;
  constexpr bool kTerms = kMost > 0.0;
  if (!arrives_last(nodes.arrivals + group, uint32_t(parts))) return;
  double gaps = 0.0, student = 0.0, terms = 0.0;
#pragma unroll 4
  for (int64_t i = threadIdx.x; i < parts; i += Threads) {
    const PairSums part = sums[group * parts + i];
    gaps += part.gaps;
    student += part.student;
    if (kTerms) terms += part.terms;
  }
  gaps = block_sum<Threads>(gaps);
  student = block_sum<Threads>(student);
  if constexpr (kCancels != Cancels::kNothing) {
    if (kTerms) terms = block_sum<Threads>(terms);
    const PairSums sum = {gaps, student, terms};
    const bool cancels =
        threadIdx.x == 0 && (kTerms ? terms_cancel(sum, kMost) : norms_cancel(sum));
    if (cancels) {
      nodes.cancelled[group] = 1;
      nodes.arrivals[group] = 0;
      out.groups[group].student = student;
    }
    if (__syncthreads_or(cancels)) return;
  }
  const double factor = loss_factor(nodes, group_sums<Threads>(nodes, group));
  if (threadIdx.x == 0) {
    if (gaps < 0.0) gaps = 0.0;  // rounding of the norms; a NaN stays
    out.groups[group] = {factor * gaps, condition_number(nodes.compare, {gaps, student, 0.0}),
                         student};
  }
  // A single group waits for no other: the thread that wrote it goes on.
  const int64_t groups = nodes.groups;
  if (groups > 1 && !arrives_last(nodes.arrivals + groups, uint32_t(groups))) return;
  if (threadIdx.x >= kWarp) return;
  double loss = 0.0, kappa = 0.0;
  for (int64_t g = threadIdx.x; g < groups; g += kWarp) {
    loss += out.groups[g].loss;
    kappa = kappa < out.groups[g].kappa ? out.groups[g].kappa : kappa;
  }
  loss = warp_sum(loss);
  kappa = warp_max(kappa);
  if (threadIdx.x != 0) return;
  store_loss(out.loss, nodes.student.dtype, loss);
  if (out.kappa != nullptr) *out.kappa = kappa;
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_LOSS_CUH
