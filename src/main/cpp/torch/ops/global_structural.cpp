// torch/ops/global_structural.cpp: sampling and loss of GSSKD as LibTorch operators.
#include "structkd/global_structural.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/library.h>

#include "torch/call.h"
#include "torch/errors.h"
#include "torch/place.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

constexpr char kLoss[] = "global structural loss";
constexpr char kSampling[] = "global structural sampling";

// Where a kernel reads the step: a graph that was captured finds another one at each replay.
const int64_t* step_of(const char* loss,
                       const at::Tensor& step,
                       const char* map_argument,
                       const at::Tensor& map) {
  const structkd_tensor view = view_of(loss, "step", step);
  if (view.dtype != STRUCTKD_I64 || step.numel() != 1) {
    raise(STRUCTKD_ERR_SHAPE, std::string(loss) + ": step has " + std::to_string(step.numel()) +
                                  " elements of type " + c10::toString(step.scalar_type()) +
                                  ", expected one of type Long");
  }
  require_same_device(loss, "step", step, map_argument, map);
  return static_cast<const int64_t*>(view.data);
}

}  // namespace

at::Tensor global_structural_sample(const at::Tensor& map,
                                    const std::optional<at::Tensor>& teacher_logits,
                                    const std::optional<at::Tensor>& labels,
                                    int64_t sampling,
                                    int64_t fill,
                                    int64_t draw,
                                    bool teacher_correct_only,
                                    int64_t samples,
                                    int64_t min_candidates,
                                    int64_t num_classes,
                                    int64_t ignore_index,
                                    int64_t seed,
                                    const at::Tensor& step) {
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  params.sampling = structkd_sampling(sampling);
  params.fill = structkd_fill(fill);
  params.draw = structkd_draw(draw);
  params.teacher_correct_only = teacher_correct_only;
  params.samples = int32_t(samples);
  params.min_candidates = int32_t(min_candidates);
  params.num_classes = int32_t(num_classes);
  params.ignore_index = ignore_index;
  params.seed = uint64_t(seed);
  require_dense(kSampling, "teacher", map);  // the map is the teacher's
  if (map.dim() != 4) {
    raise(STRUCTKD_ERR_SHAPE, std::string(kSampling) + ": teacher has rank " +
                                  std::to_string(map.dim()) +
                                  ", expected 4: [batch, channels, height, width]");
  }
  params.step = step_of(kSampling, step, "teacher", map);

  std::optional<at::Tensor> at_map_size;
  if (labels.has_value()) at_map_size = labels_at(*labels, map.size(2), map.size(3));
  const OptionalView label_view(kSampling, "labels", at_map_size, "teacher", map);
  // Without logits the map itself gives the sizes.
  const OptionalView logit_view(kSampling,
                                teacher_logits.has_value() ? "teacher_logits" : "teacher",
                                teacher_logits.has_value() ? teacher_logits
                                : at_map_size.has_value()  ? std::nullopt
                                                           : std::optional<at::Tensor>(map),
                                "teacher", map);
  int64_t bound = 0;
  check(
      structkd_global_structural_sample_bound(logit_view.get(), label_view.get(), &params, &bound));
  const Place place(kSampling, map);
  const at::Tensor table = at::empty({map.size(0), 2 + bound}, map.options().dtype(at::kInt));
  const at::Tensor counts = table.narrow(1, 0, 2), indices = table.narrow(1, 2, bound);
  structkd_tensor count_view = view_of(kSampling, "counts", counts),
                  index_view = view_of(kSampling, "indices", indices);
  place.check(structkd_global_structural_sample(place.context(), logit_view.get(), label_view.get(),
                                                &params, /*workspace=*/nullptr, &index_view,
                                                &count_view));
  return table;
}

at::Tensor global_structural(const at::Tensor& student,
                             const at::Tensor& teacher,
                             const std::optional<at::Tensor>& indices,
                             const std::optional<at::Tensor>& counts,
                             const std::optional<at::Tensor>& permutation,
                             bool normalize,
                             int64_t similarity,
                             int64_t shuffle,
                             int64_t reduction,
                             int64_t remainder,
                             int64_t batch,
                             int64_t group_width,
                             double temperature,
                             double eps,
                             int64_t classes,
                             int64_t seed,
                             const at::Tensor& step) {
  structkd_global_structural_params params{};
  params.struct_size = sizeof(params);
  params.normalize = normalize;
  params.similarity = structkd_similarity(similarity);
  params.shuffle = structkd_shuffle(shuffle);
  params.reduction = structkd_group_reduction(reduction);
  params.remainder = structkd_remainder(remainder);
  params.batch = structkd_batch(batch);
  params.group_width = group_width;
  params.temperature = temperature;
  params.eps = eps;
  params.classes = int32_t(classes);
  params.seed = uint64_t(seed);
  params.step = step_of(kLoss, step, "student", student);
  return differentiable(kLoss, student, [&](bool want_grad) {
    const Maps maps(kLoss, student, teacher);
    const OptionalView index_view(maps, "indices", indices), count_view(maps, "counts", counts);
    const OptionalView permutation_view(maps, "permutation", permutation);
    params.indices = index_view.get();
    params.counts = count_view.get();
    params.permutation = permutation_view.get();
    return call_loss(structkd_global_structural, maps, params, want_grad);
  });
}

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  library.def(
      "global_structural_sample(Tensor map, Tensor? teacher_logits, Tensor? labels, int sampling, "
      "int fill, int draw, bool teacher_correct_only, int samples, int min_candidates, int "
      "num_classes, int ignore_index, int seed, Tensor step) -> Tensor",
      &global_structural_sample);
  library.def(
      "global_structural(Tensor student, Tensor teacher, Tensor? indices, Tensor? counts, Tensor? "
      "permutation, bool normalize, int similarity, int shuffle, int reduction, int remainder, int "
      "batch, int group_width, float temperature, float eps, int classes, int seed, "
      "Tensor step) -> Tensor",
      &global_structural);
  library.def(
      "global_structural_composed(Tensor student, Tensor teacher, Tensor? indices, Tensor? counts, "
      "Tensor? permutation, bool relation, bool normalize, int similarity, int shuffle, int "
      "remainder, int batch, int group_width, float temperature, float eps, int classes, int seed, "
      "Tensor step) -> Tensor",
      &global_structural_composed);
}

}  // namespace structkd
