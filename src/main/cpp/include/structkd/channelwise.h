/* structkd/channelwise.h: channel-wise distillation of spatial distributions. C99. */
#ifndef STRUCTKD_CHANNELWISE_H
#define STRUCTKD_CHANNELWISE_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct structkd_channelwise_params {
  uint32_t struct_size; /**< sizeof(structkd_channelwise_params) */
  double temperature;   /**< divisor of all activations, > 0 and finite */
  /** U8 [B, H, W], not 0 where the position is valid, or NULL: all are. The softmax of a channel
   * runs over valid positions; a position that is not valid has gradient 0, whatever it holds. An
   * image without any is left out of the mean. */
  const structkd_tensor* mask;
} structkd_channelwise_params;

/**
 * Bytes of scratch for this very call: O(threads * H * W) on a CPU, some numbers per channel and
 * 4096 positions on a GPU. Same checks and errors as structkd_channelwise().
 */
STRUCTKD_API structkd_status
structkd_channelwise_workspace(const structkd_ctx* ctx,
                               const structkd_tensor* student,
                               const structkd_tensor* teacher,
                               const structkd_channelwise_params* params,
                               int want_grad,
                               size_t* bytes);

/**
 * Channel-wise loss and its gradient.
 *
 *   loss  = t^2 / (B C) * sum_bc KL(q_T, q_S)[b, c]        t: the temperature
 *   q     = softmax over the positions of a channel of activations / t
 *   KL    = sum_n q_T (log q_T - log q_S)
 *   d loss / d student = t / (B C) * (q_S - q_T)
 *
 * With a mask B is the number of images that have valid positions.
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, C, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend:
 *                  activations or logits, before any softmax. Fast where the positions of a channel
 *                  lie side by side
 * @param teacher   [B, C, H, W] same dtype and memory; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_channelwise_workspace() bytes of the same memory, 64-byte aligned; NULL
 *                  where these are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar there, F64 for F64 inputs, else F32; nats times t^2, >= 0
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  f32 within some thousand positions (f64 for F64 inputs), f64 across channels;
 *           activations are shifted by their maximum, no probability's logarithm is ever taken.
 *           Close to q_S = q_T the value is summed from terms that are all positive, and the
 *           gradient from differences of activations, so both keep their relative precision.
 * Edges     No valid position, or one: loss 0, gradient 0. A position of probability 0 (-inf) adds
 *           nothing; where only q_S is 0 the loss is +inf. NaN or +inf in a valid position gives a
 *           NaN loss.
 * Order     fixed: equal inputs give equal bits, whatever the thread count.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV 2021,
 *           arXiv 2011.13256; variants: docs/methods/channelwise.md.
 */
STRUCTKD_API structkd_status structkd_channelwise(const structkd_ctx* ctx,
                                                  const structkd_tensor* student,
                                                  const structkd_tensor* teacher,
                                                  const structkd_channelwise_params* params,
                                                  void* workspace,
                                                  void* loss,
                                                  structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_CHANNELWISE_H */
