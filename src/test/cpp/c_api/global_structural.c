/* src/test/cpp/c_api/global_structural.c: the global structural loss from C. */
#include <math.h>
#include <string.h>

#include "c_api.h"

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

/* Two nodes, orthogonal in the student and parallel in the teacher, one sample of each class and all
 * columns in one group: V_S = I, V_T = 1, so that KL = log((e + 1) / 2) - 1/2. */
void global_structural_entries(const char* backend) {
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
