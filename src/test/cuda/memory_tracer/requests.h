// memory_tracer/requests.h: what one request of a warp costs, from the addresses of its lanes.
#ifndef STRUCTKD_MEMORY_TRACER_REQUESTS_H
#define STRUCTKD_MEMORY_TRACER_REQUESTS_H

#include <stdint.h>

namespace memory_tracer {

struct Request {
  uint32_t lanes;
  uintptr_t addresses[32];
};

struct SectorCost {
  unsigned sectors, fewest;
};

// `visit` is called with each distinct sector.
template <class Visit>
SectorCost sector_cost(const Request& request, unsigned bytes, Visit visit);

struct BankCost {
  unsigned wavefronts, conflicts;
};

// 32 banks of 4 bytes. Lanes share a wavefront if no bank is asked for two words. Wider accesses
// are made by halves (8 bytes) or quarters (16 bytes) of the warp.
BankCost bank_cost(const Request& request, unsigned bytes);

// --- implementation

namespace detail {

constexpr unsigned kMost = 32 * 16;  // words or sectors of one request

// Sorts and drops duplicates; returns how many are left.
unsigned unique(uintptr_t* values, unsigned count);

}  // namespace detail

template <class Visit>
SectorCost sector_cost(const Request& request, unsigned bytes, Visit visit) {
  uintptr_t sectors[detail::kMost], words[detail::kMost];
  unsigned sector_count = 0, word_count = 0;
  const unsigned grain = bytes < 4 ? bytes : 4;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (!(request.lanes >> lane & 1)) continue;
    const uintptr_t first = request.addresses[lane], last = first + bytes - 1;
    for (uintptr_t s = first / 32; s <= last / 32; ++s) sectors[sector_count++] = s;
    for (uintptr_t w = first / grain; w <= last / grain; ++w) words[word_count++] = w;
  }
  sector_count = detail::unique(sectors, sector_count);
  word_count = detail::unique(words, word_count);
  for (unsigned i = 0; i < sector_count; ++i) visit(sectors[i]);
  return {sector_count, (word_count * grain + 31) / 32};
}

}  // namespace memory_tracer

#endif  // STRUCTKD_MEMORY_TRACER_REQUESTS_H
