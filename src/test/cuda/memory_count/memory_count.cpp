// src/test/cuda/memory_count/memory_count.cpp: counts of the memory tracer, compared.
#include "memory_count/memory_count.h"

#include <set>

namespace structkd::test {
namespace {

// Sectors that may be moved for less than they hold: the ends of arrays, and single numbers.
constexpr double kEdges = 16 * memory_tracer::kSectorBytes;

void expect_within_a_tenth(double bytes, double minimum) {
  EXPECT_GE(bytes, minimum);
  EXPECT_LE(bytes, 1.1 * minimum + kEdges);
}

// Requests of whole warps for as many different numbers.
std::vector<Site> streams_of(const std::string& kernel, unsigned bytes) {
  std::vector<Site> streams;
  for (const Site& site : sites_of(kernel)) {
    if (!site.is_shared && !site.is_atomic && site.bytes == bytes &&
        site.lanes == 32 * site.requests && site.fewest_sectors == bytes * site.requests) {
      streams.push_back(site);
    }
  }
  return streams;
}

}  // namespace

How like(const TestTensor& student) {
  How how;
  const bool channels_last = student.view()->strides[1] == 1;
  how.grad_layout = channels_last ? Layout::kChannelsLast : Layout::kContiguous;
  return how;
}

double number_before(const std::string& plan, const std::string& what) {
  const size_t end = plan.find(" " + what), begin = plan.rfind(' ', end - 1) + 1;
  EXPECT_NE(end, std::string::npos) << plan;
  return end == std::string::npos ? 0.0 : std::stod(plan.substr(begin, end - begin));
}

uint64_t streamed_reads(const std::string& kernel, unsigned bytes) {
  uint64_t reads = 0;
  for (const Site& site : streams_of(kernel, bytes)) reads += site.is_write ? 0 : site.requests;
  return reads;
}

namespace {

// Reads, and writes where there are any. A sector holds 32 bytes, so of 32 numbers each byte is
// one.
void expect_sectors(const std::string& kernel, double sectors) {
  const unsigned bytes = unsigned(sectors);
  for (const Site& site : streams_of(kernel, bytes)) {
    EXPECT_EQ(double(site.sectors) / double(site.requests), sectors)
        << (site.is_write ? "writes" : "reads");
  }
  EXPECT_GT(streamed_reads(kernel, bytes), 0u) << "no warp reads 32 numbers at once";
}

uint64_t global_atomics_of(const std::string& kernel) {
  uint64_t requests = 0;
  for (const Site& site : sites_of(kernel)) {
    if (site.is_atomic && !site.is_shared) requests += site.requests;
  }
  return requests;
}

}  // namespace

void expect_counts(const std::vector<Promise>& promises) {
  std::set<std::string> ran, named;
  for (const Site& site : sites_of("")) {
    ran.insert(site.kernel.substr(0, site.kernel.find('<')));
  }
  for (const Promise& promise : promises) {
    SCOPED_TRACE(promise.kernel);
    named.insert(promise.kernel);
    const Traffic traffic = traffic_of(promise.kernel);
    expect_within_a_tenth(double(traffic.reads.distinct_bytes()), promise.reads);
    expect_within_a_tenth(double(traffic.writes.distinct_bytes()), promise.writes);
    if (promise.sectors != kNoStream) expect_sectors(promise.kernel, promise.sectors);
    EXPECT_EQ(traffic.shared.bank_conflicts, promise.bank_conflicts);
    EXPECT_EQ(global_atomics_of(promise.kernel), promise.arrivals);
  }
  EXPECT_EQ(ran, named);
}

void expect_bytes_once(const std::string& kernel, double minimum) {
  const Traffic traffic = traffic_of(kernel);
  EXPECT_LE(double(traffic.reads.sectors + traffic.writes.sectors) * memory_tracer::kSectorBytes,
            1.1 * minimum)
      << kernel;
}

}  // namespace structkd::test
