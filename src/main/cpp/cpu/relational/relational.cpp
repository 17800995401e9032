// cpu/relational/relational.cpp: the relational loss: squared distances, what they say of pairs or
// triples, and back. Truth: reference/relational.cpp.
//
//   distances  2 N^2 (Cs + Ct) operations, and as many for the gradient
//   triples    N^3 of some 20 operations; of areas N^3 / 2 of some 40, two roots and a quotient
#include <omp.h>

#include "core/error.h"
#include "cpu/kernels.h"
#include "cpu/relational/relations.h"

namespace structkd::cpu::STRUCTKD_ISA {
namespace {

struct Layout {
  Points s, t;
  Relations relations;
  double* scratch;  // per thread (N + Cs) kPanel

  Layout(const RelationalArgs& args, int threads, Workspace& workspace)
      : s(args.student, workspace),
        t(args.teacher, workspace),
        relations(args, s, t, threads, workspace),
        scratch(workspace.take<double>(args.want_grad ? threads * scratch_elements() : 0)) {}

  int64_t scratch_elements() const { return (s.N + s.C) * kPanel; }
};

}  // namespace

size_t relational_workspace(const Launch& launch, const RelationalArgs& args) {
  Workspace workspace(nullptr);
  Layout(args, launch.threads, workspace);
  return workspace.bytes();
}

void relational(const Launch& launch, const RelationalArgs& args, void* memory) {
  Workspace workspace(memory);
  const Layout layout(args, launch.threads, workspace);
  const Points& s = layout.s;
  prepare(s, args.normalize, launch.threads);
  prepare(layout.t, args.normalize, launch.threads);
  double loss = 0.0;
  if (s.N >= 3) {
    loss = args.relation == STRUCTKD_RELATION_DISTANCE ? compare_distances(layout.relations)
           : args.relation == STRUCTKD_RELATION_ANGLE  ? compare_angles(layout.relations)
                                                       : compare_areas(layout.relations);
  } else {
    memset(layout.relations.first.data, 0, size_t(s.panels * s.N * kPanel) * sizeof(double));
  }
  if (args.grad.data) {
#pragma omp parallel for num_threads(launch.threads) schedule(static)
    for (int64_t panel = 0; panel < s.panels; ++panel) {
      double* scratch = layout.scratch + omp_get_thread_num() * layout.scratch_elements();
      write_panel_grad(args, s, layout.relations.first, scratch, panel);
    }
  }
  store_loss(args.loss, args.student.dtype, loss);
  set_plan("relational: cpu, f64, %d threads, %lld embeddings", launch.threads,
           static_cast<long long>(s.N));
}

}  // namespace structkd::cpu::STRUCTKD_ISA
