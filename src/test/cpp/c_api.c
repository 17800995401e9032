/* The C API as a C99 compiler sees it: headers that may be included twice, entries that link. */
/* clang-format off: it would remove the second one. */
#include "structkd/structkd.h"
/* clang-format on */

#include <stdio.h>
#include <string.h>

int main(void) {
  if (strcmp(structkd_version(), STRUCTKD_VERSION) != 0) {
    fprintf(stderr, "library %s, header %s\n", structkd_version(), STRUCTKD_VERSION);
    return 1;
  }
  return 0;
}
