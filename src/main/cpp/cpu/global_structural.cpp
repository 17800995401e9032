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
  static constexpr int64_t P = kPanel<T>;

  Rows<T> student, teacher;
  SimilarityMaps<T> maps;
  T* symmetric;    // per thread [padded M, P]: columns of U + U'
  double* grads;   // [padded Cs, padded M]
  double* pixels;  // per thread [H * W]

  Plan(const GlobalStructuralArgs& args, int threads, Workspace& workspace)
      : student(args.student.C, args.max_samples, args.want_grad && !is_cross(args), workspace),
        teacher(args.teacher.C, args.max_samples, args.want_grad && is_cross(args), workspace),
        maps(panels<T>(args.max_samples) * P, args.max_samples, threads, workspace) {
    const int64_t padded = panels<T>(args.max_samples) * P;
    const int64_t pixels_per_image = args.student.H * args.student.W;
    symmetric = workspace.take<T>(args.want_grad ? threads * padded * P : 0);
    grads = workspace.take<double>(args.want_grad ? panels<T>(args.student.C) * P * padded : 0);
    pixels = workspace.take<double>(args.want_grad ? threads * pixels_per_image : 0);
  }

  static bool is_cross(const GlobalStructuralArgs& args) {
    return args.similarity == STRUCTKD_SIMILARITY_CROSS;
  }
};

// One tile of a map: rows of panel i of a against rows of panel j of b; mirrored if asked.
template <class T>
void map_tile(
    const Rows<T>& a, const Rows<T>& b, int64_t i, int64_t j, bool mirror, int64_t stride, T* map) {
  constexpr int64_t P = Rows<T>::P;
  double tile[P * P] = {};
  blocked_panel_product(a.C, a.nodes + i * a.C * P, b.nodes + j * b.C * P, tile);
  for (int64_t r = 0; r < P; ++r) {
    T* out = map + (i * P + r) * stride + j * P;
    for (int64_t c = 0; c < P; ++c) out[c] = T(tile[r * P + c]);
  }
  if (!mirror) return;
  for (int64_t r = 0; r < P; ++r) {
    T* out = map + (j * P + r) * stride + i * P;
    for (int64_t c = 0; c < P; ++c) out[c] = T(tile[c * P + r]);
  }
}

template <class T>
void fill_maps(const GlobalStructuralArgs& args,
               const DescriptorGroups& groups,
               int64_t b,
               int threads,
               Plan<T>& plan) {
  const int64_t M = groups.M, node_panels = panels<T>(M);
  const bool cross = Plan<T>::is_cross(args);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t p = 0; p < node_panels; ++p) {
    gather_panel(args, args.student, b, M, p, plan.student);
    gather_panel(args, args.teacher, b, M, p, plan.teacher);
    if (args.want_grad) transpose_panel(node_panels, p, cross ? plan.teacher : plan.student);
  }
  // Dynamic: rows of the triangle differ in length, and every tile has one writer anyway.
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (int64_t i = 0; i < node_panels; ++i) {
    for (int64_t j = i; j < node_panels; ++j) {
      map_tile(plan.teacher, plan.teacher, i, j, j > i, plan.maps.stride, plan.maps.teacher);
      if (!cross) {
        map_tile(plan.student, plan.student, i, j, j > i, plan.maps.stride, plan.maps.student);
      }
    }
    for (int64_t j = 0; cross && j < node_panels; ++j) {
      map_tile(plan.student, plan.teacher, i, j, false, plan.maps.stride, plan.maps.student);
    }
    const int64_t end = smaller((i + 1) * Plan<T>::P, M);
    for (int64_t row = i * Plan<T>::P; row < end; ++row) {
      label_map_row(args, groups, b, row, plan.maps);
    }
  }
}

// panel[j, r] = U[i0 + r, j], plus U[j, i0 + r] for the symmetric product.
template <class T>
void pack_derivative(const SimilarityMaps<T>& maps, int64_t i0, bool add_mirror, T* panel) {
  constexpr int64_t P = Plan<T>::P;
  pack_panel(maps.student + i0 * maps.stride, maps.stride, P, maps.stride, panel);
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
    for (int64_t c = 0; c < panels<T>(factor.C); ++c) {
      double tile[P * P] = {};
      blocked_panel_product(padded, factor.channels + c * padded * P, derivative, tile);
      for (int64_t r = 0; r < P; ++r) {
        memcpy(plan.grads + (c * P + r) * padded + i * P, tile + r * P, P * sizeof(double));
      }
    }
    if (args.normalize) through_unit_length(plan.student, i, padded, plan.grads + i * P);
  }
}

// The image's loss without its weight; its rows' gradients are left in plan.grads.
template <class T>
double compare_image(
    const GlobalStructuralArgs& args, int64_t b, double weight, int threads, Plan<T>& plan) {
  const DescriptorGroups groups = make_groups(samples_of(args, b), classes_of(args, b),
                                              args.group_width, args.reduction, args.remainder);
  plan.maps.stride = panels<T>(groups.M) * Plan<T>::P;
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
