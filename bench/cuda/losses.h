// bench/cuda/losses.h: the C API's call of each loss, and its least work. The same call computes
// what is measured and, on the CPU, what it is compared with.
#ifndef STRUCTKD_BENCH_LOSSES_H
#define STRUCTKD_BENCH_LOSSES_H

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>

#include "arrays.h"

namespace structkd::bench {

// What the products of a loss are made of, which limits their rate.
enum class Products { kOfInputs, kTf32, kBf16 };

// Each kernel has a file in losses/, with what is fixed for all cases of it; a function there, named
// after the kernel, makes its Loss.
struct Loss {
  // Both throw a std::runtime_error with the library's sentence.
  std::function<size_t(const Case&, const structkd_ctx&, const Arrays&)> workspace_bytes;
  std::function<void(const Case&, const structkd_ctx&, Arrays&, void* workspace)> call;

  // What the algorithm must do at least, for value and gradient of the batch (kernels' comments and
  // docs/methods): bytes between chip and device memory, and floating-point operations of the
  // products, of which a loss may have none.
  std::function<double(const Case&)> bytes;
  std::function<double(const Case&)> flops = [](const Case&) { return 0.0; };
  std::function<Products(const Case&)> products = [](const Case&) { return Products::kOfInputs; };
};

// Throws std::invalid_argument for an id that no loss has.
const Loss& loss_of(const Case& c);

constexpr uint64_t kSeed = 42;
constexpr int kWantGrad = 1;

void require(structkd_status status);

// What a loss says of a mode that it does not know.
inline std::invalid_argument unknown_mode(const Case& c) {
  return std::invalid_argument("bench/cases.json: " + c.loss + " has no mode " + c.mode);
}

// Calls of a loss; `params_of` makes its parameters of a case. Its least work is to be set.
template <class Workspace, class Call, class Params>
Loss loss_with(Workspace* workspace, Call* call, Params (*params_of)(const Case&, const Arrays&)) {
  Loss loss;
  loss.workspace_bytes = [=](const Case& c, const structkd_ctx& ctx, const Arrays& a) {
    const Params params = params_of(c, a);
    size_t bytes = 0;
    require(workspace(&ctx, &a.student, &a.teacher, &params, kWantGrad, &bytes));
    return bytes;
  };
  loss.call = [=](const Case& c, const structkd_ctx& ctx, Arrays& a, void* memory) {
    const Params params = params_of(c, a);
    require(call(&ctx, &a.student, &a.teacher, &params, memory, a.loss, &a.grad));
  };
  return loss;
}

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_LOSSES_H
