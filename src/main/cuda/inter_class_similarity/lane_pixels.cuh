// cuda/inter_class_similarity/lane_pixels.cuh: a few neighbouring pixels of a class between a map
// and the registers of one lane.
#ifndef STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_LANE_PIXELS_CUH
#define STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_LANE_PIXELS_CUH

#include "cuda/inter_class_similarity/product_shape.cuh"

namespace structkd::cuda {
namespace {

// Tensor cores take 8 classes at a time.
constexpr int kBlockClasses = 8;

// True if any V pixels from a multiple of V on are one access in every class of every image.
template <int V>
bool takes_chunks(const Map& map, size_t element_bytes) {
  const auto is_multiple = [&](int64_t stride) { return stride % V == 0; };
  const bool is_linear = map.H == 1 || map.stride_h == map.W * map.stride_w;
  return is_linear && (map.stride_w == 1 || map.H * map.W == 1) && is_multiple(map.H * map.W) &&
         (map.C == 1 || is_multiple(map.stride_c)) && (map.B == 1 || is_multiple(map.stride_b)) &&
         reinterpret_cast<uintptr_t>(map.data) % (V * element_bytes) == 0;
}

// Logits of pixels n to n + V - 1 of the class that `of_class` points to. Those that do not exist
// are 0.
template <int V, class Element>
__device__ __forceinline__ Chunk<Element, V> load_pixels(
    const MapOf<Element>& map, const Element* of_class, int64_t n, int64_t N, bool chunks) {
  Chunk<Element, V> raw = {};
  if (chunks) {
    if (n < N) raw = *reinterpret_cast<const Chunk<Element, V>*>(of_class + n);
  } else {
#pragma unroll
    for (int v = 0; v < V; ++v) {
      if (n + v < N) raw.at[v] = of_class[map.pixel_offset(n + v)];
    }
  }
  return raw;
}

// The same for gradients, which are of another type where grad.wide says so.
template <int V, class Element>
__device__ __forceinline__ void store_pixels(const GradOf<Element>& grad,
                                             int64_t of_class,
                                             int64_t n,
                                             int64_t N,
                                             const float (&dz)[V],
                                             bool chunks) {
  if (chunks && n < N) {
    if (sizeof(Element) == 4 || grad.wide) {
      Chunk<float, V> all;
#pragma unroll
      for (int v = 0; v < V; ++v) all.at[v] = dz[v];
      *reinterpret_cast<Chunk<float, V>*>(static_cast<float*>(grad.data) + of_class + n) = all;
    } else {
      Chunk<Element, V> all;
#pragma unroll
      for (int v = 0; v < V; ++v) all.at[v] = narrow<Element>(dz[v]);
      *reinterpret_cast<Chunk<Element, V>*>(static_cast<Element*>(grad.data) + of_class + n) = all;
    }
  } else if (!chunks) {
#pragma unroll
    for (int v = 0; v < V; ++v) {
      if (n + v < N) grad.store(of_class + grad.layout.pixel_offset(n + v), dz[v]);
    }
  }
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_SIMILARITY_LANE_PIXELS_CUH
