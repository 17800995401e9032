// src/test/cpp/promises/refusals.cpp: bad arguments end in a status and a sentence that names the
// argument and what it got, and nothing is written.
#include <algorithm>
#include <cmath>
#include <limits>

#include "promises.h"

namespace structkd::test {
namespace {

constexpr Shape kShape = {2, 3, 4, 5};

// The arguments of a call that is right, to be made wrong.
struct Arguments {
  structkd_ctx ctx_value;
  Nets nets{kShape, STRUCTKD_F32};
  TestTensor grad_tensor{kShape.map(), STRUCTKD_F32};
  Params params_value;
  structkd_tensor student_value = *nets.student.view(), teacher_value = *nets.teacher.view(),
                  grad_value = *grad_tensor.view();
  const structkd_ctx* ctx = &ctx_value;
  const structkd_tensor* student = &student_value;
  const structkd_tensor* teacher = &teacher_value;
  const void* params = params_value.data();
  structkd_tensor* grad = &grad_value;
  Scalar<double> value{7.1};  // no byte is 0
  void* loss = value.get();
  AlignedBytes memory{0};
  void* workspace = nullptr;
  size_t written_bytes = 12345;
  size_t* bytes = &written_bytes;

  Arguments(const Loss& loss, const std::string& backend)
      : ctx_value(context(backend, 1)), params_value(loss.variants.front().params(kShape)) {
    grad_tensor.fill([](int64_t) { return 3.0; });
    size_t needed = 0;
    EXPECT_EQ(STRUCTKD_OK, loss.call(params).workspace(ctx, student, teacher, 1, &needed));
    memory = AlignedBytes(needed + 64);
    workspace = memory.data();
  }

  bool untouched() const {
    const std::vector<double> g = grad_tensor.values();
    return *value.get() == 7.1 && written_bytes == 12345 &&
           std::all_of(g.begin(), g.end(), [](double x) { return x == 3.0; }) &&
           std::all_of(memory.data(), memory.data() + memory.size(),
                       [](uint8_t byte) { return byte == 0xff; });
  }
};

// What only one of the two entries can see.
enum class Entry { kBoth, kRun, kWorkspace };

class Refusals {
 public:
  Refusals(const Loss& loss, const std::string& backend) : loss_(loss), backend_(backend) {}

  template <class Spoil>
  void expect(structkd_status status,
              const std::string& part,
              Spoil&& spoil,
              Entry entry = Entry::kBoth) const {
    SCOPED_TRACE(part);
    Arguments a(loss_, backend_);
    spoil(a);
    const LossCall call = loss_.call(a.params);
    if (entry != Entry::kWorkspace) {
      EXPECT_EQ(status, call.run(a.ctx, a.student, a.teacher, a.workspace, a.loss, a.grad));
      expect_sentence(part);
    }
    if (entry != Entry::kRun) {
      EXPECT_EQ(status, call.workspace(a.ctx, a.student, a.teacher, 1, a.bytes));
      expect_sentence(part);
    }
    EXPECT_TRUE(a.untouched()) << "a refused call wrote";
  }

 private:
  void expect_sentence(const std::string& part) const {
    const std::string sentence = structkd_last_error();
    EXPECT_EQ(0u, sentence.find(loss_.title + ": ")) << sentence;
    EXPECT_NE(std::string::npos, sentence.find(part)) << sentence;
  }

  const Loss& loss_;
  const std::string& backend_;
};

void refuses_null(const Refusals& refusals) {
  using A = Arguments;
  const auto null = [&](const char* part, auto spoil, Entry entry = Entry::kBoth) {
    refusals.expect(STRUCTKD_ERR_NULL, part, spoil, entry);
  };
  null("ctx is NULL", [](A& a) { a.ctx = nullptr; });
  null("ctx->backend is NULL", [](A& a) { a.ctx_value.backend = nullptr; });
  null("student is NULL", [](A& a) { a.student = nullptr; });
  null("student->data is NULL", [](A& a) { a.student_value.data = nullptr; });
  null("teacher is NULL", [](A& a) { a.teacher = nullptr; });
  null("teacher->data is NULL", [](A& a) { a.teacher_value.data = nullptr; });
  null("params is NULL", [](A& a) { a.params = nullptr; });
  null("loss is NULL", [](A& a) { a.loss = nullptr; }, Entry::kRun);
  null("workspace is NULL", [](A& a) { a.workspace = nullptr; }, Entry::kRun);
  null("grad->data is NULL", [](A& a) { a.grad_value.data = nullptr; }, Entry::kRun);
  null("bytes is NULL", [](A& a) { a.bytes = nullptr; }, Entry::kWorkspace);
}

void refuses_context_and_workspace(const Refusals& refusals) {
  using A = Arguments;
  refusals.expect(STRUCTKD_ERR_BACKEND, "there is no backend \"tpu\"",
                  [](A& a) { a.ctx_value.backend = "tpu"; });
  refusals.expect(STRUCTKD_ERR_VALUE, "ctx->threads is 0", [](A& a) { a.ctx_value.threads = 0; });
  const auto unaligned = [](A& a) { a.workspace = a.memory.data() + 8; };
  refusals.expect(STRUCTKD_ERR_WORKSPACE, "workspace", unaligned, Entry::kRun);
}

void refuses_maps(const Loss& loss, const Refusals& refusals) {
  using A = Arguments;
  const auto shape = [&](const char* part, auto spoil, Entry entry = Entry::kBoth) {
    refusals.expect(STRUCTKD_ERR_SHAPE, part, spoil, entry);
  };
  const auto dtype = [&](const char* part, auto spoil, Entry entry = Entry::kBoth) {
    refusals.expect(STRUCTKD_ERR_DTYPE, part, spoil, entry);
  };
  shape("student [2, 3, 4, 5] and teacher [2, 3, 3, 5] differ in height",
        [](A& a) { a.teacher_value.sizes[2] = 3; });
  shape("differ in height and width", [](A& a) { a.teacher_value.sizes[3] = 2; });
  shape("differ in batch size", [](A& a) { a.teacher_value.sizes[0] = 1; });
  if (loss.same_channels) {
    shape("student [2, 3, 4, 5] and teacher [2, 2, 4, 5] differ in number of channels",
          [](A& a) { a.teacher_value.sizes[1] = 2; });
  }
  shape("student has shape [2, 3, 4], expected rank 4", [](A& a) { a.student_value.rank = 3; });
  shape("teacher has rank 5", [](A& a) { a.teacher_value.rank = 5; });
  shape("student is empty: its shape is [0, 3, 4, 5]", [](A& a) { a.student_value.sizes[0] = 0; });
  shape("does not fit a 64-bit address space",
        [](A& a) { a.student_value.sizes[2] = a.student_value.sizes[3] = int64_t(1) << 40; });
  dtype("student is f32 and teacher is f64", [](A& a) { a.teacher_value.dtype = STRUCTKD_F64; });
  dtype("student is i64, expected f16, bf16, f32 or f64",
        [](A& a) { a.student_value.dtype = STRUCTKD_I64; });
  dtype("teacher is u8, expected f16, bf16, f32 or f64",
        [](A& a) { a.teacher_value.dtype = STRUCTKD_U8; });

  shape("grad has shape [2, 3, 4, 6]", [](A& a) { a.grad_value.sizes[3] = 6; }, Entry::kRun);
  shape("grad overlaps itself", [](A& a) { a.grad_value.strides[0] = 0; }, Entry::kRun);
  dtype("grad is f16", [](A& a) { a.grad_value.dtype = STRUCTKD_F16; }, Entry::kRun);
}

void refuses_params(const Loss& loss, const Refusals& refusals) {
  using A = Arguments;
  const uint32_t size = loss.variants.front().params(kShape).at<uint32_t>(0);
  for (uint32_t given : {uint32_t(0), uint32_t(8), size - 1}) {
    refusals.expect(STRUCTKD_ERR_VALUE, "params->struct_size is " + std::to_string(given),
                    [&](A& a) { a.params_value.at<uint32_t>(0) = given; });
  }
  for (const EnumField& field : loss.enums) {
    for (int bad : {-1, field.count}) {
      refusals.expect(STRUCTKD_ERR_VALUE,
                      std::string("params->") + field.name + " is " + std::to_string(bad) +
                          ", expected 0 to " + std::to_string(field.count - 1),
                      [&](A& a) { a.params_value.at<int>(field.offset) = bad; });
    }
  }
  for (const PositiveField& field : loss.positives) {
    for (double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
      refusals.expect(STRUCTKD_ERR_VALUE, std::string("params->") + field.name + " is ",
                      [&](A& a) { a.params_value.at<double>(field.offset) = bad; });
    }
  }
  for (const PlaneField& field : loss.planes) {
    const std::string name = std::string("params->") + field.name;
    TestTensor plane({2, 4, 5}, field.dtype);
    const auto give = [&](A& a) {
      a.params_value.at<structkd_tensor*>(field.offset) = plane.view();
    };
    plane.view()->sizes[2] = 4;
    refusals.expect(STRUCTKD_ERR_SHAPE, name + " has shape [2, 4, 4], expected [2, 4, 5]", give);
    plane.view()->sizes[2] = 5;
    plane.view()->dtype = STRUCTKD_F64;
    refusals.expect(STRUCTKD_ERR_DTYPE, name + " is f64, expected", give);
    plane.view()->dtype = field.dtype;
    plane.view()->data = nullptr;
    refusals.expect(STRUCTKD_ERR_NULL, name + "->data is NULL", give);
  }
}

}  // namespace

void refuses_bad_arguments(const Loss& loss, const std::string& backend) {
  const Refusals refusals(loss, backend);
  refuses_null(refusals);
  refuses_context_and_workspace(refusals);
  refuses_maps(loss, refusals);
  refuses_params(loss, refusals);
}

}  // namespace structkd::test
