// cuda/inter_class_tile.cuh: a tile of classes x pixels between a map and shared memory.
#ifndef STRUCTKD_CUDA_INTER_CLASS_TILE_CUH
#define STRUCTKD_CUDA_INTER_CLASS_TILE_CUH

#include "access.cuh"
#include "reduce.cuh"

namespace structkd::cuda {
namespace {

// The elements that one thread of a block takes of a tile: every Threads-th, counted along the
// classes where these are neighbours in memory (channels last), else along the pixels. So the lanes
// of a warp read and write neighbouring words of the map.
template <int Threads>
class TileWalk {
 public:
  template <class Element>
  __device__ __forceinline__ TileWalk(const MapOf<Element>& map, int classes, int pixels)
      : by_class_(map.stride_c == 1 && map.stride_w != 1),
        extent_(by_class_ ? classes : pixels),
        end_(by_class_ ? pixels : classes),
        minor_step_(Threads % extent_),
        major_step_(Threads / extent_),
        minor_(int(threadIdx.x) % extent_),
        major_(int(threadIdx.x) / extent_) {
    const int64_t minor_stride = by_class_ ? map.stride_c : map.stride_w;
    const int64_t major_stride = by_class_ ? map.stride_w : map.stride_c;
    offset_ = minor_ * minor_stride + major_ * major_stride;
    step_ = minor_step_ * minor_stride + major_step_ * major_stride;
    carry_ = major_stride - extent_ * minor_stride;
  }

  __device__ __forceinline__ bool inside() const { return major_ < end_; }
  __device__ __forceinline__ int row() const { return by_class_ ? minor_ : major_; }
  __device__ __forceinline__ int pixel() const { return by_class_ ? major_ : minor_; }
  // From the first element of the tile, in a map whose pixels follow each other.
  __device__ __forceinline__ int64_t offset() const { return offset_; }

  __device__ __forceinline__ void next() {
    minor_ += minor_step_;
    major_ += major_step_;
    offset_ += step_;
    if (minor_ >= extent_) {
      minor_ -= extent_;
      ++major_;
      offset_ += carry_;
    }
  }

 private:
  bool by_class_;
  int extent_, end_, minor_step_, major_step_, minor_, major_;
  int64_t offset_, step_, carry_;
};

// Offset of the walk's element in a map; the tile begins at class `c0` and pixel `n0` of image `b`.
template <class Element, int Threads>
__device__ __forceinline__ int64_t element_offset(
    const MapOf<Element>& map, int64_t b, int64_t c0, int64_t n0, const TileWalk<Threads>& walk) {
  const int64_t start = b * map.stride_b + c0 * map.stride_c;
  if (map.is_linear()) return start + n0 * map.stride_w + walk.offset();
  return start + walk.row() * map.stride_c + map.pixel_offset(n0 + walk.pixel());
}

// Pixel n exists and is not ignored.
__device__ __forceinline__ bool is_valid(
    const Plane& mask, int64_t b, int64_t n, int64_t N, int64_t W) {
  return n < N && (mask.data == nullptr || plane_at<int>(mask, b, n, W) != 0);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_INTER_CLASS_TILE_CUH
