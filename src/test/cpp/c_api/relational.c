/* src/test/cpp/c_api/relational.c: the relational loss from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

/* Three points on a line, 1 and 1 apart, and 1 and 3 apart: distances 1, 1, 2 and 1, 3, 4 in units of
 * 4/3 and 8/3, so that gaps are 3/4 - 3/8, 3/4 - 9/8 and 3/2 - 3/2, each of two ordered pairs. */
void relational_entries(const char* backend) {
  float student[] = {0, 1, 2}, teacher[] = {0, 1, 4}, grad[3];
  float loss = -1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_relational_params params;
  structkd_tensor s = map_of(student, 3, 1, 1, 1), t = map_of(teacher, 3, 1, 1, 1);
  structkd_tensor g = map_of(grad, 3, 1, 1, 1);
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.relation = STRUCTKD_RELATION_DISTANCE;
  expect(structkd_relational_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK,
         "workspace");
  expect(structkd_relational(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) == STRUCTKD_OK,
         "relational");
  expect(fabsf(loss - 0.03125f) < 1e-6f, "relational value"); /* 2 (9/64) / 9 */
  expect(fabsf(grad[0] + grad[1] + grad[2]) < 1e-6f, "moving all embeddings changes nothing");
  expect(strncmp(structkd_last_plan(), "relational: ", 12) == 0, "plan");
}
