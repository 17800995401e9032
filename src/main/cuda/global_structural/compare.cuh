// cuda/global_structural/compare.cuh: the similarity maps of a batch and their divergence, in one
// launch.
//
// Blocks make the tiles of all images first. Those that start later add up the groups of an image
// as soon as its tiles are there, while the tiles of the next are still being made.
#ifndef STRUCTKD_CUDA_GLOBAL_STRUCTURAL_COMPARE_CUH
#define STRUCTKD_CUDA_GLOBAL_STRUCTURAL_COMPARE_CUH

#include "cuda/global_structural/groups.cuh"
#include "cuda/global_structural/maps.cuh"

namespace structkd::cuda {
namespace {

constexpr uint32_t kMostGroupBlocks = 264;  // per image, 2 for each of 132 multiprocessors

// How the blocks of the grid share the work.
template <class Shape>
struct CompareGrid {
  MapTiles<Shape> tiles;
  uint32_t images;
  uint32_t group_blocks;  // per image

  CompareGrid(const GlobalStructuralArgs& args, const GroupParts& parts)
      : tiles{uint32_t(divide_up(args.max_samples, Shape::kTile)),
              args.similarity == STRUCTKD_SIMILARITY_CROSS},
        images(uint32_t(args.student.B)) {
    const int64_t tasks = args.max_samples * parts.parts;
    group_blocks = tasks < kMostGroupBlocks ? uint32_t(tasks) : kMostGroupBlocks;
  }

  __host__ __device__ uint32_t tile_blocks() const { return images * tiles.count(); }
  uint32_t blocks() const { return tile_blocks() + images * group_blocks; }
};

// Blocks of maps read 4 M C bytes of each net's f32 rows and write 8 M^2 bytes. Blocks of groups
// read per entry a column and two numbers of a row that is in L2, 12 M^2 bytes; per part of a group
// they write and read 40 bytes, per group they write 72. Shared memory: 19 to 39 KB, no bank
// conflicts but of f64 maps. kBlocks: left alone the compiler saves registers for more blocks on
// sm_100 and sm_120, and spills.
template <class T, class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    compare_maps_kernel(GlobalStructuralArgs args,
                        CompareGrid<Shape> grid,
                        Rows<T> student,
                        Rows<T> teacher,
                        GroupWork<T> work) {
  const uint32_t ticket = take_ticket(work.arrivals.tickets), tiles = grid.tiles.count();
  if (ticket < grid.tile_blocks()) {
    const uint32_t b = ticket / tiles;
    grid.tiles.make(ticket % tiles, student, teacher, b, samples_of(args, b), work.maps);
    arrive(&work.arrivals.tiles[b]);
    return;
  }
  const uint32_t block = ticket - grid.tile_blocks(), b = block / grid.group_blocks;
  await_arrivals(&work.arrivals.tiles[b], tiles);
  const uint32_t part_count = work.parts_of(b);
  // At most 32 M; none where the image has no samples.
  const uint32_t tasks = part_count * uint32_t(work.images[b].groups.count);
  for (uint32_t task = block % grid.group_blocks; task < tasks; task += grid.group_blocks) {
    work.template add_part<Shape::kThreads>(args, b, task % part_count, task / part_count);
  }
  work.template end_block<Shape::kThreads>(args, b, grid.group_blocks);
}

}  // namespace
}  // namespace structkd::cuda

#endif  // STRUCTKD_CUDA_GLOBAL_STRUCTURAL_COMPARE_CUH
