#include "simt/async_copy.h"

#include "simt/block.h"
#include "simt/report.h"

namespace simt {

void begin_async_copy(const AsyncCopy& copy, Site site) {
  Thread& self = running_thread();
  const uintptr_t shared = reinterpret_cast<uintptr_t>(copy.shared),
                  global = reinterpret_cast<uintptr_t>(copy.global);
  if (shared % copy.bytes != 0 || global % copy.bytes != 0) {
    fail("async_copy at %s:%d: %zu bytes from %p to %p, which is not aligned to them", site.file,
         site.line, copy.bytes, copy.global, copy.shared);
  }
  if (!self.owner->shared.contains(copy.shared, copy.bytes)) {
    fail("async_copy at %s:%d: the target is not shared memory", site.file, site.line);
  }
  PendingCopies& copies = *self.copies;
  if (copies.count == PendingCopies::kMost) {
    fail("async_copy at %s:%d: %u copies that nobody waited for", site.file, site.line,
         copies.count);
  }
  copies.entries[(copies.first + copies.count++) % PendingCopies::kMost] = {copy, copies.committed};

  // From here to the wait the device may write at any time: what anyone reads there is undefined.
  race_detector::note_read(copy.global, copy.bytes);
  race_detector::note_write(copy.shared, copy.bytes);
  for (size_t i = 0; i < copy.bytes; ++i) {
    static_cast<volatile char*>(copy.shared)[i] = char(0xff);
  }
}

void commit_async_copies() { ++running_thread().copies->committed; }

const AsyncCopy* next_async_copy(unsigned pending) {
  PendingCopies& copies = *running_thread().copies;
  if (copies.count == 0) return nullptr;
  const PendingCopies::Entry& oldest = copies.entries[copies.first];
  if (oldest.group + pending >= copies.committed) return nullptr;
  copies.first = (copies.first + 1) % PendingCopies::kMost;
  --copies.count;
  return &oldest.copy;
}

}  // namespace simt
