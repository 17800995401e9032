// src/test/cpp/tensors.cpp: tensors for tests.
#include "tensors.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "core/half.h"

namespace structkd::test {
namespace {

constexpr uint8_t kGap = 0xa5;

int64_t size_of(structkd_dtype dtype) {
  switch (dtype) {
    case STRUCTKD_F16:
    case STRUCTKD_BF16:
      return 2;
    case STRUCTKD_F32:
    case STRUCTKD_I32:
      return 4;
    case STRUCTKD_F64:
    case STRUCTKD_I64:
      return 8;
    case STRUCTKD_U8:
      return 1;
  }
  return 0;
}

// SplitMix64's finalizer (Steele et al., OOPSLA 2014).
uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

TestTensor::TestTensor(std::vector<int64_t> shape, structkd_dtype dtype, Layout layout) : view_{} {
  view_.dtype = dtype;
  view_.rank = int32_t(shape.size());
  const int last = view_.rank - 1;
  int64_t total = 1;
  for (int d = 0; d <= last; ++d) view_.sizes[d] = shape[size_t(d)];
  auto lay_out = [&](int d, int64_t padding) {
    if (layout == Layout::kApart && d == 0 && last > 0) total += 3 * total / view_.sizes[1];
    view_.strides[d] = total;
    total *= view_.sizes[d] * padding;
  };
  if (layout == Layout::kChannelsLast && view_.rank == 4) {
    for (int d : {1, 3, 2, 0}) lay_out(d, 1);
  } else {
    if (layout == Layout::kSliced) total = 2;
    for (int d = last; d >= 0; --d) lay_out(d, layout == Layout::kSliced && d == last ? 2 : 1);
  }
  bytes_ = AlignedBytes(size_t(total * size_of(dtype)));
  std::memset(bytes_.data(), kGap, bytes_.size());
  view_.data = bytes_.data();
  fill([](int64_t) { return 0.0; });
}

int64_t TestTensor::elements() const {
  int64_t count = 1;
  for (int d = 0; d < view_.rank; ++d) count *= view_.sizes[d];
  return count;
}

int64_t TestTensor::offset(int64_t index) const {
  int64_t offset = 0;
  for (int d = view_.rank - 1; d >= 0; --d) {
    offset += index % view_.sizes[d] * view_.strides[d];
    index /= view_.sizes[d];
  }
  return offset;
}

// In row-major order, without a division per element: tests spend most of their time here.
template <class Visit>
void TestTensor::for_each(Visit&& visit) const {
  const int64_t count = elements();
  int64_t at[STRUCTKD_MAX_RANK] = {}, offset = 0;
  for (int64_t index = 0; index < count; ++index) {
    visit(index, offset);
    for (int d = view_.rank - 1; d >= 0; --d) {
      offset += view_.strides[d];
      if (++at[d] < view_.sizes[d]) break;
      offset -= at[d] * view_.strides[d];
      at[d] = 0;
    }
  }
}

double TestTensor::get(int64_t index) const { return read(offset(index)); }

void TestTensor::set(int64_t index, double value) { write(offset(index), value); }

// Of the view, which a test may have turned round.
double TestTensor::read(int64_t i) const {
  switch (view_.dtype) {
    case STRUCTKD_F16:
      return to_float(static_cast<const Half*>(view_.data)[i]);
    case STRUCTKD_BF16:
      return to_float(static_cast<const BFloat16*>(view_.data)[i]);
    case STRUCTKD_F32:
      return static_cast<const float*>(view_.data)[i];
    case STRUCTKD_F64:
      return static_cast<const double*>(view_.data)[i];
    case STRUCTKD_U8:
      return static_cast<const uint8_t*>(view_.data)[i];
    case STRUCTKD_I32:
      return static_cast<const int32_t*>(view_.data)[i];
    case STRUCTKD_I64:
      return double(static_cast<const int64_t*>(view_.data)[i]);
  }
  return 0.0;
}

void TestTensor::write(int64_t i, double value) {
  switch (view_.dtype) {
    case STRUCTKD_F16:
      static_cast<Half*>(view_.data)[i] = to_half(float(value));
      break;
    case STRUCTKD_BF16:
      static_cast<BFloat16*>(view_.data)[i] = to_bfloat16(float(value));
      break;
    case STRUCTKD_F32:
      static_cast<float*>(view_.data)[i] = float(value);
      break;
    case STRUCTKD_F64:
      static_cast<double*>(view_.data)[i] = value;
      break;
    case STRUCTKD_U8:
      static_cast<uint8_t*>(view_.data)[i] = uint8_t(value);
      break;
    case STRUCTKD_I32:
      static_cast<int32_t*>(view_.data)[i] = int32_t(value);
      break;
    case STRUCTKD_I64:
      static_cast<int64_t*>(view_.data)[i] = int64_t(value);
      break;
  }
}

std::vector<double> TestTensor::values() const {
  std::vector<double> values(static_cast<size_t>(elements()));
  for_each([&](int64_t index, int64_t offset) { values[size_t(index)] = read(offset); });
  return values;
}

TestTensor& TestTensor::fill(const std::function<double(int64_t index)>& value) {
  for_each([&](int64_t index, int64_t offset) { write(offset, value(index)); });
  return *this;
}

bool TestTensor::gaps_untouched() const {
  const size_t size = size_t(size_of(view_.dtype)), slots = bytes_.size() / size;
  if (slots == size_t(elements())) return true;
  std::vector<bool> owned(slots, false);
  for_each([&](int64_t, int64_t offset) { owned[size_t(offset)] = true; });
  for (size_t slot = 0; slot < slots; ++slot) {
    const uint8_t* bytes = bytes_.data() + slot * size;
    if (!owned[slot] && std::any_of(bytes, bytes + size, [](uint8_t b) { return b != kGap; })) {
      return false;
    }
  }
  return true;
}

double uniform(uint64_t seed, uint64_t index) {
  return double(mix(mix(seed) ^ index) >> 11) * 0x1p-53;
}

double gaussian(uint64_t seed, uint64_t index) {
  // Box-Muller; 1 - u avoids the logarithm of 0.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(seed, 2 * index)));
  return radius * std::cos(2.0 * M_PI * uniform(seed, 2 * index + 1));
}

void fill_pair(Input input, uint64_t seed, TestTensor& student, TestTensor& teacher) {
  const uint64_t other = seed + 1000003;
  auto positive = [](double x) { return x > 0.0 ? x : 0.0; };
  const int64_t positions = student.view()->sizes[2] * student.view()->sizes[3];
  // A few positions are zero in all channels, in either net.
  auto dead = [&](uint64_t s, int64_t i) { return uniform(s + 7, uint64_t(i % positions)) < 0.1; };
  switch (input) {
    case Input::kRandom:
      student.fill([&](int64_t i) { return gaussian(seed, uint64_t(i)); });
      teacher.fill([&](int64_t i) { return gaussian(other, uint64_t(i)); });
      break;
    case Input::kReluSparse:
      student.fill([&](int64_t i) {
        return dead(seed, i) ? 0.0 : positive(gaussian(seed, uint64_t(i)) - 0.3);
      });
      teacher.fill([&](int64_t i) {
        return dead(other, i) ? 0.0 : positive(gaussian(other, uint64_t(i)) - 0.3);
      });
      break;
    case Input::kNearlyEqual:
      student.fill([&](int64_t i) { return gaussian(seed, uint64_t(i)); });
      teacher.fill([&](int64_t i) {
        return gaussian(seed, uint64_t(i)) + 1e-3 * gaussian(other, uint64_t(i));
      });
      break;
  }
}

double relative_error(const std::vector<double>& actual, const std::vector<double>& expected) {
  double difference = 0.0, norm = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(norm > 0.0 ? difference / norm : difference);
}

double read_loss(const void* loss, structkd_dtype input) {
  return input == STRUCTKD_F64 ? *static_cast<const double*>(loss)
                               : double(*static_cast<const float*>(loss));
}

double storage_error(structkd_dtype dtype) {
  switch (dtype) {
    case STRUCTKD_F64:
      return 0x1p-53;
    case STRUCTKD_F32:
      return 0x1p-24;
    case STRUCTKD_F16:
      return 0x1p-11;
    default:
      return 0x1p-8;
  }
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double central_difference(const std::function<double(double step)>& f, double h) {
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

std::string describe(const TestTensor& tensor) {
  static const char* const names[] = {"f16", "bf16", "f32", "f64", "u8", "i32", "i64"};
  std::string text = "[";
  for (int d = 0; d < tensor.view()->rank; ++d) {
    text += (d > 0 ? ", " : "") + std::to_string(tensor.view()->sizes[d]);
  }
  return text + "] " + names[tensor.view()->dtype];
}

std::vector<std::string> backends_under_test() {
  std::vector<std::string> names;
  for (int32_t i = 0; const char* name = structkd_backend_name(i); ++i) {
    if (std::strcmp(name, "reference") != 0) names.push_back(name);
  }
  return names;
}

std::vector<std::string> backends_and_reference() {
  std::vector<std::string> backends = backends_under_test();
  backends.insert(backends.begin(), "reference");
  return backends;
}

std::string test_name(std::string backend) {
  for (char& c : backend) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return backend;
}

std::string backend_test_name(const testing::TestParamInfo<std::string>& info) {
  return test_name(info.param);
}

}  // namespace structkd::test
