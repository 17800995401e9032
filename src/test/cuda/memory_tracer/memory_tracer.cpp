#include "memory_tracer/memory_tracer.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "memory_tracer/callbacks.h"
#include "memory_tracer/requests.h"
#include "simt/block.h"
#include "simt/report.h"
#include "simt/runtime_api.h"

namespace memory_tracer {
namespace {

enum class Space { kNone, kShared, kGlobal };

std::map<uintptr_t, uintptr_t> global_memory;  // end of each range by its begin

Space space_of(uintptr_t address, size_t bytes) {
  const simt::Block& block = *simt::running_thread().owner;
  if (block.shared.contains(reinterpret_cast<const void*>(address), bytes)) return Space::kShared;
  auto after = global_memory.upper_bound(address);
  if (after == global_memory.begin()) return Space::kNone;
  return address < std::prev(after)->second ? Space::kGlobal : Space::kNone;
}

// What the threads of one block did at one instruction.
struct BlockSite {
  unsigned bytes;
  AccessKind kind;
  Space space;
  unsigned times[simt::kMaxBlockThreads] = {};
  std::vector<Request> of_warp[simt::kMaxBlockThreads / 32];
};

std::unordered_map<uintptr_t, std::unique_ptr<BlockSite>> block_sites;

// Of the launch that runs.
std::unordered_set<uintptr_t> sectors_read, sectors_written;

struct Kernel {
  uint64_t launches = 0, distinct_read = 0, distinct_written = 0;
  std::map<uintptr_t, Site> sites;
};

std::map<std::string, Kernel> kernels;

std::string name_of(const simt::Grid& grid) {
  const simt::KernelText text = simt::text_of(grid.kernel);
  return std::string(text.begin, size_t(text.length));
}

void add(Site& site, const Request& request) {
  ++site.requests;
  site.lanes += unsigned(__builtin_popcount(request.lanes));
  if (site.is_shared) {
    const BankCost cost = bank_cost(request, site.bytes);
    site.wavefronts += cost.wavefronts;
    site.bank_conflicts += cost.conflicts;
  } else {
    auto& distinct = site.is_write ? sectors_written : sectors_read;
    const SectorCost cost =
        sector_cost(request, site.bytes, [&](uintptr_t sector) { distinct.insert(sector); });
    site.sectors += cost.sectors;
    site.fewest_sectors += cost.fewest;
  }
}

void add(GlobalTraffic& traffic, const Site& site) {
  traffic.requests += site.requests;
  traffic.sectors += site.sectors;
  traffic.fewest_sectors += site.fewest_sectors;
}

}  // namespace

void record(uintptr_t address, size_t bytes, AccessKind kind, uintptr_t instruction) {
  if (simt::running == nullptr) return;  // the host
  const Space space = space_of(address, bytes);
  if (space == Space::kNone) return;
  std::unique_ptr<BlockSite>& site = block_sites[instruction];
  if (site == nullptr) site.reset(new BlockSite{unsigned(bytes), kind, space, {}, {}});
  const simt::ThreadIndex& thread = *simt::running;
  std::vector<Request>& requests = site->of_warp[thread.number / 32];
  const unsigned time = site->times[thread.number]++;
  if (requests.size() <= time) requests.resize(time + 1);
  requests[time].lanes |= 1u << thread.lane;
  requests[time].addresses[thread.lane] = address;
}

void end_block(const simt::Grid& grid) {
  Kernel& kernel = kernels[name_of(grid)];
  for (const auto& [instruction, block_site] : block_sites) {
    Site& site = kernel.sites[instruction];
    site.address = instruction;
    site.bytes = block_site->bytes;
    site.is_write = block_site->kind != AccessKind::kRead;
    site.is_atomic = block_site->kind == AccessKind::kAtomic;
    site.is_shared = block_site->space == Space::kShared;
    for (const auto& requests : block_site->of_warp) {
      for (const Request& request : requests) add(site, request);
    }
  }
  block_sites.clear();
}

void end_launch(const simt::Grid& grid) {
  Kernel& kernel = kernels[name_of(grid)];
  ++kernel.launches;
  kernel.distinct_read += sectors_read.size();
  kernel.distinct_written += sectors_written.size();
  sectors_read.clear();
  sectors_written.clear();
}

void add_global_memory(const void* memory, size_t bytes) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(memory);
  global_memory[begin] = begin + bytes;
}

void remove_global_memory(const void* memory) {
  global_memory.erase(reinterpret_cast<uintptr_t>(memory));
}

void reset() { kernels.clear(); }

std::vector<Site> sites_of(const std::string& kernel) {
  std::vector<Site> result;
  for (const auto& [name, counts] : kernels) {
    if (name.find(kernel) == std::string::npos) continue;
    for (const auto& [instruction, site] : counts.sites) {
      result.push_back(site);
      result.back().kernel = name;
    }
  }
  return result;
}

Traffic traffic_of(const std::string& kernel) {
  Traffic traffic;
  for (const auto& [name, counts] : kernels) {
    if (name.find(kernel) == std::string::npos) continue;
    traffic.launches += counts.launches;
    traffic.reads.distinct_sectors += counts.distinct_read;
    traffic.writes.distinct_sectors += counts.distinct_written;
  }
  for (const Site& site : sites_of(kernel)) {
    if (site.is_atomic) {
      traffic.atomics += site.requests;
    } else if (site.is_shared) {
      traffic.shared.requests += site.requests;
      traffic.shared.wavefronts += site.wavefronts;
      traffic.shared.bank_conflicts += site.bank_conflicts;
    } else {
      add(site.is_write ? traffic.writes : traffic.reads, site);
    }
  }
  return traffic;
}

}  // namespace memory_tracer
