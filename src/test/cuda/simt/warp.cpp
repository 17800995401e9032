#include "simt/warp.h"

#include <string.h>

#include "simt/block.h"
#include "simt/report.h"

namespace simt {
namespace {

Meeting& meeting_of(Thread& thread, uint32_t mask) {
  Warp& warp = *thread.warp;
  for (unsigned i = 0; i < warp.masks; ++i) {
    if (warp.meetings[i].mask == mask) return warp.meetings[i];
  }
  if (warp.masks == Warp::kMostMasks) {
    fail("more than %u different masks in one warp", Warp::kMostMasks);
  }
  Meeting& meeting = warp.meetings[warp.masks++];
  meeting.mask = mask;
  meeting.participants = mask & warp.existing;
  meeting.arrived = 0;
  meeting.generation = 0;
  meeting.sync = thread.owner->new_sync_object();
  return meeting;
}

// By loops that stay loops: memcpy is intercepted by libtsan and would count as the kernel's
// access.
template <class Word>
void copy_words(Slot& slot, const void* value, size_t bytes) {
  using Alias [[gnu::may_alias]] = Word;
  for (size_t i = 0; i < bytes / sizeof(Word); ++i) {
    reinterpret_cast<volatile Alias*>(slot.bytes)[i] = static_cast<const Alias*>(value)[i];
  }
}

void copy_to(Slot& slot, const void* value, size_t bytes) {
  if (bytes % 8 == 0) return copy_words<uint64_t>(slot, value, bytes);
  if (bytes % 4 == 0) return copy_words<uint32_t>(slot, value, bytes);
  copy_words<unsigned char>(slot, value, bytes);
}

}  // namespace

Exchange exchange(const char* name, uint32_t mask, const void* value, size_t bytes, Site site) {
  Thread& self = running_thread();
  Warp& warp = *self.warp;
  if (!(mask >> self.lane & 1)) {
    fail("%s at %s:%d: the calling lane %u is not in the mask 0x%08x", name, site.file, site.line,
         self.lane, mask);
  }
  Meeting& meeting = meeting_of(self, mask);
  if (const uint32_t exited = meeting.participants & ~warp.live) {
    fail("%s at %s:%d: mask 0x%08x names exited lanes 0x%08x", name, site.file, site.line, mask,
         exited);
  }
  if (meeting.arrived == 0) {
    meeting.name = name;
  } else if (meeting.name != name && strcmp(meeting.name, name) != 0) {
    fail("divergent collectives: lanes of one warp are in %s and %s (%s:%d)", meeting.name, name,
         site.file, site.line);
  }

  const unsigned turn = meeting.generation % 2;
  // Of all collectives only __syncwarp, which hands in nothing, orders memory (CUDA programming
  // guide, "warp shuffle functions": they "do not imply a memory barrier").
  void* const sync = bytes == 0 ? static_cast<char*>(meeting.sync) + turn : nullptr;
  if (sync != nullptr) race_detector::release(sync);
  copy_to(meeting.slots[turn][self.lane], value, bytes);
  meeting.arrived |= 1u << self.lane;
  if (meeting.arrived == meeting.participants) {
    meeting.arrived = 0;
    ++meeting.generation;
    for (uint32_t others = meeting.participants & ~(1u << self.lane); others != 0;
         others &= others - 1) {
      self.owner->wake(*warp.lanes[__builtin_ctz(others)]);
    }
  } else {
    self.owner->wait(self, State::kInCollective, name, mask, site);
  }
  if (sync != nullptr) race_detector::acquire(sync);
  return {meeting.slots[turn], meeting.participants};
}

}  // namespace simt
