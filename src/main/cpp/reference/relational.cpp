// reference/relational.cpp: the relational loss in the order of its formula. Slow on purpose: O(N^3
// C), f64, one thread. All backends are tested against it: a change here redefines the loss.
#include <cmath>

#include "core/error.h"
#include "core/relational_args.h"
#include "core/relational_terms.h"
#include "reference/access.h"
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

// One network's embeddings, rows of C.
struct Points {
  int64_t N, C;
  double* rows;     // [N, C], as they are compared
  double* lengths;  // [N] before they were scaled
  double* units;    // [N, C]: from one embedding to the others
  double* apart;    // [N]: lengths of those

  const double* row(int64_t i) const { return rows + i * C; }
  const double* unit(int64_t j) const { return units + j * C; }
};

void load(const Map& map, bool normalize, Points& points) {
  const int64_t positions = map.H * map.W;
  for (int64_t i = 0; i < points.N; ++i) {
    double squares = 0.0;
    for (int64_t c = 0; c < points.C; ++c) {
      const double x = at(map, i / positions, c, i % positions);
      points.rows[i * points.C + c] = x;
      squares += x * x;
    }
    points.lengths[i] = std::sqrt(squares);
    if (!normalize) continue;
    const double divisor = points.lengths[i] <= kLeastLength ? kLeastLength : points.lengths[i];
    for (int64_t c = 0; c < points.C; ++c) points.rows[i * points.C + c] /= divisor;
  }
}

double dot(const double* a, const double* b, int64_t C) {
  double sum = 0.0;
  for (int64_t c = 0; c < C; ++c) sum += a[c] * b[c];
  return sum;
}

// out = a - b, and its square.
double subtract(const double* a, const double* b, int64_t C, double* out) {
  for (int64_t c = 0; c < C; ++c) out[c] = a[c] - b[c];
  return dot(out, out, C);
}

void add(double* out, double factor, const double* x, int64_t C) {
  for (int64_t c = 0; c < C; ++c) out[c] += factor * x[c];
}

// The distance of a pair; its vector is left in units.
double distance(const Points& points, int64_t i, int64_t j) {
  const double square = subtract(points.row(i), points.row(j), points.C, points.units);
  return std::sqrt(square <= kLeastSquare ? kLeastSquare : square);
}

double distance_loss(const Points& s, const Points& t, double* grad) {
  const int64_t N = s.N, C = s.C;
  const double count = relations(STRUCTKD_RELATION_DISTANCE, double(N)),
               share = relation_share(STRUCTKD_RELATION_DISTANCE, double(N));
  double mean_s = 0.0, mean_t = 0.0;
  for (int64_t i = 0; i < N; ++i) {
    for (int64_t j = 0; j < N; ++j) {
      if (i == j) continue;
      mean_s += distance(s, i, j) / count;
      mean_t += distance(t, i, j) / count;
    }
  }
  double loss = 0.0, along_mean = 0.0;
  for (int64_t i = 0; i < N; ++i) {
    for (int64_t j = 0; j < N; ++j) {
      if (i == j) continue;
      const double psi = distance(s, i, j) / mean_s, gap = psi - distance(t, i, j) / mean_t;
      loss += share * huber(gap, huber_slope(gap));
      along_mean += huber_slope(gap) * psi / count;
    }
  }
  for (int64_t i = 0; grad != nullptr && i < N; ++i) {
    for (int64_t j = 0; j < N; ++j) {
      if (i == j) continue;
      const double teacher = distance(t, i, j) / mean_t, d = distance(s, i, j);
      if (d <= std::sqrt(kLeastSquare)) continue;
      const double slope = share / mean_s * (huber_slope(d / mean_s - teacher) - along_mean);
      add(grad + i * C, slope / d, s.units, C);
      add(grad + j * C, -slope / d, s.units, C);
    }
  }
  return loss;
}

// Directions from i to all others.
void look_around(const Points& points, int64_t i) {
  for (int64_t j = 0; j < points.N; ++j) {
    double* unit = points.units + j * points.C;
    points.apart[j] = std::sqrt(subtract(points.row(j), points.row(i), points.C, unit));
    const double scale = points.apart[j] <= kLeastLength ? 0.0 : 1.0 / points.apart[j];
    for (int64_t c = 0; c < points.C; ++c) unit[c] *= scale;
  }
}

double angle_loss(const Points& s, const Points& t, double* grad) {
  const int64_t N = s.N, C = s.C;
  const double share = relation_share(STRUCTKD_RELATION_ANGLE, double(N));
  double loss = 0.0;
  double* h = s.units + N * C;  // [C]: derivative by a unit vector
  for (int64_t i = 0; i < N; ++i) {
    look_around(s, i);
    look_around(t, i);
    for (int64_t j = 0; j < N; ++j) {
      for (int64_t c = 0; c < C; ++c) h[c] = 0.0;
      for (int64_t k = 0; k < N; ++k) {
        const double gap = dot(s.unit(j), s.unit(k), C) - dot(t.unit(j), t.unit(k), t.C);
        loss += share * huber(gap, huber_slope(gap));
        add(h, 2 * share * huber_slope(gap), s.unit(k), C);  // of (i,j,k) and (i,k,j)
      }
      if (grad == nullptr || s.apart[j] <= kLeastLength) continue;
      add(h, -dot(s.unit(j), h, C), s.unit(j), C);
      add(grad + j * C, 1 / s.apart[j], h, C);
      add(grad + i * C, -1 / s.apart[j], h, C);
    }
  }
  return loss;
}

// The square of twice the area of a triangle; flat: it is the least, without derivative.
struct Triangle {
  double square, uu, vv, uv;
  bool flat;

  // u and v are left in units.
  Triangle(const Points& points, int64_t i, int64_t j, int64_t k) {
    double *u = points.units, *v = u + points.C, *w = v + points.C;
    uu = subtract(points.row(j), points.row(i), points.C, u);
    vv = subtract(points.row(k), points.row(i), points.C, v);
    const double ww = subtract(points.row(k), points.row(j), points.C, w);
    uv = dot(u, v, points.C);
    const double sides = uu + vv + ww;
    // |u|^2 times the square of the part of v across u: of two large products a needle's difference
    // would be rounding. w is not needed any more.
    for (int64_t c = 0; c < points.C; ++c) w[c] = v[c] - (uu == 0.0 ? 0.0 : uv / uu) * u[c];
    square = uu * dot(w, w, points.C);
    flat = square <= kLeastSquare || square <= kFlat * sides * sides;
    if (flat) square = kLeastSquare;
  }
  double area() const { return 0.5 * std::sqrt(square); }
};

template <class Visit>
void for_each_triangle(int64_t N, Visit&& visit) {
  for (int64_t i = 0; i < N; ++i) {
    for (int64_t j = i + 1; j < N; ++j) {
      for (int64_t k = j + 1; k < N; ++k) visit(i, j, k);
    }
  }
}

double area_loss(const Points& s, const Points& t, double* grad) {
  const int64_t N = s.N, C = s.C;
  const double count = relations(STRUCTKD_RELATION_AREA, double(N)),
               share = relation_share(STRUCTKD_RELATION_AREA, double(N));
  double mean_s = 0.0, mean_t = 0.0;
  for_each_triangle(N, [&](int64_t i, int64_t j, int64_t k) {
    mean_s += Triangle(s, i, j, k).area() / count;
    mean_t += Triangle(t, i, j, k).area() / count;
  });
  double loss = 0.0, along_mean = 0.0;
  for_each_triangle(N, [&](int64_t i, int64_t j, int64_t k) {
    const double psi = Triangle(s, i, j, k).area() / mean_s;
    const double gap = psi - Triangle(t, i, j, k).area() / mean_t;
    loss += share * huber(gap, huber_slope(gap));
    along_mean += huber_slope(gap) * psi / count;
  });
  if (grad == nullptr) return loss;
  for_each_triangle(N, [&](int64_t i, int64_t j, int64_t k) {
    const double teacher = Triangle(t, i, j, k).area() / mean_t;
    const Triangle triangle(s, i, j, k);
    if (triangle.flat) return;
    const double gap = triangle.area() / mean_s - teacher;
    const double slope = share / mean_s * (huber_slope(gap) - along_mean);
    // d area = d square / (8 area); d square = 2 (vv u - uv v) du + 2 (uu v - uv u) dv
    const double scale = slope / (4 * triangle.area());
    const double *u = s.units, *v = u + C;
    const double by_u[] = {scale * triangle.vv, -scale * triangle.uv},
                 by_v[] = {-scale * triangle.uv, scale * triangle.uu};
    for (int64_t c = 0; c < C; ++c) {
      const double du = by_u[0] * u[c] + by_u[1] * v[c], dv = by_v[0] * u[c] + by_v[1] * v[c];
      grad[j * C + c] += du;
      grad[k * C + c] += dv;
      grad[i * C + c] -= du + dv;
    }
  });
  return loss;
}

// Chain rule through the scaling to unit length.
void write_grad(const RelationalArgs& args, const Points& s, const double* grad) {
  const int64_t positions = args.student.H * args.student.W;
  for (int64_t i = 0; i < s.N; ++i) {
    const double* g = grad + i * s.C;
    const double along = dot(s.row(i), g, s.C);
    for (int64_t c = 0; c < s.C; ++c) {
      double raw = g[c];
      if (args.normalize) {
        raw = s.lengths[i] <= kLeastLength ? 0.0 : (g[c] - s.row(i)[c] * along) / s.lengths[i];
      }
      set(args.grad, i / positions, c, i % positions, raw);
    }
  }
}

// Scratch of a network: rows, lengths, units with a vector or three to spare, distances.
int64_t numbers_of(const Map& map, int64_t N) { return 2 * N * map.C + 3 * map.C + 2 * N; }

Points points_in(double* memory, const Map& map, int64_t N) {
  return {N,
          map.C,
          memory,
          memory + N * map.C,
          memory + N * map.C + N,
          memory + 2 * N * map.C + N + 3 * map.C};
}

}  // namespace

size_t relational_workspace(const Launch&, const RelationalArgs& args) {
  const int64_t N = args.student.B * args.student.H * args.student.W;
  const int64_t grad = N * args.student.C;
  return size_t(numbers_of(args.student, N) + numbers_of(args.teacher, N) + grad) * sizeof(double);
}

void relational(const Launch&, const RelationalArgs& args, void* workspace) {
  const int64_t N = args.student.B * args.student.H * args.student.W;
  double* memory = static_cast<double*>(workspace);
  Points s = points_in(memory, args.student, N);
  memory += numbers_of(args.student, N);
  Points t = points_in(memory, args.teacher, N);
  memory += numbers_of(args.teacher, N);
  double* grad = args.grad.data ? memory : nullptr;
  for (int64_t e = 0; grad != nullptr && e < N * s.C; ++e) grad[e] = 0.0;
  load(args.student, args.normalize, s);
  load(args.teacher, args.normalize, t);
  double loss = 0.0;
  if (N >= 3) {
    loss = args.relation == STRUCTKD_RELATION_DISTANCE ? distance_loss(s, t, grad)
           : args.relation == STRUCTKD_RELATION_ANGLE  ? angle_loss(s, t, grad)
                                                       : area_loss(s, t, grad);
  }
  if (grad != nullptr) write_grad(args, s, grad);
  set_loss(args.loss, args.student.dtype, loss);
  set_plan("relational: reference, %lld embeddings", static_cast<long long>(N));
}

}  // namespace structkd::reference
