// src/test/cpp/promises/planted_faults_test.cpp: every promise is seen to fail: the checks are
// given losses that break one promise each, by what is done before and after the true call.
#include <gtest/gtest-spi.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "promises.h"

namespace structkd::test {
namespace {

// Arguments of a call, which a fault may change before it and look at after it.
struct Call {
  const LossCall& honest;
  structkd_ctx ctx;
  structkd_tensor student, teacher;
  uint8_t* workspace;
  void* loss;
  structkd_tensor* grad;

  bool is_f64() const { return student.dtype == STRUCTKD_F64; }
  void change_value(const std::function<double(double)>& change) const {
    if (is_f64()) {
      *static_cast<double*>(loss) = change(*static_cast<double*>(loss));
    } else {
      *static_cast<float*>(loss) = float(change(*static_cast<float*>(loss)));
    }
  }
  structkd_status run() const {
    return honest.run(&ctx, &student, &teacher, workspace, loss, grad);
  }
  // Calls with a workspace of its own: other maps may need more than was given.
  structkd_status run_changed() {
    AlignedBytes own(workspace_bytes());
    workspace = own.data();
    return run();
  }
  size_t workspace_bytes() const {
    size_t bytes = 0;
    honest.workspace(&ctx, &student, &teacher, grad != nullptr, &bytes);
    return bytes;
  }
};

// A loss whose calls with all arguments given go through `faulty`, but for those of the reference.
using Faulty = std::function<structkd_status(Call&)>;
Loss with_calls(const Loss& loss, const Faulty& faulty) {
  Loss broken = loss;
  broken.call = [loss, faulty](const void* params) {
    LossCall call = loss.call(params);
    const LossCall honest = call;
    call.run = [=](const structkd_ctx* ctx, const structkd_tensor* student,
                   const structkd_tensor* teacher, void* workspace, void* value,
                   structkd_tensor* grad) {
      if (!ctx || !student || !teacher || !value || !ctx->backend ||
          std::strcmp(ctx->backend, "reference") == 0) {
        return honest.run(ctx, student, teacher, workspace, value, grad);
      }
      Call made{honest, *ctx, *student, *teacher, static_cast<uint8_t*>(workspace), value, grad};
      return faulty(made);
    };
    return call;
  };
  return broken;
}

// One that changes the value after the call.
std::function<Loss(const Loss&)> value_fault(
    const std::function<double(const Call&, double value)>& change) {
  return [=](const Loss& loss) {
    return with_calls(loss, [=](Call& call) {
      const structkd_status status = call.run();
      if (status == STRUCTKD_OK) {
        call.change_value([&](double value) { return change(call, value); });
      }
      return status;
    });
  };
}

std::function<Loss(const Loss&)> call_fault(const Faulty& faulty) {
  return [=](const Loss& loss) { return with_calls(loss, faulty); };
}

void make_dense(structkd_tensor& tensor) {
  int64_t stride = 1;
  for (int d = tensor.rank - 1; d >= 0; --d) {
    tensor.strides[d] = stride;
    stride *= tensor.sizes[d];
  }
}

// Elements of an f32 or f64 map; of others none.
template <class Visit>
void for_each_element(const structkd_tensor& map, Visit&& visit) {
  const int64_t* n = map.sizes;
  for (int64_t i = 0; i < n[0] * n[1] * n[2] * n[3]; ++i) {
    const int64_t at[] = {i / (n[1] * n[2] * n[3]), i / (n[2] * n[3]) % n[1], i / n[3] % n[2],
                          i % n[3]};
    int64_t offset = 0;
    for (int d = 0; d < 4; ++d) offset += at[d] * map.strides[d];
    if (map.dtype == STRUCTKD_F32) visit(static_cast<float*>(map.data)[offset]);
    if (map.dtype == STRUCTKD_F64) visit(static_cast<double*>(map.data)[offset]);
  }
}

// A mask whose bytes from 128 on are 0.
Loss reads_masks_as_signed(const Loss& loss) {
  Loss broken = loss;
  broken.call = [loss](const void* params) {
    Params changed(params, *static_cast<const uint32_t*>(params));
    for (const PlaneField& field : loss.planes) {
      const structkd_tensor*& mask = changed.at<const structkd_tensor*>(field.offset);
      if (mask == nullptr || field.dtype != STRUCTKD_U8) continue;
      TestTensor copy({mask->sizes[0], mask->sizes[1], mask->sizes[2]}, STRUCTKD_U8);
      const uint8_t* bytes = static_cast<const uint8_t*>(mask->data);  // dense
      copy.fill([&](int64_t i) { return bytes[i] < 128 ? bytes[i] : 0.0; });
      mask = changed.keep(std::move(copy));
    }
    const auto kept = std::make_shared<Params>(std::move(changed));
    LossCall call = loss.call(kept->data());
    const auto run = call.run;
    call.run = [kept, run](auto... arguments) { return run(arguments...); };
    return call;
  };
  return broken;
}

Loss keeps_its_maps(const Loss& loss) {
  Loss broken = loss;
  broken.call = [loss](const void* params) {
    LossCall call = loss.call(params);
    const auto workspace = call.workspace;
    call.workspace = [workspace](const structkd_ctx* ctx, const structkd_tensor* student,
                                 const structkd_tensor* teacher, int want_grad, size_t* bytes) {
      const structkd_status status = workspace(ctx, student, teacher, want_grad, bytes);
      const int64_t* n = student->sizes;
      if (status == STRUCTKD_OK) *bytes += size_t(n[0] * n[1] * n[2] * n[3]) * 8 * n[1];
      return status;
    };
    return call;
  };
  return broken;
}

struct Fault {
  const char* promise;
  const char* what;
  std::function<Loss(const Loss&)> plant;
};

const Fault kFaults[] = {
    {"RefusesBadArguments", "0 threads count as one", call_fault([](Call& call) {
       call.ctx.threads = std::max(call.ctx.threads, 1);
       return call.run();
     })},
    {"RefusesBadArguments", "the value is cleared before the checks", call_fault([](Call& call) {
       call.change_value([](double) { return 0.0; });
       return call.run();
     })},
    {"AgreesForEveryDtypeAndLayout", "strides are ignored", call_fault([](Call& call) {
       make_dense(call.student);
       make_dense(call.teacher);
       return call.run_changed();
     })},
    {"AgreesForEveryDtypeAndLayout", "bf16 is read as f16", call_fault([](Call& call) {
       for (structkd_tensor* map : {&call.student, &call.teacher}) {
         if (map->dtype == STRUCTKD_BF16) map->dtype = STRUCTKD_F16;
       }
       return call.run_changed();
     })},
    {"AgreesOnOddShapes", "an odd number of pixels is divided by one too few",
     value_fault([](const Call& call, double value) {
       const double N = double(call.student.sizes[2] * call.student.sizes[3]);
       return N > 1 && std::fmod(N, 2) == 1 ? value * N / (N - 1) : value;
     })},
    {"AgreesOnViews", "a stride of 0 is taken for a dense one", call_fault([](Call& call) {
       for (structkd_tensor* map : {&call.student, &call.teacher}) {
         if (map->strides[0] == 0) make_dense(*map);
       }
       return call.run_changed();
     })},
    {"SameBitsForAnyThreads", "each thread adds a rounding",
     value_fault(
         [](const Call& call, double value) { return value * (1 + 0x1p-20 * call.ctx.threads); })},
    {"SameBitsAgain", "the workspace is believed to be zero", call_fault([](Call& call) {
       const double found = call.workspace_bytes() > 0 ? call.workspace[0] : 0.0;
       const structkd_status status = call.run();
       if (status == STRUCTKD_OK) call.change_value([&](double value) { return value + found; });
       return status;
     })},
    {"ValueAloneIsValueWithGradient", "the value alone is computed in another way",
     value_fault([](const Call& call, double value) {
       return call.grad != nullptr ? value : value * (1 + 0x1p-18);
     })},
    {"GradientInAnyLayoutAndWidth", "the gradient is written densely", call_fault([](Call& call) {
       if (call.grad == nullptr) return call.run_changed();
       structkd_tensor grad = *call.grad;
       make_dense(grad);
       call.grad = &grad;
       return call.run_changed();
     })},
    {"GradientIsTheDerivative", "the gradient points the other way", call_fault([](Call& call) {
       const structkd_status status = call.run();
       if (call.grad != nullptr) for_each_element(*call.grad, [](auto& g) { g = -g; });
       return status;
     })},
    {"EqualNetsGiveZero", "a small number guards a logarithm",
     value_fault([](const Call&, double value) { return value + 1e-12; })},
    {"NeverBelowZero", "a term that cancels is left",
     value_fault([](const Call&, double value) { return value - 1e-6 * std::abs(value) - 1e-12; })},
    {"NaNShows", "NaN is taken for 0",
     value_fault([](const Call&, double value) { return std::isnan(value) ? 0.0 : value; })},
    {"LeftOutTakesNoPart", "what is left out is multiplied by 0",
     value_fault([](const Call& call, double value) {
       for_each_element(call.student, [&](auto& x) { value += 0 * x; });
       return value;
     })},
    {"AnyByteOfAMaskCounts", "the bytes of a mask are signed", reads_masks_as_signed},
    {"WritesItsOutputsAlone", "one byte too many of the workspace is used",
     call_fault([](Call& call) {
       call.workspace[call.workspace_bytes()] = 0;
       return call.run();
     })},
    {"WritesItsOutputsAlone", "the value of f32 nets is written as f64", call_fault([](Call& call) {
       const structkd_status status = call.run();
       static_cast<float*>(call.loss)[1] = 0.0f;
       return status;
     })},
    {"WritesItsOutputsAlone", "the student is scaled in place", call_fault([](Call& call) {
       const structkd_status status = call.run();
       for_each_element(call.student, [](auto& x) { x *= 2; });
       return status;
     })},
    {"AsksItsContextForScratch", "memory is asked for twice", call_fault([](Call& call) {
       const structkd_allocator& allocator = call.ctx.allocator;
       if (allocator.allocate != nullptr) allocator.allocate(allocator.owner, 64);
       return call.run();
     })},
    {"ScratchIsBounded", "a number for each pair of channels and pixel is kept", keeps_its_maps},
};

// The plain variant and those that leave something out, on one small shape.
Loss small(Loss loss) {
  std::vector<Variant> variants = {loss.variants.front()};
  for (const Variant& variant : loss.variants) {
    if (variant.leaves_out) variants.push_back(variant);
  }
  loss.variants = variants;
  loss.shapes = {{2, 5, 3, 7}};
  loss.large.clear();
  return loss;
}

int failures(const Promise& promise, const Loss& loss) {
  testing::TestPartResultArray results;
  {
    testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    promise.check(loss, "cpu");
  }
  return results.size();
}

const Promise& promise_named(const std::string& name) {
  for (const Promise& promise : promises()) {
    if (promise.name == name) return promise;
  }
  ADD_FAILURE() << "there is no promise " << name;
  return promises().front();
}

TEST(PlantedFaults, AreFoundByTheirPromises) {
  for (const Loss& row : losses()) {
    const Loss loss = small(row);
    for (const Fault& fault : kFaults) {
      const Promise& promise = promise_named(fault.promise);
      EXPECT_EQ(0, failures(promise, loss)) << loss.id << " keeps " << promise.name;
      const bool masked = !loss.planes.empty() && loss.planes.front().dtype == STRUCTKD_U8;
      if (std::string(fault.promise) == "AnyByteOfAMaskCounts" && !masked) continue;
      const bool leaves_out = std::any_of(loss.variants.begin(), loss.variants.end(),
                                          [](const auto& one) { return one.leaves_out; });
      if (std::string(fault.promise) == "LeftOutTakesNoPart" && !leaves_out) continue;
      EXPECT_GT(failures(promise, fault.plant(loss)), 0) << loss.id << ": " << fault.what;
    }
  }
}

TEST(PlantedFaults, AreThereForEveryPromise) {
  std::set<std::string> promised, planted;
  for (const Promise& promise : promises()) promised.insert(promise.name);
  for (const Fault& fault : kFaults) planted.insert(fault.promise);
  EXPECT_EQ(promised, planted);
}

}  // namespace
}  // namespace structkd::test
