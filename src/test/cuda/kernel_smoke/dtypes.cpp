// src/test/cuda/kernel_smoke/dtypes.cpp: all cases in all types of elements.
#include "kernel_smoke/kernel_smoke.h"

namespace structkd::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Dtypes,
                         KernelSmoke,
                         testing::ValuesIn(kFloatingDtypes),
                         [](const testing::TestParamInfo<structkd_dtype>& info) {
                           switch (info.param) {
                             case STRUCTKD_F64:
                               return "f64";
                             case STRUCTKD_F32:
                               return "f32";
                             case STRUCTKD_F16:
                               return "f16";
                             default:
                               return "bf16";
                           }
                         });

}  // namespace
}  // namespace structkd::test
