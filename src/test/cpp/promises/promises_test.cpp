// src/test/cpp/promises/promises_test.cpp: the list of promises; each is a test of every loss on
// every backend: Promises/<loss>.<promise>/<backend>.
#include "promises.h"

namespace structkd::test {

const std::vector<Promise>& promises() {
  static const std::vector<Promise> all = {
      {"RefusesBadArguments", refuses_bad_arguments},
      {"AgreesForEveryDtypeAndLayout", agrees_for_every_dtype_and_layout, false},
      {"AgreesOnOddShapes", agrees_on_odd_shapes, false},
      {"AgreesOnViews", agrees_on_views, false},
      {"SameBitsForAnyThreads", same_bits_for_any_threads},
      {"SameBitsAgain", same_bits_again},
      {"ValueAloneIsValueWithGradient", value_alone_is_value_with_gradient},
      {"GradientInAnyLayoutAndWidth", gradient_in_any_layout_and_width},
      {"GradientIsTheDerivative", gradient_is_the_derivative},
      {"EqualNetsGiveZero", equal_nets_give_zero},
      {"NeverBelowZero", never_below_zero},
      {"NaNShows", nan_shows},
      {"LeftOutTakesNoPart", left_out_takes_no_part},
      {"AnyByteOfAMaskCounts", any_byte_of_a_mask_counts},
      {"WritesItsOutputsAlone", writes_its_outputs_alone},
      {"AsksItsContextForScratch", asks_its_context_for_scratch},
      {"ScratchIsBounded", scratch_is_bounded, false},
  };
  return all;
}

namespace {

class PromiseTest : public testing::Test {
 public:
  PromiseTest(const Promise& promise, const Loss& loss, const std::string& backend)
      : promise_(promise), loss_(loss), backend_(backend) {}
  void TestBody() override { promise_.check(loss_, backend_); }

 private:
  const Promise& promise_;
  const Loss& loss_;
  const std::string backend_;
};

const bool registered = [] {
  for (const Loss& loss : losses()) {
    for (const Promise& promise : promises()) {
      for (const std::string& backend :
           promise.of_reference ? backends_and_reference() : backends_under_test()) {
        testing::RegisterTest(("Promises/" + loss.id).c_str(),
                              (std::string(promise.name) + "/" + test_name(backend)).c_str(),
                              nullptr, nullptr, __FILE__, __LINE__,
                              [&promise, &loss, backend]() -> PromiseTest* {
                                return new PromiseTest(promise, loss, backend);
                              });
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace structkd::test
