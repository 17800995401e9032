// cpu/relational/relations.h: the three relations as functions of squared distances, and their
// derivatives by these. An embedding j owns its rows of all results, whichever thread it falls to, and
// sums over embeddings are added in their order: equal bits for any number of threads.
//
// Of triples, tasks are pairs of an owner and the others, while a panel of third ones stays in the
// second-level cache: 4 N kPanel numbers, 1 MB with AVX-512 for N = 1024.
#ifndef STRUCTKD_CPU_RELATIONAL_RELATIONS_H
#define STRUCTKD_CPU_RELATIONAL_RELATIONS_H

#include <omp.h>

#include "cpu/common/lane_sums.h"
#include "cpu/relational/points.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

using Lanes = Vector<double>;
using Mask = Integers<double>;

// Owners per task: what the second-level cache holds is read so often.
constexpr int64_t kOwners = 8;

inline Lanes root(Lanes x) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_maskz_sqrt_pd(uint8_t(kAllLanes), (__m512d)x);
#elif defined(__AVX2__)
  return (Lanes)_mm256_sqrt_pd((__m256d)x);
#elif defined(__x86_64__)
  return (Lanes)_mm_sqrt_pd((__m128d)x);
#else
  for (int l = 0; l < kL; ++l) x[l] = sqrt(x[l]);
  return x;
#endif
}

// huber_slope() and huber() of lanes.
inline Lanes slope_of(Lanes gap) {
  return vector_max<double>(broadcast(-1.0), vector_min<double>(broadcast(1.0), gap));
}
inline Lanes huber_of(Lanes gap, Lanes slope) { return slope * (gap - 0.5 * slope); }

// Numbers k, k + 1, ... of the lanes.
inline Lanes lanes_from(int64_t k) {
  Lanes numbers;
  for (int l = 0; l < kL; ++l) numbers[l] = double(k + l);
  return numbers;
}

// What an owner sums: of values, of slope * psi of the student, and the psi of both networks.
struct OwnerSums {
  double huber, along, student, teacher;
};

struct Relations {
  const Points &s, &t;
  structkd_relation relation;
  int threads;
  bool want_grad;
  // Directions need 1 / distance; areas two derivatives, before it is known what their means do.
  Panels first, second, third;  // [N, N]
  double* edges;                // per thread [4, panels * kPanel]: rows of the owner
  OwnerSums* sums;              // [N]

  Relations(const RelationalArgs& args, const Points& s, const Points& t, int threads, Workspace& w)
      : s(s), t(t), relation(args.relation), threads(threads), want_grad(args.want_grad) {
    const int64_t matrix = s.panels * s.N * kPanel, distances = relation == STRUCTKD_RELATION_ANGLE;
    first = {s.N, w.take<double>(matrix)};
    second = {s.N, w.take<double>(relation == STRUCTKD_RELATION_DISTANCE ? 0 : matrix)};
    third = {s.N, w.take<double>(distances * matrix)};
    edges = w.take<double>(threads * 4 * s.panels * kPanel);
    sums = w.take<OwnerSums>(s.N);
  }

  double N() const { return double(s.N); }
  double* thread_edges(int thread, int which) const {
    return edges + (thread * 4 + which) * s.panels * kPanel;
  }
};

inline OwnerSums total_of(const Relations& r) {
  OwnerSums total = {};
  for (int64_t j = 0; j < r.s.N; ++j) {
    total.huber += r.sums[j].huber;
    total.along += r.sums[j].along;
    total.student += r.sums[j].student;
    total.teacher += r.sums[j].teacher;
  }
  return total;
}

// Row j of a symmetric matrix, in one piece.
inline void copy_row(const Panels& matrix, int64_t panels, int64_t j, double* out) {
  for (int64_t p = 0; p < panels; ++p) {
    memcpy(out + p * kPanel, matrix.row(p, j), kPanel * sizeof(double));
  }
}

// ---- distances ----

inline double distance_of(double square) {
  return sqrt(square <= kLeastSquare ? kLeastSquare : square);
}

// The sums of row j; with means their huber, and the slopes into `first`.
inline void add_distances(const Relations& r, int64_t j, double mean_s, double mean_t, bool means) {
  OwnerSums sums = {};
  for (int64_t i = 0; i < r.s.N; ++i) {
    if (i == j) continue;
    const double ds = distance_of(r.s.squares.at(j, i)), dt = distance_of(r.t.squares.at(j, i));
    sums.student += ds;
    sums.teacher += dt;
    if (!means) continue;
    const double gap = ds / mean_s - dt / mean_t, slope = huber_slope(gap);
    sums.huber += huber(gap, slope);
    sums.along += slope * ds;
    r.first.at(j, i) = slope;
  }
  r.sums[j] = sums;
}

inline double compare_distances(const Relations& r) {
  const double count = relations(r.relation, r.N()), share = relation_share(r.relation, r.N());
  const auto pass = [&](double mean_s, double mean_t, bool means) {
#pragma omp parallel for num_threads(r.threads) schedule(static)
    for (int64_t j = 0; j < r.s.N; ++j) add_distances(r, j, mean_s, mean_t, means);
    return total_of(r);
  };
  const OwnerSums all = pass(0, 0, /*means=*/false);
  const double mean_s = all.student / count, mean_t = all.teacher / count;
  const OwnerSums total = pass(mean_s, mean_t, /*means=*/true);
  const double along_mean = total.along / (mean_s * count);
#pragma omp parallel for num_threads(r.threads) schedule(static)
  for (int64_t j = 0; j < (r.want_grad ? r.s.N : 0); ++j) {
    for (int64_t i = 0; i < r.s.N; ++i) {
      const double square = r.s.squares.at(j, i);
      const double by_square =
          0.5 * share / mean_s * (r.first.at(j, i) - along_mean) / sqrt(square);
      r.first.at(j, i) = i == j || square <= kLeastSquare ? 0.0 : by_square;
    }
  }
  return share * total.huber;
}

// ---- angles: <e_j - e_i, e_k - e_i> = (d_ij^2 + d_ik^2 - d_jk^2) / 2 ----

// 1 / distance, 0 of those that agree.
inline void set_inverses(const Points& points, const Panels& inverses, int64_t panel) {
  for (int64_t i = 0; i < points.N; ++i) {
    const double* squares = points.squares.row(panel, i);
    double* out = inverses.row(panel, i);
    for (int v = 0; v < kPanelVectors; ++v) {
      const Lanes distance = root(load(squares + v * kL));
      store(out + v * kL, choose<double>(distance <= kLeastLength, Lanes{}, 1.0 / distance));
    }
  }
}

// Cosines at vertex i of the owner's direction (its square and half its inverse) and a panel's. Rounded,
// not fused into the difference of two: equal nets have slopes of 0.
inline Lanes cosine(
    double square, double half_inverse, Lanes others, Lanes opposite, Lanes inverse) {
  return in_register<double>(((others - opposite) + square) * half_inverse * inverse);
}

// All triples with arm j and arms k of a panel. Their derivative: by the side opposite to vertex i
// for (j, k), by both arms, of which (i, j) is j's, for (i, j); row j has both.
inline void add_angles(const Relations& r, int64_t j, int64_t panel, int thread) {
  const double *ds = r.thread_edges(thread, 0), *dt = r.thread_edges(thread, 1);
  const double *is = r.thread_edges(thread, 2), *it = r.thread_edges(thread, 3);
  Lanes opposite_s[kPanelVectors], opposite_t[kPanelVectors], by_opposite[kPanelVectors] = {};
  for (int v = 0; v < kPanelVectors; ++v) {
    opposite_s[v] = load(ds + panel * kPanel + v * kL);
    opposite_t[v] = load(dt + panel * kPanel + v * kL);
  }
  Lanes huber = {};
  for (int64_t i = 0; i < r.s.N; ++i) {
    const double *squares_s = r.s.squares.row(panel, i), *squares_t = r.t.squares.row(panel, i);
    const double *inverses_s = r.second.row(panel, i), *inverses_t = r.third.row(panel, i);
    Lanes by_arm = {}, by_cosine = {};
#pragma GCC unroll 4
    for (int v = 0; v < kPanelVectors; ++v) {
      const Lanes inverse = load(inverses_s + v * kL);
      const Lanes a = cosine(ds[i], 0.5 * is[i], load(squares_s + v * kL), opposite_s[v], inverse);
      const Lanes b = cosine(dt[i], 0.5 * it[i], load(squares_t + v * kL), opposite_t[v],
                             load(inverses_t + v * kL));
      const Lanes gap = a - b, slope = slope_of(gap);
      huber += huber_of(gap, slope);
      const Lanes arm = slope * inverse;
      by_opposite[v] += is[i] * arm;
      by_arm += arm;
      by_cosine += slope * a;
    }
    if (!r.want_grad) continue;
    r.first.at(j, i) +=
        is[i] * (sum_of_lanes<double>(by_arm) - is[i] * sum_of_lanes<double>(by_cosine));
  }
  double* out = r.first.row(panel, j);
  for (int v = 0; v < kPanelVectors; ++v) {
    store(out + v * kL, load(out + v * kL) - 0.5 * by_opposite[v]);
  }
  r.sums[j].huber += sum_of_lanes<double>(huber);
}

// visit(j, panel) for all owners of a task and each panel, the panel first.
template <class Begin, class Visit>
inline void for_each_owner(const Relations& r, int64_t task, Begin&& begin, Visit&& visit) {
  const int64_t first = task * kOwners, end = smaller(first + kOwners, r.s.N);
  for (int64_t j = first; j < end; ++j) {
    r.sums[j] = {};
    for (int64_t p = 0; p < r.s.panels; ++p) {
      memset(r.first.row(p, j), 0, kPanel * sizeof(double));
      if (r.relation == STRUCTKD_RELATION_AREA) {
        memset(r.second.row(p, j), 0, kPanel * sizeof(double));
      }
    }
  }
  for (int64_t panel = 0; panel < r.s.panels; ++panel) {
    for (int64_t j = first; j < end; ++j) {
      begin(j);
      visit(j, panel);
    }
  }
}

inline double compare_angles(const Relations& r) {
  const double share = relation_share(r.relation, r.N());
#pragma omp parallel num_threads(r.threads)
  {
    const int thread = omp_get_thread_num();
#pragma omp for schedule(static)
    for (int64_t panel = 0; panel < r.s.panels; ++panel) {
      set_inverses(r.s, r.second, panel);
      set_inverses(r.t, r.third, panel);
    }
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < divide_up(r.s.N, kOwners); ++task) {
      for_each_owner(
          r, task,
          [&](int64_t j) {
            copy_row(r.s.squares, r.s.panels, j, r.thread_edges(thread, 0));
            copy_row(r.t.squares, r.s.panels, j, r.thread_edges(thread, 1));
            copy_row(r.second, r.s.panels, j, r.thread_edges(thread, 2));
            copy_row(r.third, r.s.panels, j, r.thread_edges(thread, 3));
          },
          [&](int64_t j, int64_t panel) { add_angles(r, j, panel, thread); });
    }
#pragma omp for schedule(static)
    for (int64_t panel = 0; panel < (r.want_grad ? r.s.panels : 0); ++panel) {
      for (int64_t e = 0; e < r.s.N * kPanel; ++e) r.first.row(panel, 0)[e] *= share;
    }
  }
  return share * total_of(r).huber;
}

// ---- areas, of the squares x, y, z of three sides: (4 x y - (x + y - z)^2) / 16 is their square ----

struct Areas {
  Lanes area;     // of flat triangles that of kLeastSquare
  Lanes by_root;  // d area / d (square of twice the area), 0 of flat ones
};

// From the sides in order of length: what pulls along a needle cancels, if the three owners of a
// triangle have the same bits. NaN may be lost (finite_or_nan()).
inline Areas areas_of(double x, Lanes y, Lanes z) {
  const Lanes less = vector_min<double>(broadcast(x), y),
              more = vector_max<double>(broadcast(x), y);
  const Lanes low = vector_min<double>(less, z), rest = vector_max<double>(less, z);
  const Lanes middle = vector_min<double>(more, rest), high = vector_max<double>(more, rest);
  const Lanes half = 0.5 * ((middle - high) + low), sides = (low + middle) + high;
  const Lanes square = in_register<double>(low * middle) - half * half;  // fused alike everywhere
  const Mask flat = (square <= kLeastSquare) | (square <= kFlat * (sides * sides));
  const Lanes area = 0.5 * root(choose<double>(flat, broadcast(kLeastSquare), square));
  return {area, choose<double>(flat, Lanes{}, 0.125 / area)};
}

// 0, or NaN where an embedding is not finite: then so is its distance to the first, or that of all.
inline double finite_or_nan(const Points& points) {
  double sum = 0.0;
  for (int64_t i = 0; i < points.N; ++i) sum += 0.0 * points.squares.at(0, i);
  return sum;
}

// The owner j with i and the k > i of a panel: each triangle has three owners, the first of which, with
// j < i, counts it.
inline void add_areas(
    const Relations& r, int64_t j, int64_t panel, int thread, double mean_s, double mean_t) {
  const double *ds = r.thread_edges(thread, 0), *dt = r.thread_edges(thread, 1);
  const double inverse_s = 1 / mean_s, inverse_t = 1 / mean_t;
  Lanes with_slope[kPanelVectors] = {}, alone[kPanelVectors] = {}, huber = {}, along = {};
  const int64_t first = panel * kPanel;
  for (int64_t i = 0; i < smaller(first + kPanel - 1, r.s.N); ++i) {
    if (i == j) continue;
    const double *squares_s = r.s.squares.row(panel, i), *squares_t = r.t.squares.row(panel, i);
    Lanes by_side = {}, by_side_alone = {};
#pragma GCC unroll 4
    for (int v = 0; v < kPanelVectors; ++v) {
      const Lanes k = lanes_from(first + v * kL);
      const Mask counts = (k > double(i)) & (k < double(r.s.N)) & (k != double(j));
      const Lanes y = load(ds + first + v * kL);
      const Lanes z = load(squares_s + v * kL), half = 0.5 * ((y - z) + ds[i]);
      const Areas s = areas_of(ds[i], y, z);
      const Areas t = areas_of(dt[i], load(dt + first + v * kL), load(squares_t + v * kL));
      // Both products rounded, not fused into the difference: equal nets have slopes of 0.
      const Lanes psi_s = in_register<double>(s.area * inverse_s);
      const Lanes psi_t = in_register<double>(t.area * inverse_t);
      const Lanes gap = choose<double>(counts, psi_s - psi_t, Lanes{});
      const Lanes slope = slope_of(gap), by_root = choose<double>(counts, s.by_root, Lanes{});
      if (j < i) {
        huber += huber_of(gap, slope);
        along += slope * s.area;
      }
      const Lanes by_x = (y - half) * by_root, by_y = (ds[i] - half) * by_root;
      by_side += slope * by_x;
      by_side_alone += by_x;
      with_slope[v] += slope * by_y;
      alone[v] += by_y;
    }
    if (!r.want_grad) continue;
    r.first.at(j, i) += sum_of_lanes<double>(by_side);
    r.second.at(j, i) += sum_of_lanes<double>(by_side_alone);
  }
  double *out = r.first.row(panel, j), *out_alone = r.second.row(panel, j);
  for (int v = 0; v < kPanelVectors; ++v) {
    store(out + v * kL, load(out + v * kL) + with_slope[v]);
    store(out_alone + v * kL, load(out_alone + v * kL) + alone[v]);
  }
  r.sums[j].huber += sum_of_lanes<double>(huber);
  r.sums[j].along += sum_of_lanes<double>(along);
}

// The areas of the triangles j < i < k of a panel.
inline void sum_areas(const Relations& r, int64_t j, int64_t panel, int thread) {
  const double *ds = r.thread_edges(thread, 0), *dt = r.thread_edges(thread, 1);
  const int64_t first = panel * kPanel;
  Lanes student = {}, teacher = {};
  for (int64_t i = j + 1; i < smaller(first + kPanel - 1, r.s.N); ++i) {
    const double *squares_s = r.s.squares.row(panel, i), *squares_t = r.t.squares.row(panel, i);
#pragma GCC unroll 4
    for (int v = 0; v < kPanelVectors; ++v) {
      const Lanes k = lanes_from(first + v * kL);
      const Mask counts = (k > double(i)) & (k < double(r.s.N));
      const int64_t at = first + v * kL;
      const Areas s = areas_of(ds[i], load(ds + at), load(squares_s + v * kL));
      const Areas t = areas_of(dt[i], load(dt + at), load(squares_t + v * kL));
      student += choose<double>(counts, s.area, Lanes{});
      teacher += choose<double>(counts, t.area, Lanes{});
    }
  }
  r.sums[j].student += sum_of_lanes<double>(student);
  r.sums[j].teacher += sum_of_lanes<double>(teacher);
}

inline double compare_areas(const Relations& r) {
  const double count = relations(r.relation, r.N()), share = relation_share(r.relation, r.N());
  const auto pass = [&](auto&& visit) {
#pragma omp parallel num_threads(r.threads)
    {
      const int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic)
      for (int64_t task = 0; task < divide_up(r.s.N, kOwners); ++task) {
        for_each_owner(
            r, task,
            [&](int64_t j) {
              copy_row(r.s.squares, r.s.panels, j, r.thread_edges(thread, 0));
              copy_row(r.t.squares, r.s.panels, j, r.thread_edges(thread, 1));
            },
            [&](int64_t j, int64_t panel) { visit(j, panel, thread); });
      }
    }
    return total_of(r);
  };
  const OwnerSums all =
      pass([&](int64_t j, int64_t panel, int thread) { sum_areas(r, j, panel, thread); });
  const double mean_s = all.student / count + finite_or_nan(r.s);
  const double mean_t = all.teacher / count + finite_or_nan(r.t);
  const OwnerSums total = pass([&](int64_t j, int64_t panel, int thread) {
    add_areas(r, j, panel, thread, mean_s, mean_t);
  });
  const double along_mean = total.along / (mean_s * count);
  // Half: (j, k) and (k, j) have the whole derivative each.
  const double factor = 0.5 * share / mean_s;
#pragma omp parallel for num_threads(r.threads) schedule(static)
  for (int64_t panel = 0; panel < (r.want_grad ? r.s.panels : 0); ++panel) {
    double *out = r.first.row(panel, 0), *alone = r.second.row(panel, 0);
    for (int64_t e = 0; e < r.s.N * kPanel; ++e) out[e] = factor * (out[e] - along_mean * alone[e]);
  }
  return share * total.huber;
}

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_RELATIONAL_RELATIONS_H
