// torch/ops/global_structural_sample.cpp: the sampling of GSSKD as a LibTorch operator.
#include <ATen/Functions.h>
#include <torch/library.h>

#include <string>

#include "torch/call.h"
#include "torch/errors.h"
#include "torch/names.h"
#include "torch/ops/global_structural.h"
#include "torch/ops/labels.h"
#include "torch/place.h"

namespace structkd {
namespace {

constexpr char kSampling[] = "global structural sampling";

constexpr Named<structkd_sampling> kSamplings[] = {
    {"class_balanced", STRUCTKD_SAMPLING_CLASS_BALANCED},
    {"random_grid", STRUCTKD_SAMPLING_RANDOM_GRID},
    {"random", STRUCTKD_SAMPLING_RANDOM},
    {"all", STRUCTKD_SAMPLING_ALL},
};
constexpr Named<structkd_fill> kFills[] = {
    {"other_classes", STRUCTKD_FILL_OTHER_CLASSES},
    {"with_replacement", STRUCTKD_FILL_WITH_REPLACEMENT},
    {"skip", STRUCTKD_FILL_SKIP},
};
constexpr Named<structkd_draw> kDraws[] = {
    {"random", STRUCTKD_DRAW_RANDOM},
    {"raster", STRUCTKD_DRAW_RASTER},
};

// I32 [B, 2 + M_max]: the counts of each image, then its indices. `map` gives the size; labels of
// another size are resized to it (nearest).
at::Tensor global_structural_sample(const at::Tensor& map,
                                    const std::optional<at::Tensor>& teacher_logits,
                                    const std::optional<at::Tensor>& labels,
                                    std::string_view sampling,
                                    std::string_view fill,
                                    std::string_view draw,
                                    bool teacher_correct_only,
                                    int64_t samples,
                                    int64_t min_candidates,
                                    int64_t num_classes,
                                    int64_t ignore_index,
                                    int64_t seed,
                                    const at::Tensor& step) {
  structkd_global_structural_sample_params params{};
  params.struct_size = sizeof(params);
  params.sampling = by_name(kSampling, "sampling", kSamplings, sampling);
  params.fill = by_name(kSampling, "fill", kFills, fill);
  params.draw = by_name(kSampling, "draw", kDraws, draw);
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
  structkd_ctx ctx = *place.context();
  // A draw is the same on every backend, and no composition of operators.
  if (map.is_cpu() && !structkd_has_kernel(ctx.backend, "global_structural_sample")) {
    ctx.backend = "cpu";
  }
  const at::Tensor table = at::empty({map.size(0), 2 + bound}, map.options().dtype(at::kInt));
  const at::Tensor counts = table.narrow(1, 0, 2), indices = table.narrow(1, 2, bound);
  structkd_tensor count_view = view_of(kSampling, "counts", counts),
                  index_view = view_of(kSampling, "indices", indices);
  place.check(structkd_global_structural_sample(&ctx, logit_view.get(), label_view.get(), &params,
                                                /*workspace=*/nullptr, &index_view, &count_view));
  return table;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(structkd, library) {
  library.def(
      "global_structural_sample(Tensor map, Tensor? teacher_logits, Tensor? labels, str sampling, "
      "str fill, str draw, bool teacher_correct_only, int samples, int min_candidates, int "
      "num_classes, int ignore_index, int seed, Tensor step) -> Tensor",
      &global_structural_sample);
}

}  // namespace structkd
