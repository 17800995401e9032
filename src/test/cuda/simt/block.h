// simt/block.h: the runtime's view of a block: its threads, their warps, and who waits for what.
// One block runs at a time, one of its threads at a time, until that thread waits or exits.
#ifndef STRUCTKD_SIMT_BLOCK_H
#define STRUCTKD_SIMT_BLOCK_H

#include <memory>

#include "simt/async_copy.h"
#include "simt/fiber.h"
#include "simt/launch.h"
#include "simt/order.h"
#include "simt/shared_arena.h"
#include "simt/thread.h"
#include "simt/warp.h"

namespace simt {

struct Block;
struct Warp;

// One launch, as its blocks see it.
struct Grid {
  KernelName kernel;
  dim3 extent, block_extent;
  size_t shared_bytes;
  void (*thread)(void* arguments);
  void* arguments;
};

enum class State { kReady, kAtBarrier, kInCollective, kExited };

// Copies that a thread began and has not waited for. Of fixed size: memory that comes and goes
// would tell the race detector of accesses that no kernel makes.
struct PendingCopies {
  static constexpr unsigned kMost = 512;
  struct Entry {
    AsyncCopy copy;
    unsigned group;
  } entries[kMost];
  unsigned first = 0, count = 0;
  unsigned committed = 0;  // groups
};

struct Thread : ThreadIndex {
  Block* owner;
  Warp* warp;
  State state;
  // While it waits: in what, for which lanes, called where.
  const char* waits_in;
  uint32_t waits_for;
  Site site;
  PendingCopies* copies;
  Fiber fiber;
};

// Lanes of one mask coming together, time and again.
struct Meeting {
  uint32_t mask, participants, arrived;
  unsigned generation;
  const char* name;
  void* sync;
  // A lane may reach the next meeting before another has read the results of this one.
  Slot slots[2][32];
};

struct Warp {
  static constexpr unsigned kMostMasks = 32;
  Thread* lanes[32];
  uint32_t existing, live;
  // Of the barrier that the block is gathering at.
  unsigned barrier_generation;
  Site barrier_site;
  unsigned masks;
  Meeting meetings[kMostMasks];
};

struct Block : BlockIndex {
  void start_launch() { places_.start_launch(); }
  // What threads did happens before what the host does next.
  void end_launch();
  void run(const Grid& grid, Order& order, dim3 index);

  // Lets other threads run until one wakes this one, which is the running one.
  void wait(Thread& thread, State state, const char* in, uint32_t mask, Site site);
  void wake(Thread& thread);
  void exit(Thread& thread);
  void open_barrier();

  // A pair of addresses that order nothing yet.
  void* new_sync_object();

  const Grid* grid;
  unsigned size = 0, live = 0;
  std::unique_ptr<Thread[]> threads;
  std::unique_ptr<PendingCopies[]> copies;  // not in Thread: scheduling touches every Thread
  std::unique_ptr<Warp[]> warps;
  SharedArena shared;

  unsigned at_barrier, votes, barrier_generation;
  unsigned barrier_result[2];  // as Meeting::slots
  void* barrier_sync;

 private:
  void set_up(unsigned threads_in_block);
  void start(Thread& thread, unsigned number);

  ReadyQueue ready_;
  Fiber host_;
  FiberPlaces places_;
  FreshMemory sync_memory_;
  unsigned sync_objects_;
  unsigned capacity_ = 0;
};

// Called after each block and launch where a tracer defines them.
[[gnu::weak]] void on_block_end(const Grid& grid);
[[gnu::weak]] void on_launch_end(const Grid& grid);

inline Thread& running_thread() {
  return *const_cast<Thread*>(static_cast<const Thread*>(running));
}

}  // namespace simt

#endif  // STRUCTKD_SIMT_BLOCK_H
