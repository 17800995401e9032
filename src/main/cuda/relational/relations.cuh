// cuda/relational/relations.cuh: the three relations as functions of squared distances. A thread owns
// a pair of embeddings and goes through all third ones; each block leaves its sums, which one block
// adds in their order.
#ifndef STRUCTKD_CUDA_RELATIONAL_RELATIONS_CUH
#define STRUCTKD_CUDA_RELATIONAL_RELATIONS_CUH

#include "cuda/relational/points.cuh"

namespace structkd::cuda {
namespace {

__device__ __forceinline__ void store_sums(const Relational& call, Sums own) {
  const double huber = block_sum<kThreads>(own.huber), along = block_sum<kThreads>(own.along);
  const double student = block_sum<kThreads>(own.student);
  const double teacher = block_sum<kThreads>(own.teacher);
  if (threadIdx.x == 0) call.sums[blockIdx.x] = {huber, along, student, teacher};
}

__device__ __forceinline__ double distance_of(double square) {
  return sqrt(square <= kLeastSquare ? kLeastSquare : square);
}

// The triangle of three sides by their squares, from these in order of length: what pulls along a
// needle cancels, if the three threads that have a triangle have the same bits. NaN may be lost.
struct Area {
  double area, by_root;

  __device__ __forceinline__ Area(double x, double y, double z) {
    const double less = fmin(x, y), more = fmax(x, y), low = fmin(less, z);
    const double rest = fmax(less, z), middle = fmin(more, rest), high = fmax(more, rest);
    const double half = 0.5 * ((middle - high) + low), sides = (low + middle) + high;
    const double square = fma(-half, half, __dmul_rn(low, middle));
    const bool flat = square <= kLeastSquare || square <= kFlat * (sides * sides);
    area = 0.5 * sqrt(flat ? kLeastSquare : square);
    by_root = flat ? 0.0 : 0.125 / area;
  }
};

// what      sums of psi of both networks, of pairs j < k or triangles j < k < i
// mapping   thread = pair; blocks below the diagonal have nothing to do
// traffic   areas: a thread reads two columns of the squares of each network, those of its block once
__global__ void __launch_bounds__(kThreads)
    relational_means_pair_per_thread_kernel(Relational call) {
  const int64_t j = call.row(), k = call.column(), N = call.N;
  Sums own = {};
  if (j < k && k < N) {
    const double *s = call.s.squares, *t = call.t.squares;
    if (call.relation == STRUCTKD_RELATION_DISTANCE) {
      own.student = distance_of(s[j * N + k]);
      own.teacher = distance_of(t[j * N + k]);
    } else {
      if (j == 0) {  // NaN where an embedding is not finite, as its distance to the first is
        own.student = 0.0 * s[k];
        own.teacher = 0.0 * t[k];
      }
      for (int64_t i = k + 1; i < N; ++i) {
        own.student += Area(s[j * N + i], s[i * N + k], s[j * N + k]).area;
        own.teacher += Area(t[j * N + i], t[i * N + k], t[j * N + k]).area;
      }
    }
  }
  store_sums(call, own);
}

// what      pairs j < k: values, and derivatives by the square of their distance
// mapping   thread = pair
__global__ void __launch_bounds__(kThreads)
    relational_distances_pair_per_thread_kernel(Relational call, bool want_grad) {
  const int64_t j = call.row(), k = call.column(), N = call.N, at = j * N + k;
  Sums own = {};
  double by_square = 0.0, alone = 0.0;
  if (j < k && k < N) {
    const double d = distance_of(call.s.squares[at]);
    const double gap =
        d / call.totals->mean_student - distance_of(call.t.squares[at]) / call.totals->mean_teacher;
    const double slope = huber_slope(gap);
    own.huber = 2.0 * huber(gap, slope);  // (k, j), too
    own.along = 2.0 * slope * d;
    alone = call.s.squares[at] <= kLeastSquare ? 0.0 : 1.0 / d;
    by_square = slope * alone;
  }
  if (want_grad && k < N) {
    call.by_square[at] = by_square;
    call.alone[at] = alone;
  }
  store_sums(call, own);
}

// From twice the product of two arms and the inverses of their lengths. Rounded, not fused into the
// difference of two: equal nets have slopes of 0.
__device__ __forceinline__ double cosine(double twice_product, double inverse, double other) {
  return __dmul_rn(twice_product * (0.5 * inverse), other);
}

// what      triples with j and k as arms of i: values, and derivatives by the side opposite to i; with
//           j as vertex of k and i: derivatives by the arm k
// mapping   thread = (j, k)
// traffic   per network a thread reads two columns, those of its block once
__global__ void __launch_bounds__(kThreads)
    relational_angles_pair_per_thread_kernel(Relational call, bool want_grad) {
  const int64_t j = call.row(), k = call.column(), N = call.N;
  Sums own = {};
  if (k < N) {
    const double *s = call.s.squares, *t = call.t.squares;
    const double *is = call.s.inverses, *it = call.t.inverses;
    const double ds = s[j * N + k], dt = t[j * N + k];
    const double inverse_s = is[j * N + k], inverse_t = it[j * N + k];
    double by_opposite = 0.0, by_arm = 0.0, by_cosine = 0.0;
    for (int64_t i = 0; i < N; ++i) {
      const double sj = s[j * N + i], sk = s[i * N + k], tj = t[j * N + i], tk = t[i * N + k];
      const double isj = is[j * N + i], itj = it[j * N + i];
      const double isk = is[i * N + k], itk = it[i * N + k];
      const double at_i = cosine(sk - ds + sj, isj, isk) - cosine(tk - dt + tj, itj, itk);
      const double slope = huber_slope(at_i);
      own.huber += huber(at_i, slope);
      by_opposite += slope * isj * isk;
      const double a = cosine(ds - sk + sj, isj, inverse_s);
      const double at_j = huber_slope(a - cosine(dt - tk + tj, itj, inverse_t));
      by_arm += at_j * isj;
      by_cosine += at_j * a;
    }
    if (want_grad) {
      call.by_square[j * N + k] = inverse_s * (by_arm - inverse_s * by_cosine) - 0.5 * by_opposite;
    }
  }
  store_sums(call, own);
}

// what      triangles of j < k and any i: derivatives by the square of their side; values where i > k
// mapping   thread = pair
// traffic   as relational_means_pair_per_thread_kernel
__global__ void __launch_bounds__(kThreads)
    relational_areas_pair_per_thread_kernel(Relational call, bool want_grad) {
  const int64_t j = call.row(), k = call.column(), N = call.N;
  Sums own = {};
  double by_square = 0.0, alone = 0.0;
  if (j < k && k < N) {
    const double *s = call.s.squares, *t = call.t.squares;
    const double inverse_s = 1.0 / call.totals->mean_student;
    const double inverse_t = 1.0 / call.totals->mean_teacher;
    for (int64_t i = want_grad ? 0 : k + 1; i < N; ++i) {
      if (i == j || i == k) continue;
      const double x = s[j * N + i], y = s[i * N + k], z = s[j * N + k];
      const Area student(x, y, z);
      const Area teacher(t[j * N + i], t[i * N + k], t[j * N + k]);
      // Both products rounded, not fused into the difference: equal nets have slopes of 0.
      const double gap = __dmul_rn(student.area, inverse_s) - __dmul_rn(teacher.area, inverse_t);
      const double slope = huber_slope(gap);
      if (i > k) {
        own.huber += huber(gap, slope);
        own.along += slope * student.area;
      }
      const double by_side = 0.5 * ((y - z) + x) * student.by_root;
      by_square += slope * by_side;
      alone += by_side;
    }
  }
  if (want_grad && k < N) {
    call.by_square[j * N + k] = by_square;
    call.alone[j * N + k] = alone;
  }
  store_sums(call, own);
}

// what      adds the sums of all blocks: to means, or to the loss and what the gradient needs
// mapping   one block
// traffic   reads 32 bytes for each block before
template <bool kMeans>
__global__ void __launch_bounds__(kThreads) relational_end_one_block_kernel(Relational call) {
  Sums own = {};
  for (int64_t i = threadIdx.x; i < call.N * call.chunks(); i += kThreads) {
    const Sums part = call.sums[i];
    own.huber += part.huber;
    own.along += part.along;
    own.student += part.student;
    own.teacher += part.teacher;
  }
  const double huber = block_sum<kThreads>(own.huber), along = block_sum<kThreads>(own.along);
  const double student = block_sum<kThreads>(own.student);
  const double teacher = block_sum<kThreads>(own.teacher);
  if (threadIdx.x != 0) return;
  const double N = double(call.N), count = relations(call.relation, N);
  if constexpr (kMeans) {
    const double times = call.relation == STRUCTKD_RELATION_DISTANCE ? 2.0 : 1.0;
    call.totals->mean_student = times * student / count;
    call.totals->mean_teacher = times * teacher / count;
  } else {
    const double share = call.N < 3 ? 0.0 : relation_share(call.relation, N);
    const bool has_mean = call.relation != STRUCTKD_RELATION_ANGLE && call.N >= 3;
    const double mean = has_mean ? call.totals->mean_student : 1.0;
    call.totals->factor = share / mean;
    call.totals->along_mean = has_mean ? along / (mean * count) : 0.0;
    store_loss(call.loss, call.dtype, call.N < 3 ? 0.0 : share * huber);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_RELATIONAL_RELATIONS_CUH
