// cpu/pixelwise/rows.h: the pixel-wise loss row by row, for rows of many classes: the classes fill
// the lanes. The exps of a row are kept between its two passes, in the caches wherever these hold
// them; the logits are read where they lie. While one row is computed, the next one is searched for
// its largest logits, so that it comes in from memory meanwhile.
#ifndef STRUCTKD_CPU_PIXELWISE_ROWS_H
#define STRUCTKD_CPU_PIXELWISE_ROWS_H

#include <omp.h>
#include <stdio.h>

#include "core/pixelwise_args.h"
#include "core/workspace.h"
#include "cpu/common/lane_sums.h"
#include "cpu/common/rows.h"
#include "cpu/pixelwise/tile.h"
#include "cpu/pixelwise/valid.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

// Classes of a row that are summed in T before their sums are added in f64; a quarter and four
// times of them took the same time.
template <class T>
constexpr int64_t kPiece = 8192 / int64_t(sizeof(T));

// From this many classes on a row is not turned over: 192 of f32 took the same time either way, 256
// took 0.7 of it, 128 1.07 (Zen 4, AVX-512); the sums over the lanes are what costs.
template <class T>
constexpr int64_t kLongRow = 12 * kLanes<T>;

// The logits of a row of both nets: whole vectors where they lie, or in a buffer of their own if
// they are not plain numbers of type T; and the classes after those, filled up with -inf.
template <class T>
class RowLogits {
 public:
  static int64_t elements(const Rows& first, const Rows& second, int64_t K) {
    const int64_t copies = !first.are_plain<T>() + !second.are_plain<T>();
    return 2 * kLanes<T> + copies * round_up(K, kLanes<T>);
  }

  RowLogits(const Rows& first, const Rows& second, int64_t K, T* memory)
      : nets_{{first, memory}, {second, memory + kLanes<T>}} {
    memory += 2 * kLanes<T>;
    for (Net& net : nets_) {
      if (net.rows.template are_plain<T>()) continue;
      net.copy = memory;
      memory += round_up(K, kLanes<T>);
    }
  }

  void start(int64_t r) {
    r_ = r;
    for (Net& net : nets_) {
      net.whole = net.copy != nullptr ? net.copy : net.rows.template plain<T>(r);
      net.top = broadcast(T(-__builtin_inf()));
    }
  }

  // Asks for kLanes classes from c on to come towards the caches.
  void fetch(int64_t c) const {
    for (const Net& net : nets_) {
      if (net.copy == nullptr) __builtin_prefetch(net.whole + c);
    }
  }

  // Classes c0 .. c0 + count - 1, in their order.
  void scan(int64_t c0, int64_t count) {
    for (Net& net : nets_) {
      if (net.copy != nullptr) net.rows.load(r_, c0, count, net.copy + c0);
      const int64_t whole = count / kLanes<T> * kLanes<T>, rest = count - whole;
      const T* from = net.whole + c0;
      Vector<T> top = net.top;
      for (int64_t c = 0; c < whole; c += kLanes<T>) top = vector_max<T>(load(from + c), top);
      if (rest > 0) {
        for (int64_t l = 0; l < kLanes<T>; ++l) {
          net.last[l] = l < rest ? from[whole + l] : T(-__builtin_inf());
        }
        top = vector_max<T>(load(net.last), top);
      }
      net.top = top;
    }
  }

  Tops<T> tops() const { return {largest_lane(nets_[0].top), largest_lane(nets_[1].top)}; }

  const T* first() const { return nets_[0].whole; }
  const T* second() const { return nets_[1].whole; }
  const T* last_of_first() const { return nets_[0].last; }
  const T* last_of_second() const { return nets_[1].last; }

 private:
  struct Net {
    Rows rows;
    T* last;            // the last vector
    T* copy = nullptr;  // the buffer, where there is one
    const T* whole = nullptr;
    Vector<T> top = {};
  };

  static Vector<T> largest_lane(Vector<T> v) {
    T lanes[kLanes<T>], top;
    store(lanes, v);
    top = lanes[0];
    for (int l = 1; l < kLanes<T>; ++l) top = lanes[l] > top ? lanes[l] : top;
    return broadcast(top);
  }

  Net nets_[2];
  int64_t r_ = 0;
};

// The classes of a row, for compare().
template <class T>
struct RowClasses {
  int64_t K;
  const RowLogits<T>& logits;
  T *e_first, *e_second, *gap;  // [K] each

  int64_t pieces() const { return divide_up(K, kPiece<T>); }
  int64_t size(int64_t piece) const { return smaller(kPiece<T>, K - piece * kPiece<T>); }

  // Calls visit(tile, whole) for the whole vectors of a piece and for one that is not.
  template <class Visit>
  void visit_piece(int64_t piece, Visit&& visit) const {
    const int64_t c = piece * kPiece<T>, count = size(piece), whole = count / kLanes<T>;
    visit(PixelTile<T>(whole, logits.first() + c, logits.second() + c, e_first + c, e_second + c,
                       gap + c),
          true);
    if (whole * kLanes<T> == count) return;
    const int64_t last = c + whole * kLanes<T>;
    visit(PixelTile<T>(1, logits.last_of_first(), logits.last_of_second(), e_first + last,
                       e_second + last, gap + last),
          false);
  }

  template <class Add>
  Vector<T> sum(Add&& add) const {
    double sum = 0.0;
    for (int64_t piece = 0; piece < pieces(); ++piece) {
      Vector<T> part = {};
      visit_piece(piece, [&](const PixelTile<T>& tile, bool) { part += add(tile, 0); });
      sum += double(sum_of_lanes<T>(part));
    }
    return broadcast(T(sum));
  }
};

// The rows that are compared. args of a cut count them as the pixels of maps [B, K, 1, rows of an
// image]; from here they are read and written.
struct NetRows {
  Rows student, teacher, grad;
};

// How the work is cut, by shape alone, and where it is done.
template <class T>
struct PixelRows {
  const PixelwiseArgs& args;
  NetRows nets;
  int64_t K, N, rows, per_part, count;
  T* buffers;    // two RowLogits and three buffers of RowClasses per thread
  double* sums;  // per part of the rows, added in their order

  PixelRows(const PixelwiseArgs& args, const NetRows& nets, int threads, Workspace& workspace)
      : args(args),
        nets(nets),
        K(args.student.C),
        N(args.student.H * args.student.W),
        rows(args.student.B * N) {
    constexpr int64_t kPart = 16384;  // classes: some 10 microseconds
    per_part = larger<int64_t>(1, kPart / K);
    count = divide_up(rows, per_part);
    buffers = workspace.take<T>(threads * elements());
    sums = workspace.take<double>(count);
  }

  int64_t elements() const {
    return 2 * RowLogits<T>::elements(nets.student, nets.teacher, K) + 3 * round_up(K, kLanes<T>);
  }

  void describe(char* text, size_t size) const {
    snprintf(text, size, "row by row, %lld parts of %lld", static_cast<long long>(count),
             static_cast<long long>(per_part));
  }

  // The parts of one thread, first .. last-1.
  template <structkd_divergence Kind>
  void run(double grad_scale, int64_t first, int64_t last) const {
    constexpr bool kStudentFirst = Kind == STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER;
    const Rows& front = kStudentFirst ? nets.student : nets.teacher;
    const Rows& other = kStudentFirst ? nets.teacher : nets.student;
    const int64_t row_elements = RowLogits<T>::elements(nets.student, nets.teacher, K);
    const int64_t width = round_up(K, kLanes<T>);
    T* memory = buffers + omp_get_thread_num() * elements();
    RowLogits<T> logits[2] = {{front, other, K, memory}, {front, other, K, memory + row_elements}};
    T* const kept = memory + 2 * row_elements;

    const int64_t end = smaller(last * per_part, rows);
    for (int64_t part = first; part < last; ++part) sums[part] = 0.0;
    for (int64_t r = first * per_part - 1; r < end; ++r) {
      const int64_t turn = (r + 2) % 2;
      const RowClasses<T> row = {K, logits[turn], kept, kept + width, kept + 2 * width};
      RowLogits<T>* next = r + 1 < end && is_row_valid(r + 1) ? &logits[1 - turn] : nullptr;
      if (next != nullptr) next->start(r + 1);
      if (r < first * per_part || !is_row_valid(r)) {
        if (next != nullptr) next->scan(0, K);
        if (r >= first * per_part) store_zeros(row, r);
        continue;
      }
      sums[r / per_part] += run_row<Kind>(grad_scale, row, next, r);
    }
    finish_streams();
  }

 private:
  bool is_row_valid(int64_t r) const { return is_valid(args, r / N, r % N); }

  void store_zeros(const RowClasses<T>& row, int64_t r) const {
    if (args.grad.data == nullptr) return;
    memset(row.e_second, 0, size_t(K) * sizeof(T));
    nets.grad.store_grad(r, 0, K, row.e_second);
  }

  // Value and gradient of one row; returns its divergence. The next one is searched meanwhile.
  template <structkd_divergence Kind>
  double run_row(double grad_scale, const RowClasses<T>& row, RowLogits<T>* next, int64_t r) const {
    const bool want_grad = args.grad.data != nullptr;
    const Tops<T> tops = row.logits.tops();
    const ClassSums<T> sums = sum_exponentials<Kind>(row, tops, next);
    const PixelResult<T> result = compare<T, Kind>(row, tops, sums, args.temperature, want_grad);
    if (want_grad) {
      const Integers<T> all = broadcast(T(0)) == T(0);
      for (int64_t piece = 0; piece < row.pieces(); ++piece) {
        row.visit_piece(piece, [&](const PixelTile<T>& tile, bool) {
          write_grad(tile, result, T(grad_scale), all, tile.e_second, kLanes<T>);
        });
        const int64_t c = piece * kPiece<T>;
        nets.grad.store_grad(r, c, row.size(piece), row.e_second + c);
      }
    }
    Vector<double> factors = broadcast(1.0);
    factors[0] = double(result.first[0]);
    factors[1] = double(result.second[0]);
    const Vector<double> logarithms = vector_log(factors);
    return double(result.value[0]) + (logarithms[1] - logarithms[0]);
  }

  template <structkd_divergence Kind>
  ClassSums<T> sum_exponentials(const RowClasses<T>& row,
                                const Tops<T>& tops,
                                RowLogits<T>* next) const {
    constexpr bool kCross = Kind == STRUCTKD_DIVERGENCE_CROSS_ENTROPY;
    double first = 0.0, second = 0.0, gap = 0.0, cross = 0.0;
    for (int64_t piece = 0; piece < row.pieces(); ++piece) {
      int64_t c = piece * kPiece<T>;
      const auto fetch = [&] {
        if (next != nullptr) next->fetch(c);
        c += kLanes<T>;
      };
      ClassSums<T> sums = {};
      row.visit_piece(piece, [&](const PixelTile<T>& tile, bool whole) {
        ClassSums<T> part;
        if (whole) part = exponentials<T, kCross, true>(tile, 0, tops, args.temperature, fetch);
        if (!whole || any<T>(part.gap - part.gap != T(0))) {  // infinite or NaN
          part = exponentials<T, kCross, false>(tile, 0, tops, args.temperature, [] {});
        }
        add_part(sums, part);
      });
      first += double(sum_of_lanes<T>(sums.first));
      second += double(sum_of_lanes<T>(sums.second));
      gap += double(sum_of_lanes<T>(sums.gap));
      if (kCross) cross += double(sum_of_lanes<T>(sums.cross));
      if (next != nullptr) next->scan(piece * kPiece<T>, row.size(piece));
    }
    return {broadcast(T(first)), broadcast(T(second)), broadcast(T(gap)), broadcast(T(cross))};
  }
};

}  // namespace
}  // namespace structkd::cpu::STRUCTKD_ISA

#endif  // STRUCTKD_CPU_PIXELWISE_ROWS_H
