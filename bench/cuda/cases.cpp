// bench/cuda/cases.cpp: what is measured, read from the rows that cases.cmake makes of
// bench/cases.json.
#include "cases.h"

#include <cstdlib>
#include <stdexcept>

namespace structkd::bench {
namespace {

struct Row {
  const char *loss, *inputs, *x, *shape, *variant, *quick;
};

const Row kRows[] = {
#include "cases.inc"
};

const char* const kDtypes[] = {"f16", "bf16", "f32", "f64", "u8", "i32", "i64"};

// Takes `word` from the front of `text`, if it stands there.
bool take(std::string& text, const char* word) {
  const std::string front = word;
  if (text.compare(0, front.size(), front) != 0) return false;
  text.erase(0, front.size());
  return true;
}

int64_t take_number(std::string& text) {
  char* end = nullptr;
  const int64_t number = std::strtoll(text.c_str(), &end, 10);
  if (number < 1) throw std::invalid_argument(text + ": expected a number above 0");
  text.erase(0, size_t(end - text.c_str()));
  return number;
}

void read_shape(Case& c) {
  std::string text = c.shape;
  for (int64_t* size : {&c.B, &c.C, &c.H, &c.W}) {
    *size = take_number(text);
    take(text, "x");
  }
  c.Ct = c.C;
  while (!text.empty()) {
    if (take(text, "-aligned")) {
      c.aligned = true;
    } else if (take(text, "-whole")) {
      c.whole_batch = true;
    } else if (take(text, "-channels-last")) {
      c.channels_last = true;
    } else if (take(text, "-teacher")) {
      c.Ct = take_number(text);
    } else if (take(text, "-samples")) {
      c.samples = take_number(text);
    } else if (text[0] == '-' && text.find_first_of("-0123456789", 1) != 1) {
      c.mode = text.substr(1);  // the loss knows it
      text.clear();
    } else {
      throw std::invalid_argument("bench/cases.json: " + c.shape + " ends with " + text);
    }
  }
}

structkd_dtype dtype_named(const std::string& name) {
  for (int dtype = STRUCTKD_F16; dtype <= STRUCTKD_F64; ++dtype) {
    if (name == kDtypes[dtype]) return structkd_dtype(dtype);
  }
  throw std::invalid_argument("bench/cases.json: no element type is named " + name);
}

}  // namespace

std::string Case::name() const {
  return shape + (fast ? " fast" : dtype != STRUCTKD_F32 ? std::string(" ") + kDtypes[dtype] : "");
}

int64_t Case::x() const {
  if (x_name == "classes") return C;
  return x_name == "pixels" ? B * pixels() : nodes();
}

int64_t Case::nodes() const {
  if (samples > 0 && !draws()) return samples;
  return whole_batch ? B * pixels() : pixels();
}

structkd_dtype Case::grad_dtype() const { return dtype == STRUCTKD_F16 ? STRUCTKD_F32 : dtype; }

double Case::student_bytes() const { return double(B * C * pixels() * dtype_size(dtype)); }
double Case::teacher_bytes() const { return double(B * Ct * pixels() * dtype_size(dtype)); }
double Case::grad_bytes() const { return double(B * C * pixels() * dtype_size(grad_dtype())); }

const char* dtype_name(structkd_dtype dtype) { return kDtypes[dtype]; }

int64_t dtype_size(structkd_dtype dtype) {
  static const int64_t sizes[] = {2, 2, 4, 8, 1, 4, 8};
  return sizes[dtype];
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Row& row : kRows) {
    Case c;
    c.loss = row.loss;
    c.inputs = row.inputs;
    c.x_name = row.x;
    c.shape = row.shape;
    read_shape(c);
    c.fast = std::string(row.variant) == "fast";
    if (!c.fast) c.dtype = dtype_named(row.variant);
    c.quick = *row.quick != '\0';
    cases.push_back(c);
  }
  return cases;
}

}  // namespace structkd::bench
