/* src/test/cpp/c_api/main.c: the C API as a C99 compiler sees it: headers that may be included twice, and
 * every entry called from C on a case whose result is known by hand. The entries of a loss are called
 * in its file beside this one. */
#include "c_api.h"
/* clang-format off: it would remove the second one. */
#include "structkd/structkd.h"
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernel_list.h"

static int failures = 0;

void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "failed: %s (%s)\n", what, structkd_last_error());
  ++failures;
}

structkd_tensor map_of(float* data, int64_t b, int64_t c, int64_t h, int64_t w) {
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

structkd_ctx context_of(const char* backend) {
  structkd_ctx ctx;
  memset(&ctx, 0, sizeof ctx);
  ctx.backend = backend;
  ctx.threads = 1;
  return ctx;
}

void* workspace_of(size_t bytes) {
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

#define STRUCTKD_DECLARE_ENTRIES(loss, Args) void loss##_entries(const char* backend);
STRUCTKD_KERNEL_LOSSES(STRUCTKD_DECLARE_ENTRIES)

int main(void) {
  const char* backends[] = {"reference", "cpu"};
  size_t i;
  core_entries();
  for (i = 0; i < sizeof backends / sizeof *backends; ++i) {
#define STRUCTKD_CALL_ENTRIES(loss, Args) loss##_entries(backends[i]);
    STRUCTKD_KERNEL_LOSSES(STRUCTKD_CALL_ENTRIES)
  }
  return failures == 0 ? 0 : 1;
}
