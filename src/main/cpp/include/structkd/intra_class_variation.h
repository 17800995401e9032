/* structkd/intra_class_variation.h: intra-class feature variation distillation. C99. */
#ifndef STRUCTKD_INTRA_CLASS_VARIATION_H
#define STRUCTKD_INTRA_CLASS_VARIATION_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct structkd_intra_class_variation_params {
  uint32_t struct_size; /**< sizeof(structkd_intra_class_variation_params) */
  int64_t num_classes;  /**< labels 0 to num_classes - 1 are classes; 1 to 2^31 - 1 */
  /** U8 | I32 | I64 [B, H, W], in the memory of the backend: the class of each position. A position
   * of any other label has no class: it adds nothing, but is counted, and has gradient 0, whatever
   * it holds. */
  const structkd_tensor* labels;
  /** U8 [B, H, W], not 0 where the position is valid, or NULL: all are. A position that is not
   * valid has no class and is not counted. */
  const structkd_tensor* mask;
} structkd_intra_class_variation_params;

/**
 * Bytes of scratch for this very call: some numbers per position, class and channel of some images
 * (of all of them on a GPU) and per class and channel; nothing per position and channel, or per
 * position and class. Same checks and errors as structkd_intra_class_variation().
 */
STRUCTKD_API structkd_status
structkd_intra_class_variation_workspace(const structkd_ctx* ctx,
                                         const structkd_tensor* student,
                                         const structkd_tensor* teacher,
                                         const structkd_intra_class_variation_params* params,
                                         int want_grad,
                                         size_t* bytes);

/**
 * Intra-class feature variation loss and its gradient in one call.
 *
 *   loss   = 1/N sum over positions n that have a class of (M_S[n] - M_T[n])^2
 *   M[n]   = <f_n, c_k> / max(|f_n| |c_k|, 1e-8)             k: the class of n
 *   c_k    = sum over positions of class k of f / (n_k + 1e-6), in each image; n_k: their number
 *   d loss / d f_n = G_n dM_n/df_n + 1/(n_k + 1e-6) sum_m G_m dM_m/dc_k,   G = 2 (M_S - M_T) / N
 *
 * N counts the valid positions of the batch, at least 1.
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, Cs, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend;
 *                  H*W at most 2^31 - 1. Fast where the positions of a channel lie side by side, on
 *                  a CPU also where the channels of a position do
 * @param teacher   [B, Ct, H, W] same dtype and memory; Ct may differ from Cs; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_intra_class_variation_workspace() bytes of the same memory, 64-byte
 *                  aligned; NULL where these are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar there, F64 for F64 inputs, else F32; no unit, 0 <= loss <= 4
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  F64 on a CPU; on a GPU F32 within 8 channels or positions of a thread (F64 for F64
 *           inputs), F64 across them.
 * Edges     Features or a centre of length 0: similarity 0 without a slope; such features count in
 *           their centre. No position of any class, or one position or channel: 0 up to rounding.
 *           NaN or infinite features, or a length beyond F64, at a position of a class give a NaN
 *           loss.
 * Order     fixed: equal inputs give equal bits, whatever the thread count.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    Wang et al., "Intra-class Feature Variation Distillation for Semantic Segmentation",
 *           ECCV 2020; variants and their origin: docs/methods/intra_class_variation.md.
 */
STRUCTKD_API structkd_status
structkd_intra_class_variation(const structkd_ctx* ctx,
                               const structkd_tensor* student,
                               const structkd_tensor* teacher,
                               const structkd_intra_class_variation_params* params,
                               void* workspace,
                               void* loss,
                               structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_INTRA_CLASS_VARIATION_H */
