// cpu/cross_image_relation/cross_image_relation.cpp: the cross-image relation loss in tiles of
// cosines that stay in the cache, computed twice: once for the sums of all rows, once more for the
// slopes of all pairs. Truth: reference/cross_image_relation.cpp.
//
// Cosines, exponentials and slopes are the same for both nodes of a pair. Within a group
// (relation.h) each pair is therefore met once, in a tournament in which nobody has two opponents
// at a time, so that sums and gradients have one writer and one order. Operations of one group:
//
//   sums     (B N)^2 (Cs + Ct), 1 exponential per pair of rows and net
//   slopes   the same, and 2 (B N)^2 Cs for the product with the student's vectors
#include "core/error.h"
#include "cpu/cross_image_relation/pairs.h"
#include "cpu/kernels.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// A block of the group, and one that it meets: of the group, too, or of a chunk.
template <class T>
struct Meeting {
  int64_t slot, block;          // whose nodes are columns
  const PackedRows<T>& rows;    // where the other block is packed,
  int64_t row_slot, row_block;  // and as which
  bool both;                    // the other one gains, too; then row_slot is of the group

  int64_t columns(const Relation<T>& relation) const { return relation.node_count(block); }
  int64_t row_count(const Relation<T>& relation) const { return relation.node_count(row_block); }
};

// The tiles of cosines of a meeting, [panels, kBlockNodes, P].
template <class T>
inline void multiply(const Relation<T>& relation, const Meeting<T>& meeting, T* a, T* b) {
  constexpr int64_t P = Relation<T>::P, kTile = Relation<T>::kTile;
  const int64_t panels = divide_up(meeting.columns(relation), P);
  const int64_t stride = (relation.Ks + relation.Kt) * P;
  const T* columns = relation.columns_of(meeting.slot);
  for (int64_t row = 0; row < meeting.row_count(relation); row += kPassRows<T>) {
    const int64_t first = meeting.row_slot * kBlockNodes + row;
    const int64_t count = smaller(kPassRows<T>, meeting.row_count(relation) - row);
    multiply_pass(relation.Cs, meeting.rows.student, first, count, columns, stride, panels,
                  a + row * P, kTile);
    multiply_pass(relation.Ct, meeting.rows.teacher, first, count, columns + relation.Ks * P,
                  stride, panels, b + row * P, kTile);
  }
}

// grads += the student's vectors of `others` nodes, packed as `slot` of `rows`, times their slopes
// with `count` nodes.
template <class T>
inline void add_slopes(const PackedRows<T>& rows,
                       int64_t slot,
                       int64_t others,
                       int64_t count,
                       const T* slopes,
                       double* grads) {
  constexpr int64_t P = Relation<T>::P, kTile = Relation<T>::kTile, R = kRows<T>;
  const RowBlocks<T>& channels = rows.channels;
  for (int64_t p = 0; p * P < count; ++p) {
    for (int64_t c = 0; c < channels.count; c += R) {
      micro_kernel(others, channels.row(c, slot), slopes + p * kTile,
                   grads + (p * channels.count + c) * P, P);
    }
  }
}

template <class T>
inline void sum_pairs(const Relation<T>& relation, const Meeting<T>& meeting) {
  T *a = relation.thread_tiles(), *b = a + Relation<T>::kTile * Relation<T>::kPanels;
  multiply(relation, meeting, a, b);
  const int64_t image = relation.image_of(meeting.block);
  add_pairs(relation.args.temperature, a, b, meeting.columns(relation), meeting.row_count(relation),
            relation.sums_of(meeting.slot, relation.image_of(meeting.row_block)),
            meeting.both ? relation.sums_of(meeting.row_slot, image) : nullptr);
}

template <class T>
inline void follow_slopes(const Relation<T>& relation, const Meeting<T>& meeting) {
  T *a = relation.thread_tiles(), *b = a + Relation<T>::kTile * Relation<T>::kPanels;
  multiply(relation, meeting, a, b);
  const int64_t columns = meeting.columns(relation), rows = meeting.row_count(relation);
  const int64_t of_columns =
      relation.block_share(relation.image_of(meeting.row_block), meeting.block);
  const int64_t of_rows = relation.block_share(relation.image_of(meeting.block), meeting.row_block);
  const Shares<T> student(relation.student_share + of_columns, columns,
                          relation.student_share + of_rows);
  const Shares<T> teacher(relation.teacher_share + of_columns, columns,
                          relation.teacher_share + of_rows);
  replace_by_slopes(relation.args.temperature, student, teacher, columns, rows, a, b);
  add_slopes(meeting.rows, meeting.row_slot, rows, columns, a, relation.grads_of(meeting.slot));
  if (!meeting.both) return;
  turn_over(a, columns, rows, b);
  add_slopes(relation.rows, meeting.slot, columns, rows, b, relation.grads_of(meeting.row_slot));
}

// One of the two passes over all pairs.
enum class Pass { kSums, kSlopes };

template <class T>
inline void meet(const Relation<T>& relation, Pass pass, const Meeting<T>& meeting) {
  if (pass == Pass::kSums) {
    sum_pairs(relation, meeting);
  } else {
    follow_slopes(relation, meeting);
  }
}

// Who meets whom in a round of a tournament of an even number of players, which has one round less
// than players; pair number `pair` of half as many. Kirkman's circle: one stays, the others turn.
struct Opponents {
  int64_t one, other;

  Opponents(int64_t players, int64_t round, int64_t pair) {
    const int64_t circle = players - 1;
    one = pair == 0 ? circle : (round + pair) % circle;
    other = (round - pair + circle) % circle;
  }
};

// All pairs within the group of `count` blocks from `first` on. To be called by all threads.
template <class T>
inline void meet_each_other(const Relation<T>& relation, Pass pass, int64_t first, int64_t count) {
#pragma omp for schedule(dynamic)
  for (int64_t slot = 0; slot < count; ++slot) {
    meet(relation, pass, {slot, first + slot, relation.rows, slot, first + slot, false});
  }
  const int64_t players = round_up(count, 2);
  for (int64_t round = 0; round + 1 < players; ++round) {
#pragma omp for schedule(dynamic)
    for (int64_t pair = 0; pair < players / 2; ++pair) {
      const Opponents met(players, round, pair);
      if (met.one >= count || met.other >= count) continue;  // the odd one has a bye
      meet(relation, pass,
           {met.one, first + met.one, relation.rows, met.other, first + met.other, true});
    }
  }
}

// The group beside the blocks [begin, end), which are not of it. To be called by all threads.
template <class T>
inline void meet_others(const Relation<T>& relation,
                        Pass pass,
                        int64_t first,
                        int64_t count,
                        int64_t begin,
                        int64_t end) {
  for (int64_t chunk = begin; chunk < end; chunk += kChunkBlocks) {
    const int64_t passing = smaller(kChunkBlocks, end - chunk);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < passing; ++i) {
      pack_block<T>(relation, chunk + i, i, relation.passing, nullptr);
    }
#pragma omp for schedule(dynamic)
    for (int64_t slot = 0; slot < count; ++slot) {
      for (int64_t i = 0; i < passing; ++i) {
        meet(relation, pass, {slot, first + slot, relation.passing, i, chunk + i, false});
      }
    }
  }
}

// The shares of a block and the divergence of its rows.
template <class T>
inline void end_sums(const Relation<T>& relation, int64_t slot, int64_t block) {
  double sum = 0.0;
  for (int64_t image = 0; image < relation.B; ++image) {
    const int64_t at = relation.block_share(image, block);
    sum += end_rows(relation.sums_of(slot, image), relation.node_count(block),
                    relation.student_share + at, relation.teacher_share + at);
  }
  relation.divergence[block] = sum;
}

template <class T>
inline void write_block(const Relation<T>& relation, int64_t slot, int64_t block) {
  constexpr int64_t P = Relation<T>::P;
  const double* scale = relation.student_scale + relation.node_index(block);
  write_unit_grad<T, double>(relation.args.grad, relation.image_of(block),
                             relation.first_node(block), relation.node_count(block), scale, scale,
                             {relation.columns_of(slot), (relation.Ks + relation.Kt) * P},
                             {relation.grads_of(slot), relation.padded_channels * P},
                             relation_scale(relation.args) / relation.args.temperature);
}

// A pass of the group of `count` blocks from `first` on.
template <class T>
void compare_group(const Relation<T>& relation, Pass pass, int64_t first, int64_t count) {
  const bool sums = pass == Pass::kSums;
  // A group that is all there is has been packed for its sums.
  const bool packs = sums || count < relation.blocks;
#pragma omp parallel num_threads(relation.threads)
  {
#pragma omp for schedule(static)
    for (int64_t slot = 0; slot < count; ++slot) {
      if (packs) pack_block(relation, first + slot, slot, relation.rows, relation.columns_of(slot));
      if (sums) {
        memset(relation.sums_of(slot, 0), 0,
               size_t(relation.B * Relation<T>::kSums * kBlockNodes) * sizeof(double));
      } else {
        memset(relation.grads_of(slot), 0,
               size_t(relation.padded_channels * kBlockNodes) * sizeof(double));
      }
    }
    meet_each_other(relation, pass, first, count);
    meet_others(relation, pass, first, count, 0, first);
    meet_others(relation, pass, first, count, first + count, relation.blocks);
#pragma omp for schedule(static)
    for (int64_t slot = 0; slot < count; ++slot) {
      if (sums) {
        end_sums(relation, slot, first + slot);
      } else {
        write_block(relation, slot, first + slot);
      }
    }
  }
}

template <class T>
void relate(const Launch& launch, const CrossImageRelationArgs& args, void* memory) {
  Workspace workspace(memory);
  const Relation<T> relation(args, launch.threads, workspace);
  measure_nodes(relation);
  for (Pass pass : {Pass::kSums, Pass::kSlopes}) {
    if (pass == Pass::kSlopes && args.grad.data == nullptr) break;
    for (int64_t first = 0; first < relation.blocks; first += relation.group_blocks) {
      compare_group(relation, pass, first, smaller(relation.group_blocks, relation.blocks - first));
    }
  }
  double sum = 0.0;
  for (int64_t block = 0; block < relation.blocks; ++block) sum += relation.divergence[block];
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
