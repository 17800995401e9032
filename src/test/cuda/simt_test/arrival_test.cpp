// simt_test/arrival_test.cpp: blocks that wait for others, by tickets and wrongly.
#include "cuda/common/arrival.cuh"

#include "run.h"

namespace simt_test {
namespace {

using namespace structkd::cuda;

// The others wait for the first block: of the grid, which may start last, or of those that start.
enum class Number { kOfGrid, kTicket };

template <Number N>
__global__ void wait_for_first_kernel(uint32_t* counters) {
  const uint32_t ticket = take_ticket(&counters[0]);
  const uint32_t number = N == Number::kTicket ? ticket : blockIdx.x;
  if (number == 0) {
    arrive(&counters[1]);
  } else {
    await_arrivals(&counters[1], 1);
  }
}

TEST(Arrival, TicketsAreTakenInTheOrderOfStarts) {
  for (const char* order : kOrders) {
    OrderScope scope(order);
    uint32_t counters[2] = {};
    run<wait_for_first_kernel<Number::kTicket>>(dim3(3), dim3(32), 0, counters);
    EXPECT_EQ(counters[0], 3u);
    EXPECT_EQ(counters[1], 1u);
  }
}

TEST(ArrivalDeathTest, BlockWaitsForOneThatHasNotStarted) {
  OrderScope scope("reverse");
  uint32_t counters[2] = {};
  EXPECT_MISUSE((run<wait_for_first_kernel<Number::kOfGrid>>(dim3(3), dim3(32), 0, counters)),
                "a block waits for blocks that may not have started: 0 of 1 have arrived");
}

}  // namespace
}  // namespace simt_test
