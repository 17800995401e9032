// src/test/cpp/promises/agreement.cpp: every backend computes what the f64 reference does.
#include "promises.h"

namespace structkd::test {
namespace {

void expect_agreement(const Loss& loss,
                      const std::string& backend,
                      const TestTensor& student,
                      const TestTensor& teacher,
                      const Params& params,
                      double scale) {
  expect_equal_to_reference(backend, student, teacher, loss.call(params.data()),
                            [&](const Outcome& truth, const Outcome& outcome) {
                              return loss.bounds(student, teacher, params, truth, outcome, scale);
                            });
}

double scale_of(const Loss& loss, Input input) {
  return input == Input::kNearlyEqual ? loss.nearly_equal_scale : 1.0;
}

// An element of `tensor`'s memory, seen from the last column to the first.
structkd_tensor reversed(const TestTensor& tensor) {
  structkd_tensor view = *tensor.view();
  const int64_t last = (view.sizes[3] - 1) * view.strides[3];
  const int64_t size = view.dtype == STRUCTKD_F64 ? 8 : 4;
  view.data = static_cast<uint8_t*>(view.data) + last * size;
  view.strides[3] = -view.strides[3];
  return view;
}

}  // namespace

void agrees_for_every_dtype_and_layout(const Loss& loss, const std::string& backend) {
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    const Params params = variant.params(n);
    for (structkd_dtype dtype : kFloatingDtypes) {
      for (Layout layout : kLayouts) {
        for (Input input : kInputs) {
          // What the inputs hold is one matter, where it lies another.
          if (input != Input::kRandom && &variant != &loss.variants.front()) continue;
          if (input != Input::kRandom && &n != &loss.shapes.front()) continue;
          const Nets nets(n, dtype, input, 5, layout);
          expect_agreement(loss, backend, nets.student, nets.teacher, params,
                           scale_of(loss, input));
        }
      }
    }
  });
  // Two layouts in one call.
  const Shape& n = loss.shapes.front();
  const Params params = loss.variants.front().params(n);
  Nets mixed(n, STRUCTKD_F32);
  mixed.teacher = TestTensor(n.map(), STRUCTKD_F32, Layout::kChannelsLast);
  fill_pair(Input::kRandom, 6, mixed.student, mixed.teacher);
  expect_agreement(loss, backend, mixed.student, mixed.teacher, params, 1.0);
}

void agrees_on_odd_shapes(const Loss& loss, const std::string& backend) {
  // One of everything, two, primes, and a batch of one.
  std::vector<Shape> shapes = {{1, 1, 1, 1}, {2, 1, 1, 1}, {1, 2, 1, 1}, {1, 1, 1, 7}, {3, 2, 2, 1},
                               {1, 5, 1, 2}, {2, 3, 7, 1}, {1, 7, 5, 3}, {5, 3, 2, 11}};
  shapes.insert(shapes.end(), loss.shapes.begin(), loss.shapes.end());
  for (const Shape& n : shapes) {
    for (const Variant& variant : loss.variants) {
      SCOPED_TRACE(variant.name);
      const Nets nets(n, STRUCTKD_F32, Input::kRandom, 11);
      expect_agreement(loss, backend, nets.student, nets.teacher, variant.params(n), 1.0);
    }
    if (loss.same_channels) continue;
    TestTensor student(n.map(), STRUCTKD_F32), teacher({n.B, n.C + 2, n.H, n.W}, STRUCTKD_F32);
    fill_pair(Input::kReluSparse, 11, student, teacher);
    expect_agreement(loss, backend, student, teacher, loss.variants.front().params(n), 1.0);
  }
}

void agrees_on_views(const Loss& loss, const std::string& backend) {
  const Shape n = loss.shapes.front();
  const Params params = loss.variants.front().params(n);
  for (structkd_dtype dtype : {STRUCTKD_F32, STRUCTKD_F64}) {
    // From right to left: as if both maps lay there mirrored.
    Nets nets(n, dtype);
    Nets mirrored(n, dtype);
    const auto mirror = [&](int64_t i) { return i - i % n.W + n.W - 1 - i % n.W; };
    mirrored.student.fill([&](int64_t i) { return nets.student.get(mirror(i)); });
    mirrored.teacher.fill([&](int64_t i) { return nets.teacher.get(mirror(i)); });
    const Outcome expected = compute(loss, backend, mirrored, params);
    *nets.student.view() = reversed(nets.student);
    *nets.teacher.view() = reversed(nets.teacher);
    expect_agreement(loss, backend, nets.student, nets.teacher, params, 1.0);
    const Outcome outcome = compute(loss, backend, nets, params);
    EXPECT_NEAR(expected.loss, outcome.loss, 1e-5 * expected.loss);
    EXPECT_LE(relative_error(outcome.grad, expected.grad), 1e-5);

    // One image for the whole batch.
    Nets broadcast(n, dtype);
    broadcast.student.view()->strides[0] = 0;
    broadcast.teacher.view()->strides[0] = 0;
    expect_agreement(loss, backend, broadcast.student, broadcast.teacher, params, 1.0);
  }
}

}  // namespace structkd::test
