// src/test/cpp/relational_cases.h: parameters for tests of the relational loss.
#ifndef STRUCTKD_TEST_RELATIONAL_CASES_H
#define STRUCTKD_TEST_RELATIONAL_CASES_H

#include "loss_run.h"

namespace structkd::test {

template <>
struct LossOf<structkd_relational_params> {
  static constexpr LossEntries<structkd_relational_params> entries{structkd_relational_workspace,
                                                                   structkd_relational};
  static Bounds bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const structkd_relational_params& params,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale);
};

inline constexpr structkd_relation kRelations[] = {STRUCTKD_RELATION_DISTANCE,
                                                   STRUCTKD_RELATION_ANGLE, STRUCTKD_RELATION_AREA};

inline structkd_relational_params params_of(structkd_relation relation, bool normalize = false) {
  return {sizeof(structkd_relational_params), relation, normalize};
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_RELATIONAL_CASES_H
