// torch/structkd_ops.h: what Java calls and is no operator: the losses go through LibTorch's
// dispatcher (torch/ops). JavaCPP writes a JNI bridge for each function that
// org.structkd.internal.NativeOps names; errors are C++ exceptions (torch/errors.h).
#ifndef STRUCTKD_TORCH_STRUCTKD_OPS_H
#define STRUCTKD_TORCH_STRUCTKD_OPS_H

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "structkd/core.h"

// The presets write the element of their tensor vectors as torch::Tensor, a name of the C++
// frontend's headers, which the JNI bridge does without.
namespace torch {
using at::Tensor;
}

namespace torch::optim {
class Adam;
}

namespace structkd {

// Version of the kernel library.
STRUCTKD_API std::string version();

// What the last loss call on this thread chose; "" if there was none.
STRUCTKD_API std::string last_plan();

// Names of the registered backends, in the order of their registration, separated by commas.
STRUCTKD_API std::string backend_names();

// What a backend runs on, such as "avx512".
STRUCTKD_API std::string backend_description(const std::string& backend);

// Routes the CPU tensors of this process to a backend, for tests and verification: "reference" is
// the f64 definition of each loss, "" the default. Returns what it was before.
STRUCTKD_API std::string use_backend(const std::string& name);

// Names the folder of libstructkd_cuda.so and libstructkd_torch_cuda.so; until then they are
// expected beside this library.
STRUCTKD_API void look_for_cuda_in(const std::string& folder);

// "" if CUDA tensors can be used in this process, else the sentence that says why not.
STRUCTKD_API std::string cuda_problem();

// A number that kernels of the map's device can read. On CUDA it is filled in on the current
// stream: nobody waits.
STRUCTKD_API at::Tensor number_beside(const at::Tensor& map, int64_t number);

// Frees idle memory of the buffer pool; how much there is, and may be at most (torch/pool.h).
STRUCTKD_API void release_pool();
STRUCTKD_API int64_t pool_idle_bytes();
STRUCTKD_API int64_t pool_max_idle_bytes();

// The largest absolute value among the gradients of these parameters, in units of the square root
// of the largest number of its type: above 1, an optimizer that squares gradients overflows. NaN if
// one is NaN, 0 without gradients. All are looked at together and waited for once.
STRUCTKD_API double largest_gradient(const std::vector<at::Tensor>& parameters);
// The largest element of any tensors, in the same units; integers are not looked at.
STRUCTKD_API double largest_value(const std::vector<at::Tensor>& tensors);

// Whether backward has reached a parameter.
STRUCTKD_API bool has_gradient(const at::Tensor& parameter);

// One step of torch::optim::Adam, or of AdamW where the decay is decoupled, for a parameter that
// has a gradient. steps counts this one, from 1 on; the moments begin as zeros.
STRUCTKD_API void adam_step(const at::Tensor& parameter,
                            const at::Tensor& exp_avg,
                            const at::Tensor& exp_avg_sq,
                            int64_t steps,
                            double rate,
                            double beta1,
                            double beta2,
                            double eps,
                            double weight_decay,
                            bool decoupled);
// One step of torch::optim::SGD without dampening. The buffer begins as zeros; a momentum of 0 does
// not look at it.
STRUCTKD_API void sgd_step(const at::Tensor& parameter,
                           const at::Tensor& momentum_buffer,
                           double rate,
                           double momentum,
                           bool nesterov,
                           double weight_decay);

// Writes down as TorchScript what this thread computes of the inputs from now on, by the tensors of a
// network, whose names are those of its state_dict. Ended by one of the next two, on this thread.
STRUCTKD_API void begin_trace(const std::vector<std::string>& parameter_names,
                              const std::vector<at::Tensor>& parameters,
                              const std::vector<std::string>& buffer_names,
                              const std::vector<at::Tensor>& buffers,
                              const std::vector<std::string>& input_names,
                              const std::vector<at::Tensor>& inputs);
// The bytes, u8, of a TorchScript file whose forward takes the inputs in their order and returns a
// dictionary of these outputs. It has the description beside its code, under its own name.
STRUCTKD_API at::Tensor end_trace(const std::vector<std::string>& names,
                                  const std::vector<at::Tensor>& outputs,
                                  const std::string& description_name,
                                  const std::string& description);
// Ends a trace without a result; nothing if there is none.
STRUCTKD_API void abandon_trace();
// A map [B, C, h, w] at factor times the height and width of another, between pixel centres,
// bilinearly or bicubically. A trace asks for that size where LibTorch's own call keeps a number.
STRUCTKD_API at::Tensor resized(const at::Tensor& map,
                                const at::Tensor& like,
                                int64_t factor,
                                bool cubic);

}  // namespace structkd

#endif  // STRUCTKD_TORCH_STRUCTKD_OPS_H
