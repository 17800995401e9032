// cuda/inter_class_similarity/grad_forms.cuh: which kernel writes the gradient, and how it is cut:
// by the number of classes and what the device has.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_FORMS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_FORMS_CUH

#include "cuda/inter_class_similarity/block_grad.cuh"
#include "cuda/inter_class_similarity/grad.cuh"
#include "cuda/inter_class_similarity/product_forms.cuh"
#include "cuda/inter_class_similarity/warp_grad.cuh"

namespace structkd::cuda {
namespace {

// Multiply-adds: a thread has Group classes.
template <class T, int Group>
struct MultiplyAddGrad {
  int groups, padded_group;
  GradTile tile;  // pixels = 0: too many classes for a tile
  size_t shared_bytes;

  explicit MultiplyAddGrad(int K)
      : groups(int(divide_up(K, Group))),
        padded_group(int(divide_up(Group, kGradChunk<T>)) * kGradChunk<T>),
        tile(),
        shared_bytes(0) {
    const size_t factor_bytes = size_t(groups) * padded_group * sizeof(T);
    int pixel_threads = kGradThreads / groups;
    if (pixel_threads > 4) pixel_threads = pixel_threads / 4 * 4;  // whole lines of 32 pixels
    for (; pixel_threads > 0; --pixel_threads) {
      const int pixels = pixel_threads * kGradPixels<T>;
      const size_t tile_bytes = size_t(K) * pixels * sizeof(T) + pixels;
      if (tile_bytes + factor_bytes > kSharedBytes) continue;
      const int64_t fitting = int64_t((kSharedBytes - tile_bytes) / factor_bytes);
      // Few classes j at a time cost barriers: fewer pixels rather than fewer than 4 of them.
      if (fitting < 4 && fitting < K && pixel_threads > 1) continue;
      tile = {pixels, int(fitting < K ? fitting : K)};
      shared_bytes = tile_bytes + tile.factor_rows * factor_bytes;
      break;
    }
  }

  int pixels() const { return tile.pixels > 0 ? tile.pixels : kGradThreads; }
  const char* name() const {
    return tile.pixels > 0 ? "multiply-adds" : "multiply-adds, rereading";
  }

  void lay_out(GradFactors<T>& factors) const {
    factors.group = Group;
    factors.padded_group = padded_group;
    factors.stride = groups * padded_group;
  }

  template <class Element>
  void enqueue(cudaStream_t stream,
               const InterClassSimilarityArgs&,
               const GradTask<Element>& task,
               unsigned blocks) const {
    if (tile.pixels > 0) {
      launch<class_grad_kernel<Element, Group>>(
          "class_grad_kernel", dim3(blocks), dim3(kGradThreads), shared_bytes, stream, task, tile);
    } else {
      launch<class_grad_reread_kernel<Element, Group>>("class_grad_reread_kernel",
                                                       dim3(blocks * unsigned(groups)),
                                                       dim3(kGradThreads), 0, stream, task);
    }
  }
};

// True if V neighbouring pixels are one access, of logits and of gradients, which may be wider.
template <int V, class Element>
bool takes_chunks(const InterClassSimilarityArgs& args, const GradTask<Element>& task) {
  return takes_chunks<V>(args.student, sizeof(Element)) &&
         takes_chunks<V>(args.grad, task.grad.wide ? sizeof(float) : sizeof(Element));
}

// Tensor cores, warp by warp, for classes of so many blocks.
template <int Blocks>
struct WarpGradForm {
  int pixels() const { return kGradTiles * kGradTilePixels; }
  const char* name() const { return "tensor cores by warp"; }

  void lay_out(GradFactors<float>& factors) const { factors.blocks = Blocks; }

  template <class Element>
  void enqueue(cudaStream_t stream,
               const InterClassSimilarityArgs& args,
               const GradTask<Element>& task,
               unsigned blocks) const {
    launch<class_grad_by_warp_kernel<Element, Blocks>>("class_grad_by_warp_kernel", dim3(blocks),
                                                       dim3(kWarpGradThreads), 0, stream, task,
                                                       takes_chunks<kGradLanePixels>(args, task));
  }
};

// Tensor cores, all warps of a block together.
template <int Blocks>
struct BlockGradForm {
  int pixels() const { return kBlockGradPixels; }
  const char* name() const { return "tensor cores"; }

  void lay_out(GradFactors<float>& factors) const { factors.blocks = Blocks; }

  template <class Element>
  void enqueue(cudaStream_t stream,
               const InterClassSimilarityArgs& args,
               const GradTask<Element>& task,
               unsigned blocks) const {
    launch<class_grad_by_block_kernel<Element, Blocks>>(
        "class_grad_by_block_kernel", dim3(blocks), dim3(kBlockGradThreads),
        kBlockGradBytes<Blocks>, stream, task, takes_chunks<kBlockGradLanePixels>(args, task));
  }
};

// Calls visit(form) with the form of the gradient for K classes.
template <class T, class Visit>
void with_grad_form(int K, Visit&& visit) {
  if (with_blocks_of_a_warp<T>(
          K, [&](auto blocks) { visit(WarpGradForm<decltype(blocks)::value>{}); })) {
    return;
  }
  if constexpr (sizeof(T) == 4) {
    if (tensor_cores_are_fast() && K <= 152) {  // more do not fit into registers
      if (K <= 32) {
        visit(BlockGradForm<4>{});
      } else if (K <= 64) {
        visit(BlockGradForm<8>{});
      } else if (K <= 104) {
        visit(BlockGradForm<13>{});
      } else {
        visit(BlockGradForm<19>{});
      }
      return;
    }
  }
  if constexpr (sizeof(T) == 8) {
    visit(MultiplyAddGrad<T, 6>(K));
  } else {
    // 21 and 22 classes are two groups of 11, 19 and 20 of 10, 150 classes 15 groups of 10.
    if (divide_up(K, 11) * 11 < divide_up(K, 10) * 10) {
      visit(MultiplyAddGrad<T, 11>(K));
    } else {
      visit(MultiplyAddGrad<T, 10>(K));
    }
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_GRAD_FORMS_CUH
