/* open.c: what structkd_cuda_open() says where no kernel can run. Expects the sentence in argv[1].
 */
#include <stdio.h>
#include <string.h>

#include "cuda/structkd_cuda.h"
#include "structkd/structkd.h"

int main(int argc, char** argv) {
  const char* expected = argc > 1 ? argv[1] : "";
  for (int call = 0; call < 2; ++call) { /* the second is as clear as the first */
    const structkd_status status = structkd_cuda_open();
    const char* said = structkd_last_error();
    if (status != STRUCTKD_ERR_CUDA || strcmp(said, expected) != 0) {
      printf("status %s: %s\nexpected: %s\n", structkd_status_name(status), said, expected);
      return 1;
    }
  }
  return 0;
}
