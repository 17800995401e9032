// src/test/cpp/channelwise_cases.h: parameters for tests of the channel-wise loss.
#ifndef STRUCTKD_TEST_CHANNELWISE_CASES_H
#define STRUCTKD_TEST_CHANNELWISE_CASES_H

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_channelwise_params> {
  static constexpr LossEntries<structkd_channelwise_params> entries{structkd_channelwise_workspace,
                                                                    structkd_channelwise};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_channelwise_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

inline structkd_channelwise_params channelwise_params(double temperature = 1.0) {
  structkd_channelwise_params params{};
  params.struct_size = sizeof(params);
  params.temperature = temperature;
  return params;
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_CHANNELWISE_CASES_H
