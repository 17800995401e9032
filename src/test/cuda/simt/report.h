// simt/report.h: how misuse ends: a report on stderr, then exit status 77.
#ifndef STRUCTKD_SIMT_REPORT_H
#define STRUCTKD_SIMT_REPORT_H

#include "simt/launch.h"
#include "simt/thread.h"

namespace simt {

constexpr int kMisuseStatus = 77;

// The report says which kernel, block and thread, and where the block's other threads are.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

// "rows_kernel<float>" within the compiler's text about the function that enqueued it.
struct KernelText {
  const char* begin;
  int length;
};
KernelText text_of(KernelName name);

}  // namespace simt

#endif  // STRUCTKD_SIMT_REPORT_H
