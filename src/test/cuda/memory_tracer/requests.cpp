#include "memory_tracer/requests.h"

#include <algorithm>

namespace memory_tracer {

unsigned detail::unique(uintptr_t* values, unsigned count) {
  std::sort(values, values + count);
  return unsigned(std::unique(values, values + count) - values);
}

BankCost bank_cost(const Request& request, unsigned bytes) {
  const unsigned group = bytes >= 16 ? 8 : bytes == 8 ? 16 : 32;
  BankCost cost = {0, 0};
  for (unsigned begin = 0; begin < 32; begin += group) {
    uintptr_t words[detail::kMost];
    unsigned count = 0;
    for (unsigned lane = begin; lane < begin + group; ++lane) {
      if (!(request.lanes >> lane & 1)) continue;
      const uintptr_t first = request.addresses[lane], last = first + bytes - 1;
      for (uintptr_t word = first / 4; word <= last / 4; ++word) words[count++] = word;
    }
    count = detail::unique(words, count);
    unsigned in_bank[32] = {}, most = 0;
    for (unsigned i = 0; i < count; ++i) most = std::max(most, ++in_bank[words[i] % 32]);
    cost.wavefronts += most;
    cost.conflicts += most - (count + 31) / 32;
  }
  return cost;
}

}  // namespace memory_tracer
