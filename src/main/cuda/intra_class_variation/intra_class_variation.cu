// cuda/intra_class_variation/intra_class_variation.cu: the intra-class variation loss. Truth:
// reference/intra_class_variation.cpp.
//
// what      cosines of positions with the centres of their classes, compared; gradient through
//           both.
// launches  find_classes_thread_per_position_kernel   classes of positions, as numbers of 32 bits
//           count_valid_kernel                        where there is a mask
//           list_block_per_class_kernel               positions in the order of their classes
//           sum_classes_chunk_per_warp_kernel         sums over chunks of that order, for each net
//           centres_block_per_class_kernel            centres and their lengths, both nets
//           similarities_tile_per_block_kernel        gaps and slopes of all positions
//           variation_loss_kernel                     the loss
//           and with gradient sum_classes_chunk_per_warp_kernel, of the student, weighted;
//           pulls_block_per_class_kernel, variation_grad_tile_per_block_kernel.
// mapping   lanes are positions, neighbours where labels are; a sum has one owner, and segments are
//           added in their order: no atomics.
// precision f64 throughout: gaps of cosines cancel, and a feature takes few operations.
// traffic   28 bytes per f32 feature with gradient: both nets twice, the student twice more, the
//           gradient once; 16 without. Of a position read out of order its whole sector counts,
//           which L2 holds for its neighbours.
// shared    4 KB in which the warps of a block meet; no bank conflicts of f32.
// tests     intra_class_variation_test.cpp: channels and positions at and around each change.
#include "core/workspace.h"
#include "cuda/common/launch.cuh"
#include "cuda/intra_class_variation/compare.cuh"
#include "cuda/kernels.h"

namespace structkd::cuda {
namespace {

template <class Element>
class VariationCall {
 public:
  VariationCall(const Launch& launch, const IntraClassVariationArgs& args, Workspace& workspace)
      : args_(args),
        stream_(stream_of(launch)),
        classes_(args, workspace),
        student_(args.student, classes_, workspace),
        teacher_(args.teacher, classes_, workspace),
        slopes_(classes_, workspace),
        pulls_(args.want_grad
                   ? workspace.take<double>(args.student.B * args.student.C * args.classes)
                   : nullptr) {}

  void run() const {
    find_classes();
    sum(student_, nullptr);
    sum(teacher_, nullptr);
    launch<centres_block_per_class_kernel<Element>>("intra-class variation: centres", rows(),
                                                    kSumThreads, 0, stream_, classes_, student_,
                                                    teacher_);
    launch<similarities_tile_per_block_kernel<Element>>("intra-class variation: similarities",
                                                        tiles(), kCompareThreads, 0, stream_,
                                                        classes_, student_, teacher_, slopes_);
    launch<variation_loss_kernel>("intra-class variation: loss", 1, kLossThreads, 0, stream_,
                                  classes_, static_cast<const double*>(slopes_.losses),
                                  classes_.B * slopes_.tiles, args_.student.dtype, args_.loss);
    if (args_.grad.data != nullptr) write_grad();
    set_plan("intra_class_variation: cuda, %lld chunks per image, %d launches",
             static_cast<long long>(classes_.chunks),
             7 + (args_.mask.data != nullptr) + 3 * (args_.grad.data != nullptr));
  }

 private:
  dim3 rows() const { return dim3(unsigned(classes_.B * classes_.K)); }
  dim3 tiles() const { return dim3(unsigned(classes_.B * slopes_.tiles)); }

  void find_classes() const {
    launch<find_classes_thread_per_position_kernel>(
        "intra-class variation: find_classes", unsigned(classes_.parts()), kListThreads, 0, stream_,
        args_.labels, args_.mask, args_.student.W, classes_);
    if (classes_.valid != nullptr) {
      launch<count_valid_kernel>("intra-class variation: count_valid", 1, kListThreads, 0, stream_,
                                 classes_);
    }
    launch<list_block_per_class_kernel>("intra-class variation: list", rows(), kListThreads, 0,
                                        stream_, classes_);
  }

  void sum(const Net<Element>& net, const double* weights) const {
    launch<sum_classes_chunk_per_warp_kernel<Element>>(
        "intra-class variation: sum_classes", unsigned(net.sum_blocks(classes_)), kSumThreads, 0,
        stream_, classes_, net, weights);
  }

  void write_grad() const {
    sum(student_, slopes_.along);
    launch<pulls_block_per_class_kernel<Element>>("intra-class variation: pulls", rows(),
                                                  kSumThreads, 0, stream_, classes_, student_,
                                                  static_cast<const double*>(slopes_.turn), pulls_);
    launch<variation_grad_tile_per_block_kernel<Element>>(
        "intra-class variation: grad", tiles(), kCompareThreads, 0, stream_, classes_, student_,
        slopes_, static_cast<const double*>(pulls_), GradOf<Element>(args_.grad));
  }

  const IntraClassVariationArgs& args_;
  cudaStream_t stream_;
  Classes classes_;
  Net<Element> student_, teacher_;
  Slopes slopes_;
  double* pulls_;
};

template <class Visit>
void with_call(const Launch& launch,
               const IntraClassVariationArgs& args,
               Workspace& workspace,
               Visit&& visit) {
  with_element_type(args.student.dtype, [&](auto element) {
    visit(VariationCall<decltype(element)>(launch, args, workspace));
  });
}

}  // namespace

size_t intra_class_variation_workspace(const Launch& launch, const IntraClassVariationArgs& args) {
  Workspace workspace(nullptr);
  with_call(launch, args, workspace, [](const auto&) {});
  return workspace.bytes();
}

void intra_class_variation(const Launch& launch,
                           const IntraClassVariationArgs& args,
                           void* memory) {
  Workspace workspace(memory);
  with_call(launch, args, workspace, [](const auto& call) { call.run(); });
}

}  // namespace structkd::cuda
