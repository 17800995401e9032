#include <dlfcn.h>

#include <algorithm>

#include "memory_tracer/memory_tracer.h"

namespace memory_tracer {
namespace {

// "file:line" of each address, by binutils; "?" where there are none.
std::vector<std::string> source_lines(const std::vector<Site>& sites) {
  std::vector<std::string> lines(sites.size(), "?");
  if (sites.empty()) return lines;
  Dl_info module = {};
  if (dladdr(reinterpret_cast<void*>(sites[0].address), &module) == 0) return lines;
  std::string command = std::string("addr2line -s -e '") + module.dli_fname + "'";
  for (const Site& site : sites) {
    char address[32];
    // A return address: the call is before it.
    snprintf(address, sizeof(address), " %#zx",
             size_t(site.address - 1 - reinterpret_cast<uintptr_t>(module.dli_fbase)));
    command += address;
  }
  FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return lines;
  char line[512];
  for (std::string& text : lines) {
    if (fgets(line, sizeof(line), pipe) == nullptr) break;
    text = line;
    text.erase(std::min(text.find_first_of(" \n"), text.size()));
  }
  pclose(pipe);
  return lines;
}

}  // namespace

void print_sites(FILE* file) {
  const std::vector<Site> sites = sites_of("");
  const std::vector<std::string> lines = source_lines(sites);
  for (size_t i = 0; i < sites.size(); ++i) {
    const Site& site = sites[i];
    if (i == 0 || sites[i - 1].kernel != site.kernel) {
      fprintf(file, "%s\n  %-36s %-6s %-6s %5s %10s %6s %10s %10s\n", site.kernel.c_str(), "line",
              "space", "access", "bytes", "requests", "lanes", "sectors", "conflicts");
    }
    fprintf(file, "  %-36s %-6s %-6s %5u %10zu %6.2f ", lines[i].c_str(),
            site.is_shared ? "shared" : "global",
            site.is_atomic  ? "atomic"
            : site.is_write ? "write"
                            : "read",
            site.bytes, size_t(site.requests), double(site.lanes) / double(site.requests));
    if (site.is_shared) {
      fprintf(file, "%10s %10zu\n", "", size_t(site.bank_conflicts));
    } else {
      fprintf(file, "%10zu %10s\n", size_t(site.sectors), "");
    }
  }
}

}  // namespace memory_tracer
