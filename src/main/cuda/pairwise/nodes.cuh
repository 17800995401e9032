// cuda/pairwise/nodes.cuh: what all forms of the pair-wise loss share: the groups of nodes that are
// compared with each other, the scales that make node vectors unit length, and unit vectors
// themselves.
#ifndef STRUCTKD_CUDA_PAIRWISE_NODES_CUH
#define STRUCTKD_CUDA_PAIRWISE_NODES_CUH

#include "core/pairwise_args.h"
#include "core/pairwise_forms.h"
#include "core/workspace.h"
#include "cuda/common/access.cuh"
#include "cuda/common/reduce.cuh"
#include "cuda/common/two_float.cuh"

namespace structkd::cuda {
namespace {

// A node enters every product as sqrt(weight) * f / length: this factor; 0 for a zero node and for
// one of weight 0.
struct UnitScale {
  double wide;
  TwoFloat narrow;
};

// Sums over the nodes of a strip: weights, and weight * |s - t|^2 of unit vectors (0 where Cs !=
// Ct).
struct StripSums {
  double weight, gap;
};

// A strip has a node for each lane of a warp.
constexpr int kStrip = kWarp;

// Features of any dtype, computed in Real: f64 in double, the others in float. The dtype is told
// apart at run time, outside the loops: half as many kernels.
template <class Real>
struct Features : MapOf<const void> {
  structkd_dtype dtype;

  explicit Features(const Map& map) : MapOf<const void>(map), dtype(map.dtype) {}

  // Lanes that walk along channels read neighbours in memory; else lanes walk along nodes.
  __device__ __forceinline__ bool channels_innermost() const {
    return stride_c == 1 && stride_w != 1;
  }

  // Where element (b, c, n) is.
  __device__ __forceinline__ int64_t offset(int64_t b, int64_t c, int64_t n) const {
    return b * stride_b + c * stride_c + pixel_offset(n);
  }

  // Calls visit(pointer to the first element).
  template <class Visit>
  __device__ __forceinline__ void with_elements(Visit&& visit) const {
    if constexpr (__is_same(Real, double)) {
      visit(static_cast<const double*>(data));
    } else if (dtype == STRUCTKD_F32) {
      visit(static_cast<const float*>(data));
    } else if (dtype == STRUCTKD_F16) {
      visit(static_cast<const Half*>(data));
    } else {
      visit(static_cast<const BFloat16*>(data));
    }
  }
};

template <class Real>
struct Nodes {
  Features<Real> student, teacher;
  Plane weights;
  structkd_eps_mode eps_mode;
  structkd_compare compare;
  structkd_reduction reduction;
  double eps;
  int64_t N;       // nodes per image
  int64_t images;  // per group
  int64_t groups;
  int64_t strips;            // per image
  UnitScale* student_scale;  // [B, N]
  UnitScale* teacher_scale;  // [B, N]
  double* along;             // [B, N]: 1 / (|f| sqrt(weight)) of the student, for the gradient
  StripSums* strip_sums;     // [B, strips]
  uint32_t* arrivals;        // [groups + 1]: blocks of each group, then groups (loss.cuh)
  uint32_t* cancelled;       // [groups] 1: the difference form has lost its digits

  Nodes(const PairwiseArgs& args, Workspace& workspace)
      : student(args.student),
        teacher(args.teacher),
        weights(args.weights),
        eps_mode(args.eps_mode),
        compare(args.compare),
        reduction(args.reduction),
        eps(args.eps),
        N(student.H * student.W),
        images(args.pairs == STRUCTKD_PAIRS_WHOLE_BATCH ? student.B : 1),
        groups(student.B / images),
        strips(divide_up(N, kStrip)) {
    student_scale = workspace.take<UnitScale>(student.B * N);
    teacher_scale = workspace.take<UnitScale>(student.B * N);
    along = workspace.take<double>(student.B * N);
    strip_sums = workspace.take<StripSums>(student.B * strips);
    arrivals = workspace.take<uint32_t>(groups + 1);
    cancelled = workspace.take<uint32_t>(groups);
  }

  __device__ __forceinline__ bool comparable() const { return student.C == teacher.C; }
  __host__ __device__ __forceinline__ int64_t group_nodes() const { return images * N; }
};

// Unit vectors, element by element, as T: in f64 for f64 products; else from the two-float scale,
// so that a difference of close values keeps all the bits of f32. A scale of 0 gives 0 whatever the
// element is: nodes of weight 0 may hold NaN.
template <class T>
struct ScaleFor {
  using type = TwoFloat;
  __device__ static __forceinline__ TwoFloat of(const UnitScale& scale) { return scale.narrow; }
};
template <>
struct ScaleFor<double> {
  using type = double;
  __device__ static __forceinline__ double of(const UnitScale& scale) { return scale.wide; }
};
template <class T>
using Scale = typename ScaleFor<T>::type;

template <class T>
__device__ __forceinline__ T unit(float f, TwoFloat scale) {
  if (scale.hi == 0.0f) f = 0.0f;
  if constexpr (sizeof(T) > sizeof(float)) {
    return value_as<T>(times(f, scale));
  } else {
    return T(__fmaf_rn(f, scale.hi, __fmul_rn(f, scale.lo)));
  }
}
template <class T>
__device__ __forceinline__ double unit(double f, double scale) {
  return __dmul_rn(scale == 0.0 ? 0.0 : f, scale);
}

template <class T>
__device__ __forceinline__ T unit_difference(float s, TwoFloat rs, float t, TwoFloat rt) {
  if (rs.hi == 0.0f) s = 0.0f;
  if (rt.hi == 0.0f) t = 0.0f;
  if constexpr (sizeof(T) > sizeof(float)) {
    return value_as<T>(minus(times(s, rs), times(t, rt)));
  } else {
    // The high products in one piece: hi - t rt and what hi lacks of s rs. Exactly 0 for equal
    // nodes.
    const TwoFloat p = two_product(s, rs.hi);
    const float high = __fadd_rn(__fmaf_rn(-t, rt.hi, p.hi), p.lo);
    return T(__fadd_rn(high, __fsub_rn(__fmul_rn(s, rs.lo), __fmul_rn(t, rt.lo))));
  }
}
// Both products rounded: equal nodes differ by exactly 0.
template <class T>
__device__ __forceinline__ double unit_difference(double s, double rs, double t, double rt) {
  return __dadd_rn(unit<double>(s, rs), -unit<double>(t, rt));
}

// A block that measures a strip. Maps with neighbouring nodes: lane = node, warp w = channels w,
// w + 8, ..; channels-last maps: warp w = nodes 4w .. 4w + 3, lane = channels lane, lane + 32, ..
constexpr int kMeasureWarps = 8;
// Blocks of measure_nodes on a multiprocessor: all that one of sm_75 holds. Left alone the compiler
// saves registers for a sixth one on sm_120, and spills.
constexpr int kMeasureBlocks = 4;

// Channels first, first + step, .. of one node, from channel `first` of it on.
template <class Sum, class Real, class E>
__device__ __forceinline__ void add_squares(const Nodes<Real>& nodes,
                                            const E* s,
                                            const E* t,
                                            int first,
                                            int step,
                                            Sum& ss,
                                            Sum& tt,
                                            Sum& st) {
  // Numbers of 64 bits would spill on sm_100 and sm_120.
  const int Cs = int(nodes.student.C), Ct = int(nodes.teacher.C), common = Cs < Ct ? Cs : Ct;
  const int64_t s_step = step * nodes.student.stride_c, t_step = step * nodes.teacher.stride_c;
  int c = first;
#pragma unroll 4
  for (; c < common; c += step, s += s_step, t += t_step) {
    const auto x = widen(*s), y = widen(*t);
    add_product(ss, x, x);
    add_product(tt, y, y);
    add_product(st, x, y);
  }
#pragma unroll 1
  for (int k = c; k < Cs; k += step, s += s_step) add_product(ss, widen(*s), widen(*s));
#pragma unroll 1
  for (int k = c; k < Ct; k += step, t += t_step) add_product(tt, widen(*t), widen(*t));
}

// Scale and 1/|f| of one node, from the sum of its squares. Neither a NaN nor a length beyond f64
// is a zero node: both make the scale NaN, so that they show.
template <class Real>
__device__ __forceinline__ void node_scale(const Nodes<Real>& nodes,
                                           double squares,
                                           double* scale,
                                           double* inverse) {
  const double norm = sqrt(squares) + (squares - squares);  // inf - inf is NaN
  const bool zero = norm <= nodes.eps;
  *scale = zero ? 0.0 : 1.0 / (nodes.eps_mode == STRUCTKD_EPS_ADD ? norm + nodes.eps : norm);
  *inverse = zero ? 0.0 : 1.0 / norm;
}

// Measures the strip of the calling block. take(lane, student's scale, teacher's) is called by the
// first warp; a barrier must follow.
template <class Sum, class Real, class Take>
__device__ __forceinline__ void measure_strip(const Nodes<Real>& nodes, Take&& take) {
  // + 1: lanes along nodes and lanes along warps both spread over the banks.
  STRUCTKD_SHARED(double, partial, [3][kMeasureWarps][kStrip + 1]);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t b = blockIdx.x / nodes.strips, n0 = blockIdx.x % nodes.strips * kStrip;
  const bool by_channel = nodes.student.channels_innermost();
  const int passes = by_channel ? kStrip / kMeasureWarps : 1;
  const int first = by_channel ? lane : warp, step = by_channel ? kWarp : kMeasureWarps;
#pragma unroll 1
  for (int pass = 0; pass < passes; ++pass) {
    const int node = by_channel ? warp * passes + pass : lane;
    Sum ss = {}, tt = {}, st = {};
    if (n0 + node < nodes.N) {
      const int64_t s_offset = nodes.student.offset(b, first, n0 + node);
      const int64_t t_offset = nodes.teacher.offset(b, first, n0 + node);
      nodes.student.with_elements([&](auto* s) {
        const auto* t = static_cast<decltype(s)>(nodes.teacher.data);
        add_squares(nodes, s + s_offset, t + t_offset, first, step, ss, tt, st);
      });
    }
    const double sums[3] = {to_double(ss), to_double(tt), to_double(st)};
    for (int q = 0; q < 3; ++q) {
      if (by_channel) {
        const double sum = warp_sum(sums[q]);
        if (lane < kMeasureWarps) partial[q][lane][node] = lane == 0 ? sum : 0.0;
      } else {
        partial[q][warp][lane] = sums[q];
      }
    }
  }
  __syncthreads();
  if (warp != 0) return;

  double sums[3] = {};
  for (int q = 0; q < 3; ++q) {
    for (int w = 0; w < kMeasureWarps; ++w) sums[q] += partial[q][w][lane];
  }
  double weight = 0.0, gap = 0.0;
  if (n0 + lane < nodes.N) {
    const int64_t node = b * nodes.N + n0 + lane;
    weight =
        nodes.weights.data ? plane_at<double>(nodes.weights, b, n0 + lane, nodes.student.W) : 1.0;
    if (weight == 0.0) sums[0] = sums[1] = sums[2] = 0.0;  // a zero node, whatever it holds
    double rs, rt, inverse, unused;
    node_scale(nodes, sums[0], &rs, &inverse);
    node_scale(nodes, sums[1], &rt, &unused);
    const double root = sqrt(weight);
    const UnitScale student{root * rs, to_two_float(root * rs)};
    const UnitScale teacher{root * rt, to_two_float(root * rt)};
    nodes.student_scale[node] = student;
    nodes.teacher_scale[node] = teacher;
    take(lane, student, teacher);
    nodes.along[node] = weight == 0.0 ? 0.0 : inverse / root;
    if (nodes.comparable()) {
      gap = weight * (sums[0] * rs * rs - 2.0 * sums[2] * rs * rt + sums[1] * rt * rt);
    }
  }
  weight = warp_sum(weight);
  gap = warp_sum(gap);
  if (lane != 0) return;
  nodes.strip_sums[blockIdx.x] = {weight, gap};
  // There are as many blocks as groups, or more.
  if (blockIdx.x < nodes.groups) nodes.arrivals[blockIdx.x] = nodes.cancelled[blockIdx.x] = 0;
  if (blockIdx.x == 0) nodes.arrivals[nodes.groups] = 0;
}

// what      per node: |s|, |t| and <s, t> in one pass over both maps, from them the scales; per
//           strip of 32 nodes the sums that tell the total weight and whether features are close;
//           clears the counters of arrivals and what has cancelled
// mapping   block = one strip. grid = B * strips
// traffic   reads both maps once, 4 N (Cs + Ct) bytes of f32, writes 40 N bytes
// shared    6 KB, no bank conflicts
// Sum       double, or TwoFloat where f64 is slow: the scales must be exact far beyond f32, or the
//           difference of close vectors is lost
template <class Real, class Sum>
__global__ void __launch_bounds__(kMeasureWarps* kWarp, kMeasureBlocks)
    measure_nodes_strip_per_block_kernel(Nodes<Real> nodes) {
  measure_strip<Sum>(nodes, [](int, const UnitScale&, const UnitScale&) {});
}

// The sums of a whole group, the same in every thread. All threads of the block must call.
template <int Threads, class Real>
__device__ __forceinline__ StripSums group_sums(const Nodes<Real>& nodes, int64_t group) {
  STRUCTKD_SHARED(StripSums, total, [1]);
  const int64_t count = nodes.images * nodes.strips;
  const StripSums* strips = nodes.strip_sums + group * count;
  StripSums sums = {0.0, 0.0};
  for (int64_t i = threadIdx.x; i < count; i += Threads) {
    sums.weight += strips[i].weight;
    sums.gap += strips[i].gap;
  }
  const double weight = block_sum<Threads>(sums.weight), gap = block_sum<Threads>(sums.gap);
  if (threadIdx.x == 0) total[0] = {weight, gap};
  __syncthreads();
  return total[0];
}

// Which groups a kernel works for; blocks of the others leave at once. Kernels for kAligned are
// launched before those for kNotAligned, which take over what has cancelled. kCancelled: after
// kernels that took all groups.
enum class When { kAlways, kAligned, kNotAligned, kCancelled };

template <int Threads, class Real>
__device__ __forceinline__ bool works_for(When when, const Nodes<Real>& nodes, int64_t group) {
  if (when == When::kAlways) return true;
  if (when == When::kCancelled) return nodes.cancelled[group] != 0;
  const StripSums sums = group_sums<Threads>(nodes, group);
  const bool aligned = are_close(sums.gap, sums.weight) && nodes.cancelled[group] == 0;
  return aligned == (when == When::kAligned);
}

// From the sum over the pairs of a group to its share of the loss.
template <class Real>
__device__ __forceinline__ double loss_factor(const Nodes<Real>& nodes, const StripSums& group) {
  return share_of_loss(nodes.reduction, group.weight, double(nodes.groups));
}

// From sum_j w_j gap_ij s_j, or of signs, to the derivative of the loss.
template <class Real>
__device__ __forceinline__ double grad_factor(const Nodes<Real>& nodes, const StripSums& group) {
  return derivative_factor(nodes.compare) * loss_factor(nodes, group);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_PAIRWISE_NODES_CUH
