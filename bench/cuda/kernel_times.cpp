// bench/cuda/kernel_times.cpp: the kernels of one call.
//
// The runtime cannot name kernels that another library launched; the driver can. It is asked
// through the runtime, so that nothing links to libcuda.so.
#include "kernel_times.h"

#include <cudaTypedefs.h>
#include <cxxabi.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>

namespace structkd::bench {
namespace {

template <class Function>
Function driver_function(const char* name, unsigned since) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult result = {};
  require(cudaGetDriverEntryPointByVersion(name, &function, since, cudaEnableDefault, &result),
          name);
  if (function == nullptr) throw std::runtime_error(std::string("the driver lacks ") + name);
  return reinterpret_cast<Function>(function);
}

struct Driver {
  PFN_cuGraphKernelNodeGetParams_v12000 node_params =
      driver_function<PFN_cuGraphKernelNodeGetParams_v12000>("cuGraphKernelNodeGetParams", 12000);
  PFN_cuKernelGetFunction_v12000 function_of =
      driver_function<PFN_cuKernelGetFunction_v12000>("cuKernelGetFunction", 12000);
  PFN_cuFuncGetName_v12030 name_of =
      driver_function<PFN_cuFuncGetName_v12030>("cuFuncGetName", 12030);
  PFN_cuFuncGetAttribute_v2020 attribute_of =
      driver_function<PFN_cuFuncGetAttribute_v2020>("cuFuncGetAttribute", 2020);
  PFN_cuLaunchKernel_v4000 launch =
      driver_function<PFN_cuLaunchKernel_v4000>("cuLaunchKernel", 4000);
};

void require_driver(CUresult status, const char* what) {
  if (status != CUDA_SUCCESS) {
    throw std::runtime_error(std::string(what) + " failed with " + std::to_string(int(status)));
  }
}

// "gram_tile_kernel<float>" of "void structkd::cuda::(anonymous
// namespace)::gram_tile_kernel<float>(...)".
std::string short_name(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  std::string name = status == 0 ? demangled.get() : mangled;
  for (const char* noise : {"void ", "(anonymous namespace)::", "structkd::", "cuda::"}) {
    const std::string text = noise;
    for (size_t at; (at = name.find(text)) != std::string::npos;) name.erase(at, text.size());
  }
  int depth = 0;  // of template arguments, where casts have parentheses too
  for (size_t i = 0; i < name.size(); ++i) {
    depth += (name[i] == '<') - (name[i] == '>');
    if (name[i] == '(' && depth == 0) return name.substr(0, i);
  }
  return name;
}

// The nodes of a graph that one stream has captured: a chain.
std::vector<cudaGraphNode_t> chain_of(cudaGraph_t graph) {
  size_t count = 0, edges = 0;
  require(cudaGraphGetNodes(graph, nullptr, &count), "nodes of a graph");
  std::vector<cudaGraphNode_t> nodes(count);
  require(cudaGraphGetNodes(graph, nodes.data(), &count), "nodes of a graph");
  require(cudaGraphGetEdges(graph, nullptr, nullptr, nullptr, &edges), "edges of a graph");
  std::vector<cudaGraphNode_t> from(edges), to(edges);
  std::vector<cudaGraphEdgeData> kinds(edges);
  require(cudaGraphGetEdges(graph, from.data(), to.data(), kinds.data(), &edges),
          "edges of a graph");
  std::map<cudaGraphNode_t, cudaGraphNode_t> next, previous;
  for (size_t i = 0; i < edges; ++i) {
    next[from[i]] = to[i];
    previous[to[i]] = from[i];
  }
  std::vector<cudaGraphNode_t> chain;
  for (cudaGraphNode_t node : nodes) {
    if (previous.count(node) > 0) continue;
    for (; node != nullptr; node = next[node]) chain.push_back(node);
  }
  return chain;
}

}  // namespace

CapturedCall::CapturedCall(const std::function<void()>& enqueue, cudaStream_t stream)
    : stream_(stream) {
  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "start of a capture");
  try {
    enqueue();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph_);
    throw;
  }
  require(cudaStreamEndCapture(stream, &graph_), "the call cannot be captured in a graph");
  require(cudaGraphInstantiate(&executable_, graph_, 0), "the captured graph cannot be run");
}

CapturedCall::~CapturedCall() {
  if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
  if (graph_ != nullptr) cudaGraphDestroy(graph_);
}

void CapturedCall::replay() const {
  require(cudaGraphLaunch(executable_, stream_), "launch of a captured graph");
}

std::vector<KernelTime> CapturedCall::kernel_times(int runs, const ColdCache& cache) const {
  static const Driver driver;
  std::vector<KernelTime> kernels;
  std::vector<std::function<void()>> launches;
  for (cudaGraphNode_t node : chain_of(graph_)) {
    cudaGraphNodeType type = {};
    require(cudaGraphNodeGetType(node, &type), "type of a node");
    if (type != cudaGraphNodeTypeKernel) {
      throw std::runtime_error("a call enqueues something else than kernels");
    }
    CUDA_KERNEL_NODE_PARAMS_v2 params = {};
    require_driver(driver.node_params(node, &params), "parameters of a kernel");
    if (params.func == nullptr) {
      require_driver(driver.function_of(&params.func, params.kern), "function of a kernel");
    }
    const char* name = nullptr;
    int registers = 0, static_shared = 0;
    require_driver(driver.name_of(&name, params.func), "name of a kernel");
    require_driver(driver.attribute_of(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, params.func),
                   "registers");
    require_driver(
        driver.attribute_of(&static_shared, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, params.func),
        "shared memory");
    kernels.push_back({short_name(name),
                       {params.gridDimX, params.gridDimY, params.gridDimZ},
                       {params.blockDimX, params.blockDimY, params.blockDimZ},
                       registers,
                       size_t(static_shared) + params.sharedMemBytes,
                       0.0});
    launches.push_back([params, this] {
      require_driver(
          driver.launch(params.func, params.gridDimX, params.gridDimY, params.gridDimZ,
                        params.blockDimX, params.blockDimY, params.blockDimZ, params.sharedMemBytes,
                        stream_, params.kernelParams, params.extra),
          "launch of a kernel");
    });
  }

  const size_t count = kernels.size();
  const auto watches = std::make_unique<Stopwatch[]>(count * size_t(runs));
  for (int run = 0; run < runs; ++run) {
    cache.chill(stream_);
    for (size_t k = 0; k < count; ++k) {
      Stopwatch& watch = watches[size_t(run) * count + k];
      watch.start(stream_);
      launches[k]();
      watch.stop(stream_);
    }
  }
  for (size_t k = 0; k < count; ++k) {
    std::vector<double> times;
    for (int run = 0; run < runs; ++run) {
      times.push_back(watches[size_t(run) * count + k].milliseconds());
    }
    kernels[k].milliseconds = times_of(times).p50;
  }
  return kernels;
}

}  // namespace structkd::bench
