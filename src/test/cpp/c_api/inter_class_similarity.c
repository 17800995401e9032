/* src/test/cpp/c_api/inter_class_similarity.c: inter-class similarity from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

/* Two classes on two pixels, p_0 = (1/4, 3/4) and p_1 = (3/4, 1/4) in the student, equal in the
 * teacher: both divergences of the student are ln(3)/2, so that the loss is ln(3)^2 / 8. */
void inter_class_similarity_entries(const char* backend) {
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
