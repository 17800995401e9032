// bench/cuda/main.cpp: structkd_cuda_bench, the losses on this machine's GPU: right, and how fast?
// Needs neither LibTorch nor a JVM.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include "cuda/structkd_cuda.h"
#include "losses.h"
#include "measure.h"
#include "probes.h"
#include "report.h"

namespace structkd::bench {
namespace {

constexpr int kFailed = 1, kUsage = 2;

const char* const kHelp = R"(Usage: structkd_cuda_bench [OPTIONS]

Measures value and gradient of the losses on this machine's GPU: CUDA events, cold L2 cache,
percent of what small probe kernels reach on the same device. Each result is compared with the
CPU backend in f64 first, and must have the same bits on every run.

  --quick        few cases, for a first look
  --loss L       only this loss, such as pairwise
  --case C       only cases whose name contains C, such as 8x512x64x64 or fast
  --kernels      also the time of each kernel
  --limit-s S    starts no case after S seconds; tells which it left out
  --csv F        appends the figures to this file
  --list         prints the cases, with the bytes and operations that each must cost at least,
                 and ends
  --help         prints this text

Status 0: all cases measured. 1: a result was wrong, a case was left out, or there is no GPU.
2: wrong option.
)";

struct Options {
  bool quick = false, kernels = false, list = false, help = false;
  std::string loss, name, csv;
  double limit_s = 0.0;  // 0: none
};

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&] {
      if (i + 1 == argc) throw UsageError(option + " needs a value");
      return std::string(argv[++i]);
    };
    if (option == "--quick") {
      options.quick = true;
    } else if (option == "--kernels") {
      options.kernels = true;
    } else if (option == "--list") {
      options.list = true;
    } else if (option == "--help" || option == "-h") {
      options.help = true;
    } else if (option == "--loss") {
      options.loss = value();
    } else if (option == "--case") {
      options.name = value();
    } else if (option == "--csv") {
      options.csv = value();
    } else if (option == "--limit-s") {
      const std::string text = value();
      char* end = nullptr;
      options.limit_s = std::strtod(text.c_str(), &end);
      if (*end != '\0' || !(options.limit_s > 0.0)) {
        throw UsageError("--limit-s is " + text + ", expected a number of seconds above 0");
      }
    } else {
      throw UsageError("unknown option " + option);
    }
  }
  return options;
}

std::vector<Case> chosen_cases(const Options& options) {
  std::vector<Case> chosen;
  bool known_loss = options.loss.empty();
  for (const Case& c : all_cases()) {
    known_loss = known_loss || c.loss == options.loss;
    if (!options.loss.empty() && c.loss != options.loss) continue;
    if (!options.name.empty() && c.name().find(options.name) == std::string::npos) continue;
    if (options.quick && !c.quick) continue;
    chosen.push_back(c);
  }
  if (!known_loss) throw UsageError("no loss is named " + options.loss + "; --list names them");
  if (chosen.empty()) throw UsageError("no case fits these options; --list prints all");
  return chosen;
}

int measure_all(const Options& options, const std::vector<Case>& cases) {
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  if (structkd_cuda_open() != STRUCTKD_OK) throw std::runtime_error(structkd_last_error());
  const Gpu gpu = current_gpu();
  cudaStream_t stream = nullptr;
  require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  const Limits limits = measure_limits(gpu, stream);
  print_device(gpu, limits);
  std::optional<CsvFile> csv;
  if (!options.csv.empty()) csv.emplace(options.csv, gpu, limits);
  const ColdCache cache(gpu);

  print_header();
  int failed = 0;
  std::string left_out;
  for (const Case& c : cases) {
    if (options.limit_s > 0.0 && seconds() > options.limit_s) {
      left_out += "\n  " + c.loss + " " + c.name();
      continue;
    }
    try {
      const Figures figures = measure(c, cache, stream);
      print_figures(c, figures, limits, options.kernels);
      if (csv.has_value()) csv->append(c, figures, limits);
    } catch (const std::runtime_error& error) {
      std::printf("%-24s %-34s FAILED: %s\n", c.loss.c_str(), c.name().c_str(), error.what());
      std::fflush(stdout);
      ++failed;
      cudaGetLastError();  // one that is not sticky must not be taken for the next case's
    }
  }
  std::printf("\n%zu cases, %d failed, %.0f s\n", cases.size(), failed, seconds());
  if (!left_out.empty()) std::printf("left out by --limit-s:%s\n", left_out.c_str());
  return failed == 0 && left_out.empty() ? 0 : kFailed;
}

int run(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    if (options.help) {
      std::fputs(kHelp, stdout);
      return 0;
    }
    const std::vector<Case> cases = chosen_cases(options);
    if (options.list) {
      for (const Case& c : cases) {
        std::printf("%-24s %-34s %12.4g bytes %12.4g flop\n", c.loss.c_str(), c.name().c_str(),
                    loss_of(c).bytes(c), loss_of(c).flops(c));
      }
      return 0;
    }
    return measure_all(options, cases);
  } catch (const UsageError& error) {
    std::fprintf(stderr, "structkd_cuda_bench: %s\n", error.what());
    return kUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "structkd_cuda_bench: %s\n", error.what());
    return kFailed;
  }
}

}  // namespace
}  // namespace structkd::bench

int main(int argc, char** argv) { return structkd::bench::run(argc, argv); }
