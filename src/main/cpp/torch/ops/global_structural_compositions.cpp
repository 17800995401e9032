// torch/ops/global_structural_compositions.cpp: two other ways to compare the groups of a
// similarity map, composed of LibTorch operations on the same samples and permutations as the
// kernel. They cost a few M x M maps, so they get no kernel.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/permutation.h"
#include "structkd/global_structural.h"
#include "torch/call.h"
#include "torch/errors.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "global structural loss";

// Rows [M, C] of the sampled pixels of one image, scaled to unit length; a row with |f| <= eps
// becomes zero and gets no gradient.
at::Tensor sampled_rows(const at::Tensor& image,
                        const at::Tensor& pixels,
                        bool normalize,
                        double eps) {
  const at::Tensor rows = image.flatten(1).index_select(1, pixels).transpose(0, 1);
  if (!normalize) return rows;
  const at::Tensor norm = rows.norm(2, {1}, /*keepdim=*/true);
  const at::Tensor alive = norm > eps;
  return at::where(alive, rows / at::where(alive, norm, at::ones_like(norm)), at::zeros_like(rows));
}

// pi [M, M] of image b: a given table without the entries that are no sample, or drawn.
at::Tensor permutation_of(const std::optional<at::Tensor>& table,
                          structkd_shuffle shuffle,
                          int64_t M,
                          int64_t b,
                          int64_t seed,
                          int64_t step) {
  const at::Tensor result = at::empty({M, M}, at::kLong);
  int64_t* out = result.data_ptr<int64_t>();
  at::Tensor given;
  if (table.has_value()) {
    given = (table->dim() == 3 ? table->select(0, b) : *table)
                .to(at::TensorOptions(at::kCPU).dtype(at::kInt))
                .contiguous();
  }
  for (int64_t i = 0; i < M; ++i) {
    const int64_t row = shuffle == STRUCTKD_SHUFFLE_COLUMN_SHARED ? 0 : i;
    int64_t position = 0;
    if (shuffle == STRUCTKD_SHUFFLE_NONE) {
      for (; position < M; ++position) out[i * M + position] = position;
    } else if (given.defined()) {
      const int32_t* entries = given.data_ptr<int32_t>() + row * given.size(1);
      for (int64_t p = 0; p < given.size(1) && position < M; ++p) {
        if (entries[p] >= 0 && entries[p] < M) out[i * M + position++] = entries[p];
      }
    } else {
      const RandomKey image = image_key(uint64_t(seed), step, b, kPurposeShuffle);
      const Permutation pi = make_permutation(absorb(image, uint32_t(row)), uint32_t(M));
      for (; position < M; ++position) out[i * M + position] = column_at(pi, uint32_t(position));
    }
    if (position < M) {
      raise(STRUCTKD_ERR_VALUE, std::string(kLoss) + ": row " + std::to_string(row) +
                                    " of permutation does not name all " + std::to_string(M) +
                                    " columns");
    }
  }
  return result;
}

// sum over rows of KL(softmax(t / tau), softmax(s / tau)) along the last axis.
at::Tensor summed_divergence(const at::Tensor& s, const at::Tensor& t, double tau) {
  const at::Tensor log_s = at::log_softmax(s / tau, -1), log_t = at::log_softmax(t / tau, -1);
  return (log_t.exp() * (log_t - log_s)).sum();
}

// F2: every row of a group is a distribution of its own. tau^2 / (G M) sum of all divergences; the
// remaining columns count by their own width. No full group: the whole row is one.
at::Tensor row_divergence(const at::Tensor& s,
                          const at::Tensor& t,
                          int64_t width,
                          structkd_remainder remainder,
                          double tau) {
  const int64_t M = s.size(0), used = width > 0 && width <= M ? width : M;
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

}  // namespace

at::Tensor global_structural_composed(const at::Tensor& student,
                                      const at::Tensor& teacher,
                                      const std::optional<at::Tensor>& indices,
                                      const std::optional<at::Tensor>& counts,
                                      const std::optional<at::Tensor>& permutation,
                                      bool relation,
                                      bool normalize,
                                      int64_t similarity,
                                      int64_t shuffle,
                                      int64_t remainder,
                                      int64_t batch,
                                      int64_t group_width,
                                      double temperature,
                                      double eps,
                                      int64_t classes,
                                      int64_t seed,
                                      const at::Tensor& step) {
  at::ScalarType dtype = common_dtype(kLoss, student, teacher);
  if (dtype != at::kDouble) dtype = at::kFloat;
  const at::Tensor s = student.to(dtype), t = teacher.detach().to(dtype);
  const int64_t N = s.size(2) * s.size(3);
  // Sizes depend on the counts, so these are waited for on CUDA, once.
  std::optional<at::Tensor> host_counts;
  if (counts.has_value()) host_counts = counts->to(at::TensorOptions(at::kCPU).dtype(at::kLong));
  const int64_t step_number = step.item<int64_t>();
  at::Tensor sum = s.new_zeros({}), last;
  int64_t images = 0;
  for (int64_t b = 0; b < s.size(0); ++b) {
    const int64_t most = indices.has_value() ? indices->size(1) : N;
    const int64_t M = host_counts ? (*host_counts)[b][0].item<int64_t>() : most;
    const int64_t C = host_counts ? (*host_counts)[b][1].item<int64_t>() : classes;
    if (M <= 0) continue;
    const at::Tensor pixels = indices.has_value()
                                  ? indices->select(0, b).narrow(0, 0, M).to(at::kLong)
                                  : at::arange(M, at::TensorOptions(at::kLong).device(s.device()));
    const at::Tensor x = sampled_rows(s.select(0, b), pixels, normalize, eps);
    const at::Tensor y = sampled_rows(t.select(0, b), pixels, normalize, eps);
    const bool cross = similarity == STRUCTKD_SIMILARITY_CROSS;
    const at::Tensor pi =
        permutation_of(permutation, structkd_shuffle(shuffle), M, b, seed, step_number)
            .to(s.device());
    const at::Tensor v_s = at::mm(x, (cross ? y : x).t()).gather(1, pi);
    const at::Tensor v_t = at::mm(y, y.t()).gather(1, pi);
    const int64_t width = group_width >= 0 ? group_width : -group_width * C;
    last = relation ? descriptor_relation(v_s, v_t, width)
                    : row_divergence(v_s, v_t, width, structkd_remainder(remainder), temperature);
    sum = sum + last;
    ++images;
  }
  if (images == 0) return (s * 0).sum();
  return batch == STRUCTKD_BATCH_LAST_IMAGE ? last : sum / double(images);
}

}  // namespace structkd
