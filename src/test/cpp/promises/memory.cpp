// src/test/cpp/promises/memory.cpp: a call writes its outputs and its workspace and nothing else,
// and the workspace is as small as the header says.
#include <algorithm>

#include "promises.h"

namespace structkd::test {
namespace {

constexpr uint8_t kCanary = 0x77;

// Memory between two canaries.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : bytes_(bytes), memory_(bytes + 2 * kGuard) {
    std::memset(memory_.data(), kCanary, memory_.size());
  }
  uint8_t* data() { return memory_.data() + kGuard; }
  bool guards_untouched() const {
    const auto intact = [](const uint8_t* at) {
      return std::all_of(at, at + kGuard, [](uint8_t byte) { return byte == kCanary; });
    };
    return intact(memory_.data()) && intact(memory_.data() + kGuard + bytes_);
  }

 private:
  static constexpr size_t kGuard = 4096;  // more than a tile of any kernel is wide
  size_t bytes_;
  AlignedBytes memory_;
};

}  // namespace

void writes_its_outputs_alone(const Loss& loss, const std::string& backend) {
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    for (structkd_dtype dtype : kFloatingDtypes) {
      for (int want_grad : {0, 1}) {
        const Nets nets(n, dtype, Input::kRandom, 6, Layout::kSliced),
            before(n, dtype, Input::kRandom, 6);
        SCOPED_TRACE(describe(nets.student) + (want_grad ? " with gradient" : ""));
        const Params params = variant.params(n);
        const LossCall call = loss.call(params.data());
        const structkd_ctx ctx = context(backend.c_str(), 3);
        size_t bytes = 0;
        ASSERT_EQ(STRUCTKD_OK, call.workspace(&ctx, nets.student.view(), nets.teacher.view(),
                                              want_grad, &bytes));
        const size_t value_bytes = dtype == STRUCTKD_F64 ? 8 : 4;
        Guarded workspace(bytes), value(value_bytes);
        TestTensor grad(n.map(), dtype, Layout::kSliced);
        ASSERT_EQ(STRUCTKD_OK,
                  call.run(&ctx, nets.student.view(), nets.teacher.view(), workspace.data(),
                           value.data(), want_grad ? grad.view() : nullptr))
            << structkd_last_error();
        finish_calls();
        EXPECT_TRUE(workspace.guards_untouched())
            << "beyond the workspace of " << bytes << " bytes";
        EXPECT_TRUE(value.guards_untouched()) << "beyond the loss";
        EXPECT_TRUE(grad.gaps_untouched()) << "between the elements of the gradient";
        EXPECT_TRUE(nets.student.gaps_untouched() && nets.teacher.gaps_untouched());
        EXPECT_EQ(before.student.values(), nets.student.values());
        EXPECT_EQ(before.teacher.values(), nets.teacher.values());
      }
    }
  });
}

// A call without a workspace asks its context once, for what the workspace call says.
void asks_its_context_for_scratch(const Loss& loss, const std::string& backend) {
  struct Memory {
    std::vector<size_t> asked;
    size_t shift = 0;   // from 64-byte alignment
    bool none = false;  // gives nothing
    AlignedBytes given{0};
    static void* allocate(void* owner, size_t bytes) {
      Memory& memory = *static_cast<Memory*>(owner);
      memory.asked.push_back(bytes);
      if (memory.none) return nullptr;
      memory.given = AlignedBytes(bytes + memory.shift);
      return memory.given.data() + memory.shift;
    }
  };
  for_each_case(loss, [&](const Variant& variant, const Shape& n) {
    const Nets nets(n, STRUCTKD_F32, Input::kRandom, 3);
    const Params params = variant.params(n);
    const LossCall call = loss.call(params.data());
    structkd_ctx ctx = context(backend.c_str(), 2);
    size_t bytes = 0;
    ASSERT_EQ(STRUCTKD_OK,
              call.workspace(&ctx, nets.student.view(), nets.teacher.view(), 1, &bytes));
    if (bytes == 0) return;
    TestTensor grad(n.map(), STRUCTKD_F32);
    grad.fill([](int64_t) { return 7.0; });
    Scalar<float> value(7.0f);
    const auto run = [&](Memory& memory) {
      ctx.allocator = {Memory::allocate, &memory};
      const structkd_status status = call.run(&ctx, nets.student.view(), nets.teacher.view(),
                                              nullptr, value.get(), grad.view());
      finish_calls();
      return status;
    };
    const auto expect_refused = [&](Memory& memory, const std::string& part) {
      EXPECT_EQ(STRUCTKD_ERR_WORKSPACE, run(memory));
      EXPECT_NE(std::string::npos, std::string(structkd_last_error()).find(part))
          << structkd_last_error();
      EXPECT_EQ(7.0f, *value.get());
      EXPECT_EQ(std::vector<double>(size_t(grad.elements()), 7.0), grad.values());
    };
    Memory none, shifted, memory;
    none.none = true;
    shifted.shift = 8;
    expect_refused(none, "ctx->allocator gave no memory for a workspace of " +
                             std::to_string(bytes) + " bytes");
    expect_refused(shifted, "is not aligned to 64 bytes");
    EXPECT_EQ(STRUCTKD_OK, run(memory)) << structkd_last_error();
    EXPECT_EQ(std::vector<size_t>{bytes}, memory.asked);
    const Outcome expected = compute(loss, backend, nets, params);
    EXPECT_EQ(expected.loss, double(*value.get()));
    EXPECT_EQ(expected.grad, grad.values());
  });
}

void scratch_is_bounded(const Loss& loss, const std::string& backend) {
  // Large maps, many classes, many rows; only their sizes are read.
  const Shape shapes[] = {{1, 1, 1, 1},       {2, 19, 64, 64},  {8, 19, 512, 1024},
                          {4, 256, 128, 128}, {64, 1000, 1, 1}, {4096, 100, 1, 1},
                          {64, 32000, 1, 1},  {1, 150, 97, 97}};
  float unread = 0.0f;
  for (const Shape& n : shapes) {
    if (n.B * n.H * n.W > loss.most_positions) continue;
    for (structkd_dtype dtype : kFloatingDtypes) {
      structkd_tensor map{
          &unread, dtype, 4, {n.B, n.C, n.H, n.W}, {n.C * n.H * n.W, n.H * n.W, n.W, 1}};
      Params params = loss.variants.front().params({n.B, 1, 1, 1});
      structkd_tensor plane{&unread, dtype, 3, {n.B, n.H, n.W}, {n.H * n.W, n.W, 1}};
      for (const PlaneField& field : loss.planes) {
        plane.dtype = field.dtype;
        const structkd_tensor*& given = params.at<const structkd_tensor*>(field.offset);
        if (given != nullptr) given = &plane;  // what the loss cannot do without
      }
      const structkd_ctx ctx = context(backend.c_str(), 2);
      size_t bytes = 0;
      ASSERT_EQ(STRUCTKD_OK, loss.call(params.data()).workspace(&ctx, &map, &map, 1, &bytes))
          << structkd_last_error();
      EXPECT_LE(double(bytes), loss.scratch(n, ctx.threads))
          << "[" << n.B << ", " << n.C << ", " << n.H << ", " << n.W << "]";
    }
  }
}

}  // namespace structkd::test
