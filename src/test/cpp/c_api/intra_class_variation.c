/* src/test/cpp/c_api/intra_class_variation.c: the intra-class variation loss from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

/* Positions (1, 0) and (0, 1) of one class: the student's cosine with their centre is 1 / sqrt 2,
 * the teacher's, whose positions are equal, is 1. A step x of one position towards the other
 * changes both cosines by x / (2 sqrt 2). */
void intra_class_variation_entries(const char* backend) {
  float student[] = {1, 0, 0, 1}, teacher[] = {1, 1, 0, 0}, grad[4];
  uint8_t classes[] = {0, 0};
  float loss = -1, gap = sqrtf(0.5f) - 1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_intra_class_variation_params params;
  structkd_tensor s = map_of(student, 1, 2, 1, 2), t = map_of(teacher, 1, 2, 1, 2);
  structkd_tensor g = map_of(grad, 1, 2, 1, 2), labels;
  memset(&labels, 0, sizeof labels);
  labels.data = classes;
  labels.dtype = STRUCTKD_U8;
  labels.rank = 3;
  labels.sizes[0] = labels.sizes[1] = 1;
  labels.sizes[2] = 2;
  labels.strides[0] = labels.strides[1] = 2;
  labels.strides[2] = 1;
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.num_classes = 1;
  params.labels = &labels;
  expect(structkd_intra_class_variation_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK,
         "workspace");
  expect(structkd_intra_class_variation(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) ==
             STRUCTKD_OK,
         "intra_class_variation");
  expect(fabsf(loss - gap * gap) < 1e-6f, "intra-class variation value");
  expect(fabsf(grad[0]) < 1e-6f && fabsf(grad[3]) < 1e-6f, "gradient along a position");
  expect(fabsf(grad[2] - grad[1]) < 1e-6f && fabsf(grad[2] - gap * sqrtf(0.5f)) < 1e-6f,
         "gradient across a position");
  expect(strncmp(structkd_last_plan(), "intra_class_variation: ", 23) == 0, "plan");
}
