// cpu/relational/points.h: the embeddings of a network, their squared distances, and the way from the
// derivative by these to the gradient.
//
// All relations are functions of squared distances alone, which are sums of squared differences: none
// of them is lost of embeddings that lie far from the origin, or of near ones among far ones.
#ifndef STRUCTKD_CPU_RELATIONAL_POINTS_H
#define STRUCTKD_CPU_RELATIONAL_POINTS_H

#include <math.h>

#include "core/relational_args.h"
#include "core/relational_terms.h"
#include "core/workspace.h"
#include "cpu/common/access.h"
#include "cpu/common/vector_math.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

constexpr int64_t kL = kLanes<double>;

// Embeddings side by side: a panel of four vectors.
constexpr int kPanelVectors = 4;
constexpr int64_t kPanel = kPanelVectors * kL;

// A symmetric matrix [N, N], or a matrix [N, C] with its rows as columns, panel after panel of
// columns; those past N are 0.
struct Panels {
  int64_t rows;
  double* data;  // [panels, rows, kPanel]

  double* row(int64_t panel, int64_t r) const { return data + (panel * rows + r) * kPanel; }
  double& at(int64_t r, int64_t column) const { return row(column / kPanel, r)[column % kPanel]; }
};

struct Points {
  const Map& map;
  int64_t N, C, panels;
  Panels rows;      // [C, N]: embeddings as they are compared
  double* lengths;  // [N] before they were scaled
  Panels squares;   // [N, N] of distances

  Points(const Map& map, Workspace& workspace)
      : map(map), N(map.B * map.H * map.W), C(map.C), panels(divide_up(N, kPanel)) {
    rows = {C, workspace.take<double>(panels * C * kPanel)};
    lengths = workspace.take<double>(panels * kPanel);
    squares = {N, workspace.take<double>(panels * N * kPanel)};
  }
};

inline void load_panel(const Points& points, bool normalize, int64_t panel) {
  const int64_t positions = points.map.H * points.map.W, first = panel * kPanel;
  const int64_t end = smaller(first + kPanel, points.N);
  double* lengths = points.lengths + first;
  memset(lengths, 0, kPanel * sizeof(double));
  for (int64_t c = 0; c < points.C; ++c) {
    double* row = points.rows.row(panel, c);
    memset(row, 0, kPanel * sizeof(double));
    for (int64_t i = first; i < end;) {  // image by image
      const int64_t n = i % positions, count = smaller(positions - n, end - i);
      load_row(points.map, i / positions, c, n, count, row + (i - first));
      i += count;
    }
    for (int64_t l = 0; l < kPanel; ++l) lengths[l] += row[l] * row[l];
  }
  for (int64_t l = 0; l < kPanel; ++l) lengths[l] = sqrt(lengths[l]);
  if (!normalize) return;
  for (int64_t c = 0; c < points.C; ++c) {
    double* row = points.rows.row(panel, c);
    for (int64_t l = 0; l < kPanel; ++l) {
      row[l] /= lengths[l] <= kLeastLength ? kLeastLength : lengths[l];
    }
  }
}

// Squared distances from all embeddings to those of a panel.
inline void set_squares(const Points& points, int64_t panel) {
  for (int64_t i = 0; i < points.N; ++i) {
    Vector<double> sums[kPanelVectors] = {};
    const double* own = points.rows.row(i / kPanel, 0) + i % kPanel;
    const double* others = points.rows.row(panel, 0);
    for (int64_t c = 0; c < points.C; ++c) {
#pragma GCC unroll 4
      for (int v = 0; v < kPanelVectors; ++v) {
        const Vector<double> apart = load(others + c * kPanel + v * kL) - own[c * kPanel];
        sums[v] += apart * apart;
      }
    }
    double* out = points.squares.row(panel, i);
    for (int v = 0; v < kPanelVectors; ++v) store(out + v * kL, sums[v]);
    for (int64_t j = smaller(kPanel, points.N - panel * kPanel); j < kPanel; ++j) out[j] = 0.0;
    if (i / kPanel == panel) out[i % kPanel] = 0.0;  // also of what is infinite
  }
}

inline void prepare(const Points& points, bool normalize, int threads) {
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (int64_t panel = 0; panel < points.panels; ++panel) load_panel(points, normalize, panel);
#pragma omp for schedule(static)
    for (int64_t panel = 0; panel < points.panels; ++panel) set_squares(points, panel);
  }
}

// Writes the gradient of a panel of embeddings, where by_square(i, j) + by_square(j, i) is the
// derivative by the squared distance of i and j. `scratch`: (N + C) kPanel numbers.
inline void write_panel_grad(const RelationalArgs& args,
                             const Points& s,
                             const Panels& by_square,
                             double* scratch,
                             int64_t panel) {
  const int64_t first = panel * kPanel, count = smaller(kPanel, s.N - first);
  double *pull = scratch, *grad = scratch + s.N * kPanel;
  for (int64_t j = 0; j < s.N; ++j) {
    const double* row = by_square.row(panel, j);
    for (int64_t l = 0; l < kPanel; ++l) pull[j * kPanel + l] = row[l];
  }
  for (int64_t l = 0; l < count; ++l) {
    for (int64_t j = 0; j < s.N; ++j) pull[j * kPanel + l] += by_square.at(first + l, j);
  }
  double along[kPanel] = {};
  for (int64_t c = 0; c < s.C; ++c) {
    Vector<double> own[kPanelVectors], sums[kPanelVectors] = {};
    for (int v = 0; v < kPanelVectors; ++v) own[v] = load(s.rows.row(panel, c) + v * kL);
    for (int64_t j = 0; j < s.N; ++j) {
      const double other = s.rows.at(c, j);
#pragma GCC unroll 4
      for (int v = 0; v < kPanelVectors; ++v) {
        sums[v] += load(pull + j * kPanel + v * kL) * (own[v] - other);
      }
    }
    for (int v = 0; v < kPanelVectors; ++v) {
      store(grad + c * kPanel + v * kL, 2.0 * sums[v]);
    }
    for (int64_t l = 0; l < kPanel; ++l) along[l] += grad[c * kPanel + l] * s.rows.row(panel, c)[l];
  }
  const int64_t positions = args.grad.H * args.grad.W;
  for (int64_t c = 0; c < s.C; ++c) {
    double row[kPanel];
    for (int64_t l = 0; l < kPanel; ++l) {
      row[l] = grad[c * kPanel + l];
      if (!args.normalize) continue;
      const double length = s.lengths[first + l];
      row[l] =
          length <= kLeastLength ? 0.0 : (row[l] - s.rows.row(panel, c)[l] * along[l]) / length;
    }
    for (int64_t l = 0; l < count;) {
      const int64_t n = (first + l) % positions, run = smaller(positions - n, count - l);
      store_row(args.grad, (first + l) / positions, c, n, run, row + l);
      l += run;
    }
  }
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_RELATIONAL_POINTS_H
