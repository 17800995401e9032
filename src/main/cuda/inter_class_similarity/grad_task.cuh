// cuda/inter_class_similarity/grad_task.cuh: what all kernels that write the gradient are told.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_TASK_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_TASK_CUH

#include "cuda/inter_class_similarity/matrix.cuh"

namespace structkd::cuda {
namespace {

template <class Element>
struct GradTask {
  MapOf<Element> student;
  GradOf<Element> grad;
  Plane mask;
  Widened<Element> inverse_temperature;
  int64_t pixels, tiles;  // of an image
  GradFactors<Widened<Element>> factors;
};

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_TASK_CUH
