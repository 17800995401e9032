// torch/structkd_ops.h: what Java calls. JavaCPP writes a JNI bridge for each function that
// org.structkd.internal.NativeOps names; errors are C++ exceptions (torch/errors.h).
#ifndef STRUCTKD_TORCH_STRUCTKD_OPS_H
#define STRUCTKD_TORCH_STRUCTKD_OPS_H

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "structkd/core.h"

namespace structkd {

// Version of the kernel library.
STRUCTKD_API std::string version();

// What the last loss call on this thread chose; "" if there was none.
STRUCTKD_API std::string last_plan();

// Names of the registered backends, in the order of their registration, separated by commas.
STRUCTKD_API std::string backend_names();

// What a backend runs on, such as "avx512".
STRUCTKD_API std::string backend_description(const std::string& backend);

// Routes CPU tensors to another backend than "cpu", for tests and verification; "" ends it.
STRUCTKD_API void use_backend(const std::string& name);

// Frees idle memory of the buffer pool; how much there is, and may be at most (torch/pool.h).
STRUCTKD_API void release_pool();
STRUCTKD_API int64_t pool_idle_bytes();
STRUCTKD_API int64_t pool_max_idle_bytes();

// One function per loss, also registered as operator structkd::<loss>: enums as integers. Contracts
// are those of structkd/<loss>.h; the result is a scalar with a grad_fn.
STRUCTKD_API at::Tensor pairwise(const at::Tensor& student,
                                 const at::Tensor& teacher,
                                 const std::optional<at::Tensor>& weights,
                                 int64_t norm,
                                 int64_t eps_mode,
                                 double eps,
                                 int64_t pairs,
                                 int64_t precision);
STRUCTKD_API double pairwise_condition_number(const at::Tensor& student,
                                              const at::Tensor& teacher,
                                              const std::optional<at::Tensor>& weights,
                                              int64_t norm,
                                              int64_t eps_mode,
                                              double eps,
                                              int64_t pairs);
STRUCTKD_API at::Tensor inter_class_similarity(const at::Tensor& student,
                                               const at::Tensor& teacher,
                                               const std::optional<at::Tensor>& mask,
                                               double temperature,
                                               bool row_normalize,
                                               int64_t precision);
// What AICSD's code computed; code: 0 = head f99949e, 1 = 7bb3cfa (March 2023), 2 = c97743b.
STRUCTKD_API at::Tensor inter_class_similarity_code(const at::Tensor& student,
                                                    const at::Tensor& teacher,
                                                    int64_t code,
                                                    double temperature,
                                                    bool row_normalize);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_STRUCTKD_OPS_H
