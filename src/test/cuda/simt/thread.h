// simt/thread.h: who is running: threadIdx, blockIdx, blockDim, gridDim.
#ifndef STRUCTKD_SIMT_THREAD_H
#define STRUCTKD_SIMT_THREAD_H

#include "simt/vector_types.h"

namespace simt {

struct BlockIndex {
  dim3 block_index, block_extent, grid_extent;
};

struct ThreadIndex {
  dim3 index;
  unsigned number;  // in the block; x runs fastest
  unsigned lane;
  const BlockIndex* block;
};

// The thread whose fiber is running. No thread_local: launches exclude each other, and this is read
// for every threadIdx.
extern const ThreadIndex* running;

// Where a kernel called something, for reports. As a default argument it names the caller's place.
struct Site {
  const char* file;
  int line;
};
constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return {file, line};
}
inline bool operator==(Site a, Site b) { return a.line == b.line && a.file == b.file; }
inline bool operator!=(Site a, Site b) { return !(a == b); }

}  // namespace simt

#define threadIdx (simt::running->index)
#define blockIdx (simt::running->block->block_index)
#define blockDim (simt::running->block->block_extent)
#define gridDim (simt::running->block->grid_extent)

constexpr int warpSize = 32;

#endif  // STRUCTKD_SIMT_THREAD_H
