// src/test/cuda/large_map/inter_class_similarity.cpp: inter-class similarity.
#include "inter_class_similarity_cases.h"
#include "large_map/large_map.h"

namespace structkd::test {
namespace {

TEST(LargeMaps, InterClassSimilarityGrowsWithThePixels) {
  const auto run = [](const structkd_tensor& map) {
    return planned([&](size_t* bytes) { return call(map, params_of(1.0, false), bytes); });
  };
  struct Form {
    int64_t classes;
    structkd_dtype dtype;
    const char* kernel;
  };
  for (const Form& form : {Form{19, STRUCTKD_F32, "class_grad_by_warp_kernel"},
                           Form{150, STRUCTKD_F32, "class_grad_by_block_kernel"},
                           Form{19, STRUCTKD_F64, "class_grad_kernel"}}) {
    // A multiple of every tile of pixels that the kernel may choose.
    const Planned small = run(tensor_of({1, form.classes, 96, 128}, form.dtype));
    const Planned large = run(tensor_of({8, form.classes, 96 << 7, 128 << 7}, form.dtype));
    expect_growth(small, large, form.kernel);
    // K x K numbers, whatever the map.
    EXPECT_LT(large.workspace, 4u << 20 << (form.classes > 19 ? 5 : 0)) << form.kernel;
  }
}

TEST(FarElements, InterClassSimilarity) { expect_same_bits_far_apart(params_of(1.0, false)); }

}  // namespace
}  // namespace structkd::test
