#include "simt/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "simt/block.h"

namespace simt {
namespace {

bool same_place(const Thread& a, const Thread& b) {
  if (a.state != b.state) return false;
  if (a.state == State::kReady || a.state == State::kExited) return true;
  return a.waits_in == b.waits_in && a.waits_for == b.waits_for && a.site == b.site;
}

// " 0-15 18" for all threads at the place of `first`.
void print_threads_like(const Block& block, const Thread& first) {
  for (unsigned i = first.number; i < block.size; ++i) {
    if (!same_place(block.threads[i], first)) continue;
    const unsigned begin = i;
    while (i + 1 < block.size && same_place(block.threads[i + 1], first)) ++i;
    fprintf(stderr, begin == i ? " %u" : " %u-%u", begin, i);
  }
  fputc('\n', stderr);
}

void print_place(const Thread& thread) {
  switch (thread.state) {
    case State::kReady:
      fputs("  running or ready: threads", stderr);
      break;
    case State::kExited:
      fputs("  exited: threads", stderr);
      break;
    case State::kAtBarrier:
      fprintf(stderr, "  waiting in %s at %s:%d: threads", thread.waits_in, thread.site.file,
              thread.site.line);
      break;
    case State::kInCollective:
      fprintf(stderr, "  waiting in %s, mask 0x%08x, at %s:%d: threads", thread.waits_in,
              thread.waits_for, thread.site.file, thread.site.line);
      break;
  }
}

void print_block(const Thread& thread) {
  const Block& block = *thread.owner;
  const KernelText kernel = text_of(block.grid->kernel);
  const dim3 b = block.block_index, t = thread.index;
  fprintf(stderr, "  kernel %.*s\n  block (%u,%u,%u), thread %u = (%u,%u,%u)\n", kernel.length,
          kernel.begin, b.x, b.y, b.z, thread.number, t.x, t.y, t.z);
  for (unsigned i = 0; i < block.size; ++i) {
    bool listed = false;
    for (unsigned j = 0; j < i && !listed; ++j) {
      listed = same_place(block.threads[j], block.threads[i]);
    }
    if (listed) continue;
    print_place(block.threads[i]);
    print_threads_like(block, block.threads[i]);
  }
}

}  // namespace

void fail(const char* format, ...) {
  fputs("simt: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  if (running != nullptr) print_block(running_thread());
  fflush(stderr);
  _exit(kMisuseStatus);  // not exit: destructors would run on the fiber's stack
}

KernelText text_of(KernelName name) {
  // g++: "void launch(...) [with auto Kernel = ns::{anonymous}::rows_kernel<float>; Args = {...}]"
  const char* begin = strstr(name.function, "Kernel = ");
  if (begin == nullptr) return {name.function, int(strlen(name.function))};
  begin += strlen("Kernel = ");
  const char* end = begin;
  for (int depth = 0; *end != 0; ++end) {
    if (strchr("<({[", *end) != nullptr) ++depth;
    if (depth == 0 && strchr(";]", *end) != nullptr) break;
    if (strchr(">)}]", *end) != nullptr) --depth;
  }
  return {begin, int(end - begin)};
}

}  // namespace simt
