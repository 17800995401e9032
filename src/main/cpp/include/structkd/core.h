/* structkd/core.h: what every loss shares: status, tensor, context, last error. C99.
 *
 * Threads   every function may be called from several threads at once, with distinct workspaces and
 *           outputs. The last error and the last plan belong to the calling thread.
 * Memory    the library keeps nothing: the caller owns tensors, workspaces and outputs.
 * Loss      every loss has two entries of one shape: structkd_<loss>_workspace() tells the bytes of
 *           scratch and structkd_<loss>() computes. What only some losses take is in their params.
 * Versions  0.x may change; params structs begin with struct_size so that they can grow.
 */
#ifndef STRUCTKD_CORE_H
#define STRUCTKD_CORE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define STRUCTKD_API __attribute__((visibility("default")))
#else
#define STRUCTKD_API
#endif

#define STRUCTKD_VERSION "0.1.0"

/** Largest rank of a tensor: [B, C, H, W]. */
#define STRUCTKD_MAX_RANK 4

/** Alignment in bytes that every workspace must have: one cache line, one AVX-512 register. */
#define STRUCTKD_ALIGNMENT 64

#ifdef __cplusplus
extern "C" {
#endif

/** Result of a call. Unless said otherwise an error means: nothing was written. */
typedef enum structkd_status {
  STRUCTKD_OK = 0,
  STRUCTKD_ERR_NULL = 1,      /**< a pointer that must be given is NULL */
  STRUCTKD_ERR_SHAPE = 2,     /**< rank, size or stride does not fit */
  STRUCTKD_ERR_DTYPE = 3,     /**< an element type that this argument cannot have */
  STRUCTKD_ERR_VALUE = 4,     /**< a parameter outside its range */
  STRUCTKD_ERR_WORKSPACE = 5, /**< the workspace is not 64-byte aligned, or there was no memory */
  STRUCTKD_ERR_BACKEND = 6,   /**< no such backend, or it lacks this loss */
  STRUCTKD_ERR_CUDA = 7,      /**< a launch failed: outputs are undefined */
  STRUCTKD_ERR_INTERNAL = 8   /**< a defect of the library */
} structkd_status;

/** Element types. F16 is IEEE binary16, BF16 the upper half of an F32. */
typedef enum structkd_dtype {
  STRUCTKD_F16 = 0,
  STRUCTKD_BF16 = 1,
  STRUCTKD_F32 = 2,
  STRUCTKD_F64 = 3,
  STRUCTKD_U8 = 4,
  STRUCTKD_I32 = 5,
  STRUCTKD_I64 = 6
} structkd_dtype;

/** A strided view of memory that somebody else owns. Strides count elements and may be 0 (inputs)
 * or negative; a tensor that is written must not overlap itself or an input. */
typedef struct structkd_tensor {
  void* data;
  structkd_dtype dtype;
  int32_t rank;
  int64_t sizes[STRUCTKD_MAX_RANK];
  int64_t strides[STRUCTKD_MAX_RANK];
} structkd_tensor;

/** Memory for the scratch of a call, of whoever calls. Zero: there is none to ask. */
typedef struct structkd_allocator {
  /** Gives `bytes` > 0 of the memory of the backend, 64-byte aligned, which stay the caller's and
   * must live until the call's work is done; NULL fails the call. Must not throw. */
  void* (*allocate)(void* owner, size_t bytes);
  /** What allocate() gets. */
  void* owner;
} structkd_allocator;

/** Where and how a call runs. A plain value: make one per call or keep it, as you like. Begin with
 * {0}, so that fields to come are 0. */
typedef struct structkd_ctx {
  /** "reference" (plain f64 loops, the definition), "cpu" (vectorised, threaded), or the name of a
   * backend whose library has been opened: "cuda". Never NULL. */
  const char* backend;
  /** The cudaStream_t to enqueue on; unused by CPU backends. */
  void* stream;
  /** CPU threads, at least 1. It never changes a result: work is cut by shape alone. */
  int32_t threads;
  /** Asked, at most once, by a call whose workspace is NULL: it needs no workspace call before, and
   * arguments are checked once. */
  structkd_allocator allocator;
} structkd_ctx;

/** "0.1.0": major.minor.patch. */
STRUCTKD_API const char* structkd_version(void);

/** Name of a status, such as "STRUCTKD_ERR_SHAPE"; "unknown status" for other values. */
STRUCTKD_API const char* structkd_status_name(structkd_status status);

/** The sentence that belongs to this thread's last failed call: argument, given, expected. "" if
 * none. Valid until the next call on this thread. */
STRUCTKD_API const char* structkd_last_error(void);

/** What this thread's last successful loss call chose: backend, instruction set, algorithm and tile
 * sizes, for people and tests. "" if none. Valid until the next call on this thread. */
STRUCTKD_API const char* structkd_last_plan(void);

/** Name of the i-th registered backend, or NULL when i is past the last one. */
STRUCTKD_API const char* structkd_backend_name(int32_t index);

/** What a backend runs on, such as "avx512"; NULL if there is no backend of that name. */
STRUCTKD_API const char* structkd_backend_description(const char* name);

/** 1 if a backend computes a loss, such as "pairwise"; 0 if it does not, or there is no such
 * backend or loss. */
STRUCTKD_API int structkd_has_kernel(const char* backend, const char* loss);

#ifdef __cplusplus
}
#endif

#endif /* STRUCTKD_CORE_H */
