/* libcuda.c: stands in for the driver's libcuda.so.1 on a machine that has none, or one that suits.
 * It has the version FAKE_CUDA_VERSION (12040 is 12.4) and no GPU. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

int cuInit(unsigned flags) {
  (void)flags;
  return 100; /* CUDA_ERROR_NO_DEVICE */
}

int cuDriverGetVersion(int* version) {
  const char* text = getenv("FAKE_CUDA_VERSION");
  *version = text != NULL ? atoi(text) : 0;
  return 0;
}

/* By this the run time finds everything else. */
int cuGetProcAddress_v2(
    const char* name, void** function, int version, uint64_t flags, int* found) {
  void* self = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  (void)version;
  (void)flags;
  *function = self != NULL ? dlsym(self, name) : NULL;
  if (found != NULL) *found = *function == NULL;
  return *function != NULL ? 0 : 500; /* CUDA_ERROR_NOT_FOUND */
}
