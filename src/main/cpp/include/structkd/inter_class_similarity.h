/* structkd/inter_class_similarity.h: inter-class similarity loss (ICSD). C99. */
#ifndef STRUCTKD_INTER_CLASS_SIMILARITY_H
#define STRUCTKD_INTER_CLASS_SIMILARITY_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct structkd_inter_class_similarity_params {
  uint32_t struct_size; /**< sizeof(structkd_inter_class_similarity_params) */
  /** 0: matrices as they are. 1: each row of M divided by max(its length, 1e-12), with the full
   * derivative; a row no longer than 1e-12 has gradient 0. */
  int32_t row_normalize;
  double temperature; /**< > 0, divides the logits; no square of it in the loss */
  /** U8 [B, H, W], 0 = ignored pixel, or NULL: all pixels count. */
  const structkd_tensor* mask;
} structkd_inter_class_similarity_params;

/**
 * Bytes of scratch for this very call: O(B K^2) plus O(threads * K), never O(K H W); on a GPU sums
 * of up to 128 parts of the pixels, at most 2 * 128 * 8 (K + 3) K bytes, too. Same checks and
 * errors as structkd_inter_class_similarity().
 */
STRUCTKD_API structkd_status
structkd_inter_class_similarity_workspace(const structkd_ctx* ctx,
                                          const structkd_tensor* student,
                                          const structkd_tensor* teacher,
                                          const structkd_inter_class_similarity_params* params,
                                          int want_grad,
                                          size_t* bytes);

/**
 * Inter-class similarity loss and its gradient in one call.
 *
 *   loss   = 1/(B K^2) * sum_b sum_ij (M_S[b,i,j] - M_T[b,i,j])^2
 *   M[i,j] = KL(p_i, p_j) = sum_x p_i(x) (log p_i(x) - log p_j(x))
 *   p_i    = softmax over the pixels x of channel i of logits / temperature
 *
 * With a mask the softmax runs over the valid pixels of an image; an image without any is left out
 * and B counts the others.
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, K, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend
 * @param teacher   the student's shape, dtype and memory; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_inter_class_similarity_workspace() bytes of the same memory, 64-byte
 *                  aligned; NULL where these are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar there, F64 for F64 inputs, else F32; in squared nats, >= 0, or
 *                  without unit and at most 4/K with row_normalize
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  exponentials and products in F32 (F64 for F64 inputs) within a tile of pixels, sums
 *           over tiles, matrices and the loss in F64. Channels that are constant over the pixels
 *           have a uniform p. K = 1, one valid pixel, and nothing valid at all: loss 0, gradient 0.
 *           Ignored pixels have gradient 0 and may hold any bits. A NaN or an infinite logit at a
 *           valid pixel gives a NaN loss.
 * Order     fixed: equal inputs give equal bits, whatever the thread count.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    Mansourian et al., "AICSD: Adaptive Inter-Class Similarity Distillation for Semantic
 *           Segmentation", 2023; what its released code computes instead:
 *           docs/methods/inter_class_similarity.md.
 */
STRUCTKD_API structkd_status
structkd_inter_class_similarity(const structkd_ctx* ctx,
                                const structkd_tensor* student,
                                const structkd_tensor* teacher,
                                const structkd_inter_class_similarity_params* params,
                                void* workspace,
                                void* loss,
                                structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_INTER_CLASS_SIMILARITY_H */
