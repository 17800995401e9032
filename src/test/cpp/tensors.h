// src/test/cpp/tensors.h: tensors for tests: any dtype and layout, seeded values, comparison in
// f64.
#ifndef STRUCTKD_TEST_TENSORS_H
#define STRUCTKD_TEST_TENSORS_H

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "memory.h"
#include "structkd/structkd.h"

namespace structkd::test {

enum class Layout {
  kContiguous,    // [B, C, H, W] row-major
  kChannelsLast,  // the same indices, channels innermost in memory
  kSliced,        // every second column of a wider, longer tensor
  kApart          // images, or rows of classes, three channels further apart than they are long
};
inline constexpr Layout kLayouts[] = {Layout::kContiguous, Layout::kChannelsLast, Layout::kSliced,
                                      Layout::kApart};

inline constexpr structkd_dtype kFloatingDtypes[] = {STRUCTKD_F64, STRUCTKD_F32, STRUCTKD_F16,
                                                     STRUCTKD_BF16};

// Owns its memory. Gaps of a sliced tensor hold a marker that writes must not touch.
class TestTensor {
 public:
  TestTensor(std::vector<int64_t> shape, structkd_dtype dtype, Layout layout = Layout::kContiguous);

  structkd_tensor* view() { return &view_; }
  const structkd_tensor* view() const { return &view_; }
  int64_t elements() const;

  // By row-major index, whatever the layout.
  double get(int64_t index) const;
  void set(int64_t index, double value);
  std::vector<double> values() const;
  TestTensor& fill(const std::function<double(int64_t index)>& value);

  // True while nothing but the tensor's own elements was written.
  bool gaps_untouched() const;

 private:
  int64_t offset(int64_t index) const;
  template <class Visit>
  void for_each(Visit&& visit) const;
  double read(int64_t offset) const;
  void write(int64_t offset, double value);

  structkd_tensor view_;
  AlignedBytes bytes_{0};
};

// Seeded values by position: no state, equal on every machine.
double uniform(uint64_t seed, uint64_t index);   // [0, 1)
double gaussian(uint64_t seed, uint64_t index);  // mean 0, variance 1

// What the losses meet in training.
enum class Input {
  kRandom,      // independent gaussians
  kReluSparse,  // gaussians below 0 cut off; some nodes are all zero
  kNearlyEqual  // teacher = student + 1e-3 gaussian, where the shapes allow
};
inline constexpr Input kInputs[] = {Input::kRandom, Input::kReluSparse, Input::kNearlyEqual};

// Fills a student and a teacher.
void fill_pair(Input input, uint64_t seed, TestTensor& student, TestTensor& teacher);

// |actual - expected| / |expected| in the Euclidean norm; the plain norm of the difference where
// expected is all zero.
double relative_error(const std::vector<double>& actual, const std::vector<double>& expected);

// The loss scalar of a call: f64 for f64 inputs, else f32.
double read_loss(const void* loss, structkd_dtype input);

// Relative rounding of a stored element: f16 and bf16 keep 11 and 8 bits.
double storage_error(structkd_dtype dtype);

double dot(const std::vector<double>& a, const std::vector<double>& b);

// Derivative at 0 of a function of one step, to fourth order: a loss moved along a direction. Its
// truncation error is far below the 1e-6 that gradient checks allow.
double central_difference(const std::function<double(double step)>& f, double h = 1e-5);

// "[2, 3, 5, 7] bf16": for SCOPED_TRACE.
std::string describe(const TestTensor& tensor);

// Backends that are compared with the reference: all that are registered but itself.
std::vector<std::string> backends_under_test();

// Those and the reference, which the definition itself is tested on.
std::vector<std::string> backends_and_reference();

// Names a test by its backend, with the characters that GoogleTest allows; the second is
// INSTANTIATE_TEST_SUITE_P's last argument.
std::string test_name(std::string backend);
std::string backend_test_name(const testing::TestParamInfo<std::string>& info);

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_TENSORS_H
