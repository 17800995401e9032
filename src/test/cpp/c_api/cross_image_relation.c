/* src/test/cpp/c_api/cross_image_relation.c: the cross-image relation loss from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

/* Two nodes of one image, orthogonal in the student and parallel in the teacher: a row of the student
 * is (e, 1) / (e + 1), one of the teacher (1/2, 1/2), and the loss is ln(e + 1) - 1/2 - ln 2. */
void cross_image_relation_entries(const char* backend) {
  float student[] = {1, 0, 0, 1}, teacher[] = {1, 1, 0, 0}, grad[4];
  float loss = -1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_cross_image_relation_params params;
  structkd_tensor s = map_of(student, 1, 2, 1, 2), t = map_of(teacher, 1, 2, 1, 2);
  structkd_tensor g = map_of(grad, 1, 2, 1, 2);
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.temperature = 1;
  params.eps = 1e-12;
  expect(structkd_cross_image_relation_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK,
         "workspace");
  expect(structkd_cross_image_relation(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) ==
             STRUCTKD_OK,
         "cross_image_relation");
  expect(fabsf(loss - 0.1201145f) < 1e-6f, "cross-image value");
  /* df_0 = (1 / (e + 1) - 1/2) f_1: both rows that the pair is in, each divided by N = 2 */
  expect(fabsf(grad[0]) < 1e-6f && fabsf(grad[2] + 0.2310586f) < 1e-6f, "cross-image gradient");
}
