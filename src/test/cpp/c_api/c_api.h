/* src/test/cpp/c_api/c_api.h: what calls of the C API need. The one header of the library that the files of the
 * losses see is structkd.h, which so has all of them. */
#ifndef STRUCTKD_TEST_C_API_H
#define STRUCTKD_TEST_C_API_H

#include "structkd/structkd.h"

/** Notes a failure, with the library's last error, unless a condition holds. */
void expect(int condition, const char* what);

/** A dense F32 [B, C, H, W] over memory of the caller. */
structkd_tensor map_of(float* data, int64_t b, int64_t c, int64_t h, int64_t w);

/** One thread of a CPU backend. */
structkd_ctx context_of(const char* backend);

/** Bytes on a 64-byte boundary, until the next call. */
void* workspace_of(size_t bytes);

#endif /* STRUCTKD_TEST_C_API_H */
