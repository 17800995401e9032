// core/check.cpp: argument checks that all losses share.
#include "core/check.h"

#include <cinttypes>
#include <cmath>

#include "core/error.h"

namespace structkd {

std::string shape_text(const structkd_tensor& tensor) {
  std::string text = "[";
  for (int32_t d = 0; d < tensor.rank && d < STRUCTKD_MAX_RANK; ++d) {
    if (d > 0) text += ", ";
    text += std::to_string(tensor.sizes[d]);
  }
  return text + "]";
}

std::string shape_text(const Map& map) {
  return "[" + std::to_string(map.B) + ", " + std::to_string(map.C) + ", " + std::to_string(map.H) +
         ", " + std::to_string(map.W) + "]";
}

const char* dtype_name(structkd_dtype dtype) {
  switch (dtype) {
    case STRUCTKD_F16:
      return "f16";
    case STRUCTKD_BF16:
      return "bf16";
    case STRUCTKD_F32:
      return "f32";
    case STRUCTKD_F64:
      return "f64";
    case STRUCTKD_U8:
      return "u8";
    case STRUCTKD_I32:
      return "i32";
    case STRUCTKD_I64:
      return "i64";
  }
  return "unknown dtype";
}

int64_t dtype_size(structkd_dtype dtype) {
  switch (dtype) {
    case STRUCTKD_F16:
      return 2;
    case STRUCTKD_BF16:
      return 2;
    case STRUCTKD_F32:
      return 4;
    case STRUCTKD_F64:
      return 8;
    case STRUCTKD_U8:
      return 1;
    case STRUCTKD_I32:
      return 4;
    case STRUCTKD_I64:
      return 8;
  }
  return 0;
}

bool is_floating(structkd_dtype dtype) {
  return dtype == STRUCTKD_F16 || dtype == STRUCTKD_BF16 || dtype == STRUCTKD_F32 ||
         dtype == STRUCTKD_F64;
}

void require_given(const char* loss, const char* argument, const void* pointer) {
  if (pointer == nullptr) fail(STRUCTKD_ERR_NULL, "%s: %s is NULL", loss, argument);
}

void require_struct_size(const char* loss, uint32_t given, uint32_t expected) {
  if (given >= expected) return;
  fail(STRUCTKD_ERR_VALUE,
       "%s: params->struct_size is %" PRIu32 ", expected at least %" PRIu32
       ": set it to sizeof the struct",
       loss, given, expected);
}

void require_enum(const char* loss, const char* argument, int value, int count) {
  if (value >= 0 && value < count) return;
  fail(STRUCTKD_ERR_VALUE, "%s: %s is %d, expected 0 to %d", loss, argument, value, count - 1);
}

void require_positive(const char* loss, const char* argument, double value) {
  if (value > 0.0 && std::isfinite(value)) return;
  fail(STRUCTKD_ERR_VALUE, "%s: %s is %g, expected a finite number greater than 0", loss, argument,
       value);
}

void require_at_least(const char* loss, const char* argument, int64_t value, int64_t least) {
  if (value >= least) return;
  fail(STRUCTKD_ERR_VALUE, "%s: %s is %" PRId64 ", expected at least %" PRId64, loss, argument,
       value, least);
}

namespace {

void require_rank(const char* loss,
                  const char* argument,
                  const structkd_tensor& tensor,
                  int32_t rank,
                  const char* axes) {
  if (tensor.rank == rank) return;
  if (tensor.rank < 0 || tensor.rank > STRUCTKD_MAX_RANK) {
    fail(STRUCTKD_ERR_SHAPE, "%s: %s has rank %" PRId32 ", expected %s", loss, argument,
         tensor.rank, axes);
  }
  fail(STRUCTKD_ERR_SHAPE, "%s: %s has shape %s, expected rank %" PRId32 ": %s", loss, argument,
       shape_text(tensor).c_str(), rank, axes);
}

// At least one element, and neither the element count nor an offset in bytes leaves 63 bits.
void require_addressable(const char* loss, const char* argument, const structkd_tensor& tensor) {
  __int128 elements = 1, extent = 1;
  for (int32_t d = 0; d < tensor.rank; ++d) {
    if (tensor.sizes[d] < 1) {
      fail(STRUCTKD_ERR_SHAPE, "%s: %s is empty: its shape is %s, every size must be at least 1",
           loss, argument, shape_text(tensor).c_str());
    }
    const __int128 stride =
        tensor.strides[d] < 0 ? -__int128(tensor.strides[d]) : tensor.strides[d];
    elements *= tensor.sizes[d];
    extent += (tensor.sizes[d] - 1) * stride;
    if (elements > INT64_MAX / 64 || extent > INT64_MAX / 64) {
      fail(STRUCTKD_ERR_SHAPE, "%s: %s of shape %s does not fit a 64-bit address space", loss,
           argument, shape_text(tensor).c_str());
    }
  }
}

}  // namespace

void require_tensor(const char* loss,
                    const char* argument,
                    const structkd_tensor* tensor,
                    int32_t rank,
                    const char* axes,
                    structkd_dtype dtype) {
  require_given(loss, argument, tensor);
  require_rank(loss, argument, *tensor, rank, axes);
  if (tensor->dtype != dtype) {
    fail(STRUCTKD_ERR_DTYPE, "%s: %s is %s, expected %s", loss, argument, dtype_name(tensor->dtype),
         dtype_name(dtype));
  }
  require_addressable(loss, argument, *tensor);
  require_given(loss, (std::string(argument) + "->data").c_str(), tensor->data);
}

void require_no_overlap(const char* loss, const char* argument, const structkd_tensor& tensor) {
  for (int32_t d = 0; d < tensor.rank; ++d) {
    if (tensor.strides[d] != 0 || tensor.sizes[d] == 1) continue;
    fail(STRUCTKD_ERR_SHAPE, "%s: %s overlaps itself: stride 0 along axis %d of %s", loss, argument,
         d, shape_text(tensor).c_str());
  }
}

Map require_map(const char* loss, const char* argument, const structkd_tensor* tensor) {
  require_given(loss, argument, tensor);
  require_rank(loss, argument, *tensor, 4, "[batch, channels, height, width]");
  if (!is_floating(tensor->dtype)) {
    fail(STRUCTKD_ERR_DTYPE, "%s: %s is %s, expected f16, bf16, f32 or f64", loss, argument,
         dtype_name(tensor->dtype));
  }
  require_addressable(loss, argument, *tensor);
  require_given(loss, (std::string(argument) + "->data").c_str(), tensor->data);
  const int64_t* n = tensor->sizes;
  const int64_t* s = tensor->strides;
  return Map{tensor->data, tensor->dtype, n[0], n[1], n[2], n[3], s[0], s[1], s[2], s[3]};
}

void require_same_maps(const char* loss,
                       const Map& student,
                       const Map& teacher,
                       bool same_channels) {
  const char* differ = nullptr;
  if (student.B != teacher.B) {
    differ = "batch size";
  } else if (same_channels && student.C != teacher.C) {
    differ = "number of channels";
  } else if (student.H != teacher.H || student.W != teacher.W) {
    differ = "height and width";
  }
  if (differ != nullptr) {
    fail(STRUCTKD_ERR_SHAPE, "%s: student %s and teacher %s differ in %s", loss,
         shape_text(student).c_str(), shape_text(teacher).c_str(), differ);
  }
  if (student.dtype != teacher.dtype) {
    fail(STRUCTKD_ERR_DTYPE, "%s: student is %s and teacher is %s, expected one dtype", loss,
         dtype_name(student.dtype), dtype_name(teacher.dtype));
  }
}

void require_counted_channels(const char* loss, const Map& student, const Map& teacher) {
  if (student.C > INT32_MAX || teacher.C > INT32_MAX) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: student has %" PRId64 " channels and teacher %" PRId64
         ", expected at most 2^31 - 1 of each",
         loss, student.C, teacher.C);
  }
}

Plane optional_plane(const char* loss,
                     const char* argument,
                     const structkd_tensor* tensor,
                     const Map& map,
                     structkd_dtype dtype,
                     structkd_dtype or_dtype) {
  if (tensor == nullptr) return Plane{};
  require_rank(loss, argument, *tensor, 3, "[batch, height, width]");
  if (tensor->dtype != dtype && tensor->dtype != or_dtype) {
    fail(STRUCTKD_ERR_DTYPE, "%s: %s is %s, expected %s%s%s", loss, argument,
         dtype_name(tensor->dtype), dtype_name(dtype), dtype == or_dtype ? "" : " or ",
         dtype == or_dtype ? "" : dtype_name(or_dtype));
  }
  if (tensor->sizes[0] != map.B || tensor->sizes[1] != map.H || tensor->sizes[2] != map.W) {
    fail(STRUCTKD_ERR_SHAPE,
         "%s: %s has shape %s, expected [%" PRId64 ", %" PRId64 ", %" PRId64
         "] as the student's map",
         loss, argument, shape_text(*tensor).c_str(), map.B, map.H, map.W);
  }
  require_addressable(loss, argument, *tensor);
  require_given(loss, (std::string(argument) + "->data").c_str(), tensor->data);
  return Plane{tensor->data, tensor->dtype, tensor->strides[0], tensor->strides[1],
               tensor->strides[2]};
}

Map optional_grad(const char* loss, const structkd_tensor* grad, const Map& student) {
  if (grad == nullptr) return Map{};
  const Map map = require_map(loss, "grad", grad);
  if (map.B != student.B || map.C != student.C || map.H != student.H || map.W != student.W) {
    fail(STRUCTKD_ERR_SHAPE, "%s: grad has shape %s, expected the student's %s", loss,
         shape_text(map).c_str(), shape_text(student).c_str());
  }
  if (map.dtype != student.dtype && map.dtype != STRUCTKD_F32) {
    fail(STRUCTKD_ERR_DTYPE, "%s: grad is %s, expected the student's %s or f32", loss,
         dtype_name(map.dtype), dtype_name(student.dtype));
  }
  require_no_overlap(loss, "grad", *grad);
  return map;
}

void require_aligned_workspace(const char* loss, const void* workspace) {
  if (reinterpret_cast<uintptr_t>(workspace) % STRUCTKD_ALIGNMENT == 0) return;
  fail(STRUCTKD_ERR_WORKSPACE, "%s: workspace %p is not aligned to %d bytes", loss, workspace,
       STRUCTKD_ALIGNMENT);
}

}  // namespace structkd
