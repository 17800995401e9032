/* structkd/pairwise.h: pair-wise similarity loss. C99. */
#ifndef STRUCTKD_PAIRWISE_H
#define STRUCTKD_PAIRWISE_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whether the gradient flows through the length |f| of a node vector. */
typedef enum structkd_norm_gradient {
  STRUCTKD_NORM_DETACHED = 0,      /**< |f| is a constant */
  STRUCTKD_NORM_DIFFERENTIABLE = 1 /**< the full derivative of the scaled vector */
} structkd_norm_gradient;

/** How eps guards the division by |f|. */
typedef enum structkd_eps_mode {
  STRUCTKD_EPS_ADD = 0, /**< f / (|f| + eps) */
  STRUCTKD_EPS_MAX = 1  /**< f / max(|f|, eps) */
} structkd_eps_mode;

/** Which nodes are compared with each other. */
typedef enum structkd_pairs {
  STRUCTKD_PAIRS_PER_IMAGE = 0,  /**< within one image; the loss is the mean over images */
  STRUCTKD_PAIRS_WHOLE_BATCH = 1 /**< every node of the batch with every other */
} structkd_pairs;

/** How the affinities of a pair are compared. */
typedef enum structkd_compare {
  STRUCTKD_COMPARE_SQUARED = 0, /**< (A_S - A_T)^2 */
  STRUCTKD_COMPARE_L1 = 1       /**< |A_S - A_T|, whose derivative is the sign, 0 at ties */
} structkd_compare;

/** What the sum over pairs is divided by. */
typedef enum structkd_reduction {
  STRUCTKD_REDUCTION_MEAN = 0, /**< by the pairs of an image and by the images */
  STRUCTKD_REDUCTION_SUM = 1   /**< by nothing */
} structkd_reduction;

/** How exact the loss is computed. */
typedef enum structkd_precision {
  /** Relative error against f64 at most twice that of the composition of tensor operations in the
     same dtype plus 4 * 2^-24; of f64 inputs as Numerics says. */
  STRUCTKD_PRECISION_EXACT = 0,
  /** Cheaper arithmetic where the relative gradient error of F32 inputs stays below 5e-3; EXACT
     elsewhere, and wherever signs are compared. F16 and BF16 inputs on CUDA keep to that or to twice the
     error of a composition whose matrix products are of their type, as under autocast. */
  STRUCTKD_PRECISION_FAST = 1
} structkd_precision;

typedef struct structkd_pairwise_params {
  uint32_t struct_size; /**< sizeof(structkd_pairwise_params) */
  structkd_norm_gradient norm;
  structkd_eps_mode eps_mode;
  structkd_pairs pairs;
  structkd_precision precision;
  structkd_compare compare;
  structkd_reduction reduction;
  double eps; /**< > 0, in the unit of the features; a node with |f| <= eps counts as zero */
  /** F32 [B, H, W], finite and >= 0, or NULL: all 1. A mask is a weight of 0 or 1: a node of weight
   * 0 takes no part and has gradient 0, whatever it holds, NaN included. The values are not checked
   * here: negative or NaN weights give NaN. */
  const structkd_tensor* weights;
  /** Out, optional, in the memory of the inputs: condition number kappa, the norm of the student's
   * affinities over that of the gaps A_S - A_T, largest over the images; Euclidean norms, or sums of
   * absolute values with COMPARE_L1; +inf when student and teacher agree. */
  double* kappa;
} structkd_pairwise_params;

/**
 * Bytes of scratch for this very call: O((Cs + Ct)^2 + N) plus O(threads). The CPU backend takes
 * N^2 numbers where the pairs are fewer than those matrices' products: for N <= 2 max(Cs, Ct), and
 * up to 64 MB for N below about 4 max(Cs, Ct). COMPARE_L1 takes O(N (Cs + Ct)) numbers instead of
 * matrices, and N^2 on CUDA for N < Cs + Ct. CUDA takes N Cs floats more where grad is F16 or
 * BF16, Cs > 128 and the norm is differentiable. Where CUDA rounds sums and differences (Numerics)
 * it takes 2 N Cs elements for them, of 2 bytes for BF16 inputs and of 4 for others: as much as both
 * maps of F32 or BF16. F64 inputs take O(N (Cs + Ct)) numbers more, which
 * are touched only where norms cancel (Numerics). Same checks and errors as structkd_pairwise().
 */
STRUCTKD_API structkd_status structkd_pairwise_workspace(const structkd_ctx* ctx,
                                                         const structkd_tensor* student,
                                                         const structkd_tensor* teacher,
                                                         const structkd_pairwise_params* params,
                                                         int want_grad,
                                                         size_t* bytes);

/**
 * Pair-wise loss and its gradient in one call.
 *
 *   loss = mean over images of 1/W^2 sum_ij w_i w_j (A_S[i,j] - A_T[i,j])^2,   W = sum_i w_i
 *   A[i,j] = <f_i, f_j>,  f_i: feature vector of node i, scaled to unit length,  i, j < N = H*W
 *
 * Without weights the divisor is B N^2. PAIRS_WHOLE_BATCH is the same sum over one image of B*N
 * nodes. COMPARE_L1 has |A_S - A_T| in place of the square, REDUCTION_SUM no divisor.
 *
 * The sign of a gap is that of f64 affinities; a gap of at most 2^-38 is a tie, whose sign is 0:
 * rounding alone is left of it, as where both networks have two nodes parallel.
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, Cs, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend
 * @param teacher   [B, Ct, H, W] same dtype and memory; Ct may differ from Cs; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_pairwise_workspace() bytes of the same memory, 64-byte aligned; NULL
 *                  where these are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar there, F64 for F64 inputs, else F32; no unit, >= 0; as a mean
 *                  at most 4, or 2 with COMPARE_L1
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  f64 sums, or f32 products of differences where student and teacher are close (see
 *           structkd_last_plan). CUDA from sm_80 on, squares, FAST: where Cs = Ct, N > 64 or
 *           N >= Cs + Ct, sums and differences of unit vectors, of BF16 inputs rounded to BF16, of
 *           F16 and F32 to TF32, are multiplied on tensor cores; the gradient then errs by some 5e-3
 *           or 6e-4 of itself, at most about 4 times that. Where Cs != Ct, N >= Cs + Ct, these are
 *           unit vectors rounded to TF32, whatever the inputs; the gradient errs by at most about
 *           3e-3 of itself, the value by 4e-3. Groups that cancel by more are computed as F32
 *           inputs are. A zero node has affinity 0 and gradient 0; an image whose weights
 *           sum to 0 has loss 0 and gradient 0 and stays in the mean. NaN or infinite features, or
 *           a length beyond f64, of a node that has weight give a NaN loss. F64 inputs: 2^-53 kappa
 *           of value and gradient is rounding, as where affinities are subtracted, but up to 2^-37
 *           for kappa up to 2^8, where norms of matrices are.
 * Order     fixed: equal inputs give equal bits, whatever the thread count.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR 2019,
 *           section 3.2; COMPARE_L1: He et al., "FAKD: Feature-Affinity Based Knowledge Distillation
 *           for Efficient Image Super-Resolution", ICIP 2020; variants and their origin: docs/methods/pairwise.md.
 */
STRUCTKD_API structkd_status structkd_pairwise(const structkd_ctx* ctx,
                                               const structkd_tensor* student,
                                               const structkd_tensor* teacher,
                                               const structkd_pairwise_params* params,
                                               void* workspace,
                                               void* loss,
                                               structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_PAIRWISE_H */
