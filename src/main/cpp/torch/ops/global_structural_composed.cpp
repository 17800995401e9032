// torch/ops/global_structural_composed.cpp: the ways to compare the groups of a similarity map,
// composed of LibTorch's operators.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>

#include <limits>
#include <string>

#include "core/descriptor_groups.h"
#include "torch/errors.h"
#include "torch/ops/global_structural.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "global structural loss";

// Rows [M, C] of the pixels of an image [C, H, W], scaled to unit length; a row with |f| <= eps,
// and one of a pixel outside the map, becomes zero and gets no gradient.
at::Tensor sampled_rows(const at::Tensor& image,
                        const at::Tensor& pixels,
                        const structkd_global_structural_params& params) {
  const at::Tensor flat = image.flatten(1);
  const int64_t last = flat.size(1) - 1;
  at::Tensor rows = flat.index_select(1, pixels.clamp(0, last)).transpose(0, 1);
  rows = at::where(((pixels < 0) | (pixels > last)).unsqueeze(1), 0, rows);
  if (!params.normalize) return rows;
  const at::Tensor norm = rows.norm(2, {1}, /*keepdim=*/true);
  return rows / at::where(norm <= params.eps, std::numeric_limits<double>::infinity(), norm);
}

// pi [M, M] of image b: a given table without the entries that are no sample, or drawn.
at::Tensor permutation_of(const std::optional<at::Tensor>& table,
                          const structkd_global_structural_params& params,
                          int64_t M,
                          int64_t b,
                          int64_t step) {
  const at::Tensor result = at::empty({M, M}, at::kLong);
  int64_t* out = result.data_ptr<int64_t>();
  at::Tensor given;
  if (table.has_value()) {
    given = (table->dim() == 3 ? table->select(0, b) : *table)
                .to(at::TensorOptions(at::kCPU).dtype(at::kInt))
                .contiguous();
  }
  const RandomKey image = image_key(params.seed, step, b, kPurposeShuffle);
  const auto fill_row = [&](int64_t i) {
    const int64_t row = params.shuffle == STRUCTKD_SHUFFLE_COLUMN_SHARED ? 0 : i;
    int64_t position = 0;
    if (params.shuffle == STRUCTKD_SHUFFLE_NONE) {
      for (; position < M; ++position) out[i * M + position] = position;
    } else if (given.defined()) {
      const int32_t* entries = given.data_ptr<int32_t>() + row * given.size(1);
      for (int64_t p = 0; p < given.size(1) && position < M; ++p) {
        if (entries[p] >= 0 && entries[p] < M) out[i * M + position++] = entries[p];
      }
    } else {
      const Permutation pi = make_permutation(absorb(image, uint32_t(row)), uint32_t(M));
      for (; position < M; ++position) out[i * M + position] = column_at(pi, uint32_t(position));
    }
    if (position < M) {
      raise(STRUCTKD_ERR_VALUE, std::string(kLoss) + ": row " + std::to_string(row) +
                                    " of permutation does not name all " + std::to_string(M) +
                                    " columns");
    }
  };
  constexpr int64_t kRowsOfAThread = 16;  // some 10 us each at 1000 columns
  at::parallel_for(0, M, kRowsOfAThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) fill_row(i);
  });
  return result;
}

// sum over rows of KL(softmax(t / tau), softmax(s / tau)) along the last axis.
at::Tensor summed_divergence(const at::Tensor& s, const at::Tensor& t, double tau) {
  const at::Tensor log_s = at::log_softmax(s / tau, -1), log_t = at::log_softmax(t / tau, -1);
  return (log_t.exp() * (log_t - log_s)).sum();
}

// F1: a group is one distribution. The sum of all tau^2 KL_g, each by its factor; without a full
// group every column is one.
at::Tensor group_divergence(const at::Tensor& s,
                            const at::Tensor& t,
                            const DescriptorGroups& groups,
                            double tau) {
  const int64_t M = s.size(0), used = groups.full * groups.width;
  const auto full = [&](const at::Tensor& v) {
    return v.narrow(1, 0, used).reshape({M, groups.full, groups.width}).transpose(0, 1).flatten(1);
  };
  const at::Tensor sum = summed_divergence(full(s), full(t), tau) * (tau * tau * groups.factor);
  if (groups.rest_factor == 0) return sum;
  const auto rest = [&](const at::Tensor& v) { return v.narrow(1, used, M - used).flatten(); };
  return sum + summed_divergence(rest(s), rest(t), tau) * (tau * tau * groups.rest_factor);
}

// F2: every row of a group is a distribution of its own. tau^2 / (G M) sum of all divergences; the
// remaining columns count by their own width. No full group: the whole row is one.
at::Tensor row_divergence(const at::Tensor& s,
                          const at::Tensor& t,
                          int64_t width,
                          structkd_remainder remainder,
                          double tau) {
  const int64_t M = s.size(0), used = width > 0 ? width : M;
  const int64_t full = M / used, rest = M % used;
  auto groups = [&](const at::Tensor& v) {
    return v.narrow(1, 0, full * used).reshape({M, full, used});
  };
  const double scale = tau * tau / double(M);
  at::Tensor sum = summed_divergence(groups(s), groups(t), tau) * scale;
  if (rest == 0 || remainder == STRUCTKD_REMAINDER_DROPPED) return sum / double(full);
  const at::Tensor extra =
      summed_divergence(s.narrow(1, M - rest, rest), t.narrow(1, M - rest, rest), tau) * scale;
  if (remainder == STRUCTKD_REMAINDER_AVERAGED) return (sum + extra) / double(full + 1);
  return sum / double(full) + extra;
}

// F3: cosines between groups, each a vector of M width entries; the mean squared gap of the G x G
// cosines of both nets. Remaining columns are dropped; no full group gives 0.
at::Tensor descriptor_relation(const at::Tensor& s, const at::Tensor& t, int64_t width) {
  const int64_t M = s.size(0), full = width > 0 ? M / width : 0;
  if (full == 0) return (s * 0).sum();
  auto cosines = [&](const at::Tensor& v) {
    const at::Tensor descriptors = v.narrow(1, 0, full * width)
                                       .reshape({M, full, width})
                                       .transpose(0, 1)
                                       .reshape({full, M * width});
    const at::Tensor unit = descriptors / descriptors.norm(2, {1}, true).clamp_min(1e-8);
    return at::mm(unit, unit.t());
  };
  return at::mse_loss(cosines(s), cosines(t));
}

// Compares the shuffled maps [M, M] of an image with C classes.
at::Tensor compare(GroupComparison comparison,
                   const at::Tensor& s,
                   const at::Tensor& t,
                   int64_t C,
                   const structkd_global_structural_params& params) {
  const int64_t M = s.size(0), width = full_width(M, C, params.group_width);
  switch (comparison) {
    case GroupComparison::kRowDivergence:
      return row_divergence(s, t, width, params.remainder, params.temperature);
    case GroupComparison::kDescriptorRelation:
      return descriptor_relation(s, t, width);
    default:
      return group_divergence(
          s, t, make_groups(M, C, params.group_width, params.reduction, params.remainder),
          params.temperature);
  }
}

}  // namespace

at::Tensor compose_global_structural(GroupComparison comparison,
                                     const at::Tensor& student,
                                     const at::Tensor& teacher,
                                     const std::optional<at::Tensor>& indices,
                                     const std::optional<at::Tensor>& counts,
                                     const std::optional<at::Tensor>& permutation,
                                     const structkd_global_structural_params& params,
                                     const at::Tensor& step) {
  const at::TensorOptions long_beside = at::TensorOptions(at::kLong).device(student.device());
  const int64_t most = indices.has_value() ? indices->size(1) : student.size(2) * student.size(3);
  // Sizes depend on the counts, so these are waited for on CUDA, once.
  std::optional<at::Tensor> host_counts;
  if (counts.has_value()) host_counts = counts->to(at::TensorOptions(at::kCPU).dtype(at::kLong));
  const int64_t step_number = step.item<int64_t>();
  at::Tensor sum = student.new_zeros({}), last;
  int64_t images = 0;
  for (int64_t b = 0; b < student.size(0); ++b) {
    const int64_t counted = host_counts ? (*host_counts)[b][0].item<int64_t>() : most;
    const int64_t M = counted < most ? counted : most;
    const int64_t C = host_counts ? (*host_counts)[b][1].item<int64_t>() : params.classes;
    if (M <= 0) continue;
    const at::Tensor pixels = indices.has_value()
                                  ? indices->select(0, b).narrow(0, 0, M).to(at::kLong)
                                  : at::arange(M, long_beside);
    const at::Tensor x = sampled_rows(student.select(0, b), pixels, params);
    const at::Tensor y = sampled_rows(teacher.select(0, b), pixels, params);
    const bool cross = params.similarity == STRUCTKD_SIMILARITY_CROSS;
    const at::Tensor pi =
        permutation_of(permutation, params, M, b, step_number).to(student.device());
    const at::Tensor v_s = at::mm(x, (cross ? y : x).t()).gather(1, pi);
    const at::Tensor v_t = at::mm(y, y.t()).gather(1, pi);
    last = compare(comparison, v_s, v_t, C, params);
    sum = sum + last;
    ++images;
  }
  if (images == 0) return student.narrow(0, 0, 0).sum();  // 0, with a gradient of 0
  return params.batch == STRUCTKD_BATCH_LAST_IMAGE ? last : sum / double(images);
}

}  // namespace structkd
