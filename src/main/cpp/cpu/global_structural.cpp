// cpu/global_structural.cpp: the global structural loss, image by image: rows, their two similarity
// maps, the divergence by groups, and a product for the gradient. Truth:
// reference/global_structural.cpp.
//
//   V = X X'               2 M^2 C operations for both triangles, one of them computed
//   U = d loss / d V_S     in the place of V_S
//   dX = (U + U') X        or U Y for CROSS: 2 M^2 C
#include "core/error.h"
#include "cpu/global_structural_groups.h"
#include "cpu/global_structural_rows.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

template <class T>
struct Plan {
  static constexpr int64_t P = kColumns<T>;

  Rows<T> student, teacher;
  SimilarityMaps<T> maps;
  T* symmetric;    // per thread [padded M, P]: columns of U + U'
  double* grads;   // [Cs, padded for products, padded M]
  double* pixels;  // per thread [H * W]

  Plan(const GlobalStructuralArgs& args, int threads, Workspace& workspace)
      : student(args.student.C, args.max_samples, args.want_grad && !is_cross(args), workspace),
        teacher(args.teacher.C, args.max_samples, args.want_grad && is_cross(args), workspace),
        maps(column_panels<T>(args.max_samples) * P, args.max_samples, threads, workspace) {
    const int64_t padded = column_panels<T>(args.max_samples) * P;
    const int64_t pixels_per_image = args.student.H * args.student.W;
    symmetric = workspace.take<T>(args.want_grad ? threads * padded * P : 0);
    grads =
        workspace.take<double>(args.want_grad ? RowBlocks<T>::padded(args.student.C) * padded : 0);
    pixels = workspace.take<double>(args.want_grad ? threads * pixels_per_image : 0);
  }

  static bool is_cross(const GlobalStructuralArgs& args) {
    return args.similarity == STRUCTKD_SIMILARITY_CROSS;
  }
};

// The columns of panel j of a map: products of all rows of `a` with those of `b` in the panel. A
// symmetric map: of the rows from the panel's own on, the others are mirrored by their panels.
template <class T>
void map_columns(
    const Rows<T>& a, const Rows<T>& b, int64_t j, bool symmetric, int64_t stride, T* map) {
  constexpr int64_t P = Rows<T>::P, R = kRows<T>;
  const int64_t own = symmetric ? j * P : 0, others = symmetric ? own + P : stride;
  for (int64_t row = own / R * R; row < stride; row += R) {
    double tile[R * P] = {};
    add_product(a.C, a.samples, row, b.panel(j), tile, P);
    const int64_t end = smaller(row + R, stride);
    for (int64_t i = larger(row, own); i < end; ++i) {
      T* out = map + i * stride + j * P;
      for (int64_t c = 0; c < P; ++c) out[c] = T(tile[(i - row) * P + c]);
    }
    for (int64_t c = 0; c < P; ++c) {
      T* out = map + (j * P + c) * stride;
      for (int64_t i = larger(row, others); i < end; ++i) out[i] = T(tile[(i - row) * P + c]);
    }
  }
}

template <class T>
void fill_maps(const GlobalStructuralArgs& args,
               const DescriptorGroups& groups,
               int64_t b,
               int threads,
               Plan<T>& plan) {
  const int64_t M = groups.M, node_panels = column_panels<T>(M);
  const bool cross = Plan<T>::is_cross(args);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t p = 0; p < node_panels; ++p) {
    gather_panel(args, args.student, b, M, p, plan.student);
    gather_panel(args, args.teacher, b, M, p, plan.teacher);
    const Rows<T>& factor = cross ? plan.teacher : plan.student;
    const bool last = p + 1 == node_panels;
    panel_to_rows(p, last, plan.student.K, plan.student.panel(p), plan.student.samples);
    panel_to_rows(p, last, plan.teacher.K, plan.teacher.panel(p), plan.teacher.samples);
    if (args.want_grad) panel_to_channels(p, factor.C, factor.panel(p), factor.channels);
  }
  // Dynamic: columns of the triangle differ in length, and every tile has one writer anyway.
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (int64_t j = 0; j < node_panels; ++j) {
    const int64_t stride = plan.maps.stride;
    map_columns(plan.teacher, plan.teacher, j, /*symmetric=*/true, stride, plan.maps.teacher);
    map_columns(plan.student, cross ? plan.teacher : plan.student, j, /*symmetric=*/!cross, stride,
                plan.maps.student);
    const int64_t end = smaller((j + 1) * Plan<T>::P, M);
    for (int64_t row = j * Plan<T>::P; row < end; ++row) {
      label_map_row(args, groups, b, row, plan.maps);
    }
  }
}

// panel[j, r] = U[i0 + r, j], plus U[j, i0 + r] for the symmetric product.
template <class T>
void pack_derivative(const SimilarityMaps<T>& maps, int64_t i0, bool add_mirror, T* panel) {
  constexpr int64_t P = Plan<T>::P;
  transpose(P, maps.stride, maps.student + i0 * maps.stride, maps.stride, panel, P);
  if (!add_mirror) return;
  for (int64_t j = 0; j < maps.stride; ++j) {
    const T* mirror = maps.student + j * maps.stride + i0;
    for (int64_t r = 0; r < P; ++r) panel[j * P + r] += mirror[r];
  }
}

template <class T>
void rows_gradient(const GlobalStructuralArgs& args, int threads, const Plan<T>& plan) {
  constexpr int64_t P = Plan<T>::P;
  const int64_t padded = plan.maps.stride, node_panels = padded / P;
  const bool cross = Plan<T>::is_cross(args);
  const Rows<T>& factor = cross ? plan.teacher : plan.student;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t i = 0; i < node_panels; ++i) {
    T* derivative = plan.symmetric + omp_get_thread_num() * padded * P;
    pack_derivative(plan.maps, i * P, !cross, derivative);
    double* grads = plan.grads + i * P;
    for (int64_t c = 0; c < factor.channels.count; ++c) {
      memset(grads + c * padded, 0, P * sizeof(double));
    }
    add_all_rows(padded, factor.channels, derivative, grads, padded);
    if (args.normalize) through_unit_length(plan.student, i, padded, grads);
  }
}

// The image's loss without its weight; its rows' gradients are left in plan.grads.
template <class T>
double compare_image(
    const GlobalStructuralArgs& args, int64_t b, double weight, int threads, Plan<T>& plan) {
  const DescriptorGroups groups = make_groups(samples_of(args, b), classes_of(args, b),
                                              args.group_width, args.reduction, args.remainder);
  plan.maps.stride = column_panels<T>(groups.M) * Plan<T>::P;
  fill_maps(args, groups, b, threads, plan);
  const double loss =
      compare_maps(groups, plan.maps, args.temperature, weight, args.want_grad, threads);
  if (args.want_grad) rows_gradient(args, threads, plan);
  return loss;
}

template <class T>
void over_images(const Launch& launch, const GlobalStructuralArgs& args, void* memory) {
  Workspace workspace(memory);
  Plan<T> plan(args, launch.threads, workspace);
  const int64_t N = args.student.H * args.student.W;
  double loss = 0.0;
  for (int64_t b = 0; b < args.student.B; ++b) {
    const double weight = image_weight(args, b);
    const int64_t M = weight == 0.0 ? 0 : samples_of(args, b);
    if (M > 0) loss += weight * compare_image(args, b, weight, launch.threads, plan);
    if (!args.want_grad) continue;
#pragma omp parallel for num_threads(launch.threads) schedule(static)
    for (int64_t c = 0; c < args.student.C; ++c) {
      scatter_channel(args, b, c, M, plan.grads + c * plan.maps.stride,
                      plan.pixels + omp_get_thread_num() * N);
    }
  }
  store_loss(args.loss, args.student.dtype, loss);
  set_plan(
      "global_structural: cpu, %s products, f64 sums, %d threads, %lld images of at most %lld "
      "samples",
      sizeof(T) == sizeof(float) ? "f32" : "f64", launch.threads,
      static_cast<long long>(args.student.B), static_cast<long long>(args.max_samples));
}

}  // namespace

size_t global_structural_workspace(const Launch& launch, const GlobalStructuralArgs& args) {
  Workspace workspace(nullptr);
  if (args.student.dtype == STRUCTKD_F64) {
    Plan<double>(args, launch.threads, workspace);
  } else {
    Plan<float>(args, launch.threads, workspace);
  }
  return workspace.bytes();
}

void global_structural(const Launch& launch, const GlobalStructuralArgs& args, void* memory) {
  if (args.student.dtype == STRUCTKD_F64) {
    over_images<double>(launch, args, memory);
  } else {
    over_images<float>(launch, args, memory);
  }
}

}  // namespace structkd::cpu::STRUCTKD_ISA
