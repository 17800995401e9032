// core/check.h: argument checks that all losses share. Each failure names the loss, the argument,
// what was given and what was expected.
#ifndef STRUCTKD_CORE_CHECK_H
#define STRUCTKD_CORE_CHECK_H

#include <string>

#include "core/map.h"
#include "structkd/core.h"

namespace structkd {

// "[8, 128, 64, 64]"
std::string shape_text(const structkd_tensor& tensor);
std::string shape_text(const Map& map);
// "f32"
const char* dtype_name(structkd_dtype dtype);
// Bytes of one element; 0 for a value that is no dtype.
int64_t dtype_size(structkd_dtype dtype);
bool is_floating(structkd_dtype dtype);

// NULL becomes STRUCTKD_ERR_NULL.
void require_given(const char* loss, const char* argument, const void* pointer);

// A params struct of this version or a later one that begins with it.
void require_struct_size(const char* loss, uint32_t given, uint32_t expected);

// value in {0, ..., count - 1}: C callers can put any integer into an enum.
void require_enum(const char* loss, const char* argument, int value, int count);

// > 0 and finite.
void require_positive(const char* loss, const char* argument, double value);

// Any value of at least `least`.
void require_at_least(const char* loss, const char* argument, int64_t value, int64_t least);

// Given, with data, of this rank (axes names them, "[batch, samples]") and dtype, at least one
// element, byte size within 63 bits.
void require_tensor(const char* loss,
                    const char* argument,
                    const structkd_tensor* tensor,
                    int32_t rank,
                    const char* axes,
                    structkd_dtype dtype);

// An output: no two elements at one address through a stride of 0.
void require_no_overlap(const char* loss, const char* argument, const structkd_tensor& tensor);

// A floating [B, C, H, W] of at least one element whose byte size fits 63 bits.
Map require_map(const char* loss, const char* argument, const structkd_tensor* tensor);

// Two maps of one batch, map size and dtype; channels too if same_channels.
void require_same_maps(const char* loss,
                       const Map& student,
                       const Map& teacher,
                       bool same_channels);

// Channels that 32 bits count: one node of more would take 4 GB of f16.
void require_counted_channels(const char* loss, const Map& student, const Map& teacher);

// [B, H, W] of one of the two dtypes (pass one twice), as large as the map. NULL gives an empty
// plane.
Plane optional_plane(const char* loss,
                     const char* argument,
                     const structkd_tensor* tensor,
                     const Map& map,
                     structkd_dtype dtype,
                     structkd_dtype or_dtype);

// The gradient's map: the student's sizes, its dtype or F32, no two elements at one address. NULL
// gives an empty map.
Map optional_grad(const char* loss, const structkd_tensor* grad, const Map& student);

void require_aligned_workspace(const char* loss, const void* workspace);

}  // namespace structkd

#endif  // STRUCTKD_CORE_CHECK_H
