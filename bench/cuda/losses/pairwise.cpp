// bench/cuda/losses/pairwise.cpp: all nodes, gradient through the length.
#include <algorithm>

#include "losses.h"

namespace structkd::bench {
namespace {

structkd_pairwise_params params_of(const Case& c, const Arrays&) {
  structkd_pairwise_params params = {};
  params.struct_size = sizeof(params);
  params.norm = STRUCTKD_NORM_DIFFERENTIABLE;
  params.eps_mode = STRUCTKD_EPS_MAX;
  params.pairs = c.whole_batch ? STRUCTKD_PAIRS_WHOLE_BATCH : STRUCTKD_PAIRS_PER_IMAGE;
  // 16-bit maps are measured as who trains in them may ask for.
  const bool narrow = c.dtype == STRUCTKD_F16 || c.dtype == STRUCTKD_BF16;
  params.precision = c.fast || narrow ? STRUCTKD_PRECISION_FAST : STRUCTKD_PRECISION_EXACT;
  params.eps = 1e-12;
  if (c.mode == "l1") {
    params.compare = STRUCTKD_COMPARE_L1;
  } else if (!c.mode.empty()) {
    throw unknown_mode(c);
  }
  return params;
}

int64_t group_nodes(const Case& c) { return c.whole_batch ? c.B * c.nodes() : c.nodes(); }
bool by_pairs(const Case& c) { return group_nodes(c) < c.C + c.Ct; }

// Sums and differences are rounded to what tensor cores take of the inputs' type, but for a single
// tile of pairs; vectors of different channels to TF32, but for pairs.
Products products_of(const Case& c) {
  if (c.dtype == STRUCTKD_F64 || !c.mode.empty()) return Products::kOfInputs;
  if (by_pairs(c) && (c.C != c.Ct || group_nodes(c) <= 64)) return Products::kOfInputs;
  if (c.dtype == STRUCTKD_BF16 && c.C == c.Ct) return Products::kBf16;
  return c.fast || c.dtype != STRUCTKD_F32 ? Products::kTf32 : Products::kOfInputs;
}

}  // namespace

Loss pairwise() {
  Loss loss = loss_with(structkd_pairwise_workspace, structkd_pairwise, params_of);
  loss.products = products_of;
  loss.bytes = [](const Case& c) {
    const double maps = c.student_bytes() + c.teacher_bytes();
    const Products products = products_of(c);
    // Matrices, then the gradient: both maps twice.
    if (products == Products::kOfInputs) return 2 * maps + c.grad_bytes();
    // Sums and differences, or vectors, are written, read for the matrices and for the gradient; the
    // latter reads the student, too. Pairs: the student is written as well, and read alone for the
    // gradient, beside the gaps.
    const double bytes = products == Products::kBf16 ? 2.0 : 4.0;
    const double planes = bytes * double(c.B * (c.C + c.Ct) * c.pixels());
    const double N = double(group_nodes(c));
    const double gaps = by_pairs(c) ? bytes * double(c.B * c.nodes()) * N : 0.0;
    return maps + 3 * planes + 2 * gaps + c.student_bytes() + c.grad_bytes();
  };
  loss.flops = [](const Case& c) {  // the cheaper of Gram matrices and N x N tiles
    const double images = c.whole_batch ? 1.0 : double(c.B), N = double(c.nodes());
    const double Cs = double(c.C), Ct = double(c.Ct);
    const double gram = N * (Cs + Ct) * (Cs + Ct) + 2 * N * Cs * (Cs + Ct);
    const double pairs = N * N * (3 * Cs + Ct);
    return images * (c.mode.empty() ? std::min(gram, pairs) : pairs);
  };
  return loss;
}

}  // namespace structkd::bench
