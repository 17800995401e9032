// cpu/global_structural/global_structural.cpp: the global structural loss, image by image: rows,
// their two similarity maps, the divergence by groups, and a product for the gradient. Truth:
// reference/global_structural.cpp.
//
//   V = X X'               2 M^2 C operations for both triangles, one of them computed
//   U = d loss / d V_S     in the place of V_S
//   dX = (U + U') X        or U Y for CROSS: 2 M^2 C
#include "core/error.h"
#include "cpu/global_structural/groups.h"
#include "cpu/global_structural/rows.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// The panels of one task, where there are enough: they share the rows that come from far.
constexpr int64_t kPanels = 2;

template <class T>
struct Plan {
  static constexpr int64_t P = kColumns<T>;

  Rows<T> student, teacher;
  SimilarityMaps<T> maps;
  T* symmetric;    // per thread [kPanels, padded M, P]: columns of U + U'
  double* tiles;   // per thread [kPanels, kPassRows, P]
  double* grads;   // [Cs, padded M]
  double* pixels;  // per thread [H * W]

  Plan(const GlobalStructuralArgs& args, int threads, Workspace& workspace)
      : student(args.student.C, args.max_samples, args.want_grad && !is_cross(args), workspace),
        teacher(args.teacher.C, args.max_samples, args.want_grad && is_cross(args), workspace),
        maps(column_panels<T>(args.max_samples) * P, args.max_samples, threads, workspace) {
    const int64_t padded = column_panels<T>(args.max_samples) * P;
    const int64_t pixels_per_image = args.student.H * args.student.W;
    symmetric = workspace.take<T>(args.want_grad ? threads * kPanels * padded * P : 0);
    tiles = workspace.take<double>(threads * kPanels * kPassRows<T> * P);
    grads = workspace.take<double>(args.want_grad ? args.student.C * padded : 0);
    pixels = workspace.take<double>(args.want_grad ? threads * pixels_per_image : 0);
  }

  double* thread_tiles() const { return tiles + omp_get_thread_num() * kPanels * kPassRows<T> * P; }

  static bool is_cross(const GlobalStructuralArgs& args) {
    return args.similarity == STRUCTKD_SIMILARITY_CROSS;
  }
};

inline int64_t panels_per_task(int64_t panels, int threads) {
  return panels < 8 * threads ? 1 : kPanels;
}

// Writes the rows from `row` on of panel j of a map; a symmetric map gets the rows behind the
// panel's own on both sides.
template <class T>
void keep_tile(const double* tile,
               int64_t row,
               int64_t rows,
               int64_t j,
               bool symmetric,
               int64_t stride,
               T* map) {
  constexpr int64_t P = kColumns<T>;
  const int64_t own = symmetric ? j * P : 0, others = symmetric ? own + P : stride;
  for (int64_t i = larger(row, own); i < row + rows; ++i) {
    T* out = map + i * stride + j * P;
    for (int64_t c = 0; c < P; ++c) out[c] = T(tile[(i - row) * P + c]);
  }
  for (int64_t c = 0; c < P; ++c) {
    T* out = map + (j * P + c) * stride;
    for (int64_t i = larger(row, others); i < row + rows; ++i) out[i] = T(tile[(i - row) * P + c]);
  }
}

// Makes panels [first, end) of columns of a map: products of all rows of `a` with those of `b` in
// them. Of a symmetric map it computes the rows from a panel's own on; other panels mirror the
// rest.
template <class T>
void map_columns(const Rows<T>& a,
                 const Rows<T>& b,
                 int64_t first,
                 int64_t end,
                 bool symmetric,
                 int64_t stride,
                 T* map,
                 double* tiles) {
  constexpr int64_t P = kColumns<T>, R = kRows<T>;
  for (int64_t row = symmetric ? first * P / R * R : 0; row < stride; row += kPassRows<T>) {
    const int64_t rows = smaller(kPassRows<T>, stride - row);
    multiply_pass(a.C, a.samples, row, rows, b.panel(first), b.K * P, end - first, tiles,
                  kPassRows<T> * P);
    for (int64_t j = first; j < end; ++j) {
      keep_tile(tiles + (j - first) * kPassRows<T> * P, row, rows, j, symmetric, stride, map);
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
  for (int64_t task = 0; task < 2 * node_panels; ++task) {
    const int64_t p = task / 2;
    const bool student = task % 2 == 0;
    Rows<T>& rows = student ? plan.student : plan.teacher;
    gather_panel(args, student ? args.student : args.teacher, b, M, p, rows);
    panel_to_rows(p, p + 1 == node_panels, rows.K, rows.panel(p), rows.samples);
    if (args.want_grad && student != cross) {
      panel_to_channels(p, rows.C, rows.panel(p), rows.channels);
    }
  }
  const int64_t step = panels_per_task(node_panels, threads);
  // Dynamic: columns of the triangle differ in length, and every tile has one writer anyway.
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (int64_t task = 0; task < 2 * divide_up(node_panels, step); ++task) {
    const int64_t j = task / 2 * step, end = smaller(j + step, node_panels);
    const int64_t stride = plan.maps.stride;
    double* tiles = plan.thread_tiles();
    if (task % 2 == 0) {
      map_columns(plan.student, cross ? plan.teacher : plan.student, j, end, /*symmetric=*/!cross,
                  stride, plan.maps.student, tiles);
      continue;
    }
    map_columns(plan.teacher, plan.teacher, j, end, /*symmetric=*/true, stride, plan.maps.teacher,
                tiles);
    for (int64_t row = j * Plan<T>::P; row < smaller(end * Plan<T>::P, M); ++row) {
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
  const int64_t step = panels_per_task(node_panels, threads);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (int64_t i = 0; i < node_panels; i += step) {
    const int64_t end = smaller(i + step, node_panels);
    double* tiles = plan.thread_tiles();
    T* derivative = plan.symmetric + omp_get_thread_num() * kPanels * padded * P;
    for (int64_t p = i; p < end; ++p) {
      pack_derivative(plan.maps, p * P, !cross, derivative + (p - i) * padded * P);
    }
    for (int64_t c = 0; c < factor.C; c += kPassRows<T>) {
      const int64_t channels = smaller(kPassRows<T>, factor.C - c);
      multiply_pass(padded, factor.channels, c, channels, derivative, padded * P, end - i, tiles,
                    kPassRows<T> * P);
      for (int64_t p = i; p < end; ++p) {
        const double* tile = tiles + (p - i) * kPassRows<T> * P;
        for (int64_t r = 0; r < channels; ++r) {
          memcpy(plan.grads + (c + r) * padded + p * P, tile + r * P, P * sizeof(double));
        }
      }
    }
    for (int64_t p = i; args.normalize && p < end; ++p) {
      through_unit_length(plan.student, p, padded, plan.grads + p * P);
    }
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
      "global_structural: cpu, %s products, f64 sums, %d threads, "
      "%lld images of at most %lld samples",
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
