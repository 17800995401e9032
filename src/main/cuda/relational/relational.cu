// cuda/relational/relational.cu: launches the kernels of the relational loss. Truth:
// reference/relational.cpp.
//
// Everything is f64: N^3 terms of some 40 operations are 1 ms where f64 runs at half the rate of f32,
// and for N = 1024 some 100 ms where it runs at 1/64.
#include "cuda/common/launch.cuh"
#include "cuda/kernels.h"
#include "cuda/relational/relations.cuh"

namespace structkd::cuda {

size_t relational_workspace(const Launch&, const RelationalArgs& args) {
  Workspace workspace(nullptr);
  Relational(args, workspace);
  return workspace.bytes();
}

void relational(const Launch& launch_on, const RelationalArgs& args, void* memory) {
  Workspace workspace(memory);
  const Relational call(args, workspace);
  const cudaStream_t stream = stream_of(launch_on);
  const unsigned chunks = unsigned(call.chunks()), pairs = unsigned(call.N) * chunks;
  const bool want_grad = args.grad.data != nullptr;
  launch<relational_rows_embedding_per_thread_kernel>("relational: rows", dim3(chunks, 2), kThreads,
                                                      0, stream, call);
  launch<relational_squares_pair_per_thread_kernel>("relational: squares", dim3(pairs, 2), kThreads,
                                                    0, stream, call);
  if (args.relation != STRUCTKD_RELATION_ANGLE) {
    launch<relational_means_pair_per_thread_kernel>("relational: means", pairs, kThreads, 0, stream,
                                                    call);
    launch<relational_end_one_block_kernel</*kMeans=*/true>>("relational: end", 1, kThreads, 0,
                                                             stream, call);
  }
  if (args.relation == STRUCTKD_RELATION_DISTANCE) {
    launch<relational_distances_pair_per_thread_kernel>("relational: distances", pairs, kThreads, 0,
                                                        stream, call, want_grad);
  } else if (args.relation == STRUCTKD_RELATION_ANGLE) {
    launch<relational_angles_pair_per_thread_kernel>("relational: angles", pairs, kThreads, 0,
                                                     stream, call, want_grad);
  } else {
    launch<relational_areas_pair_per_thread_kernel>("relational: areas", pairs, kThreads, 0, stream,
                                                    call, want_grad);
  }
  launch<relational_end_one_block_kernel</*kMeans=*/false>>("relational: end", 1, kThreads, 0,
                                                            stream, call);
  if (want_grad) {
    launch<relational_pull_pair_per_thread_kernel>("relational: pull", pairs, kThreads, 0, stream,
                                                   call);
    launch<relational_grad_element_per_thread_kernel>(
        "relational: grad", unsigned(args.student.C) * chunks, kThreads, 0, stream, call);
    launch<relational_finish_embedding_per_thread_kernel>("relational: finish", chunks, kThreads, 0,
                                                          stream, call);
  }
  set_plan("relational: cuda, f64, %lld embeddings", static_cast<long long>(call.N));
}

}  // namespace structkd::cuda
