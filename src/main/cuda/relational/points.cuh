// cuda/relational/points.cuh: the embeddings of both networks in f64, their squared distances, and the
// way from the derivative by these to the gradient. As on the CPU, all relations are functions of
// squared distances, which are sums of squared differences.
#ifndef STRUCTKD_CUDA_RELATIONAL_POINTS_CUH
#define STRUCTKD_CUDA_RELATIONAL_POINTS_CUH

#include "core/relational_args.h"
#include "core/relational_terms.h"
#include "core/workspace.h"
#include "cuda/common/access.cuh"
#include "cuda/common/reduce.cuh"

namespace structkd::cuda {
namespace {

// Embeddings of a block, one to a thread.
constexpr int kThreads = 128;

// A map of any dtype, read and written as f64.
struct EmbeddingMap : MapOf<void> {
  structkd_dtype dtype;

  explicit EmbeddingMap(const Map& map) : MapOf<void>(map), dtype(map.dtype) {}

  // Element c of embedding i.
  __device__ __forceinline__ int64_t offset(int64_t i, int64_t c) const {
    const int64_t positions = H * W;
    return i / positions * stride_b + c * stride_c + pixel_offset(i % positions);
  }
  __device__ __forceinline__ double get(int64_t i, int64_t c) const {
    const int64_t at = offset(i, c);
    switch (dtype) {
      case STRUCTKD_F64:
        return static_cast<const double*>(data)[at];
      case STRUCTKD_F16:
        return widen(static_cast<const Half*>(data)[at]);
      case STRUCTKD_BF16:
        return widen(static_cast<const BFloat16*>(data)[at]);
      default:
        return static_cast<const float*>(data)[at];
    }
  }
  __device__ __forceinline__ void set(int64_t i, int64_t c, double value) const {
    const int64_t at = offset(i, c);
    switch (dtype) {
      case STRUCTKD_F64:
        static_cast<double*>(data)[at] = value;
        break;
      case STRUCTKD_F16:
        static_cast<Half*>(data)[at] = narrow<Half>(float(value));
        break;
      case STRUCTKD_BF16:
        static_cast<BFloat16*>(data)[at] = narrow<BFloat16>(float(value));
        break;
      default:
        static_cast<float*>(data)[at] = float(value);
        break;
    }
  }
};

struct Points {
  EmbeddingMap map;
  int64_t C;
  double* rows;      // [C, N]
  double* lengths;   // [N] before they were scaled
  double* squares;   // [N, N] of distances
  double* inverses;  // [N, N] of distances, for angles

  Points(const RelationalArgs& args, const Map& given, int64_t N, Workspace& workspace)
      : map(given), C(given.C) {
    rows = workspace.take<double>(C * N);
    lengths = workspace.take<double>(N);
    squares = workspace.take<double>(N * N);
    inverses = workspace.take<double>(args.relation == STRUCTKD_RELATION_ANGLE ? N * N : 0);
  }
};

// What sums over relations say of the loss and its gradient.
struct Totals {
  double mean_student, mean_teacher;
  double factor, along_mean;  // derivative by a square: factor (by_square - along_mean alone)
};

struct Sums {
  double huber, along, student, teacher;
};

struct Relational {
  int64_t N;
  structkd_relation relation;
  bool normalize;
  Points s, t;
  double* by_square;  // [N, N]: (j, k) and (k, j) add up to the derivative of the sum
  double* alone;      // [N, N]: the same of psi without slopes, for its mean
  double* pull;       // [N, N]: the derivative of the loss, symmetric; in the teacher's squares
  double* grads;      // [Cs, N]: by the embeddings as they are compared
  Sums* sums;         // [N, chunks]
  Totals* totals;
  void* loss;
  structkd_dtype dtype;
  EmbeddingMap grad;

  Relational(const RelationalArgs& args, Workspace& workspace)
      : N(args.student.B * args.student.H * args.student.W),
        relation(args.relation),
        normalize(args.normalize),
        s(args, args.student, N, workspace),
        t(args, args.teacher, N, workspace),
        pull(t.squares),
        loss(args.loss),
        dtype(args.student.dtype),
        grad(args.grad) {
    const bool has_mean = relation != STRUCTKD_RELATION_ANGLE;
    by_square = workspace.take<double>(args.want_grad ? N * N : 0);
    alone = workspace.take<double>(args.want_grad && has_mean ? N * N : 0);
    grads = workspace.take<double>(args.want_grad ? s.C * N : 0);
    sums = workspace.take<Sums>(N * chunks());
    totals = workspace.take<Totals>(1);
  }

  __host__ __device__ int64_t chunks() const { return divide_up(N, kThreads); }
  // Blocks of kernels that have a row and a chunk of embeddings.
  __device__ __forceinline__ int64_t row() const { return blockIdx.x / chunks(); }
  __device__ __forceinline__ int64_t column() const {
    return blockIdx.x % chunks() * kThreads + threadIdx.x;
  }
};

// what      embeddings as they are compared, and their lengths
// mapping   thread = embedding; grid = chunks x networks
// traffic   reads a map, f64 rows are written once, with normalize twice and read once
__global__ void __launch_bounds__(kThreads)
    relational_rows_embedding_per_thread_kernel(Relational call) {
  const Points& points = blockIdx.y == 0 ? call.s : call.t;
  const int64_t i = call.column();
  if (i >= call.N) return;
  double squares = 0.0;
  for (int64_t c = 0; c < points.C; ++c) {
    const double x = points.map.get(i, c);
    points.rows[c * call.N + i] = x;
    squares += x * x;
  }
  const double length = sqrt(squares);
  points.lengths[i] = length;
  if (!call.normalize) return;
  const double divisor = length <= kLeastLength ? kLeastLength : length;
  for (int64_t c = 0; c < points.C; ++c) points.rows[c * call.N + i] /= divisor;
}

// what      squared distances, and for angles 1 / distance, 0 of embeddings that agree
// mapping   thread = pair of the block's embedding and its own; grid = N chunks x networks
// traffic   a block reads 129 columns of the rows, from the second-level cache
__global__ void __launch_bounds__(kThreads)
    relational_squares_pair_per_thread_kernel(Relational call) {
  const Points& points = blockIdx.y == 0 ? call.s : call.t;
  const int64_t i = call.row(), j = call.column();
  if (j >= call.N) return;
  double sum = 0.0;
  for (int64_t c = 0; c < points.C; ++c) {
    const double apart = points.rows[c * call.N + j] - points.rows[c * call.N + i];
    sum += apart * apart;
  }
  if (i == j) sum = 0.0;  // also of what is infinite
  points.squares[i * call.N + j] = sum;
  if (call.relation != STRUCTKD_RELATION_ANGLE) return;
  const double distance = sqrt(sum);
  points.inverses[i * call.N + j] = distance <= kLeastLength ? 0.0 : 1.0 / distance;
}

// what      the symmetric derivative of the loss by squared distances
// mapping   thread = pair
// traffic   reads each matrix along rows, and along columns from the second-level cache: N^2 of N^3
__global__ void __launch_bounds__(kThreads)
    relational_pull_pair_per_thread_kernel(Relational call) {
  const int64_t i = call.row(), j = call.column();
  if (j >= call.N) return;
  const int64_t at = i * call.N + j, mirrored = j * call.N + i;
  double sum = call.by_square[at] + call.by_square[mirrored];
  if (call.relation != STRUCTKD_RELATION_ANGLE) {
    sum -= call.totals->along_mean * (call.alone[at] + call.alone[mirrored]);
  }
  call.pull[at] = call.totals->factor * sum;
}

// what      2 sum_j pull_ij (e_i - e_j)
// mapping   block = a channel of 128 embeddings
// traffic   a block reads 128 columns of the pulls, which stay in the second-level cache
__global__ void __launch_bounds__(kThreads)
    relational_grad_element_per_thread_kernel(Relational call) {
  const int64_t c = call.row(), i = call.column(), N = call.N;
  if (i >= N) return;
  const double* row = call.s.rows + c * N;
  double sum = 0.0;
  for (int64_t j = 0; j < N; ++j) sum += call.pull[j * N + i] * (row[i] - row[j]);
  call.grads[c * N + i] = 2.0 * sum;
}

// what      the chain rule through the scaling, and the gradient in its type
// mapping   thread = embedding
__global__ void __launch_bounds__(kThreads)
    relational_finish_embedding_per_thread_kernel(Relational call) {
  const int64_t i = call.column(), N = call.N;
  if (i >= N) return;
  const double length = call.s.lengths[i];
  double along = 0.0;
  for (int64_t c = 0; call.normalize && c < call.s.C; ++c) {
    along += call.s.rows[c * N + i] * call.grads[c * N + i];
  }
  for (int64_t c = 0; c < call.s.C; ++c) {
    double g = call.grads[c * N + i];
    if (call.normalize) {
      g = length <= kLeastLength ? 0.0 : (g - call.s.rows[c * N + i] * along) / length;
    }
    call.grad.set(i, c, g);
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_RELATIONAL_POINTS_CUH
