// torch/trace.cpp: a network as TorchScript. What a thread computes between begin_trace and end_trace
// is written down by LibTorch's own tracer, so that no network has a second description. The network
// computes in Java, between the two calls: nothing is called back.
#include <ATen/Functions.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/normalize_ops.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "torch/errors.h"
#include "torch/structkd_ops.h"

namespace structkd {
namespace {

namespace jit = torch::jit;
namespace tracer = torch::jit::tracer;

// A module under construction, with where the graph has it.
struct Part {
  jit::Module module;
  std::map<std::string, std::unique_ptr<Part>> children;
  std::vector<std::pair<std::string, at::Tensor>> tensors;
};

// What this thread traces.
thread_local std::optional<jit::Module> traced;

std::unique_ptr<Part> new_part(const std::shared_ptr<jit::CompilationUnit>& unit) {
  // Names of modules may be no identifiers of Python, such as "0": classes are named by mangling.
  auto part = std::make_unique<Part>();
  part->module = jit::Module("__torch__.structkd.Network", unit, /*shouldMangle=*/true);
  part->module.register_attribute("training", c10::BoolType::get(), false);
  return part;
}

// Puts a tensor of the name "block.conv.weight" into the module that its name tells.
void place(Part* root,
           const std::string& name,
           const at::Tensor& tensor,
           bool is_buffer,
           const std::shared_ptr<jit::CompilationUnit>& unit) {
  Part* owner = root;
  size_t from = 0;
  for (size_t dot; (dot = name.find('.', from)) != std::string::npos; from = dot + 1) {
    std::unique_ptr<Part>& child = owner->children[name.substr(from, dot - from)];
    if (!child) child = new_part(unit);
    owner = child.get();
  }
  owner->module.register_parameter(name.substr(from), tensor, is_buffer);
  owner->tensors.emplace_back(name.substr(from), tensor);
}

// Tells the trace where the tensors of a module are read, and modules what is in them.
void connect(Part* part, jit::Value* self, tracer::TracingState* state) {
  jit::Graph* graph = self->owningGraph();
  for (const auto& [name, tensor] : part->tensors) {
    state->setValue(tensor, graph->insertGetAttr(self, name));
  }
  for (const auto& [name, child] : part->children) {
    connect(child.get(), graph->insertGetAttr(self, name), state);
  }
}

// Children first: the type of a module that is registered must be complete.
void register_children(Part* part) {
  for (const auto& [name, child] : part->children) {
    register_children(child.get());
    part->module.register_module(name, child->module);
  }
}

at::Tensor bytes_of(const std::string& text) {
  at::Tensor bytes = at::empty({int64_t(text.size())}, at::kByte);
  text.copy(static_cast<char*>(bytes.data_ptr()), text.size());
  return bytes;
}

}  // namespace

void begin_trace(const std::vector<std::string>& parameter_names,
                 const std::vector<at::Tensor>& parameters,
                 const std::vector<std::string>& buffer_names,
                 const std::vector<at::Tensor>& buffers,
                 const std::vector<std::string>& input_names,
                 const std::vector<at::Tensor>& inputs) {
  if (tracer::isTracing()) raise(STRUCTKD_ERR_VALUE, "this thread traces a network already");
  auto unit = std::make_shared<jit::CompilationUnit>();
  std::unique_ptr<Part> root = new_part(unit);
  for (size_t i = 0; i < parameters.size(); ++i) {
    place(root.get(), parameter_names[i], parameters[i], false, unit);
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    place(root.get(), buffer_names[i], buffers[i], true, unit);
  }
  register_children(root.get());
  auto state = std::make_shared<tracer::TracingState>();
  state->warn = false;  // a check of sizes in a network is no branch of it
  jit::Value* self = state->graph->addInput("self")->setType(root->module.type());
  for (size_t i = 0; i < inputs.size(); ++i) {
    jit::Value* input = state->graph->addInput(input_names[i])->setType(c10::TensorType::get());
    state->setValue(inputs[i], input);
  }
  connect(root.get(), self, state.get());
  traced = root->module;
  tracer::setTracingState(std::move(state));
}

at::Tensor end_trace(const std::vector<std::string>& names,
                     const std::vector<at::Tensor>& outputs,
                     const std::string& description_name,
                     const std::string& description) {
  const std::shared_ptr<tracer::TracingState> state = tracer::getTracingState();
  if (!state || !traced) raise(STRUCTKD_ERR_VALUE, "this thread traces no network");
  const std::shared_ptr<jit::Graph>& graph = state->graph;
  std::vector<jit::Value*> keys, values;
  for (size_t i = 0; i < outputs.size(); ++i) {
    keys.push_back(graph->insertConstant(names[i]));
    values.push_back(tracer::getValueTrace(outputs[i]));
  }
  jit::Node* taps = graph->createDict(c10::StringType::get(), c10::TensorType::get(), keys, values);
  graph->registerOutput(graph->insertNode(taps)->output());
  const jit::Module module = *traced;
  abandon_trace();  // what follows computes nothing of the network's

  jit::EliminateDeadCode(graph);
  jit::NormalizeOps(graph);
  const c10::QualifiedName name(*module.type()->name(), "forward");
  module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(name, graph));
  std::ostringstream file;
  module.save(file, {{description_name, description}});
  return bytes_of(file.str());
}

void abandon_trace() {
  tracer::setTracingState(nullptr);
  traced.reset();
}

at::Tensor resized(const at::Tensor& map, const at::Tensor& like, int64_t factor, bool cubic) {
  const std::array<int64_t, 2> size = {factor * like.size(2), factor * like.size(3)};
  if (tracer::isTracing()) {
    for (size_t axis = 0; axis < size.size(); ++axis) {
      at::Tensor side = tracer::getSizeOf(like, int64_t(axis) + 2);
      if (factor != 1) side = side.mul(factor);
      tracer::ArgumentStash::stashIntArrayRefElem("output_size", size.size(), axis, side);
    }
  }
  return cubic ? at::upsample_bicubic2d(map, at::IntArrayRef(size), /*align_corners=*/false)
               : at::upsample_bilinear2d(map, at::IntArrayRef(size), /*align_corners=*/false);
}

}  // namespace structkd
