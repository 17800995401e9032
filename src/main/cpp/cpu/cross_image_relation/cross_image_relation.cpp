// cpu/cross_image_relation/cross_image_relation.cpp: the cross-image relation loss in tiles of
// cosines that stay in the cache, computed twice: once for the sums of all rows, once more for the
// slopes of all pairs. Truth: reference/cross_image_relation.cpp.
//
//   sums    2 (B N)^2 (Cs + Ct) operations, 2 exponentials per pair
//   slopes  the same and 2 (B N)^2 Cs for the product with the student's vectors
#include "core/error.h"
#include "cpu/cross_image_relation/pairs.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Rows of a chunk that a task passes by: `count` of them from row `first` of the chunk on.
struct Pass {
  int64_t first, count;
};

// Both tiles of cosines of owners [0, count) from `owner` on with the rows of a pass.
template <class T>
inline void multiply_rows(
    const Relation<T>& relation, int64_t owner, int64_t count, Pass pass, T* a, T* b) {
  constexpr int64_t P = Relation<T>::P, kTile = kPassRows<T> * P;
  const int64_t stride = (relation.Ks + relation.Kt) * P;
  const T* columns = relation.owner_columns(owner);
  multiply_pass(relation.Cs, relation.student_rows, pass.first, pass.count, columns, stride, count,
                a, kTile);
  multiply_pass(relation.Ct, relation.teacher_rows, pass.first, pass.count,
                columns + relation.Ks * P, stride, count, b, kTile);
}

// grads += the student's vectors of a pass times the slopes of one panel of owners.
template <class T>
inline void add_slopes(const Relation<T>& relation, Pass pass, const T* slopes, double* grads) {
  constexpr int64_t P = Relation<T>::P, R = kRows<T>;
  const T* channels = relation.channels.row(0, pass.first / kPassRows<T>);
  for (int64_t c = 0; c < relation.channels.count; c += R) {
    micro_kernel(pass.count, channels + c * kBlockK, slopes, grads + c * P, P);
  }
}

// Nodes of an image that are packed: `count` from node n0 of image n on.
struct Chunk {
  int64_t image, n0, count;
  bool first, last;  // of the image
};

template <class T>
inline int64_t first_index(const Relation<T>& relation, int64_t panel) {
  return relation.node_index(relation.image_of(panel), relation.first_node(panel));
}

// One task of either pass: the owners [owner, end), the first of which is panel `panel` of the
// batch, beside a chunk.
template <class T>
inline void sum_task(
    const Relation<T>& relation, const Chunk& chunk, int64_t owner, int64_t end, int64_t panel) {
  constexpr int64_t P = Relation<T>::P, kTile = kPassRows<T> * P;
  T *a = relation.thread_tiles(), *b = a + kTaskPanels * kTile;
  const double temperature = relation.args.temperature;
  if (chunk.first) {
    memset(relation.owner_sums(owner), 0,
           size_t((end - owner) * relation.kSums * P) * sizeof(double));
  }
  for (int64_t row = 0; row < chunk.count; row += kPassRows<T>) {
    const Pass pass = {row, smaller(kPassRows<T>, chunk.count - row)};
    multiply_rows(relation, owner, end - owner, pass, a, b);
    for (int64_t p = 0; p < end - owner; ++p) {
      add_rows(temperature, a + p * kTile, b + p * kTile, pass.count,
               relation.owner_sums(owner + p));
    }
  }
  if (!chunk.last) return;
  for (int64_t p = 0; p < end - owner; ++p) {
    const int64_t at = relation.share_index(chunk.image, first_index(relation, panel + p));
    const double kl = end_rows(relation.owner_sums(owner + p), relation.node_count(panel + p),
                               relation.student_share + at, relation.teacher_share + at);
    double& sum = relation.divergence[panel + p];
    sum = chunk.image == 0 ? kl : sum + kl;
  }
}

template <class T>
inline void slope_task(
    const Relation<T>& relation, const Chunk& chunk, int64_t owner, int64_t end, int64_t panel) {
  constexpr int64_t P = Relation<T>::P, kTile = kPassRows<T> * P;
  T *a = relation.thread_tiles(), *b = a + kTaskPanels * kTile;
  if (chunk.first && chunk.image == 0) {
    memset(relation.owner_grads(owner), 0,
           size_t((end - owner) * relation.channels.count * P) * sizeof(double));
  }
  for (int64_t row = 0; row < chunk.count; row += kPassRows<T>) {
    const Pass pass = {row, smaller(kPassRows<T>, chunk.count - row)};
    multiply_rows(relation, owner, end - owner, pass, a, b);
    for (int64_t p = 0; p < end - owner; ++p) {
      const int64_t count = relation.node_count(panel + p);
      const int64_t owners = relation.share_index(chunk.image, first_index(relation, panel + p));
      const int64_t rows = relation.share_index(relation.image_of(panel + p),
                                                relation.node_index(chunk.image, chunk.n0 + row));
      const Shares<T> student(relation.student_share + owners, count,
                              relation.student_share + rows);
      const Shares<T> teacher(relation.teacher_share + owners, count,
                              relation.teacher_share + rows);
      replace_by_slopes(relation.args.temperature, student, teacher, pass.count, a + p * kTile,
                        b + p * kTile);
      add_slopes(relation, pass, a + p * kTile, relation.owner_grads(owner + p));
    }
  }
}

template <class T>
inline void write_owner(const Relation<T>& relation, int64_t owner, int64_t panel) {
  const double* scale = relation.student_scale + first_index(relation, panel);
  write_unit_grad<T, double>(relation.args.grad, relation.image_of(panel),
                             relation.first_node(panel), relation.node_count(panel), scale, scale,
                             {relation.owner_columns(owner), 0}, {relation.owner_grads(owner), 0},
                             relation_scale(relation.args) / relation.args.temperature);
}

// The rows of `owners` panels from `first` on beside all nodes of the batch: their sums, or with
// `slopes` their gradient. Each owner has one writer at a time and takes chunks in their order.
template <class T>
void pass_by(const Relation<T>& relation, int64_t first, int64_t owners, bool slopes) {
  constexpr int64_t P = Relation<T>::P, kChunkPanels = kChunkNodes / P;
  const int64_t step = owners < 8 * relation.threads ? 1 : kTaskPanels;
#pragma omp parallel num_threads(relation.threads)
  {
#pragma omp for schedule(static)
    for (int64_t owner = 0; owner < owners; ++owner) {
      T* columns = relation.owner_columns(owner);
      pack_panel(relation, relation.args.student, relation.student_scale, first + owner,
                 relation.Ks, columns);
      pack_panel(relation, relation.args.teacher, relation.teacher_scale, first + owner,
                 relation.Kt, columns + relation.Ks * P);
    }
    for (int64_t n = 0; n < relation.B; ++n) {
      for (int64_t p0 = 0; p0 < relation.image_panels; p0 += kChunkPanels) {
        const int64_t panels = smaller(kChunkPanels, relation.image_panels - p0);
        const bool last = p0 + panels == relation.image_panels;
        const Chunk chunk = {n, p0 * P, smaller(panels * P, relation.N - p0 * P), p0 == 0, last};
#pragma omp for schedule(static)
        for (int64_t p = 0; p < panels; ++p) {
          pack_chunk_panel(relation, n * relation.image_panels + p0, p, p + 1 == panels, slopes);
        }
#pragma omp for schedule(dynamic)
        for (int64_t owner = 0; owner < owners; owner += step) {
          const int64_t end = smaller(owner + step, owners);
          if (slopes) {
            slope_task(relation, chunk, owner, end, first + owner);
          } else {
            sum_task(relation, chunk, owner, end, first + owner);
          }
        }
      }
    }
#pragma omp for schedule(static)
    for (int64_t owner = 0; owner < (slopes ? owners : 0); ++owner) {
      write_owner(relation, owner, first + owner);
    }
  }
}

template <class T>
void relate(const Launch& launch, const CrossImageRelationArgs& args, void* memory) {
  Workspace workspace(memory);
  const Relation<T> relation(args, launch.threads, workspace);
  measure_nodes(relation);
  for (bool slopes : {false, true}) {
    if (slopes && args.grad.data == nullptr) break;
    for (int64_t first = 0; first < relation.panels; first += relation.owner_panels) {
      pass_by(relation, first, smaller(relation.owner_panels, relation.panels - first), slopes);
    }
  }
  double sum = 0.0;
  for (int64_t panel = 0; panel < relation.panels; ++panel) sum += relation.divergence[panel];
  store_loss(args.loss, args.student.dtype, relation_scale(args) * sum);
  set_plan("cross_image_relation: cpu, %s tiles, %d threads, %lld images of %lld nodes",
           sizeof(T) == sizeof(float) ? "f32" : "f64", launch.threads,
           static_cast<long long>(relation.B), static_cast<long long>(relation.N));
}

}  // namespace

size_t cross_image_relation_workspace(const Launch& launch, const CrossImageRelationArgs& args) {
  Workspace workspace(nullptr);
  if (relates_in_f64(args)) {
    Relation<double>(args, launch.threads, workspace);
  } else {
    Relation<float>(args, launch.threads, workspace);
  }
  return workspace.bytes();
}

void cross_image_relation(const Launch& launch, const CrossImageRelationArgs& args, void* memory) {
  if (relates_in_f64(args)) {
    relate<double>(launch, args, memory);
  } else {
    relate<float>(launch, args, memory);
  }
}

}  // namespace structkd::cpu::STRUCTKD_ISA
