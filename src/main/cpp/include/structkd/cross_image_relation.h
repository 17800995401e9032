/* structkd/cross_image_relation.h: cross-image relational distillation. C99. */
#ifndef STRUCTKD_CROSS_IMAGE_RELATION_H
#define STRUCTKD_CROSS_IMAGE_RELATION_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The least temperature: below, exponentials of cosines / temperature leave the range of F64. */
#define STRUCTKD_LEAST_RELATION_TEMPERATURE (1.0 / 256)

typedef struct structkd_cross_image_relation_params {
  uint32_t struct_size; /**< sizeof(structkd_cross_image_relation_params) */
  double temperature;   /**< divisor of the cosines, finite, >= 1/256 */
  double eps; /**< > 0, in the unit of the features; a node with |f| <= eps counts as zero */
} structkd_cross_image_relation_params;

/**
 * Bytes of scratch for this very call: O(B^2 N) numbers, two for each node and image, plus O(Cs +
 * Ct + B) numbers for each node, on the CPU 32 MiB of these at most, plus O(threads). No N x N
 * matrix at any map size.
 * CUDA takes O(B N Cs) numbers more where the gradient is not F32 or F64. Same checks and errors as
 * structkd_cross_image_relation().
 */
STRUCTKD_API structkd_status
structkd_cross_image_relation_workspace(const structkd_ctx* ctx,
                                        const structkd_tensor* student,
                                        const structkd_tensor* teacher,
                                        const structkd_cross_image_relation_params* params,
                                        int want_grad,
                                        size_t* bytes);

/**
 * Cross-image relation loss and its gradient in one call.
 *
 *   loss      = 1/(B^2 N) sum_mn sum_i KL( q_T[m,i,n], q_S[m,i,n] ),   images m, n < B, N = H*W
 *   q[m,i,n]  = softmax over the nodes j of image n of <f_mi, f_nj> / temperature
 *   f_mi      : feature vector of node i of image m, scaled to unit length
 *
 * Every node of every image is compared with all nodes of every image, its own included. Another
 * axis can take the place of the nodes: strides may say that channels are nodes and positions
 * channels.
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, Cs, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend
 * @param teacher   [B, Ct, H, W] same dtype and memory; Ct may differ from Cs; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_cross_image_relation_workspace() bytes of the same memory, 64-byte
 *                  aligned; NULL where these are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar there, F64 for F64 inputs, else F32; in nats, 0 <= loss <= 2 /
 *                  temperature
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  F32 cosines and exponentials (F64 for F64 inputs, few nodes and temperatures below
 *           1/32), F64 sums. Where student and teacher nearly agree, the value is summed from terms
 *           that are all positive and keeps its relative precision. A zero node has cosine 0 with
 *           all others, counts in the value, and has gradient 0. NaN or infinite features, or a
 *           length beyond F64, give a NaN loss. One node per image: loss 0, gradient 0.
 * Order     fixed: equal inputs give equal bits, whatever the thread count.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    Yang et al., "Cross-Image Relational Knowledge Distillation for Semantic Segmentation",
 *           CVPR 2022, section 3.2; variants and their origin: docs/methods/cross_image_relation.md.
 */
STRUCTKD_API structkd_status
structkd_cross_image_relation(const structkd_ctx* ctx,
                              const structkd_tensor* student,
                              const structkd_tensor* teacher,
                              const structkd_cross_image_relation_params* params,
                              void* workspace,
                              void* loss,
                              structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_CROSS_IMAGE_RELATION_H */
