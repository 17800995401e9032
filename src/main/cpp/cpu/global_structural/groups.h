// cpu/global_structural/groups.h: the divergence between two similarity maps, group by group. Every
// entry carries the number of its group, so no shuffled map is ever made: softmax and KL are sums
// over entries, collected per group.
//
//   KL_g = E_T[(v_T - v_S) / tau] - log Z_T + log Z_S      E_T: mean under the teacher's softmax
//
// Rows are cut into blocks of kBlockRows, by shape alone. A block collects sums of its own, which
// are added in block order. Exponentials and sums in f64: KL is the small difference of large terms
// when student and teacher agree.
#ifndef STRUCTKD_CPU_GLOBAL_STRUCTURAL_GROUPS_H
#define STRUCTKD_CPU_GLOBAL_STRUCTURAL_GROUPS_H

#include <math.h>
#include <omp.h>

#include "core/divergence.h"
#include "core/global_structural_args.h"
#include "core/workspace.h"
#include "cpu/common/vector_math.h"
#include "cpu/global_structural/labels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// The rows of a block: they bound the memory of the partial sums to M^2 numbers when every column
// is a group.
constexpr int64_t kBlockRows = 32;

struct GroupSums {
  double largest_s, largest_t;  // entries of the maps
  double sum_s, sum_t;          // of exp((v - largest) / tau)
  double gap;                   // of exp((v_T - largest_t) / tau) (v_T - v_S) / tau
};

// Maps of one image, row-major with `stride` columns. T is the type of products.
template <class T>
struct SimilarityMaps {
  int64_t stride;
  T* student;  // later: the loss's derivative by each entry
  T* teacher;
  int32_t* group;      // of each entry
  GroupSums* partial;  // [blocks, M_max + 1]
  GroupSums* total;    // [M_max + 1]; the last one collects entries that belong to no group
  double* rows;        // per thread 2 * stride

  SimilarityMaps(int64_t padded, int64_t max_samples, int threads, Workspace& workspace)
      : stride(padded) {
    student = workspace.take<T>(padded * padded);
    teacher = workspace.take<T>(padded * padded);
    group = workspace.take<int32_t>(max_samples * padded);
    partial = workspace.take<GroupSums>(divide_up(max_samples, kBlockRows) * (max_samples + 1));
    total = workspace.take<GroupSums>(max_samples + 1);
    rows = workspace.take<double>(threads * 2 * padded);
  }

  double* thread_rows() const { return rows + omp_get_thread_num() * 2 * stride; }
};

// The groups of row i; entries without one get the number behind the last.
template <class T>
inline void label_map_row(const GlobalStructuralArgs& args,
                          const DescriptorGroups& groups,
                          int64_t b,
                          int64_t i,
                          const SimilarityMaps<T>& maps) {
  int32_t* group = maps.group + i * maps.stride;
  label_row_fast(args, groups, b, i, group);
  for (int64_t j = 0; j < groups.M; ++j) group[j] = group[j] < 0 ? int32_t(groups.count) : group[j];
}

template <class T>
inline void block_maxima(const DescriptorGroups& groups,
                         const SimilarityMaps<T>& maps,
                         int64_t block) {
  GroupSums* sums = maps.partial + block * (groups.count + 1);
  for (int64_t g = 0; g <= groups.count; ++g) sums[g] = {-HUGE_VAL, -HUGE_VAL, 0.0, 0.0, 0.0};
  const int64_t end = smaller((block + 1) * kBlockRows, groups.M);
  for (int64_t i = block * kBlockRows; i < end; ++i) {
    const T *s = maps.student + i * maps.stride, *t = maps.teacher + i * maps.stride;
    const int32_t* group = maps.group + i * maps.stride;
    for (int64_t j = 0; j < groups.M; ++j) {
      GroupSums& sum = sums[group[j]];
      sum.largest_s = larger(sum.largest_s, double(s[j]));
      sum.largest_t = larger(sum.largest_t, double(t[j]));
    }
  }
}

// rows[j] = exp((v_S - largest) / tau), rows[stride + j] the same of v_T, j < M.
template <class T>
inline void shifted_exponentials(const DescriptorGroups& groups,
                                 const SimilarityMaps<T>& maps,
                                 double tau,
                                 int64_t i,
                                 double* rows) {
  const T *s = maps.student + i * maps.stride, *t = maps.teacher + i * maps.stride;
  const int32_t* group = maps.group + i * maps.stride;
  double* row_t = rows + maps.stride;
  const double inverse_tau = 1.0 / tau;
  for (int64_t j = 0; j < groups.M; ++j) {
    const GroupSums& total = maps.total[group[j]];
    rows[j] = (double(s[j]) - total.largest_s) * inverse_tau;
    row_t[j] = (double(t[j]) - total.largest_t) * inverse_tau;
  }
  exp_row(rows, groups.M, rows);
  exp_row(row_t, groups.M, row_t);
}

template <class T>
inline void block_sums(const DescriptorGroups& groups,
                       const SimilarityMaps<T>& maps,
                       double tau,
                       int64_t block) {
  GroupSums* sums = maps.partial + block * (groups.count + 1);
  double* rows = maps.thread_rows();
  const int64_t end = smaller((block + 1) * kBlockRows, groups.M);
  for (int64_t i = block * kBlockRows; i < end; ++i) {
    const T *s = maps.student + i * maps.stride, *t = maps.teacher + i * maps.stride;
    const int32_t* group = maps.group + i * maps.stride;
    shifted_exponentials(groups, maps, tau, i, rows);
    for (int64_t j = 0; j < groups.M; ++j) {
      GroupSums& sum = sums[group[j]];
      const double weight_t = rows[maps.stride + j];
      sum.sum_s += rows[j];
      sum.sum_t += weight_t;
      // 0 * inf is avoided: what weighs nothing adds nothing.
      sum.gap += weight_t == 0.0 ? 0.0 : weight_t * (double(t[j]) - double(s[j]));
    }
  }
}

// The image's loss, without its weight in the batch.
inline double group_losses(const DescriptorGroups& groups, const GroupSums* total, double tau) {
  double loss = 0.0;
  for (int64_t g = 0; g < groups.count; ++g) {
    const GroupSums& sum = total[g];
    // A group is empty only under a permutation table with repeats.
    if (factor_of(groups, g) == 0.0 || sum.sum_t == 0.0) continue;
    // E_T[v_T - v_S] counts from the largest entries, as the two sums do.
    const double gap = sum.gap / sum.sum_t - (sum.largest_t - sum.largest_s);
    const double kl = at_least_0(gap / tau - log(sum.sum_t) + log(sum.sum_s));
    loss += factor_of(groups, g) * tau * tau * kl;
  }
  return loss;
}

// Puts d loss / d V_S in the place of the student's row i: weight factor tau (q_S - q_T).
template <class T>
inline void row_derivative(const DescriptorGroups& groups,
                           const SimilarityMaps<T>& maps,
                           double tau,
                           int64_t i) {
  double* rows = maps.thread_rows();
  shifted_exponentials(groups, maps, tau, i, rows);
  double* row_t = rows + maps.stride;
  T* out = maps.student + i * maps.stride;
  const int32_t* group = maps.group + i * maps.stride;
  for (int64_t j = 0; j < groups.M; ++j) {
    // The sums are used up: by now they hold weight * factor * tau of the group over themselves.
    const GroupSums& total = maps.total[group[j]];
    rows[j] *= total.sum_s;
    row_t[j] *= total.sum_t;
  }
  // The loop above must not subtract: fused, one product would keep more bits than the other, and
  // equal maps would have a derivative.
  for (int64_t j = 0; j < groups.M; ++j) out[j] = T(rows[j] - row_t[j]);
}

// Compares the maps: the image's loss; and, with want_grad, the derivative by each entry, times
// weight, in the student's place.
template <class T>
inline double compare_maps(const DescriptorGroups& groups,
                           const SimilarityMaps<T>& maps,
                           double tau,
                           double weight,
                           bool want_grad,
                           int threads) {
  const int64_t blocks = divide_up(groups.M, kBlockRows), count = groups.count;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) block_maxima(groups, maps, block);
  for (int64_t g = 0; g <= count; ++g) maps.total[g] = maps.partial[g];
  for (int64_t e = count + 1; e < blocks * (count + 1); ++e) {
    GroupSums& total = maps.total[e % (count + 1)];
    total.largest_s = larger(total.largest_s, maps.partial[e].largest_s);
    total.largest_t = larger(total.largest_t, maps.partial[e].largest_t);
  }
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) block_sums(groups, maps, tau, block);
  for (int64_t e = 0; e < blocks * (count + 1); ++e) {
    GroupSums& total = maps.total[e % (count + 1)];
    total.sum_s += maps.partial[e].sum_s;
    total.sum_t += maps.partial[e].sum_t;
    total.gap += maps.partial[e].gap;
  }
  const double loss = group_losses(groups, maps.total, tau);
  if (!want_grad) return loss;
  for (int64_t g = 0; g <= count; ++g) {
    GroupSums& total = maps.total[g];
    const double slope = g < count ? weight * factor_of(groups, g) * tau : 0.0;
    total.sum_s = slope == 0.0 ? 0.0 : slope / total.sum_s;
    total.sum_t = slope == 0.0 ? 0.0 : slope / total.sum_t;
  }
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t i = 0; i < groups.M; ++i) row_derivative(groups, maps, tau, i);
  return loss;
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_GLOBAL_STRUCTURAL_GROUPS_H
