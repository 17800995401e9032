// src/test/cuda/repeats/repeats_test.cpp: many calls of each loss give the bits of the first one,
// on streams that run beside each other and beside other losses, in changing company.
//
// Blocks that wait for each other (cuda/common/arrival.cuh) read what other multiprocessors wrote
// in the same launch. What a missing fence does shows only on a GPU, seldom, and most likely where
// it has other work: hence ten thousand calls of each. On the emulator a few show that the test
// itself is right. STRUCTKD_REPEATS is another number.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "losses.h"
#include "memory.h"
#include "repeats/device.h"

namespace structkd::test {
namespace {

constexpr int kStreams = 3;  // of the loss; one more has the others

std::string text_of(const Shape& n) {
  return std::to_string(n.B) + "x" + std::to_string(n.C) + "x" + std::to_string(n.H) + "x" +
         std::to_string(n.W);
}

std::vector<Shape> shapes_of(const Loss& loss) {
  std::vector<Shape> shapes = loss.shapes;
  if (kRepeatedDevice.large_shapes) {
    shapes.insert(shapes.end(), loss.large.begin(), loss.large.end());
  }
  return shapes;
}

// A call of a loss at one size, with memory of its own.
class Call {
 public:
  Call(const Loss& loss, const Shape& shape)
      : name_(loss.id + " " + text_of(shape)),
        params_(loss.variants.front().params(shape)),
        call_(loss.call(params_.data())),
        student_(map_bytes(shape)),
        teacher_(map_bytes(shape)),
        value_(sizeof(float)),
        grad_(map_bytes(shape)) {
    TestTensor student(shape.map(), STRUCTKD_F32), teacher(shape.map(), STRUCTKD_F32);
    fill_pair(Input::kRandom, 3, student, teacher);
    student_.copy_from(student.view()->data);
    teacher_.copy_from(teacher.view()->data);
    student_view_ = view_of(student, student_);
    teacher_view_ = view_of(teacher, teacher_);
    grad_view_ = view_of(student, grad_);
    const structkd_ctx ctx = context(nullptr);
    size_t bytes = 0;
    EXPECT_EQ(STRUCTKD_OK, call_.workspace(&ctx, &student_view_, &teacher_view_, 1, &bytes))
        << name_ << ": " << structkd_last_error();
    workspace_ = std::make_unique<DeviceMemory>(bytes);
  }

  // With outputs that hold something else in each round, so that what is not written differs.
  void enqueue(void* stream, int round) {
    for (const DeviceMemory* output : {&value_, &grad_}) output->fill(round % 255 + 1, stream);
    const structkd_ctx ctx = context(stream);
    ASSERT_EQ(STRUCTKD_OK, call_.run(&ctx, &student_view_, &teacher_view_, workspace_->data(),
                                     value_.data(), &grad_view_))
        << name_ << ": " << structkd_last_error();
  }

  // Value and gradient.
  std::vector<unsigned char> bits() const {
    std::vector<unsigned char> value, grad;
    value_.copy_to(value);
    grad_.copy_to(grad);
    value.insert(value.end(), grad.begin(), grad.end());
    return value;
  }

  const std::string& name() const { return name_; }

 private:
  static structkd_ctx context(void* stream) { return {kRepeatedDevice.backend, stream, 1, {}}; }

  static size_t map_bytes(const Shape& n) { return size_t(n.B * n.C * n.H * n.W) * sizeof(float); }

  static structkd_tensor view_of(const TestTensor& like, const DeviceMemory& memory) {
    structkd_tensor view = *like.view();
    view.data = memory.data();
    return view;
  }

  std::string name_;
  Params params_;
  LossCall call_;
  DeviceMemory student_, teacher_, value_, grad_;
  std::unique_ptr<DeviceMemory> workspace_;
  structkd_tensor student_view_, teacher_view_, grad_view_;
};

using Calls = std::vector<std::unique_ptr<Call>>;

Calls calls_of(const Loss& loss) {
  Calls calls;
  for (const Shape& shape : shapes_of(loss)) calls.push_back(std::make_unique<Call>(loss, shape));
  return calls;
}

// The largest call of each other loss.
Calls calls_beside(const Loss& loss) {
  Calls calls;
  for (const Loss& other : losses()) {
    if (other.id != loss.id) {
      calls.push_back(std::make_unique<Call>(other, shapes_of(other).back()));
    }
  }
  return calls;
}

int calls_asked_for() {
  const char* text = std::getenv("STRUCTKD_REPEATS");
  return text != nullptr ? std::atoi(text) : kRepeatedDevice.calls;
}

class RepeatedCalls : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { unsetenv("STRUCTKD_SIMT_ORDER"); }

  static void repeat(const Loss& loss) {
    static const std::vector<void*> streams = device_streams(kStreams + 1);
    Calls calls[kStreams];
    for (Calls& of_stream : calls) of_stream = calls_of(loss);
    const Calls beside = calls_beside(loss);
    const size_t count = calls[0].size();

    std::vector<std::vector<unsigned char>> expected;
    for (const auto& call : calls[0]) {
      call->enqueue(streams[0], 0);
      finish_calls();
      expected.push_back(call->bits());
    }
    int done = 0;
    for (int round = 1; done < calls_asked_for(); ++round) {
      begin_round(round);
      for (size_t j = 0; j < count; ++j) {
        for (size_t s = 0; s < kStreams; ++s) {
          // Each stream turns at a speed of its own: all pairs of sizes meet.
          calls[s][(j + size_t(round) * (s + 1)) % count]->enqueue(streams[s], round);
        }
        beside[(j + size_t(round)) % beside.size()]->enqueue(streams[kStreams], round);
      }
      finish_calls();
      for (size_t s = 0; s < kStreams; ++s) {
        for (size_t j = 0; j < count; ++j, ++done) {
          ASSERT_TRUE(calls[s][j]->bits() == expected[j])
              << calls[s][j]->name() << " gave other bits on stream " << s << " in round " << round;
        }
      }
    }
  }
};

TEST_P(RepeatedCalls, GiveTheSameBits) {
  ASSERT_GT(calls_asked_for(), 0) << "STRUCTKD_REPEATS must be a number above 0";
  for (const Loss& loss : losses()) {
    repeat(loss);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         RepeatedCalls,
                         testing::Values(std::string(kRepeatedDevice.backend)),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace structkd::test
