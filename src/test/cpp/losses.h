// src/test/cpp/losses.h: every kernel loss, a row each: all that the promise tests know of it.
#ifndef STRUCTKD_TEST_LOSSES_H
#define STRUCTKD_TEST_LOSSES_H

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loss_run.h"

namespace structkd::test {

// Sizes of a student's map, and of the teacher's, which has as many channels.
struct Shape {
  int64_t B, C, H, W;
  int64_t pixel(int64_t element) const { return element % (H * W); }
  int64_t image(int64_t element) const { return element / (C * H * W); }
  std::vector<int64_t> map() const { return {B, C, H, W}; }
  std::vector<int64_t> plane() const { return {B, H, W}; }
};

// What a variant with `leaves_out` leaves out: every third pixel, and the whole of the last image
// of several.
inline bool left_out(const Shape& n, int64_t image, int64_t pixel) {
  return pixel % 3 == 1 || (n.B > 1 && image == n.B - 1);
}

// The params of any loss, with the tensors that they point to.
class Params {
 public:
  template <class P>
  explicit Params(const P& params) : Params(&params, sizeof(P)) {}
  Params(const void* params, size_t bytes) : bytes_(bytes) {
    std::memcpy(bytes_.data(), params, bytes);
  }

  const void* data() const { return bytes_.data(); }

  template <class P>
  P& as() {
    return *reinterpret_cast<P*>(bytes_.data());
  }

  // A field is found by its offset.
  template <class T>
  T& at(size_t offset) {
    return *reinterpret_cast<T*>(bytes_.data() + offset);
  }

  // Keeps a tensor for as long as these params and their copies live.
  const structkd_tensor* keep(TestTensor tensor) {
    tensors_.push_back(std::make_shared<TestTensor>(std::move(tensor)));
    return tensors_.back()->view();
  }

 private:
  std::vector<uint8_t> bytes_;
  std::vector<std::shared_ptr<TestTensor>> tensors_;
};

// A way to call a loss.
struct Variant {
  std::string name;
  std::function<Params(const Shape&)> params;
  bool leaves_out = false;      // positions for which left_out()
  bool zero_when_equal = true;  // the value; the gradient is 0 for all
  bool is_derivative = true;    // the gradient is that of the value by each element of the student
};

// An enum or flag of the params, with values 0 to count - 1.
struct EnumField {
  const char* name;
  size_t offset;
  int count;
};

// A double of the params, finite and > 0.
struct PositiveField {
  const char* name;
  size_t offset;
};

// A [B, H, W] of the params, or NULL.
struct PlaneField {
  const char* name;
  size_t offset;
  structkd_dtype dtype;
};

struct Loss {
  std::string id;     // as in structkd_<id>()
  std::string title;  // what its sentences begin with
  std::function<LossCall(const void* params)> call;
  std::function<Bounds(const TestTensor& student,
                       const TestTensor& teacher,
                       const Params&,
                       const Outcome& truth,
                       const Outcome& outcome,
                       double scale)>
      bounds;

  std::vector<Variant> variants;       // the plain one first
  std::vector<Shape> shapes;           // small: one for each way that its kernels have
  std::vector<Shape> large;            // of several parts, tiles or blocks
  bool same_channels = true;           // the teacher must have as many as the student
  int64_t most_positions = INT64_MAX;  // of all images of a map; more are refused

  std::vector<EnumField> enums;
  std::vector<PositiveField> positives;
  std::vector<PlaneField> planes;

  // A teacher that equals the student up to this has loss 0: where rounding alone is left.
  bool blind_to_factor = false;
  bool blind_to_offset = false;
  // How much more the inputs' rounding counts where student and teacher nearly agree.
  double nearly_equal_scale = 1.0;
  // By how much a value may change with what a left-out position holds: 0 for equal bits.
  double (*left_out_rounding)(structkd_dtype) = [](structkd_dtype) { return 0.0; };
  // Most bytes of scratch, for any variant: what its header promises, with constants.
  double (*scratch)(const Shape&, int threads) = nullptr;
};

// A row of the loss with params of type P; to be filled.
template <class P>
Loss loss_row(const char* id, const char* title) {
  Loss loss;
  loss.id = id;
  loss.title = title;
  loss.call = [](const void* params) { return bind(static_cast<const P*>(params)); };
  loss.bounds = [](const TestTensor& student, const TestTensor& teacher, const Params& params,
                   const Outcome& truth, const Outcome& outcome, double scale) {
    return LossOf<P>::bounds(student, teacher, *static_cast<const P*>(params.data()), truth,
                             outcome, scale);
  };
  return loss;
}

const std::vector<Loss>& losses();

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_LOSSES_H
