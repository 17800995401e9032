// memory_tracer/callbacks.cpp: the functions that code compiled with -fsanitize=thread calls
// (gcc/tsan.cc and gcc/sanitizer.def name them), in place of libtsan's.
#include "memory_tracer/callbacks.h"

using memory_tracer::AccessKind;
using memory_tracer::record;

#define RECORD(address, bytes, kind)                        \
  record(reinterpret_cast<uintptr_t>(address), bytes, kind, \
         reinterpret_cast<uintptr_t>(__builtin_return_address(0)))

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*) {}

#define ACCESS(bytes)                                                                 \
  void __tsan_read##bytes(void* p) { RECORD(p, bytes, AccessKind::kRead); }           \
  void __tsan_write##bytes(void* p) { RECORD(p, bytes, AccessKind::kWrite); }         \
  void __tsan_unaligned_read##bytes(void* p) { RECORD(p, bytes, AccessKind::kRead); } \
  void __tsan_unaligned_write##bytes(void* p) { RECORD(p, bytes, AccessKind::kWrite); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

// Larger objects, as a device moves those aligned to 8 bytes: piece by piece.
static void record_pieces(void* p, size_t bytes, AccessKind kind, uintptr_t instruction) {
  for (size_t i = 0; i < bytes; i += 8) {
    record(reinterpret_cast<uintptr_t>(p) + i, bytes - i < 8 ? bytes - i : 8, kind,
           instruction + i / 8);
  }
}
void __tsan_read_range(void* p, size_t bytes) {
  record_pieces(p, bytes, AccessKind::kRead,
                reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
}
void __tsan_write_range(void* p, size_t bytes) {
  record_pieces(p, bytes, AccessKind::kWrite,
                reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
}

void __tsan_atomic_signal_fence(int) {}
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// A load belongs to the loop of an atomic update, whose exchange is counted. Memory orders are
// ignored: one thread runs at a time.
#define ATOMIC(bits, Type)                                                                      \
  Type __tsan_atomic##bits##_load(const volatile Type* p, int) {                                \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                \
  }                                                                                             \
  void __tsan_atomic##bits##_store(volatile Type* p, Type value, int) {                         \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                               \
  }                                                                                             \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile Type* p, Type* expected, Type value, \
                                                  int, int) {                                   \
    RECORD(p, sizeof(Type), AccessKind::kAtomic);                                               \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST,             \
                                       __ATOMIC_SEQ_CST);                                       \
  }
ATOMIC(8, uint8_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

}  // extern "C"

namespace simt {

void on_block_end(const Grid& grid) { memory_tracer::end_block(grid); }
void on_launch_end(const Grid& grid) { memory_tracer::end_launch(grid); }

}  // namespace simt
