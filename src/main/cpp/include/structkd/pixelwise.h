/* structkd/pixelwise.h: pixel-wise distillation of class probabilities. C99. */
#ifndef STRUCTKD_PIXELWISE_H
#define STRUCTKD_PIXELWISE_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What is measured at one pixel, between q_S = softmax(student / temperature) and q_T likewise. */
typedef enum structkd_divergence {
  /** -sum_k q_T log q_S: KL_TEACHER_STUDENT plus the entropy of q_T, so it never reaches 0. The
     gradient is that of KL_TEACHER_STUDENT. */
  STRUCTKD_DIVERGENCE_CROSS_ENTROPY = 0,
  /** sum_k q_T (log q_T - log q_S) */
  STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT = 1,
  /** sum_k q_S (log q_S - log q_T) */
  STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER = 2
} structkd_divergence;

/** By what the sum over all pixels of the batch is divided. With a mask: V valid pixels take the
 * place of the B*H*W. */
typedef enum structkd_divisor {
  STRUCTKD_DIVISOR_PIXELS_PER_IMAGE = 0, /**< H*W, or V / B: the loss grows with the batch */
  STRUCTKD_DIVISOR_PIXELS = 1,           /**< B*H*W, or V: the mean over pixels */
  STRUCTKD_DIVISOR_ELEMENTS = 2          /**< B*K*H*W, or K * V */
} structkd_divisor;

typedef struct structkd_pixelwise_params {
  uint32_t struct_size; /**< sizeof(structkd_pixelwise_params) */
  structkd_divergence divergence;
  structkd_divisor divisor;
  double temperature; /**< divisor of all logits, > 0 and finite */
  /** Non-zero: value and gradient times temperature^2, so that the gradient keeps its size. */
  int32_t temperature_squared;
  /** U8 [B, H, W], not 0 where the pixel is valid, or NULL: all are. A pixel that is not valid has
   * gradient 0 and is not counted, whatever its logits hold. */
  const structkd_tensor* mask;
} structkd_pixelwise_params;

/**
 * Bytes of scratch for this very call: O(threads * K) plus one number per some pixels. Same checks
 * and errors as structkd_pixelwise().
 */
STRUCTKD_API structkd_status structkd_pixelwise_workspace(const structkd_ctx* ctx,
                                                          const structkd_tensor* student,
                                                          const structkd_tensor* teacher,
                                                          const structkd_pixelwise_params* params,
                                                          int want_grad,
                                                          size_t* bytes);

/**
 * Pixel-wise loss and its gradient in one pass over the logits.
 *
 *   loss  = t^2 / divisor * sum_bx D(b, x),   q = softmax over classes of logits / temperature
 *   D     = the divergence of q_S and q_T at pixel x of image b;  t^2: temperature^2 or 1
 *   d loss / d student = t^2 / (divisor * temperature) *
 *           (q_S - q_T)                     CROSS_ENTROPY, KL_TEACHER_STUDENT
 *           q_S (log q_S - log q_T - D)     KL_STUDENT_TEACHER
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, K, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend:
 *                  logits, before any softmax; [B, K] rows, such as vocabularies, as [B, K, 1, 1].
 *                  Fast where the pixels of a class or the classes of a pixel lie side by side
 * @param teacher   [B, K, H, W] same dtype and memory; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_pixelwise_workspace() bytes of the same memory, 64-byte aligned; NULL
 *                  where these are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar there, F64 for F64 inputs, else F32; in nats (a nat per class
 *                  with DIVISOR_ELEMENTS), >= 0
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  f32 inside a pixel (f64 for F64 inputs), f64 across pixels; logits are shifted by their
 *           maximum, no probability's logarithm is ever taken. Close to q_S = q_T the value is
 *           summed from terms that are all positive, and the gradient from differences of logits,
 *           so both keep their relative precision.
 * Edges     No valid pixel: loss 0, gradient 0. K = 1: loss 0, gradient 0. A class of probability 0
 *           (logit -inf) adds nothing; where only the second distribution of a KL is 0 the loss is
 *           +inf, and the gradient of KL_STUDENT_TEACHER is undefined there. NaN or +inf in a valid
 *           pixel gives a NaN loss.
 * Order     fixed: equal inputs give equal bits, whatever the thread count.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR 2019,
 *           section 3.1; Hinton et al., arXiv 1503.02531; variants: docs/methods/pixelwise.md.
 */
STRUCTKD_API structkd_status structkd_pixelwise(const structkd_ctx* ctx,
                                                const structkd_tensor* student,
                                                const structkd_tensor* teacher,
                                                const structkd_pixelwise_params* params,
                                                void* workspace,
                                                void* loss,
                                                structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_PIXELWISE_H */
