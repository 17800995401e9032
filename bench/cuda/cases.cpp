// bench/cuda/cases.cpp: what is measured.
#include "cases.h"

#include <algorithm>

namespace structkd::bench {

int64_t Case::nodes() const {
  if (loss == Loss::kGlobalStructural && samples > 0) return samples;
  return whole_batch ? B * pixels() : pixels();
}

std::string Case::kernel() const {
  switch (loss) {
    case Loss::kPixelwise:
      return "pixelwise";
    case Loss::kPairwise:
      return "pairwise";
    case Loss::kInterClassSimilarity:
      return "inter_class_similarity";
    case Loss::kGlobalStructuralSample:
      return "global_structural_sample";
    case Loss::kGlobalStructural:
      return "global_structural";
  }
  return "";
}

std::string Case::name() const {
  std::string text = std::to_string(B) + "x" + std::to_string(C) + "x" + std::to_string(H) + "x" +
                     std::to_string(W);
  if (Ct > 0) text += " teacher" + std::to_string(Ct);
  if (samples > 0) text += " samples" + std::to_string(samples);
  if (dtype != STRUCTKD_F32) text += std::string(" ") + dtype_name(dtype);
  if (channels_last) text += " channels-last";
  if (whole_batch) text += " whole-batch";
  if (aligned) text += " aligned";
  if (fast) text += " fast";
  return text;
}

const char* Case::x_name() const {
  switch (loss) {
    case Loss::kPairwise:
      return "nodes";
    case Loss::kInterClassSimilarity:
      return "classes";
    case Loss::kGlobalStructural:
      return "samples";
    default:
      return "pixels";
  }
}

int64_t Case::x() const {
  switch (loss) {
    case Loss::kPairwise:
    case Loss::kGlobalStructural:
      return nodes();
    case Loss::kInterClassSimilarity:
      return C;
    default:
      return B * pixels();
  }
}

double Case::bytes() const {
  const double element = double(dtype_size(dtype));
  const double student = double(B * C * pixels()) * element;
  const double teacher = double(B * teacher_channels() * pixels()) * element;
  // F16 gradients are written in F32, as autograd takes them.
  const double grad = dtype == STRUCTKD_F16 ? 2 * student : student;
  switch (loss) {
    case Loss::kPixelwise:
      return student + teacher + grad;
    case Loss::kPairwise:  // matrices, then the gradient: both maps twice
      return 2 * student + 2 * teacher + grad;
    case Loss::kInterClassSimilarity:  // matrices of both, then the gradient from the student
      return 2 * student + teacher + grad;
    case Loss::kGlobalStructuralSample:
      return teacher + double(B * pixels()) * 8;  // labels are I64, as LibTorch has them
    case Loss::kGlobalStructural:
      return double(B * nodes() * (C + teacher_channels())) * element + grad;
  }
  return 0.0;
}

double Case::flops() const {
  const double images = whole_batch ? 1.0 : double(B), N = double(nodes());
  const double Cs = double(C), Ct_ = double(teacher_channels());
  switch (loss) {
    case Loss::kPairwise: {  // the cheaper of Gram matrices and N x N tiles
      const double gram = N * (Cs + Ct_) * (Cs + Ct_) + 2 * N * Cs * (Cs + Ct_);
      const double tile = N * N * (3 * Cs + Ct_);
      return images * std::min(gram, tile);
    }
    case Loss::kInterClassSimilarity:  // A_S, A_T, and two products of the gradient
      return images * 8 * N * Cs * Cs;
    case Loss::kGlobalStructural:  // half of V_S and of V_T, and the gradient's product
      return images * N * N * (Cs + Ct_ + 2 * Cs);
    default:
      return 0.0;
  }
}

const char* dtype_name(structkd_dtype dtype) {
  static const char* const names[] = {"f16", "bf16", "f32", "f64", "u8", "i32", "i64"};
  return names[dtype];
}

int64_t dtype_size(structkd_dtype dtype) {
  static const int64_t sizes[] = {2, 2, 4, 8, 1, 4, 8};
  return sizes[dtype];
}

namespace {

Case with(Case c, void (*change)(Case&)) {
  change(c);
  return c;
}

}  // namespace

// Sizes of networks on Cityscapes (19 classes), Pascal VOC (21) and ADE20K (150), features at
// output stride 8 and 16; 63 x 61 divides by no tile.
std::vector<Case> all_cases() {
  const auto bf16 = [](Case& c) { c.dtype = STRUCTKD_BF16; };
  const auto f16 = [](Case& c) { c.dtype = STRUCTKD_F16; };
  const auto f64 = [](Case& c) { c.dtype = STRUCTKD_F64; };
  const auto aligned = [](Case& c) { c.aligned = true; };
  const auto fast = [](Case& c) { c.fast = true; };
  const auto aligned_fast = [](Case& c) { c.aligned = c.fast = true; };
  const auto channels_last = [](Case& c) { c.channels_last = true; };
  const auto whole_batch = [](Case& c) { c.whole_batch = true; };
  const auto quick = [](Case& c) { c.quick = true; };

  std::vector<Case> cases;
  const auto add = [&](const Case& c) { cases.push_back(c); };

  const Case cityscapes = {Loss::kPixelwise, 8, 19, 512, 1024};
  const Case ade = {Loss::kPixelwise, 8, 150, 512, 512};
  add(with(cityscapes, quick));
  add(with(cityscapes, bf16));
  add(with(cityscapes, f16));
  add(with(cityscapes, f64));
  add(with(cityscapes, channels_last));
  add({Loss::kPixelwise, 8, 21, 512, 512});
  add(with(ade, quick));
  add(with(ade, bf16));
  add({Loss::kPixelwise, 1, 19, 1024, 2048});
  add({Loss::kPixelwise, 8, 21, 65, 65});

  const Case features = {Loss::kPairwise, 8, 512, 64, 64};
  const Case narrow = {Loss::kPairwise, 8, 128, 64, 64};
  const Case wide = {Loss::kPairwise, 8, 2048, 64, 64};
  const Case large = {Loss::kPairwise, 1, 512, 128, 256};
  add(with(features, quick));
  add(with(features, aligned));
  add(with(with(features, aligned_fast), quick));
  add(with(features, fast));
  add(with(features, bf16));
  add(with(features, f16));
  add(with(features, f64));
  add(with(features, channels_last));
  add({Loss::kPairwise, 8, 512, 63, 61});
  add(with(narrow, quick));
  add(with(narrow, aligned_fast));
  add(with(narrow, whole_batch));
  add({Loss::kPairwise, 8, 128, 64, 64, 2048});
  add(with(large, quick));
  add(with(large, aligned_fast));
  add({Loss::kPairwise, 1, 128, 128, 256});
  add({Loss::kPairwise, 1, 64, 128, 256});
  add({Loss::kPairwise, 1, 512, 32, 32});
  add(wide);
  add(with(wide, aligned));
  add(with(wide, aligned_fast));
  add({Loss::kPairwise, 8, 2048, 32, 32});  // fewer nodes than channels: pair by pair

  const Case classes19 = {Loss::kInterClassSimilarity, 8, 19, 512, 1024};
  const Case classes150 = {Loss::kInterClassSimilarity, 8, 150, 512, 512};
  add(with(classes19, quick));
  add(with(classes19, bf16));
  add(with(classes19, f64));
  add({Loss::kInterClassSimilarity, 8, 21, 512, 512});
  add(with(classes150, quick));
  add(with(classes150, bf16));
  add({Loss::kInterClassSimilarity, 1, 19, 1024, 2048});
  add({Loss::kInterClassSimilarity, 8, 21, 65, 65});

  // 8 of each class of Cityscapes and of ADE20K.
  const auto draws = [](int64_t classes, int64_t H, int64_t W) {
    return Case{Loss::kGlobalStructuralSample, 8, classes, H, W, 0, 8};
  };
  add(with(draws(19, 64, 128), quick));
  add(draws(150, 64, 64));
  add(draws(19, 512, 1024));

  // Rows gathered before, M = H * W; then drawn ones, with the gradient of the whole map.
  add(with({Loss::kGlobalStructural, 8, 512, 8, 19}, quick));
  add(with({Loss::kGlobalStructural, 8, 512, 8, 19}, bf16));
  add(with({Loss::kGlobalStructural, 8, 512, 30, 40}, quick));
  add({Loss::kGlobalStructural, 1, 512, 32, 64});
  add({Loss::kGlobalStructural, 8, 512, 64, 128, 0, 152});
  return cases;
}

}  // namespace structkd::bench
