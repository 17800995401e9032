// bench/cuda/report.cpp: figures for people and as CSV.
#include "report.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "losses.h"

namespace structkd::bench {
namespace {

const char* const kColumns =
    "kernel,provider,mode,metric,x_name,x_value,y_value_50,y_value_20,y_value_80,config,device,"
    "timestamp,version";

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.5g", value);
  return text;
}

std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

std::string output_of(const char* command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command, "r"), pclose);
  std::string text;
  char line[256];
  while (pipe != nullptr && std::fgets(line, sizeof(line), pipe.get()) != nullptr) text += line;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// With the commit: that is told, as for a copy of a checkout; else that of the checkout, if there is
// one.
std::string version() {
  const char* told = std::getenv("STRUCTKD_COMMIT");
  std::string commit = told != nullptr ? told : "";
  if (commit.empty()) {
    commit = output_of("git rev-parse --short=10 HEAD 2>/dev/null");
    if (!output_of("git status --porcelain -uno 2>/dev/null").empty()) commit += ".changed";
  }
  return std::string(structkd_version()) + "+" + (commit.empty() ? "unknown" : commit);
}

std::string device_text(const Gpu& gpu) {
  return gpu.name + ", " + std::to_string(gpu.multiprocessors) + " SMs, driver for CUDA " +
         gpu.driver;
}

std::string limits_text(const Limits& limits) {
  char text[256];
  std::snprintf(text, sizeof(text),
                "copy %.0f GB/s; FMA f32 %.1f, f64 %.1f; mma f64 %.1f (m16n8k16 %.1f), tf32 %.0f, "
                "bf16 %.0f TFLOP/s; empty kernel %.1f us",
                limits.copy, limits.fma_f32, limits.fma_f64, limits.mma_f64, limits.mma_f64_wide,
                limits.mma_tf32, limits.mma_bf16, limits.empty_us);
  return text;
}

double percent_of_limit(const Case& c, const Figures& figures, const Limits& limits) {
  return 100.0 * floor_of(c, limits).milliseconds / figures.milliseconds.p50;
}

// GB/s or TFLOP/s of the least that the algorithm must do, not of what the kernels did.
double gigabytes_per_second(const Case& c, const Figures& figures) {
  return 1e-6 * loss_of(c).bytes(c) / figures.milliseconds.p50;
}

double teraflops(const Case& c, const Figures& figures) {
  return 1e-9 * loss_of(c).flops(c) / figures.milliseconds.p50;
}

}  // namespace

// Exact products of f32 may be done in f32, or in f64 where that is as fast.
Floor floor_of(const Case& c, const Limits& limits) {
  const Products products_of = loss_of(c).products(c);
  const bool tf32 = products_of == Products::kTf32 && limits.mma_tf32 > 0.0;
  const bool bf16 = products_of == Products::kBf16 && limits.mma_bf16 > 0.0;
  const bool wide = c.dtype == STRUCTKD_F64 || (!tf32 && !bf16 && limits.f64() > limits.fma_f32);
  const double rate = wide   ? limits.f64()
                      : tf32 ? limits.mma_tf32
                      : bf16 ? limits.mma_bf16
                             : limits.fma_f32;
  const double memory = 1e-6 * loss_of(c).bytes(c) / limits.copy,
               products = 1e-9 * loss_of(c).flops(c) / rate;
  if (memory >= products) return {memory, "copy"};
  return {products, wide ? "f64" : tf32 ? "tf32" : bf16 ? "bf16" : "f32"};
}

void print_device(const Gpu& gpu, const Limits& limits) {
  std::printf("%s, compute capability %d.%d, L2 %zu MB\nmeasured limits: %s\nstructkd %s\n",
              device_text(gpu).c_str(), gpu.capability / 10, gpu.capability % 10, gpu.l2 >> 20,
              limits_text(limits).c_str(), version().c_str());
}

void print_header() {
  std::printf("\n%-24s %-34s %9s %9s %9s %7s %7s %5s %-5s %4s %9s %8s %8s\n", "kernel", "case",
              "ms", "p20", "p80", "GB/s", "TFLOP/s", "%", "limit", "runs", "work MiB", "error",
              "host us");
}

void print_figures(const Case& c, const Figures& figures, const Limits& limits, bool kernels) {
  const Times& t = figures.milliseconds;
  std::printf("%-24s %-34s %9.4f %9.4f %9.4f %7.0f %7.2f %5.1f %-5s %4d %9.2f %8.1e %8.1f\n",
              c.loss.c_str(), c.name().c_str(), t.p50, t.p20, t.p80,
              gigabytes_per_second(c, figures), teraflops(c, figures),
              percent_of_limit(c, figures, limits), floor_of(c, limits).limit, figures.runs,
              double(figures.workspace) / (1 << 20), figures.grad_error, figures.enqueue_us);
  std::printf("    %zu kernels; %d of %ld images compared; %s\n", figures.kernels.size(),
              figures.checked_images, long(c.B), figures.plan.c_str());
  if (kernels) {
    for (const KernelTime& k : figures.kernels) {
      std::printf("    %9.4f ms  grid %u,%u,%u block %u,%u,%u  %d registers  %zu B shared  %s\n",
                  k.milliseconds, k.grid[0], k.grid[1], k.grid[2], k.block[0], k.block[1],
                  k.block[2], k.registers, k.shared_bytes, k.name.c_str());
    }
  }
  std::fflush(stdout);
}

CsvFile::CsvFile(const std::string& path, const Gpu& gpu, const Limits& limits)
    : path_(path), device_(device_text(gpu)), time_(now_utc()), version_(version()) {
  bool has_columns = false, is_empty = true;
  std::ifstream existing(path);
  for (std::string line; std::getline(existing, line);) {
    is_empty = false;
    has_columns = has_columns || line == kColumns;
  }
  if (!is_empty && !has_columns) {
    throw std::runtime_error(path + " is not empty and has other columns");
  }
  std::ofstream out(path, std::ios::app);
  if (is_empty) out << kColumns << "\n";
  out << "# " << device_ << "\n# " << limits_text(limits) << "\n# structkd " << version_ << ", "
      << time_ << "\n";
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

void CsvFile::append(const Case& c, const Figures& figures, const Limits& limits) {
  const auto single = [](double value) { return Times{value, value, value}; };
  row(c, "full,speed_ms", figures.milliseconds);
  row(c, "full,gb_per_s", single(gigabytes_per_second(c, figures)));
  if (loss_of(c).flops(c) > 0) row(c, "full,tflop_per_s", single(teraflops(c, figures)));
  row(c, "full,percent_of_limit", single(percent_of_limit(c, figures, limits)));
  row(c, "full,gradient_error", single(figures.grad_error));
  row(c, "full,workspace_mib", single(double(figures.workspace) / (1 << 20)));
  row(c, "full,launches", single(double(figures.kernels.size())));
  row(c, "full,enqueue_us", single(figures.enqueue_us));
}

void CsvFile::row(const Case& c, const std::string& mode_and_metric, const Times& values) {
  std::ofstream out(path_, std::ios::app);
  out << c.loss << (c.fast ? ",structkd-fast," : ",structkd,") << mode_and_metric << "," << c.x_name
      << "," << c.x() << "," << number(values.p50) << "," << number(values.p20) << ","
      << number(values.p80) << ","
      << quoted("shape=" + c.shape + " dtype=" + dtype_name(c.dtype) + " cold L2") << ","
      << quoted(device_) << "," << time_ << "," << version_ << "\n";
  if (!out.flush()) throw std::runtime_error("cannot write " + path_);
}

}  // namespace structkd::bench
