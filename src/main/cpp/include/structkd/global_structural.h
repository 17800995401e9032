/* structkd/global_structural.h: global structural similarity loss (GSSKD): sampling and loss. C99.
 *
 * Two calls. The first draws, per image, pixels at which student and teacher are compared; the
 * second compares the similarity maps of the rows at those pixels. Each can be used alone.
 */
#ifndef STRUCTKD_GLOBAL_STRUCTURAL_H
#define STRUCTKD_GLOBAL_STRUCTURAL_H

#include "structkd/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Which pixels of an image are drawn. Candidates are the pixels that carry a label (all, where no
 * labels are given) and, with teacher_correct_only, those the teacher classifies as labelled. */
typedef enum structkd_sampling {
  STRUCTKD_SAMPLING_CLASS_BALANCED = 0, /**< `samples` candidates of each class present */
  STRUCTKD_SAMPLING_RANDOM_GRID = 1,    /**< samples / 4 candidates of each quadrant of the map */
  STRUCTKD_SAMPLING_RANDOM = 2,         /**< `samples` candidates of the image */
  STRUCTKD_SAMPLING_ALL = 3             /**< every candidate, in row-major order */
} structkd_sampling;

/** What happens to a class (quadrant, image) with fewer candidates than it should give. */
typedef enum structkd_fill {
  /** All of its own, then candidates of the others without replacement; where those run out too,
   * random repeats of them, or of its own if there are no others. */
  STRUCTKD_FILL_OTHER_CLASSES = 0,
  STRUCTKD_FILL_WITH_REPLACEMENT = 1, /**< all of its own, then random repeats of them */
  STRUCTKD_FILL_SKIP = 2              /**< it gives no sample */
} structkd_fill;

/** The order in which candidates are taken. */
typedef enum structkd_draw {
  STRUCTKD_DRAW_RANDOM = 0, /**< by keys from seed, step, image and pixel */
  STRUCTKD_DRAW_RASTER = 1  /**< the first in row-major order: to compare with stored numbers */
} structkd_draw;

typedef struct structkd_global_structural_sample_params {
  uint32_t struct_size; /**< sizeof(structkd_global_structural_sample_params) */
  structkd_sampling sampling;
  structkd_fill fill;
  structkd_draw draw;
  int32_t teacher_correct_only; /**< 0 or 1; 1 needs teacher_logits and labels */
  int32_t samples;              /**< >= 1 (4 for RANDOM_GRID), see structkd_sampling; not ALL */
  int32_t min_candidates;       /**< >= 1: a class (quadrant, image) with fewer gives no sample */
  int32_t num_classes;          /**< >= 1 where labels are given; equals K where both are */
  int64_t ignore_index; /**< this label, and any outside [0, num_classes), is no candidate */
  uint64_t seed;
  const int64_t* step; /**< in the memory of the backend; not NULL where pixels are drawn */
} structkd_global_structural_sample_params;

/** Least M_max of an index tensor: samples * num_classes, 4 * (samples / 4), samples or H * W. */
STRUCTKD_API structkd_status
structkd_global_structural_sample_bound(const structkd_tensor* teacher_logits,
                                        const structkd_tensor* labels,
                                        const structkd_global_structural_sample_params* params,
                                        int64_t* max_samples);

/** Bytes of scratch for this very call: O(B (H W + M_max)). Same checks and errors as the call. */
STRUCTKD_API structkd_status
structkd_global_structural_sample_workspace(const structkd_ctx* ctx,
                                            const structkd_tensor* teacher_logits,
                                            const structkd_tensor* labels,
                                            const structkd_global_structural_sample_params* params,
                                            size_t* bytes);

/**
 * Draws the pixels of every image.
 *
 * CLASS_BALANCED takes the classes in ascending order and gives each `samples` rows: the pixels of
 * that class with the smallest (key, pixel), then its fill, so rows are class-major. No pixel of a
 * class is drawn twice before all of them are.
 *
 * @param ctx            backend, stream, threads
 * @param teacher_logits [B, K, H, W] F32 | F64 | F16 | BF16, any strides, or NULL. Read only with
 *                       teacher_correct_only; without labels any map of the batch will do: it
 *                       gives B, H, W
 * @param labels         [B, H, W] I32 | I64 | U8 at the map's size, or NULL: all pixels are
 *                       candidates and of one class (not for CLASS_BALANCED)
 * @param params         the variant; NULL is refused
 * @param workspace      structkd_global_structural_sample_workspace() bytes, 64-byte aligned; NULL
 *                       where these are 0, or where ctx->allocator is to give them
 * @param indices        out: I32 [B, M_max], M_max at least
 *                       structkd_global_structural_sample_bound(); row-major pixel h * W + w per
 *                       sample, -1 behind the last
 * @param counts         out: I32 [B, 2]: number of samples M_b, number of classes C_b: the classes
 *                       that were sampled (CLASS_BALANCED) or that have candidates (else); 1 where
 *                       no labels are given; both 0 in an image without samples
 * @return STRUCTKD_OK, or an error with nothing written.
 *
 * Ties      equal logits: the lowest class. A NaN logit is never the largest.
 * Order     a function of the inputs, seed and step alone: the same on every backend, for any
 *           thread count, bit for bit.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    MaryAhn/GSKD 641ddeb; differences: docs/methods/global_structural.md.
 */
STRUCTKD_API structkd_status
structkd_global_structural_sample(const structkd_ctx* ctx,
                                  const structkd_tensor* teacher_logits,
                                  const structkd_tensor* labels,
                                  const structkd_global_structural_sample_params* params,
                                  void* workspace,
                                  structkd_tensor* indices,
                                  structkd_tensor* counts);

/** What the student's rows x_i are multiplied with; the teacher's map is always y_i . y_j. */
typedef enum structkd_similarity {
  STRUCTKD_SIMILARITY_SELF = 0, /**< V_S[i,j] = x_i . x_j */
  STRUCTKD_SIMILARITY_CROSS = 1 /**< V_S[i,j] = x_i . y_j, needs Cs = Ct */
} structkd_similarity;

/** The permutations pi_i of the columns before they are cut into groups. */
typedef enum structkd_shuffle {
  STRUCTKD_SHUFFLE_ROW_INDEPENDENT = 0, /**< another one in every row */
  STRUCTKD_SHUFFLE_COLUMN_SHARED = 1,   /**< one for all rows of an image */
  STRUCTKD_SHUFFLE_NONE = 2             /**< pi_i(j) = j */
} structkd_shuffle;

/** Divisor of a group's divergence. L = M * width entries of the group. */
typedef enum structkd_group_reduction {
  STRUCTKD_GROUP_REDUCTION_SUM = 0,   /**< 1: the divergence itself */
  STRUCTKD_GROUP_REDUCTION_DIV_L = 1, /**< L, as in the released code */
  STRUCTKD_GROUP_REDUCTION_DIV_M = 2  /**< M */
} structkd_group_reduction;

/** What the M mod width columns behind the last full group count. */
typedef enum structkd_remainder {
  STRUCTKD_REMAINDER_ADDED = 0,    /**< added to the mean over full groups, as published */
  STRUCTKD_REMAINDER_AVERAGED = 1, /**< one more group of the mean */
  STRUCTKD_REMAINDER_DROPPED = 2   /**< nothing */
} structkd_remainder;

typedef enum structkd_batch {
  STRUCTKD_BATCH_MEAN = 0,      /**< mean over the images that have samples */
  STRUCTKD_BATCH_LAST_IMAGE = 1 /**< the last image that has samples, as released */
} structkd_batch;

typedef struct structkd_global_structural_params {
  uint32_t struct_size; /**< sizeof(structkd_global_structural_params) */
  int32_t normalize;    /**< 1: rows are scaled to unit length, f / max(|f|, eps); 0: taken as is */
  structkd_similarity similarity;
  structkd_shuffle shuffle;
  structkd_group_reduction reduction;
  structkd_remainder remainder;
  structkd_batch batch;
  int64_t group_width; /**< S: width S for S > 0, -S * C_b for S < 0; see the call for width 0 */
  double temperature;  /**< > 0 */
  double eps;      /**< > 0, in the unit of the features: a row with |f| <= eps counts as zero */
  int32_t classes; /**< >= 1: C_b where counts are not given */
  /** I32 [B, M_max] row-major pixels, any number of times each, or NULL: all H * W in row-major
   * order. A value outside [0, H W) stands for a zero row. */
  const structkd_tensor* indices;
  /** I32 [B, 2] samples M_b (cut to [0, M_max]) and classes C_b, or NULL: M_max and `classes` for
   * every image. */
  const structkd_tensor* counts;
  /** I32 [M_max, M_max] for all images or [B, M_max, M_max], or NULL: drawn from seed and step.
   * [i, j] = pi_i(j). An image with M_b < M_max leaves out the entries >= M_b. COLUMN_SHARED reads
   * row 0 alone, NONE nothing. Entries are not checked: one that is repeated counts once. */
  const structkd_tensor* permutation;
  uint64_t seed;
  const int64_t* step; /**< in the memory of the backend; not NULL where a permutation is drawn */
} structkd_global_structural_params;

/** Bytes of scratch for this very call: O(M_max^2 + M_max (Cs + Ct) + H W). Same checks and errors
 * as structkd_global_structural(). */
STRUCTKD_API structkd_status
structkd_global_structural_workspace(const structkd_ctx* ctx,
                                     const structkd_tensor* student,
                                     const structkd_tensor* teacher,
                                     const structkd_global_structural_params* params,
                                     int want_grad,
                                     size_t* bytes);

/**
 * Global structural loss and its gradient in one call.
 *
 *   V_S, V_T   M x M similarity maps of the sampled rows of one image
 *   w, G       width of a group of columns, G = floor(M / w) full groups
 *   SID_g      { V[i, pi_i(j)] : i < M, g w <= j < (g+1) w },  L = M w entries
 *   KL_g       KL(softmax(SID_g of V_T / tau), softmax(SID_g of V_S / tau)) over all L entries
 *   image      1/G sum_g tau^2 KL_g / reduction  (+ the remainder by its own size)
 *   loss       mean over images
 *
 * Where w = 0 or w > M there is no group: image = tau^2 / M sum over columns c of the KL of the
 * softmax down column c of the shuffled map; SUM drops the 1/M.
 *
 * @param ctx       backend, stream, threads
 * @param student   [B, Cs, H, W] F32 | F64 | F16 | BF16, any strides, in the memory of the backend;
 *                  rows gathered before come as [B, C, 1, M]
 * @param teacher   [B, Ct, H, W] same dtype and memory; Ct may differ for SELF; a constant
 * @param params    the variant; NULL is refused, there is no hidden default
 * @param workspace structkd_global_structural_workspace() bytes, 64-byte aligned; NULL where these
 *                  are 0, or where ctx->allocator is to give them
 * @param loss      out: one scalar, F64 for F64 inputs, else F32; no unit, >= 0
 * @param grad      out: d loss / d student, its shape, its dtype or F32; overwritten, 0 at pixels
 *                  that were not sampled; NULL = skip
 * @return STRUCTKD_OK, or an error with nothing written; STRUCTKD_ERR_CUDA: outputs undefined.
 *
 * Numerics  similarities in the inputs' type (f32 for f16 and bf16), exponentials and sums in f64,
 *           shifted by each group's largest entry. Images without samples are left out of the mean;
 *           none: loss 0, gradient 0. A zero row has similarity 0 and gradient 0. NaN features give
 *           a NaN loss.
 * Order     fixed: equal inputs give equal bits, whatever the thread count. The gradients of a
 *           pixel that was sampled more than once are added in row order.
 * CUDA      only enqueues on ctx's stream; no allocation, no synchronisation.
 * Source    K. Ahn et al., MaryAhn/GSKD 641ddeb (Dec 2023); IEEE Access 2025, doi
 *           10.1109/ACCESS.2025.3575066; variants: docs/methods/global_structural.md.
 */
STRUCTKD_API structkd_status
structkd_global_structural(const structkd_ctx* ctx,
                           const structkd_tensor* student,
                           const structkd_tensor* teacher,
                           const structkd_global_structural_params* params,
                           void* workspace,
                           void* loss,
                           structkd_tensor* grad);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_GLOBAL_STRUCTURAL_H */
