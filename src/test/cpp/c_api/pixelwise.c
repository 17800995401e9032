/* src/test/cpp/c_api/pixelwise.c: the pixel-wise loss from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

/* One pixel, two classes: q_S = (1/2, 1/2), q_T = (3/4, 1/4), so KL(q_T, q_S) = 3/4 log 3 - log 2.
 */
void pixelwise_entries(const char* backend) {
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
