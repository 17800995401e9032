/* The C API as a C99 compiler sees it: headers that may be included twice, and every entry called
 * from C on a case whose result is known by hand. */
/* clang-format off: it would remove the second one. */
#include "structkd/structkd.h"
/* clang-format on */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "failed: %s (%s)\n", what, structkd_last_error());
  ++failures;
}

/** A dense F32 [B, C, H, W] over memory of the caller. */
static structkd_tensor map_of(float* data, int64_t b, int64_t c, int64_t h, int64_t w) {
  structkd_tensor tensor;
  memset(&tensor, 0, sizeof tensor);
  tensor.data = data;
  tensor.dtype = STRUCTKD_F32;
  tensor.rank = 4;
  tensor.sizes[0] = b;
  tensor.sizes[1] = c;
  tensor.sizes[2] = h;
  tensor.sizes[3] = w;
  tensor.strides[3] = 1;
  tensor.strides[2] = w;
  tensor.strides[1] = h * w;
  tensor.strides[0] = c * h * w;
  return tensor;
}

/* A dense I32 matrix over memory of the caller. */
static structkd_tensor table_of(int32_t* data, int64_t rows, int64_t columns) {
  structkd_tensor tensor;
  memset(&tensor, 0, sizeof tensor);
  tensor.data = data;
  tensor.dtype = STRUCTKD_I32;
  tensor.rank = 2;
  tensor.sizes[0] = rows;
  tensor.sizes[1] = columns;
  tensor.strides[0] = columns;
  tensor.strides[1] = 1;
  return tensor;
}

/** One thread of a CPU backend. */
static structkd_ctx context_of(const char* backend) {
  structkd_ctx ctx;
  memset(&ctx, 0, sizeof ctx);
  ctx.backend = backend;
  ctx.threads = 1;
  return ctx;
}

/** Bytes on a 64-byte boundary, until the next call. */
static void* workspace_of(size_t bytes) {
  static char* memory = NULL;
  free(memory);
  memory = malloc(bytes + STRUCTKD_ALIGNMENT);
  return memory + (STRUCTKD_ALIGNMENT - (size_t)(uintptr_t)memory % STRUCTKD_ALIGNMENT);
}

static void core_entries(void) {
  expect(strcmp(structkd_version(), STRUCTKD_VERSION) == 0, "library and header agree");
  expect(strcmp(structkd_status_name(STRUCTKD_ERR_SHAPE), "STRUCTKD_ERR_SHAPE") == 0,
         "status name");
  expect(structkd_backend_name(0) != NULL, "a backend is registered");
  expect(structkd_backend_name(99) == NULL, "no hundredth backend");
  expect(structkd_backend_description("reference") != NULL, "the reference is registered");
  expect(structkd_has_kernel("reference", "pairwise") == 1 &&
             structkd_has_kernel("reference", "none such") == 0 &&
             structkd_has_kernel("none such", "pairwise") == 0 &&
             structkd_has_kernel(NULL, NULL) == 0,
         "has_kernel tells a kernel from none");
  expect(structkd_backend_description("none such") == NULL,
         "an unknown backend has no description");
}

/* Two nodes, orthogonal in the student and parallel in the teacher: A_S = I, A_T = 1, so that two
 * of four gaps are -1 and the loss is 1/2. */
static void pairwise_entries(const char* backend) {
  float student[] = {1, 0, 0, 1}, teacher[] = {1, 1, 0, 0}, grad[4];
  float loss = -1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_pairwise_params params;
  structkd_tensor s = map_of(student, 1, 2, 1, 2), t = map_of(teacher, 1, 2, 1, 2);
  structkd_tensor g = map_of(grad, 1, 2, 1, 2);
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.norm = STRUCTKD_NORM_DIFFERENTIABLE;
  params.eps_mode = STRUCTKD_EPS_MAX;
  params.eps = 1e-8;
  expect(structkd_pairwise_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK, "workspace");
  expect(structkd_pairwise(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) == STRUCTKD_OK,
         "pairwise");
  expect(fabsf(loss - 0.5f) < 1e-6f, "pair-wise value");
  /* df_0 = 4/4 (A_S - A_T)[0,1] f_1 = -f_1 */
  expect(fabsf(grad[0]) < 1e-6f && fabsf(grad[2] + 1.0f) < 1e-6f, "pair-wise gradient");
  expect(strncmp(structkd_last_plan(), "pairwise: ", 10) == 0, "plan");
}

/* Two classes on two pixels, p_0 = (1/4, 3/4) and p_1 = (3/4, 1/4) in the student, equal in the
 * teacher: both divergences of the student are ln(3)/2, so that the loss is ln(3)^2 / 8. */
static void inter_class_similarity_entries(const char* backend) {
  const float ln3 = 1.0986123f;
  float student[] = {0, 0, 0, 0}, teacher[] = {0, 0, 0, 0}, grad[4];
  float loss = -1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_inter_class_similarity_params params;
  structkd_tensor s = map_of(student, 1, 2, 1, 2), t = map_of(teacher, 1, 2, 1, 2);
  structkd_tensor g = map_of(grad, 1, 2, 1, 2);
  student[1] = student[2] = ln3;
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.temperature = 1;
  expect(structkd_inter_class_similarity_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK,
         "workspace");
  expect(structkd_inter_class_similarity(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) ==
             STRUCTKD_OK,
         "inter_class_similarity");
  expect(fabsf(loss - ln3 * ln3 / 8) < 1e-6f, "inter-class value");
  /* dz_0 = G (p_0 (log p_0 - log p_1 - M + 1) - p_1), G = ln(3)/4, at the first pixel */
  expect(fabsf(grad[0] + ln3 / 4 * (0.375f * ln3 + 0.5f)) < 1e-6f, "inter-class gradient");
  expect(strncmp(structkd_last_plan(), "inter_class_similarity: ", 24) == 0, "plan");
}

/* One pixel, two classes: q_S = (1/2, 1/2), q_T = (3/4, 1/4), so KL(q_T, q_S) = 3/4 log 3 - log 2.
 */
static void pixelwise_entries(const char* backend) {
  float student[] = {5, 5}, teacher[] = {0, 0}, grad[2];
  float loss = -1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_pixelwise_params params;
  structkd_tensor s = map_of(student, 1, 2, 1, 1), t = map_of(teacher, 1, 2, 1, 1);
  structkd_tensor g = map_of(grad, 1, 2, 1, 1);
  teacher[0] = logf(3);
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.divergence = STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT;
  params.divisor = STRUCTKD_DIVISOR_PIXELS;
  params.temperature = 1;
  expect(structkd_pixelwise_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK,
         "workspace");
  expect(structkd_pixelwise(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) == STRUCTKD_OK,
         "pixelwise");
  expect(fabsf(loss - (0.75f * logf(3) - logf(2))) < 1e-6f, "pixel-wise value");
  expect(fabsf(grad[0] + 0.25f) < 1e-6f && fabsf(grad[1] - 0.25f) < 1e-6f, "pixel-wise gradient");
  expect(strncmp(structkd_last_plan(), "pixelwise: ", 11) == 0, "plan");
}

/* The same two nodes, one sample of each class and all columns in one group. V_S = I, V_T = 1, so
 * that KL = log((e + 1) / 2) - 1/2. */
static void global_structural_entries(const char* backend) {
  float student[] = {1, 0, 0, 1}, teacher[] = {1, 1, 0, 0}, grad[4];
  int32_t label_data[] = {0, 1}, index_data[] = {7, 7}, count_data[] = {7, 7};
  const int64_t step = 0;
  int64_t bound = 0;
  float loss = -1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_global_structural_sample_params sampling;
  structkd_global_structural_params params;
  structkd_tensor s = map_of(student, 1, 2, 1, 2), t = map_of(teacher, 1, 2, 1, 2);
  structkd_tensor g = map_of(grad, 1, 2, 1, 2), labels = map_of(NULL, 1, 1, 2, 1);
  structkd_tensor indices = table_of(index_data, 1, 2), counts = table_of(count_data, 1, 2);
  labels.data = label_data;
  labels.dtype = STRUCTKD_I32;
  labels.rank = 3; /* [1, 1, 2] */
  memset(&sampling, 0, sizeof sampling);
  sampling.struct_size = sizeof sampling;
  sampling.samples = 1;
  sampling.min_candidates = 1;
  sampling.num_classes = 2;
  sampling.ignore_index = -1;
  sampling.step = &step;
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.normalize = 1;
  params.group_width = -1;
  params.temperature = 1;
  params.eps = 1e-8;
  params.indices = &indices;
  params.counts = &counts;
  params.step = &step;
  expect(structkd_global_structural_sample_bound(NULL, &labels, &sampling, &bound) == STRUCTKD_OK &&
             bound == 2,
         "sample bound");
  expect(structkd_global_structural_sample_workspace(&ctx, NULL, &labels, &sampling, &bytes) ==
             STRUCTKD_OK,
         "sample workspace");
  expect(structkd_global_structural_sample(&ctx, NULL, &labels, &sampling, workspace_of(bytes),
                                           &indices, &counts) == STRUCTKD_OK,
         "sample");
  expect(index_data[0] == 0 && index_data[1] == 1 && count_data[0] == 2 && count_data[1] == 2,
         "samples");
  expect(structkd_global_structural_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK,
         "global structural workspace");
  expect(structkd_global_structural(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) ==
             STRUCTKD_OK,
         "global structural");
  expect(fabsf(loss - 0.1201145f) < 1e-6f, "global structural value");
  /* df_0 = 2 (q_S - q_T) f_1, q_S = 1 / (2 e + 2) off the diagonal */
  expect(fabsf(grad[0]) < 1e-6f && fabsf(grad[2] + 0.2310586f) < 1e-6f,
         "global structural gradient");
}

int main(void) {
  const char* backends[] = {"reference", "cpu"};
  size_t i;
  core_entries();
  for (i = 0; i < sizeof backends / sizeof *backends; ++i) {
    pairwise_entries(backends[i]);
    pixelwise_entries(backends[i]);
    inter_class_similarity_entries(backends[i]);
    global_structural_entries(backends[i]);
  }
  return failures == 0 ? 0 : 1;
}
