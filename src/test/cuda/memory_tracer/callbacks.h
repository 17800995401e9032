// memory_tracer/callbacks.h: what the compiler's and the emulator's calls report.
#ifndef STRUCTKD_MEMORY_TRACER_CALLBACKS_H
#define STRUCTKD_MEMORY_TRACER_CALLBACKS_H

#include <stddef.h>
#include <stdint.h>

#include "simt/block.h"

namespace memory_tracer {

enum class AccessKind { kRead, kWrite, kAtomic };

// One access of the running thread.
void record(uintptr_t address, size_t bytes, AccessKind kind, uintptr_t instruction);

void end_block(const simt::Grid& grid);
void end_launch(const simt::Grid& grid);

}  // namespace memory_tracer

#endif  // STRUCTKD_MEMORY_TRACER_CALLBACKS_H
