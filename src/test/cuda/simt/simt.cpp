// simt.cpp - runtime of the emulation (compile without sanitizer instrumentation; -DSIMT_ASAN / -DSIMT_TSAN select the fiber API)
#include "simt/simt.h"
#include <mutex>
#include <deque>
#include <memory>
#include <vector>
#include <sys/mman.h>
#include <unistd.h>
#ifdef SIMT_UCONTEXT
#include <ucontext.h>
#endif
#ifdef SIMT_ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SIMT_TSAN
#include <sanitizer/tsan_interface.h>
#endif
extern "C" char __start_simt_shared[] __attribute__((weak)); extern "C" char __stop_simt_shared[] __attribute__((weak));
extern "C" void simt_switch(void** save_sp, void* to_sp);
#ifndef SIMT_UCONTEXT
asm(".text\n.globl simt_switch\n.type simt_switch,@function\nsimt_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\nmovq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n.size simt_switch,.-simt_switch\n");
#endif
namespace simt {
struct Block;
enum State : uint8_t { READY, W_BAR, W_COLL, DONE };
struct Fiber : FiberPub {
  Block* b() const { return (Block*)blk; }
  void* sp = nullptr; State st = READY; int line = 0;
  char* stk = nullptr; size_t stksz = 0; void* tsan = nullptr; void* fake = nullptr; std::vector<void*> cpd; std::vector<const void*> cpg; std::vector<unsigned> cpe; unsigned cph = 0;   // cp.async: copies, group ends, first pending group
#ifdef SIMT_UCONTEXT
  ucontext_t uc;
#endif
};
struct Group { uint32_t mask = 0, arrived = 0, gen = 0; int op = 0; unsigned idx = 0; alignas(16) unsigned char slot[2][32][128]; };
struct Warp { Fiber* f[32]; uint32_t live = 0, exist = 0; std::vector<std::unique_ptr<Group>> groups;
  Group& get(uint32_t m) { for (auto& g : groups) if (g->mask == m) return *g; groups.emplace_back(new Group); groups.back()->mask = m; groups.back()->idx = groups.size() - 1; return *groups.back(); } };
struct Named { const void* tag; void* memory; size_t bytes; };
struct Block : BlockPub { std::vector<Named> arrays;
  unsigned n = 0, live = 0, arrived = 0, gen = 0; int red = 0, redv[2] = {0, 0};
  std::vector<Fiber> fib; std::vector<Warp> warps; std::vector<Fiber*> q; size_t qh = 0, qn = 0; Fiber main; void (*fn)(void*) = nullptr; void* arg = nullptr;
};
thread_local FiberPub* cur = nullptr; static thread_local Stats stats; Stats total; static inline Fiber* me() { return (Fiber*)cur; }
inline int order_mode = 0; inline unsigned long long rng = 88172645463325252ull;
constexpr size_t STK =
#if defined(SIMT_ASAN) || defined(SIMT_TSAN)
  256 << 10;
#else
  64 << 10;
#endif
[[noreturn]] void fail(const char* m) {
  Fiber* f = me(); fprintf(stderr, "SIMT ERROR: %s", m);
  if (f && f->blk) { Block& b = *f->b(); fprintf(stderr, " [block (%u,%u,%u) thread %u lane %u]\n", b.bidx.x, b.bidx.y, b.bidx.z, f->tid, f->lane); int k = 0;
    for (auto& t : b.fib) if ((t.st == W_BAR || t.st == W_COLL) && k++ < 8) fprintf(stderr, "   thread %u waits at %s (line %d)\n", t.tid, t.st == W_BAR ? "__syncthreads" : "warp collective", t.line);
    unsigned d = 0; for (auto& t : b.fib) d += t.st == DONE; fprintf(stderr, "   %u of %u threads exited\n", d, b.n); }
  fflush(stderr); _exit(77); }
inline void sw(Fiber* from, Fiber* to) {   // the only context switch
  cur = to; ++stats.switches;
#ifdef SIMT_TSAN
  __tsan_switch_to_fiber(to->tsan, 1);     // 1 = no happens-before by switching
#endif
#ifdef SIMT_ASAN
  __sanitizer_start_switch_fiber(from->st == DONE ? nullptr : &from->fake, to->stk, to->stksz);
#endif
#ifdef SIMT_UCONTEXT
  swapcontext(&from->uc, &to->uc);
#else
  simt_switch(&from->sp, to->sp);
#endif
#ifdef SIMT_ASAN
  __sanitizer_finish_switch_fiber(from->fake, nullptr, nullptr);
#endif
}
inline void push(Block& b, Fiber* f) { f->st = READY; size_t i = b.qh + b.qn++; b.q[i < b.n ? i : i - b.n] = f; }
inline Fiber* pop(Block& b) {
  if (!b.qn) return nullptr;
  size_t i = b.qh, last = b.qh + b.qn - 1; if (last >= b.n) last -= b.n;
  if (order_mode == 1) { --b.qn; return b.q[last]; }
  if (order_mode == 2) { rng ^= rng << 13; rng ^= rng >> 7; rng ^= rng << 17; std::swap(b.q[i], b.q[(b.qh + rng % b.qn) % b.n]); }
  --b.qn; Fiber* r = b.q[i]; if (++b.qh == b.n) b.qh = 0; return r; }
inline void block_on(Fiber* f, State s, int line) { f->st = s; f->line = line; Fiber* n = pop(*f->b()); if (!n) { cur = f; fail("deadlock (divergent __syncthreads or warp collective)"); } sw(f, n); }
inline void release_bar(Block& b) { b.arrived = 0; b.redv[b.gen & 1] = b.red; b.red = 0; ++b.gen;
  for (unsigned i = 0; i < b.n; i++) if (b.fib[i].st == W_BAR) push(b, &b.fib[i]); }
inline void finish(Fiber* f) { Block& b = *f->b(); f->st = DONE; --b.live; f->warp->live &= ~(1u << f->lane); if (b.live && b.arrived == b.live) release_bar(b); }
#ifdef SIMT_TSAN
inline uint64_t tsan_end; inline char* sync_base = nullptr;   // sync objects: fresh addresses for every block, so that blocks do not order each other
inline void sync_next() { constexpr size_t SZ = 1ul << 32; static char* lo = nullptr; if (!lo || sync_base + 8192 > lo + SZ) sync_base = lo = (char*)mmap(nullptr, SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); else sync_base += 4096; }
inline bool tsan_interblock() { static bool v = getenv("SIMT_TSAN_INTERBLOCK") != nullptr; return v; }
inline void tsan_fresh(char* a, char* e) { if (a == e) return;   // forget the shadow of [a,e): a new block gets new shared memory
  char *lo = (char*)((uintptr_t)a & ~4095ul), *hi = (char*)(((uintptr_t)e + 4095) & ~4095ul); size_t pre = a - lo, post = hi - e;
  char tp[4096], tq[4096]; for (size_t i = 0; i < pre; i++) tp[i] = lo[i]; for (size_t i = 0; i < post; i++) tq[i] = e[i];
  if (mmap(lo, hi - lo, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != lo) { perror("tsan_fresh mmap"); abort(); }
  for (volatile char* p = a; p < e; p++) *p = (char)0xFF;
  for (size_t i = 0; i < pre; i++) lo[i] = tp[i]; for (size_t i = 0; i < post; i++) e[i] = tq[i]; }
#endif
int sync_block(int pred, int line) {
  Fiber* f = me(); Block& b = *f->b(); ++stats.barriers; unsigned g = b.gen; b.red += pred;
#ifdef SIMT_TSAN
  __tsan_release(sync_base + (g & 1) * 8);
#endif
  if (++b.arrived == b.live) release_bar(b); else block_on(f, W_BAR, line);
#ifdef SIMT_TSAN
  __tsan_acquire(sync_base + (g & 1) * 8);
#endif
  return b.redv[g & 1]; }
Slots coll(int op, uint32_t mask, const void* in, size_t sz, int line) {   // warp collective; returns all lanes' slots
  Fiber* f = me(); Warp& w = *f->warp; ++stats.colls;
  if (!(mask >> f->lane & 1)) fail("calling lane is not in the mask of a _sync collective");
  Group& g = w.get(mask);
  if (!g.arrived) g.op = op; else if (g.op != op) fail("lanes of one warp meet in different _sync collectives");
  unsigned gen = g.gen; for (size_t i = 0; i < sz; i++) ((volatile unsigned char*)g.slot[gen & 1][f->lane])[i] = ((const unsigned char*)in)[i]; g.arrived |= 1u << f->lane;
#ifdef SIMT_TSAN
  void* sv = sync_base + 64 + (((f->tid >> 5) * 4 + (g.idx & 3)) * 2 + (gen & 1)) * 8; __tsan_release(sv);
#endif
  uint32_t want = mask & w.exist;
  if (want & ~w.live) fail("_sync collective names an exited lane");
  if (g.arrived == want) { g.arrived = 0; ++g.gen; for (uint32_t m = want & ~(1u << f->lane); m; m &= m - 1) push(*f->b(), w.f[__builtin_ctz(m)]); }
  else block_on(f, W_COLL, line);
#ifdef SIMT_TSAN
  __tsan_acquire(sv);
#endif
  return g.slot[gen & 1]; }
inline void entry() {
  Fiber* f = me();
#ifdef SIMT_ASAN
  __sanitizer_finish_switch_fiber(f->fake, nullptr, nullptr);
#endif
  f->b()->fn(f->b()->arg);
  if (f->cph != f->cpe.size() || f->cpd.size() > (f->cpe.empty() ? 0 : f->cpe.back())) fail("cp.async still pending at thread exit");
#ifdef SIMT_TSAN
  __tsan_release(&tsan_end);
#endif
  finish(f); Fiber* n = pop(*f->b());
  if (!n) { if (f->b()->live) fail("deadlock after thread exit"); n = &f->b()->main; }
  sw(f, n); __builtin_unreachable(); }
inline void poison(volatile char* a, size_t n);
void* shared_array(const void* tag, size_t bytes) { Block& b = *me()->b(); for (auto& n : b.arrays) if (n.tag == tag) return n.memory; void* m = aligned_alloc(64, (bytes + 63) / 64 * 64); poison((char*)m, bytes); b.arrays.push_back({tag, m, bytes}); return m; }
inline void poison(volatile char* a, size_t n) { for (size_t i = 0; i < n; i++) a[i] = (char)0xFF; }   // 0xFFFFFFFF = float NaN
inline void run_block(Block& b, dim3 g, dim3 bd, dim3 bi, size_t smem, void (*fn)(void*), void* arg) {
  unsigned n = bd.x * bd.y * bd.z; b.gdim = g; b.bdim = bd; b.bidx = bi; b.fn = fn; b.arg = arg;
  if (b.n != n) { b.n = n; b.fib.clear(); b.fib.resize(n); b.warps.clear(); b.warps.resize((n + 31) / 32); b.q.assign(n, nullptr); for (auto& w : b.warps) for (uint32_t m : {0xffffffffu, 0xffffu, 0xffff0000u}) w.get(m); }
  if (b.dynsz != smem || !b.dyn) { free(b.dyn); b.dynsz = smem; b.dyn = (unsigned char*)aligned_alloc(16, smem ? (smem + 15) / 16 * 16 : 16); }
#ifdef SIMT_TSAN
  sync_next(); if (tsan_interblock()) { tsan_fresh((char*)b.dyn, (char*)b.dyn + smem); if (__start_simt_shared) tsan_fresh(__start_simt_shared, __stop_simt_shared); }
  poison((char*)b.dyn, smem);
#else
  poison((char*)b.dyn, smem);
#endif
#ifndef SIMT_OMP
  if (__start_simt_shared) poison(__start_simt_shared, __stop_simt_shared - __start_simt_shared);
#endif
  for (auto& n : b.arrays) free(n.memory);
  b.arrays.clear();
  b.live = n; b.arrived = 0; b.qh = b.qn = 0; ++stats.blocks; stats.threads += n; b.main.blk = &b;
  for (auto& w : b.warps) { w.live = w.exist = 0; for (auto& g : w.groups) g->arrived = 0; for (auto& p : w.f) p = nullptr; }
  for (unsigned i = 0; i < n; i++) { Fiber& f = b.fib[i]; f.blk = &b; f.tid = i; f.lane = i & 31; f.warp = &b.warps[i / 32]; f.warp->f[f.lane] = &f; f.warp->live |= 1u << f.lane; f.warp->exist |= 1u << f.lane;
    f.tidx = dim3(i % bd.x, i / bd.x % bd.y, i / (bd.x * bd.y));
    if (!f.stk) f.stk = (char*)mmap(nullptr, STK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    f.fake = nullptr; f.stksz = STK; f.cpd.clear(); f.cpg.clear(); f.cpe.clear(); f.cph = 0; f.cpd.reserve(1024); f.cpg.reserve(1024); f.cpe.reserve(256);
#ifdef SIMT_ASAN
    __asan_unpoison_memory_region(f.stk, STK);   // frames of the previous block's thread never returned
#endif
#ifdef SIMT_TSAN
    if (tsan_interblock()) mmap(f.stk, STK, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);   // fresh shadow for the reused stack
    f.tsan = __tsan_create_fiber(0);
#endif
#ifdef SIMT_UCONTEXT
    getcontext(&f.uc); f.uc.uc_stack.ss_sp = f.stk; f.uc.uc_stack.ss_size = STK; f.uc.uc_link = nullptr; makecontext(&f.uc, entry, 0);
#else
    void** s = (void**)(f.stk + STK); *--s = nullptr; *--s = (void*)entry; for (int k = 0; k < 6; k++) *--s = nullptr; f.sp = s;
#endif
    push(b, &f); }
#ifdef SIMT_TSAN
  b.main.tsan = __tsan_get_current_fiber();
#endif
#ifdef SIMT_ASAN
  if (!b.main.stk) { pthread_attr_t at; void* lo; size_t sz; pthread_getattr_np(pthread_self(), &at); pthread_attr_getstack(&at, &lo, &sz); pthread_attr_destroy(&at); b.main.stk = (char*)lo; b.main.stksz = sz; }
#endif
  Fiber* first = pop(b); sw(&b.main, first); cur = nullptr;
#ifdef SIMT_TSAN
  // libtsan reuses thread ids: a reused id hides races with its former owner, so between blocks keep up to 6000 dead fibers
  static std::deque<void*> dead; for (auto& f : b.fib) dead.push_back(f.tsan);
  while (dead.size() > (tsan_interblock() ? 6000u : 0u)) { __tsan_destroy_fiber(dead.front()); dead.pop_front(); }
  if (!tsan_interblock()) __tsan_acquire(&tsan_end);   // orders blocks; without it blocks race with each other, as on the device
#endif
}
uint32_t exist_mask() { return me()->warp->exist; }
void cp_push(void* d, const void* g) { Fiber* f = me(); f->cpd.push_back(d); f->cpg.push_back(g); }
void cp_commit() { Fiber* f = me(); f->cpe.push_back(f->cpd.size()); }
unsigned cp_ready(unsigned keep, void**& d, const void**& g) {   // returns 1 + number of copies of the oldest group that must be complete, or 0
  Fiber* f = me(); if (f->cpe.size() - f->cph <= keep) return 0;
  unsigned lo = f->cph ? f->cpe[f->cph - 1] : 0, hi = f->cpe[f->cph]; ++f->cph; d = f->cpd.data() + lo; g = f->cpg.data() + lo; return 1 + hi - lo; }
static std::mutex launch_lock;
void launch_raw(dim3 g, dim3 bd, size_t smem, void (*fn)(void*), void* arg) { std::lock_guard<std::mutex> hold(launch_lock);
  if (const char* o = getenv("SIMT_ORDER")) { order_mode = !strncmp(o, "rev", 3) ? 1 : !strncmp(o, "rand", 4) ? 2 : 0; if (order_mode == 2 && o[4] == ':') rng = 88172645463325252ull ^ (strtoull(o + 5, nullptr, 10) * 0x9E3779B97F4A7C15ull); }
  long nb = (long)g.x * g.y * g.z;
#ifdef SIMT_OMP
#pragma omp parallel
#endif
  { static thread_local Block b; stats = Stats();
#ifdef SIMT_OMP
#pragma omp for schedule(dynamic)
#endif
    for (long i = 0; i < nb; i++) { long j = order_mode == 1 ? nb - 1 - i : i; run_block(b, g, bd, dim3(j % g.x, j / g.x % g.y, j / ((long)g.x * g.y)), smem, fn, arg); }
#ifdef SIMT_OMP
#pragma omp critical
#endif
    { total.switches += stats.switches; total.blocks += stats.blocks; total.threads += stats.threads; total.barriers += stats.barriers; total.colls += stats.colls; } }
#ifdef SIMT_TSAN
  __tsan_acquire(&tsan_end);
#endif
}
}  // namespace simt
