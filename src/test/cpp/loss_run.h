// src/test/cpp/loss_run.h: one call of a loss as its tests make it: exact workspace, poisoned
// outputs.
#ifndef STRUCTKD_TEST_LOSS_RUN_H
#define STRUCTKD_TEST_LOSS_RUN_H

#include <functional>
#include <string>
#include <vector>

#include "tensors.h"

namespace structkd::test {

struct Outcome {
  double loss;
  std::vector<double> grad;
  std::string plan;
};

struct How {
  bool want_grad = true;
  int threads = 2;
  Layout grad_layout = Layout::kContiguous;
  bool f32_grad = false;
};

// The two C entries of a loss, with everything but context, workspace and outputs bound.
using WorkspaceCall = std::function<structkd_status(const structkd_ctx*, size_t* bytes)>;
using RunCall = std::function<structkd_status(
    const structkd_ctx*, void* workspace, void* loss, structkd_tensor* grad)>;

// Expects both calls to succeed and no memory but the gradient's own elements to be written.
Outcome run_loss(const std::string& backend,
                 const TestTensor& student,
                 const How& how,
                 const WorkspaceCall& workspace_bytes,
                 const RunCall& run);

}  // namespace structkd::test

#endif  // STRUCTKD_TEST_LOSS_RUN_H
