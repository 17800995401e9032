/* src/test/cpp/c_api/channelwise.c: the channel-wise loss from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

/* One channel, two positions: q_S = (1/2, 1/2), q_T = (3/4, 1/4), so that the loss at temperature 1
 * is 3/4 log 3 - log 2. */
void channelwise_entries(const char* backend) {
  float student[] = {5, 5}, teacher[] = {0, 0}, grad[2];
  float loss = -1;
  size_t bytes = 0;
  const structkd_ctx ctx = context_of(backend);
  structkd_channelwise_params params;
  structkd_tensor s = map_of(student, 1, 1, 1, 2), t = map_of(teacher, 1, 1, 1, 2);
  structkd_tensor g = map_of(grad, 1, 1, 1, 2);
  teacher[0] = logf(3);
  memset(&params, 0, sizeof params);
  params.struct_size = sizeof params;
  params.temperature = 1;
  expect(structkd_channelwise_workspace(&ctx, &s, &t, &params, 1, &bytes) == STRUCTKD_OK,
         "workspace");
  expect(structkd_channelwise(&ctx, &s, &t, &params, workspace_of(bytes), &loss, &g) == STRUCTKD_OK,
         "channelwise");
  expect(fabsf(loss - (0.75f * logf(3) - logf(2))) < 1e-6f, "channel-wise value");
  expect(fabsf(grad[0] + 0.25f) < 1e-6f && fabsf(grad[1] - 0.25f) < 1e-6f, "channel-wise gradient");
  expect(strncmp(structkd_last_plan(), "channelwise: ", 13) == 0, "plan");
}
