// src/test/cpp/promises/promises.h: what every kernel loss promises on every backend, each a check
// of any row of the table of losses.
#ifndef STRUCTKD_TEST_PROMISES_H
#define STRUCTKD_TEST_PROMISES_H

#include <functional>
#include <string>
#include <vector>

#include "losses.h"

namespace structkd::test {

struct Promise {
  const char* name;
  // Expectations about one loss on one backend.
  void (*check)(const Loss& loss, const std::string& backend);
  bool of_reference = true;  // false: it is what others are compared with
};

const std::vector<Promise>& promises();

// refusals.cpp
void refuses_bad_arguments(const Loss& loss, const std::string& backend);

// agreement.cpp
void agrees_for_every_dtype_and_layout(const Loss& loss, const std::string& backend);
void agrees_on_odd_shapes(const Loss& loss, const std::string& backend);
void agrees_on_views(const Loss& loss, const std::string& backend);

// bits.cpp
void same_bits_for_any_threads(const Loss& loss, const std::string& backend);
void same_bits_again(const Loss& loss, const std::string& backend);
void value_alone_is_value_with_gradient(const Loss& loss, const std::string& backend);
void gradient_in_any_layout_and_width(const Loss& loss, const std::string& backend);

// values.cpp
void gradient_is_the_derivative(const Loss& loss, const std::string& backend);
void equal_nets_give_zero(const Loss& loss, const std::string& backend);
void never_below_zero(const Loss& loss, const std::string& backend);

// bad_values.cpp
void nan_shows(const Loss& loss, const std::string& backend);
void left_out_takes_no_part(const Loss& loss, const std::string& backend);
void any_byte_of_a_mask_counts(const Loss& loss, const std::string& backend);

// memory.cpp
void writes_its_outputs_alone(const Loss& loss, const std::string& backend);
void asks_its_context_for_scratch(const Loss& loss, const std::string& backend);
void scratch_is_bounded(const Loss& loss, const std::string& backend);

// A student and a teacher.
struct Nets {
  TestTensor student, teacher;
  Nets(const Shape& n,
       structkd_dtype dtype,
       Input input = Input::kRandom,
       uint64_t seed = 5,
       Layout layout = Layout::kContiguous)
      : student(n.map(), dtype, layout), teacher(n.map(), dtype, layout) {
    fill_pair(input, seed, student, teacher);
  }
};

inline Outcome compute(const Loss& loss,
                       const std::string& backend,
                       const Nets& nets,
                       const Params& params,
                       How how = {}) {
  return compute(backend, nets.student, nets.teacher, loss.call(params.data()), how);
}

// Every variant on the first shape, and the plain one on the others.
inline void for_each_case(const Loss& loss,
                          const std::function<void(const Variant&, const Shape&)>& visit) {
  for (const Variant& variant : loss.variants) {
    SCOPED_TRACE(variant.name);
    visit(variant, loss.shapes.front());
  }
  for (size_t i = 1; i < loss.shapes.size(); ++i) visit(loss.variants.front(), loss.shapes[i]);
}

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_PROMISES_H
