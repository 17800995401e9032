// core/loss_entry.h: makes the two C entries of a loss out of its checks.
#ifndef STRUCTKD_CORE_LOSS_ENTRY_H
#define STRUCTKD_CORE_LOSS_ENTRY_H

#include "core/backend.h"
#include "core/check.h"
#include "core/error.h"
#include "core/loss_args.h"

namespace structkd {

// What sets the entries of one loss apart. Both turn their arguments into Args, once per call.
template <class Args, class Params>
struct LossEntry {
  const char* name;  // what its sentences begin with: "pixel-wise loss"
  Kernel<Args> Backend::* kernel;
  // Refuses maps and params that do not fit; the result holds what the params say. The entry has
  // checked each map and the size of the params before, and adds the maps and the outputs.
  Args (*check)(const Map& student, const Map& teacher, const Params& params);

  structkd_status workspace(const structkd_ctx* ctx,
                            const structkd_tensor* student,
                            const structkd_tensor* teacher,
                            const Params* params,
                            int want_grad,
                            size_t* bytes) const {
    return guarded([&] {
      Args args = checked(student, teacher, params);
      args.want_grad = want_grad != 0;
      require_given(name, "bytes", bytes);
      *bytes = workspace_bytes(name, ctx, kernel, args);
    });
  }

  structkd_status run(const structkd_ctx* ctx,
                      const structkd_tensor* student,
                      const structkd_tensor* teacher,
                      const Params* params,
                      void* workspace,
                      void* loss,
                      structkd_tensor* grad) const {
    return guarded([&] {
      Args args = checked(student, teacher, params);
      args.grad = optional_grad(name, grad, args.student);
      args.want_grad = grad != nullptr;
      require_given(name, "loss", loss);
      args.loss = loss;
      structkd::run(name, ctx, kernel, args, workspace);
    });
  }

  Args checked(const structkd_tensor* student,
               const structkd_tensor* teacher,
               const Params* params) const {
    const Map s = require_map(name, "student", student);
    const Map t = require_map(name, "teacher", teacher);
    require_given(name, "params", params);
    require_struct_size(name, params->struct_size, sizeof(Params));
    Args args = check(s, t, *params);
    args.student = s;
    args.teacher = t;
    return args;
  }
};

template <class Args, class Params>
LossEntry(const char*, Kernel<Args> Backend::*, Args (*)(const Map&, const Map&, const Params&))
    -> LossEntry<Args, Params>;

}  // namespace structkd

// Defines structkd_<loss>_workspace and structkd_<loss>. `name` and `check` are those of LossEntry.
#define STRUCTKD_LOSS_ENTRIES(loss, name, check)                                               \
  structkd_status structkd_##loss##_workspace(                                                 \
      const structkd_ctx* ctx, const structkd_tensor* student, const structkd_tensor* teacher, \
      const structkd_##loss##_params* params, int want_grad, size_t* bytes) {                  \
    constexpr structkd::LossEntry entry{name, &structkd::Backend::loss, check};                \
    return entry.workspace(ctx, student, teacher, params, want_grad, bytes);                   \
  }                                                                                            \
  structkd_status structkd_##loss(const structkd_ctx* ctx, const structkd_tensor* student,     \
                                  const structkd_tensor* teacher,                              \
                                  const structkd_##loss##_params* params, void* workspace,     \
                                  void* value, structkd_tensor* grad) {                        \
    constexpr structkd::LossEntry entry{name, &structkd::Backend::loss, check};                \
    return entry.run(ctx, student, teacher, params, workspace, value, grad);                   \
  }

#endif  // STRUCTKD_CORE_LOSS_ENTRY_H
