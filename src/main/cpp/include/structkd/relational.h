/* structkd/relational.h: relational loss (RKD). C99. */
#ifndef STRUCTKD_RELATIONAL_H
#define STRUCTKD_RELATIONAL_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Which relation of embeddings is compared. */
typedef enum structkd_relation {
  STRUCTKD_RELATION_DISTANCE = 0, /**< of two, in units of the mean distance */
  STRUCTKD_RELATION_ANGLE = 1,    /**< the cosine at the first of three */
  STRUCTKD_RELATION_AREA = 2      /**< of the triangle of three, in units of the mean area */
} structkd_relation;

typedef struct structkd_relational_params {
  uint32_t struct_size; /**< sizeof(structkd_relational_params) */
  structkd_relation relation;
  /** 0: embeddings as they are. 1: each divided by max(its length, 1e-12) first, with the full
   * derivative; one no longer than 1e-12 has gradient 0. */
  int32_t normalize;
} structkd_relational_params;

/**
 * Bytes of scratch for this very call: O(N^2 + N (Cs + Ct)) f64 numbers, never N^3. Same checks and
 * errors as structkd_relational().
 */
STRUCTKD_API structkd_status structkd_relational_workspace(const structkd_ctx* ctx,
                                                           const structkd_tensor* student,
                                                           const structkd_tensor* teacher,
                                                           const structkd_relational_params* params,
                                                           int want_grad,
                                                           size_t* bytes);

/**
 * Relational loss and its gradient in one call. Every position of every image is an embedding e_i,
 * i < N = B*H*W; those of one per sample come as [N, C, 1, 1].
 *
 *   loss = mean of huber(psi_S - psi_T),     huber(x) = x^2 / 2 where |x| < 1, else |x| - 1/2
 *
 *   DISTANCE  over N^2 pairs      psi[i,j] = d / mean of the d of i != j, 0 for i = j
 *             d = sqrt(max(|e_i - e_j|^2, 1e-12))
 *   ANGLE     over N^3 triples    psi[i,j,k] = <u_ij, u_ik>, u_ij = (e_j - e_i) / |e_j - e_i|, 0 where
 *             that length is at most 1e-12
 *   AREA      over N^3 triples    psi[i,j,k] = a / mean of the a of three different, 0 where two agree
 *             a = 1/2 sqrt(max(|u|^2 |v|^2 - <u,v>^2, 1e-12)), u = e_i - e_j, v = e_k - e_j
 *
 * A triangle whose root is at most 2^-16 of the sum of its squared sides is flat, too: its area is
 * that of 1e-12, without gradient.
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, Cs, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend
 * @param teacher   [B, Ct, H, W] same dtype and memory; Ct may differ from Cs; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_relational_workspace() bytes of the same memory, 64-byte aligned; NULL
 *                  where these are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar there, F64 for F64 inputs, else F32; no unit, >= 0, for angles at
 *                  most 3/2
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  F64 throughout, from squared distances that are sums of squared differences: nothing
 *           cancels of embeddings that lie far from the origin or close together. Of needles
 *           an area is rounded by 2^-19 at most. With fewer than three embeddings, loss 0, gradient 0. A
 *           NaN or an infinity among three or more gives a NaN loss.
 * Order     fixed: equal inputs give equal bits, whatever the thread count.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    Park et al., "Relational Knowledge Distillation", CVPR 2019; AREA: angles and distances
 *           extended to triangles as in ARKD, 2023: docs/methods/relational.md.
 */
STRUCTKD_API structkd_status structkd_relational(const structkd_ctx* ctx,
                                                 const structkd_tensor* student,
                                                 const structkd_tensor* teacher,
                                                 const structkd_relational_params* params,
                                                 void* workspace,
                                                 void* loss,
                                                 structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_RELATIONAL_H */
