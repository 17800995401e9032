// src/test/cpp/losses.cpp: the table of the losses. A row is made in <loss>_cases.cpp.
#include "losses.h"

#include "core/kernel_list.h"

namespace structkd::test {

#define STRUCTKD_DECLARE_ROW(loss, Args) Loss loss##_row();
STRUCTKD_KERNEL_LOSSES(STRUCTKD_DECLARE_ROW)

const std::vector<Loss>& losses() {
#define STRUCTKD_ROW(loss, Args) loss##_row(),
  static const std::vector<Loss> rows = {STRUCTKD_KERNEL_LOSSES(STRUCTKD_ROW)};
  return rows;
}

}  // namespace structkd::test
