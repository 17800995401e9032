// bench/cuda/problem.cu: the arrays of one case.
#include "cuda/common/access.cuh"
#include "problem.h"

namespace structkd::bench {
namespace {

constexpr int kBlocks = 2048, kThreads = 256;
constexpr uint64_t kStudentSeed = 1, kTeacherSeed = 2, kSpreadSeed = 3, kLabelSeed = 4;
constexpr int64_t kStep = 1;

// SplitMix64's finalizer (Steele et al., OOPSLA 2014).
__device__ uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// (0, 1], so that its logarithm is finite.
__device__ float uniform(uint64_t seed, uint64_t index) {
  return float((mix(mix(seed) ^ index) >> 40) + 1) * 0x1p-24f;
}

__device__ float gaussian(uint64_t seed, uint64_t index) {  // Box-Muller
  return sqrtf(-2.0f * logf(uniform(seed, 2 * index))) *
         cospif(2.0f * uniform(seed, 2 * index + 1));
}

// What a map holds: gaussians, drawn with the student's seed plus `noise` times those of another
// one. Each class of logits has a spread of its own, as a network's have.
struct Recipe {
  uint64_t seed;
  float noise;
  uint64_t noise_seed;
  bool logits;
  int64_t classes, class_stride;  // class of element i: i / class_stride % classes
};

template <class Element>
__global__ void fill_kernel(Element* out, int64_t count, Recipe recipe) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    float value = gaussian(recipe.seed, uint64_t(i));
    if (recipe.noise > 0.0f) value += recipe.noise * gaussian(recipe.noise_seed, uint64_t(i));
    if (recipe.logits) {
      const int64_t k = i / recipe.class_stride % recipe.classes;
      value *= 0.5f + 3.0f * uniform(kSpreadSeed + recipe.seed, uint64_t(k));
    }
    out[i] = cuda::narrow<Element>(value);
  }
}

// Labels, and logits that agree with them at about two pixels of three.
__global__ void fill_labels_kernel(
    int64_t* labels, float* logits, int64_t B, int64_t K, int64_t N) {
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < B * N; i += stride) {
    const float u = uniform(kLabelSeed, uint64_t(i));
    const int64_t k = min(int64_t(float(K) * u * u), K - 1);  // low classes are more frequent
    labels[i] = k;
    if (uniform(kLabelSeed + 1, uint64_t(i)) < 0.67f) logits[(i / N * K + k) * N + i % N] = 20.0f;
  }
}

// Labels in squares of one class each, as in a segmentation.
__global__ void fill_squares_kernel(int64_t* labels, int64_t B, int64_t H, int64_t W) {
  constexpr int64_t kSquares = 8;
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < B * H * W; i += stride) {
    const int64_t row = i / W % H * kSquares / H, column = i % W * kSquares / W;
    labels[i] = ((i / (H * W) * kSquares + row) * kSquares + column) % kLabelClasses;
  }
}

__global__ void fill_indices_kernel(int32_t* indices, int64_t count, int64_t pixels) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  indices[i] = int32_t(min(int64_t(float(pixels) * uniform(kLabelSeed, uint64_t(i))), pixels - 1));
}

__global__ void fill_counts_kernel(int32_t* counts, int64_t B, int32_t samples, int32_t classes) {
  for (int64_t b = threadIdx.x; b < B; b += blockDim.x) {
    counts[2 * b] = samples;
    counts[2 * b + 1] = classes;
  }
}

// An exact sum of integers: its order does not matter.
__global__ void different_words_kernel(const uint32_t* a,
                                       const uint32_t* b,
                                       size_t words,
                                       unsigned long long* different) {
  const size_t stride = size_t(gridDim.x) * blockDim.x;
  unsigned long long mine = 0;
  for (size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x; i < words; i += stride) {
    mine += a[i] != b[i];
  }
  if (mine > 0) atomicAdd(different, mine);
}

void fill(const DeviceBytes& map, const Case& c, const Recipe& recipe, cudaStream_t stream) {
  with_element_type(c.dtype, [&](auto element) {
    using Element = decltype(element);
    fill_kernel<Element><<<kBlocks, kThreads, 0, stream>>>(
        static_cast<Element*>(map.data()), int64_t(map.size() / sizeof(Element)), recipe);
  });
  require(cudaGetLastError(), "launch of fill_kernel");
}

template <class T>
std::vector<T> copied(const void* device, int64_t count) {
  std::vector<T> host(static_cast<size_t>(count));
  require(cudaMemcpy(host.data(), device, size_t(count) * sizeof(T), cudaMemcpyDeviceToHost),
          "a copy from the device");
  return host;
}

int64_t elements(const structkd_tensor& tensor) {
  int64_t count = 1;
  for (int d = 0; d < tensor.rank; ++d) count *= tensor.sizes[d];
  return count;
}

}  // namespace

Problem::Problem(const Case& c, cudaStream_t stream) : case_(c) {
  const int64_t N = c.pixels(), Ct = c.Ct, size = dtype_size(c.dtype);
  const bool logits = c.inputs != "features";
  const int64_t class_stride = c.channels_last ? 1 : N;
  teacher_ = DeviceBytes(size_t(c.B * Ct * N * size));
  if (c.aligned) {
    fill(teacher_, c, {kStudentSeed, 0.1f, kTeacherSeed, logits, Ct, class_stride}, stream);
  } else {
    fill(teacher_, c, {kTeacherSeed, 0.0f, 0, logits, Ct, class_stride}, stream);
  }
  step_ = DeviceBytes(sizeof(int64_t));
  require(cudaMemcpy(step_.data(), &kStep, sizeof(kStep), cudaMemcpyHostToDevice), "the step");
  if (c.has_indices()) {
    indices_ = DeviceBytes(size_t(c.B * c.max_samples()) * sizeof(int32_t));
    counts_ = DeviceBytes(size_t(c.B) * 2 * sizeof(int32_t));
  }
  labels_ = DeviceBytes(size_t(c.B * N) * sizeof(int64_t));
  if (c.draws()) {
    fill_labels_kernel<<<kBlocks, kThreads, 0, stream>>>(
        static_cast<int64_t*>(labels_.data()), static_cast<float*>(teacher_.data()), c.B, c.C, N);
    require(cudaGetLastError(), "launch of fill_labels_kernel");
    return;
  }
  if (c.has_indices()) {
    const int64_t count = c.B * c.samples;
    fill_indices_kernel<<<unsigned((count + kThreads - 1) / kThreads), kThreads, 0, stream>>>(
        static_cast<int32_t*>(indices_.data()), count, N);
    fill_counts_kernel<<<1, kThreads, 0, stream>>>(static_cast<int32_t*>(counts_.data()), c.B,
                                                   int32_t(c.samples), 19);
    require(cudaGetLastError(), "launch of fill_indices_kernel");
  }
  fill_squares_kernel<<<kBlocks, kThreads, 0, stream>>>(static_cast<int64_t*>(labels_.data()), c.B,
                                                        c.H, c.W);
  require(cudaGetLastError(), "launch of fill_squares_kernel");
  student_ = DeviceBytes(size_t(c.B * c.C * N * size));
  fill(student_, c, {kStudentSeed, 0.0f, 0, logits, c.C, class_stride}, stream);
  loss_ = DeviceBytes(c.dtype == STRUCTKD_F64 ? sizeof(double) : sizeof(float));
  grad_ = DeviceBytes(size_t(c.B * c.C * N * dtype_size(c.grad_dtype())));
}

Arrays Problem::arrays(int64_t images) const {
  Case c = case_;
  c.B = images;
  return arrays_of(c, {student_.data(), teacher_.data(), labels_.data(), indices_.data(),
                       counts_.data(), step_.data(), loss_.data(), grad_.data()});
}

std::vector<Problem::Span> Problem::outputs() const {
  const DeviceBytes& first = case_.draws() ? counts_ : loss_;
  const DeviceBytes& second = case_.draws() ? indices_ : grad_;
  return {{first.data(), first.size()}, {second.data(), second.size()}};
}

HostProblem::HostProblem(const Case& c, const Arrays& device, int64_t images) : case_(c) {
  case_.B = images;
  case_.dtype = STRUCTKD_F64;
  case_.fast = false;
  teacher_ = widened(device.teacher);
  step_ = kStep;
  if (c.has_indices()) {
    indices_ = copied<int32_t>(device.indices.data, elements(device.indices));
    counts_ = copied<int32_t>(device.counts.data, elements(device.counts));
  }
  labels_ = copied<int64_t>(device.labels.data, elements(device.labels));
  if (!c.draws()) {
    student_ = widened(device.student);
    grad_.resize(student_.size());
  }
}

Arrays HostProblem::arrays() {
  return arrays_of(case_, {student_.data(), teacher_.data(), labels_.data(), indices_.data(),
                           counts_.data(), &step_, &loss_, grad_.data()});
}

std::vector<double> widened(const structkd_tensor& device) {
  std::vector<double> values;
  with_element_type(device.dtype, [&](auto element) {
    using Element = decltype(element);
    for (const Element& value : copied<Element>(device.data, elements(device))) {
      if constexpr (sizeof(Element) == 2) {
        values.push_back(double(to_float(value)));
      } else {
        values.push_back(double(value));
      }
    }
  });
  return values;
}

int64_t different_words(const void* a, const void* b, size_t bytes, cudaStream_t stream) {
  const DeviceBytes different(sizeof(unsigned long long));
  require(cudaMemsetAsync(different.data(), 0, different.size(), stream), "memory of the device");
  different_words_kernel<<<kBlocks, kThreads, 0, stream>>>(
      static_cast<const uint32_t*>(a), static_cast<const uint32_t*>(b), bytes / sizeof(uint32_t),
      static_cast<unsigned long long*>(different.data()));
  require(cudaGetLastError(), "launch of different_words_kernel");
  require(cudaStreamSynchronize(stream), "a comparison failed on the device");
  return int64_t(copied<unsigned long long>(different.data(), 1)[0]);
}

}  // namespace structkd::bench
