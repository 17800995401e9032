// torch/call.cpp: from LibTorch tensors to a call of the C API.
#include "torch/call.h"

#include <ATen/EmptyTensor.h>
#include <ATen/Functions.h>

#include <sstream>
#include <string>

#include "torch/errors.h"
#include "torch/place.h"

namespace structkd {
namespace {

bool is_known(at::ScalarType dtype, structkd_dtype* out) {
  switch (dtype) {
    case at::kHalf:
      *out = STRUCTKD_F16;
      return true;
    case at::kBFloat16:
      *out = STRUCTKD_BF16;
      return true;
    case at::kFloat:
      *out = STRUCTKD_F32;
      return true;
    case at::kDouble:
      *out = STRUCTKD_F64;
      return true;
    case at::kByte:
    case at::kBool:
      *out = STRUCTKD_U8;
      return true;
    case at::kInt:
      *out = STRUCTKD_I32;
      return true;
    case at::kLong:
      *out = STRUCTKD_I64;
      return true;
    default:
      return false;
  }
}

std::string prefix(const char* loss, const char* argument) {
  return std::string(loss) + ": " + argument + " ";
}

}  // namespace

void require_dense(const char* loss, const char* argument, const at::Tensor& tensor) {
  if (!tensor.defined()) {
    raise(STRUCTKD_ERR_NULL, prefix(loss, argument) + "is an undefined tensor");
  }
  if (!tensor.device().is_cpu() && !tensor.device().is_cuda()) {
    raise(STRUCTKD_ERR_BACKEND,
          prefix(loss, argument) + "is on " + tensor.device().str() +
              ", there are kernels for the CPU and for CUDA: move it with .cpu() or .cuda()");
  }
  if (tensor.is_nested()) {
    raise(STRUCTKD_ERR_SHAPE, prefix(loss, argument) +
                                  "is a nested tensor, whose images differ in size: pass one "
                                  "image, or to_padded_tensor() with a mask");
  }
  if (tensor.layout() != at::kStrided) {
    std::ostringstream layout;
    layout << tensor.layout();
    raise(STRUCTKD_ERR_SHAPE, prefix(loss, argument) + "is not a dense (strided) tensor but " +
                                  layout.str() + ": call to_dense()");
  }
  if (tensor.is_quantized()) {
    raise(STRUCTKD_ERR_DTYPE, prefix(loss, argument) + "is quantized: call dequantize()");
  }
  if (tensor._is_zerotensor()) return;  // its storage is empty, whatever its size
  if (!tensor.has_storage()) {
    raise(STRUCTKD_ERR_SHAPE,
          prefix(loss, argument) + "has no memory of its own: it is traced or vectorised (vmap)");
  }
  const size_t needed = at::detail::computeStorageNbytes(
      tensor.sizes(), tensor.strides(), tensor.itemsize(), tensor.storage_offset());
  if (tensor.numel() > 0 && needed > tensor.storage().nbytes()) {
    raise(STRUCTKD_ERR_SHAPE, prefix(loss, argument) + "needs " + std::to_string(needed) +
                                  " bytes of memory, but its storage has " +
                                  std::to_string(tensor.storage().nbytes()) +
                                  ": it was released or made smaller");
  }
}

at::Tensor plain(const char* loss, const char* argument, const at::Tensor& tensor) {
  require_dense(loss, argument, tensor);
  if (tensor._is_zerotensor()) return at::zeros(tensor.sizes(), tensor.options());
  const at::Tensor constant = tensor.detach();
  return constant.is_neg() ? constant.resolve_neg() : constant;
}

structkd_tensor view_of(const char* loss, const char* argument, const at::Tensor& tensor) {
  require_dense(loss, argument, tensor);
  if (tensor.is_neg() || tensor._is_zerotensor()) {
    raise(STRUCTKD_ERR_INTERNAL, prefix(loss, argument) + "has memory that is not its value");
  }
  structkd_tensor view{};
  if (!is_known(tensor.scalar_type(), &view.dtype)) {
    raise(STRUCTKD_ERR_DTYPE,
          prefix(loss, argument) +
              "has an element type that is not supported: " + c10::toString(tensor.scalar_type()));
  }
  if (tensor.dim() > STRUCTKD_MAX_RANK) {
    raise(STRUCTKD_ERR_SHAPE, prefix(loss, argument) + "has rank " + std::to_string(tensor.dim()) +
                                  ", expected at most " + std::to_string(STRUCTKD_MAX_RANK));
  }
  view.data = tensor.data_ptr();
  view.rank = int32_t(tensor.dim());
  for (int32_t d = 0; d < view.rank; ++d) {
    view.sizes[d] = tensor.size(d);
    view.strides[d] = tensor.stride(d);
  }
  return view;
}

void require_same_device(const char* loss,
                         const char* one,
                         const at::Tensor& tensor,
                         const char* other,
                         const at::Tensor& other_tensor) {
  if (tensor.device() == other_tensor.device()) return;
  raise(STRUCTKD_ERR_BACKEND, prefix(loss, one) + "is on " + tensor.device().str() + " and " +
                                  other + " on " + other_tensor.device().str() +
                                  ", expected one device");
}

at::ScalarType common_dtype(const char* loss,
                            const at::Tensor& student,
                            const at::Tensor& teacher) {
  // Before promotion: an undefined tensor has no dtype, and integers would become floats silently.
  for (const auto& [argument, tensor] :
       {std::pair<const char*, const at::Tensor&>{"student", student}, {"teacher", teacher}}) {
    require_dense(loss, argument, tensor);
    if (!at::isFloatingType(tensor.scalar_type())) {
      raise(STRUCTKD_ERR_DTYPE, prefix(loss, argument) + "has element type " +
                                    c10::toString(tensor.scalar_type()) +
                                    ", expected a floating type");
    }
  }
  require_same_device(loss, "student", student, "teacher", teacher);
  return at::promote_types(student.scalar_type(), teacher.scalar_type());
}

Maps::Maps(const char* name, const at::Tensor& student_map, const at::Tensor& teacher_map)
    : loss(name) {
  const at::ScalarType dtype = common_dtype(loss, student_map, teacher_map);
  student = plain(loss, "student", student_map).to(dtype);
  teacher = plain(loss, "teacher", teacher_map).to(dtype);
  student_view = view_of(loss, "student", student);
  teacher_view = view_of(loss, "teacher", teacher);
}

OptionalView::OptionalView(const Maps& maps,
                           const char* argument,
                           const std::optional<at::Tensor>& given)
    : OptionalView(maps.loss, argument, given, "student", maps.student) {}

OptionalView::OptionalView(const char* loss,
                           const char* argument,
                           const std::optional<at::Tensor>& given,
                           const char* map_argument,
                           const at::Tensor& map) {
  if (!given.has_value()) return;
  tensor_ = plain(loss, argument, *given);
  view_ = view_of(loss, argument, tensor_);
  require_same_device(loss, argument, tensor_, map_argument, map);
}

LossAndGrad call_kernel(
    const Maps& maps,
    bool want_grad,
    const std::function<structkd_status(const structkd_ctx*, void* loss, structkd_tensor* grad)>&
        call) {
  const Place place(maps.loss, maps.student);
  const at::ScalarType dtype = maps.student.scalar_type();
  LossAndGrad result;
  result.loss =
      at::empty({}, maps.student.options().dtype(dtype == at::kDouble ? at::kDouble : at::kFloat));
  structkd_tensor grad{};
  if (want_grad) {
    // Half precision has no room below 6e-8: gradients of a mean over pixels would be lost before
    // the upstream gradient, usually a loss scale, has lifted them. They stay f32 until the end.
    result.grad = place.empty_like(maps.student, dtype == at::kHalf ? at::kFloat : dtype);
    grad = view_of(maps.loss, "grad", result.grad);
  }
  place.check(call(place.context(), result.loss.data_ptr(), want_grad ? &grad : nullptr));
  return result;
}

}  // namespace structkd
