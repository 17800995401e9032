// bench/cuda/report.h: figures for people, and as CSV in the columns of the other benchmarks.
#ifndef STRUCTKD_BENCH_REPORT_H
#define STRUCTKD_BENCH_REPORT_H

#include <string>
#include <vector>

#include "measure.h"
#include "probes.h"

namespace structkd::bench {

// The shortest time that this device allows, and what sets it.
struct Floor {
  double milliseconds;
  const char* limit;  // "copy", "f32", "f64", "tf32"
};
Floor floor_of(const Case& c, const Limits& limits);

void print_device(const Gpu& gpu, const Limits& limits);
void print_header();
void print_figures(const Case& c, const Figures& figures, const Limits& limits, bool kernels);

// Rows of this run at the end of a file; lines with # say where they were taken.
class CsvFile {
 public:
  // Throws if the file cannot be written or has other columns.
  CsvFile(const std::string& path, const Gpu& gpu, const Limits& limits);
  void append(const Case& c, const Figures& figures, const Limits& limits);

 private:
  void row(const Case& c, const std::string& mode_and_metric, const Times& values);

  std::string path_, device_, time_, version_;
};

}  // namespace structkd::bench

#endif  // STRUCTKD_BENCH_REPORT_H
