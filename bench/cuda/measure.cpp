// bench/cuda/measure.cpp: one case.
#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "losses.h"
#include "problem.h"

namespace structkd::bench {
namespace {

constexpr int kMinRuns = 30, kMaxRuns = 200;
constexpr double kMillisecondsPerCase = 300.0;
constexpr int kKernelRuns = 15;

// The CPU computes the truth of as many images as it can in about a second.
constexpr double kTruthFlops = 5e10;
constexpr double kTruthElements = 2e7;

std::string text(const char* format, double a, double b, double c = 0.0, double d = 0.0) {
  char buffer[256];
  std::snprintf(buffer, sizeof(buffer), format, a, b, c, d);
  return buffer;
}

// One call of the case on the device, on the first `images` images.
class DeviceCall {
 public:
  DeviceCall(const Case& c, const Problem& problem, int64_t images, cudaStream_t stream)
      : case_(c), ctx_{"cuda", stream, 1, {}}, arrays_(problem.arrays(images)) {
    case_.B = images;
    bytes_ = loss_of(case_).workspace_bytes(case_, ctx_, arrays_);
    workspace_ = DeviceBytes(bytes_);  // cudaMalloc aligns to 256
    if (bytes_ > 0) {
      require(cudaMemsetAsync(workspace_.data(), 0xff, bytes_, stream), "memory of the device");
    }
  }

  void enqueue() { loss_of(case_).call(case_, ctx_, arrays_, workspace_.data()); }
  const Arrays& arrays() const { return arrays_; }
  size_t workspace() const { return bytes_; }

 private:
  Case case_;
  structkd_ctx ctx_;
  Arrays arrays_;
  size_t bytes_ = 0;
  DeviceBytes workspace_;
};

// Fills the outputs with one byte before a call and compares what it wrote with an earlier result.
// With another byte each time, an element that is not written differs.
class RepeatCheck {
 public:
  RepeatCheck(const Problem& problem, cudaStream_t stream)
      : outputs_(problem.outputs()), stream_(stream) {}

  void fill(int byte) const {
    for (const Problem::Span& span : outputs_) {
      require(cudaMemsetAsync(span.data, byte, span.bytes, stream_), "memory of the device");
    }
  }

  void keep() {
    for (const Problem::Span& span : outputs_) {
      DeviceBytes copy(span.bytes);
      require(
          cudaMemcpyAsync(copy.data(), span.data, span.bytes, cudaMemcpyDeviceToDevice, stream_),
          "a copy on the device");
      kept_.push_back(std::move(copy));
    }
    require(cudaStreamSynchronize(stream_), "the call failed on the device");
  }

  void require_equal(const char* when) const {
    int64_t different = 0;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      different += different_words(outputs_[i].data, kept_[i].data(), outputs_[i].bytes, stream_);
    }
    if (different == 0) return;
    throw std::runtime_error(std::to_string(different) + " words of the result differ " + when);
  }

 private:
  std::vector<Problem::Span> outputs_;
  std::vector<DeviceBytes> kept_;
  cudaStream_t stream_;
};

double relative_error(const std::vector<double>& actual,
                      const std::vector<double>& expected,
                      double scale) {
  double difference = 0.0, norm = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double gap = actual[i] - scale * expected[i];
    difference += gap * gap;
    norm += scale * expected[i] * scale * expected[i];
  }
  return std::sqrt(difference / norm);
}

// How exact the kernels are is what the tests say; here a fast wrong answer is kept out of the
// table. FAST promises 5e-3, bf16 gradients are rounded to 8 bits, products of bf16 err by as much
// again where nothing cancels.
double error_limit(const Case& c) {
  const Products products = loss_of(c).products(c);
  if (c.fast || products == Products::kTf32) return 5e-3;
  if (c.dtype == STRUCTKD_BF16) return products == Products::kBf16 ? 0x1p-6 : 0x1p-8;
  return c.dtype == STRUCTKD_F64 ? 1e-9 : 1e-5;
}

int64_t checked_images(const Case& c) {
  if (c.whole_batch) return c.B;
  const double elements = double((c.C + c.Ct) * c.pixels());
  const double flops = std::max(loss_of(c).flops(c) / double(c.B), 1.0);
  const double images = std::min(kTruthFlops / flops, kTruthElements / elements);
  return std::clamp(int64_t(images), int64_t(1), c.B);
}

void run_on_cpu(HostProblem& host) {
  const structkd_ctx ctx = {
      "cpu", nullptr, int32_t(std::max(1u, std::thread::hardware_concurrency())), {}};
  Arrays arrays = host.arrays();
  const Case& c = host.definition();
  const size_t bytes = loss_of(c).workspace_bytes(c, ctx, arrays);
  std::vector<uint8_t> workspace(bytes + STRUCTKD_ALIGNMENT);
  uint8_t* aligned = workspace.data();
  aligned += STRUCTKD_ALIGNMENT - reinterpret_cast<uintptr_t>(aligned) % STRUCTKD_ALIGNMENT;
  loss_of(c).call(c, ctx, arrays, aligned);
}

// Both draw the same pixels, bit for bit.
void require_equal_samples(const HostProblem& host, const Arrays& device) {
  const auto compare = [](const structkd_tensor& tensor, const std::vector<int32_t>& expected,
                          const char* what) {
    std::vector<int32_t> actual(expected.size());
    require(cudaMemcpy(actual.data(), tensor.data, actual.size() * sizeof(int32_t),
                       cudaMemcpyDeviceToHost),
            "a copy from the device");
    if (actual != expected) {
      throw std::runtime_error(std::string(what) + " differ from those drawn on the CPU");
    }
  };
  compare(device.counts, host.counts(), "counts");
  compare(device.indices, host.indices(), "indices");
}

// Compares the value of the first images, computed alone, and their part of the gradient, which the
// last call on all images left behind, with the CPU.
void check_against_cpu(const Case& c,
                       const Problem& problem,
                       cudaStream_t stream,
                       Figures& figures) {
  const int64_t images = checked_images(c);
  figures.checked_images = int(images);
  const Arrays arrays = problem.arrays(images);
  HostProblem host(c, arrays, images);
  run_on_cpu(host);
  if (c.draws()) {
    require_equal_samples(host, arrays);
    return;
  }

  const std::vector<double> grad = widened(arrays.grad);
  // The loss is a mean over images.
  figures.grad_error = relative_error(grad, host.grad(), double(images) / double(c.B));
  DeviceCall alone(c, problem, images, stream);
  alone.enqueue();
  require(cudaStreamSynchronize(stream), "the call failed on the device");
  structkd_tensor scalar =
      tensor_of(arrays.loss, c.dtype == STRUCTKD_F64 ? STRUCTKD_F64 : STRUCTKD_F32, {1, 1});
  const double value = widened(scalar)[0];
  figures.value_error = std::abs(value - host.loss()) / std::abs(host.loss());
  const double limit = error_limit(c);
  if (!(figures.value_error <= limit && figures.grad_error <= limit)) {  // also refuses NaN
    throw std::runtime_error(text("wrong result: value %.9g, expected %.9g, ", value, host.loss()) +
                             text("gradient error %.2g, limit %.2g", figures.grad_error, limit));
  }
}

double microseconds_to_enqueue(DeviceCall& call, cudaStream_t stream) {
  constexpr int kCalls = 20;  // far fewer launches than the queue of a stream holds
  require(cudaStreamSynchronize(stream), "the call failed on the device");
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) call.enqueue();
  const std::chrono::duration<double, std::micro> elapsed =
      std::chrono::steady_clock::now() - start;
  require(cudaStreamSynchronize(stream), "the call failed on the device");
  return elapsed.count() / kCalls;
}

}  // namespace

Figures measure(const Case& c, const ColdCache& cache, cudaStream_t stream) {
  Figures figures = {};
  const Problem problem(c, stream);
  DeviceCall call(c, problem, c.B, stream);
  figures.workspace = call.workspace();

  RepeatCheck repeats(problem, stream);
  repeats.fill(0xff);
  call.enqueue();
  figures.plan = structkd_last_plan();
  repeats.keep();
  repeats.fill(0x00);
  call.enqueue();
  repeats.require_equal("from run to run, or are not written");
  const CapturedCall captured([&] { call.enqueue(); }, stream);
  repeats.fill(0x55);
  captured.replay();
  repeats.require_equal("when the call is replayed from a graph");
  check_against_cpu(c, problem, stream, figures);

  const auto enqueue = [&] { call.enqueue(); };
  const double once = times_of(time_calls(enqueue, 3, &cache, stream)).p50;
  figures.runs = std::clamp(int(kMillisecondsPerCase / once), kMinRuns, kMaxRuns);
  figures.milliseconds = times_of(time_calls(enqueue, figures.runs, &cache, stream));
  figures.enqueue_us = microseconds_to_enqueue(call, stream);
  figures.kernels = captured.kernel_times(kKernelRuns, cache);
  return figures;
}

}  // namespace structkd::bench
