/* src/test/cpp/c_api/pairwise.c: the pair-wise loss from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

/* Two nodes, orthogonal in the student and parallel in the teacher: A_S = I, A_T = 1, so that two
 * of four gaps are -1 and the loss is 1/2. */
void pairwise_entries(const char* backend) {
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
