// torch/cuda.cpp: opens the CUDA libraries.
#include "torch/cuda.h"

#include <dlfcn.h>

#include <atomic>
#include <mutex>
#include <string>

#include "torch/errors.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

using Open = structkd_status (*)();    // structkd_cuda_open of cuda/structkd_cuda.h
using CurrentStream = void* (*)(int);  // structkd_torch_cuda_stream of torch_cuda/stream.cpp

constexpr int kMaxDevices = 64;  // of LibTorch, too

std::mutex mutex;  // over everything below that is written once
std::string folder;
Open open_device = nullptr;
CurrentStream current_stream = nullptr;
std::atomic<bool> is_open[kMaxDevices];

// A name without a slash is found by this library's own search path: beside it.
void* open_library(const std::string& name) {
  return dlopen((folder.empty() ? name : folder + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
}

// One sentence, or "" once the function is found.
template <class Function>
std::string find(const std::string& library,
                 const char* name,
                 const char* remedy,
                 Function& function) {
  if (function != nullptr) return "";
  if (void* handle = open_library(library)) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (function != nullptr) return "";
  }
  const char* reason = dlerror();
  return library + " cannot be used: " + remedy + " (" +
         (reason != nullptr ? reason : "unknown reason") + ")";
}

// Kernels first: what is wrong with driver or GPU says more than what is wrong with LibTorch.
std::string problem_with_kernels() {
  std::string problem = find(
      "libstructkd_cuda.so", "structkd_cuda_open",
      "add the dependency org.structkd:structkd with classifier linux-x86_64-gpu, or build the "
      "library with STRUCTKD_CUDA (docs/gpu.md)",
      open_device);
  if (problem.empty() && open_device() != STRUCTKD_OK) problem = structkd_last_error();
  return problem;
}

std::string problem_with_streams() {
  return find("libstructkd_torch_cuda.so", "structkd_torch_cuda_stream",
              "it needs a LibTorch with CUDA, org.bytedeco:pytorch with classifier "
              "linux-x86_64-gpu",
              current_stream);
}

std::string problem_with_device() {
  std::string problem = problem_with_kernels();
  return problem.empty() ? problem_with_streams() : problem;
}

}  // namespace

void look_for_cuda_in(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex);
  folder = path;
}

void* cuda_stream(const char* loss, int device) {
  if (device < 0 || device >= kMaxDevices) {
    raise(STRUCTKD_ERR_CUDA, std::string(loss) + ": cuda:" + std::to_string(device) +
                                 " is no device, expected one below " +
                                 std::to_string(kMaxDevices));
  }
  if (!is_open[device].load(std::memory_order_acquire)) {
    const std::lock_guard<std::mutex> lock(mutex);
    const std::string problem = problem_with_device();
    if (!problem.empty()) raise(STRUCTKD_ERR_CUDA, std::string(loss) + ": " + problem);
    is_open[device].store(true, std::memory_order_release);
  }
  return current_stream(device);
}

std::string cuda_problem() {
  const std::lock_guard<std::mutex> lock(mutex);
  return problem_with_device();
}

}  // namespace structkd
