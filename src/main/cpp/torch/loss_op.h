// torch/loss_op.h: a loss as a LibTorch operator: the kernel of a backend and, with the same
// schema, its formula composed of LibTorch's operators.
#ifndef STRUCTKD_TORCH_LOSS_OP_H
#define STRUCTKD_TORCH_LOSS_OP_H

#include <ATen/Functions.h>
#include <torch/library.h>

#include <string>

#include "torch/call.h"
#include "torch/errors.h"
#include "torch/place.h"

namespace structkd {

template <class... Options>
using LossFunction = at::Tensor (*)(const at::Tensor& student,
                                    const at::Tensor& teacher,
                                    Options... options);

// Registers structkd::<id>, which takes the kernel of the student's backend or, where that has
// none, the composition, and structkd::<id>_composed. `options` is what their schema has behind the
// maps.
template <class... Options>
void def_loss(torch::Library& library,
              const char* loss,
              const std::string& id,
              const std::string& options,
              LossFunction<Options...> kernel,
              LossFunction<Options...> composed) {
  const std::string schema = "(Tensor student, Tensor teacher, " + options + ") -> Tensor";
  library.def(
      (id + schema).c_str(),
      [=](const at::Tensor& student, const at::Tensor& teacher, Options... chosen) -> at::Tensor {
        return (has_kernel(loss, id.c_str(), student) ? kernel : composed)(student, teacher,
                                                                           chosen...);
      });
  library.def((id + "_composed" + schema).c_str(), composed);
}

// The type of structkd_<loss>_workspace, which says how much scratch a call needs.
template <class Params>
using WorkspaceEntry = structkd_status (*)(const structkd_ctx*,
                                           const structkd_tensor* student,
                                           const structkd_tensor* teacher,
                                           const Params*,
                                           int want_grad,
                                           size_t* bytes);

// Refuses what the kernel would refuse, with its sentence. Params must have all their tensors.
template <class Params>
void check_as_kernel(WorkspaceEntry<Params> workspace, const Maps& maps, const Params& params) {
  structkd_ctx ctx{};
  ctx.backend = "reference";  // which has every kernel; shapes are checked alike for all
  ctx.threads = 1;
  size_t bytes = 0;
  check(workspace(&ctx, &maps.student_view, &maps.teacher_view, &params, 0, &bytes));
}

// The maps of a composition in the type that it computes in: f64, or f32, which half precision
// becomes as in LibTorch's own autocast. The student stays in the graph, the teacher is a constant.
struct ComposedMaps {
  at::Tensor student, teacher;

  explicit ComposedMaps(const Maps& maps, const at::Tensor& given)
      : student(given.to(type_of(maps))), teacher(maps.teacher.to(type_of(maps))) {}

 private:
  static at::ScalarType type_of(const Maps& maps) {
    return maps.student.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  }
};

}  // namespace structkd

#endif  // STRUCTKD_TORCH_LOSS_OP_H
