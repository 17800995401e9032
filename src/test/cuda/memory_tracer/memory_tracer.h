// memory_tracer/memory_tracer.h: counts what the warps of emulated kernels ask of memory. Kernels
// are compiled with -fsanitize=thread and linked with this instead of libtsan: each access calls
// it.
//
// A request is what the lanes of a warp do together: the k-th time that each of them comes to the
// same instruction. (Lanes that skip it in one round of a loop are counted as if they had skipped
// the last.) Equal to the counts of a cycle-level simulator of GPUs; caches are not modelled, nor
// time.
#ifndef STRUCTKD_MEMORY_TRACER_H
#define STRUCTKD_MEMORY_TRACER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <string>
#include <vector>

namespace memory_tracer {

constexpr unsigned kSectorBytes = 32;  // what global memory moves at least

// Requests to global memory of one direction.
struct GlobalTraffic {
  uint64_t requests = 0;
  uint64_t sectors = 0;         // each request's own, added up: what the first cache moves at most
  uint64_t fewest_sectors = 0;  // that the same bytes would take, packed
  uint64_t distinct_sectors = 0;  // of a launch, launches added up: what memory moves at least

  double sectors_per_request() const { return double(sectors) / double(requests); }
  uint64_t distinct_bytes() const { return kSectorBytes * distinct_sectors; }
};

// Requests to shared memory.
struct SharedTraffic {
  uint64_t requests = 0;
  uint64_t wavefronts = 0;      // passes over the 32 banks
  uint64_t bank_conflicts = 0;  // those that other addresses of the same words would save
};

struct Traffic {
  uint64_t launches = 0;
  GlobalTraffic reads, writes;
  SharedTraffic shared;
  uint64_t atomics = 0;  // requests, in none of the others
};

// One instruction of one kernel.
struct Site {
  std::string kernel;
  uintptr_t address;  // in the program
  unsigned bytes;     // of a lane
  bool is_write, is_atomic, is_shared;
  uint64_t requests, lanes;
  uint64_t sectors, fewest_sectors;     // of global memory
  uint64_t wavefronts, bank_conflicts;  // of shared memory
};

// Only these are global memory: the rest is stacks and parameters, which are registers on a device.
void add_global_memory(const void* memory, size_t bytes);
void remove_global_memory(const void* memory);

// Forgets all counts.
void reset();

// Sums over the sites of kernels whose name, with namespaces and template arguments, contains
// `kernel`.
Traffic traffic_of(const std::string& kernel);
std::vector<Site> sites_of(const std::string& kernel);

// A table of all sites, with source lines where addr2line is installed.
void print_sites(FILE* file);

}  // namespace memory_tracer

#endif  // STRUCTKD_MEMORY_TRACER_H
