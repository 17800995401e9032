#include "simt/block.h"

#include "simt/barrier.h"
#include "simt/report.h"

namespace simt {

const ThreadIndex* running = nullptr;

namespace {

constexpr size_t kSyncBytes = 16;
constexpr unsigned kMostSyncObjects = 1 + 32 * Warp::kMostMasks;  // the barrier, each warp's masks

char host_progress, thread_ends;  // sync objects

}  // namespace

void Block::end_launch() {
  race_detector::acquire(&thread_ends);
  if (on_launch_end != nullptr) on_launch_end(*grid);
}

void Block::set_up(unsigned threads_in_block) {
  size = live = threads_in_block;
  if (size > capacity_) {
    // Not value-initialised: most of the memory is never looked at.
    threads.reset(new Thread[size]);
    copies.reset(new PendingCopies[size]);
    warps.reset(new Warp[(size + 31) / 32]);
    capacity_ = size;
  }
  places_.start_block(size);
  sync_memory_.renew(kMostSyncObjects * kSyncBytes);
  sync_objects_ = 0;
  at_barrier = votes = barrier_generation = 0;
  barrier_sync = new_sync_object();
  for (unsigned w = 0; w < (size + 31) / 32; ++w) {
    warps[w].existing = warps[w].live = warps[w].masks = 0;
    warps[w].barrier_site = {nullptr, 0};
  }
}

void* Block::new_sync_object() { return sync_memory_.data() + kSyncBytes * sync_objects_++; }

void Block::start(Thread& thread, unsigned number) {
  const dim3 extent = block_extent;
  thread.index =
      dim3(number % extent.x, number / extent.x % extent.y, number / extent.x / extent.y);
  thread.number = number;
  thread.lane = number % 32;
  thread.block = thread.owner = this;
  thread.warp = &warps[number / 32];
  thread.warp->lanes[thread.lane] = &thread;
  thread.warp->existing |= 1u << thread.lane;
  thread.warp->live |= 1u << thread.lane;
  thread.copies = &copies[number];
  thread.copies->first = thread.copies->count = thread.copies->committed = 0;
  // Stacks that begin at the same offset of a page would share few sets of the cache.
  const size_t shift = number % 32 * 128;
  thread.fiber.prepare(
      [] {
        Thread& self = running_thread();
        self.fiber.started();
        race_detector::acquire(&host_progress);
        self.owner->grid->thread(self.owner->grid->arguments);
        self.owner->exit(self);
      },
      places_.next(), shift);
  wake(thread);
}

void Block::run(const Grid& whole, Order& order, dim3 index) {
  grid = &whole;
  block_index = index;
  block_extent = whole.block_extent;
  grid_extent = whole.extent;
  shared.reset(whole.shared_bytes);
  set_up(block_extent.x * block_extent.y * block_extent.z);
  ready_.reset(&order);
  host_.adopt_caller();
  for (unsigned i = 0; i < size; ++i) start(threads[i], i);
  race_detector::release(&host_progress);
  Thread* first = ready_.pop();
  running = first;
  host_.switch_to(first->fiber);
  running = nullptr;
  if (on_block_end != nullptr) on_block_end(whole);
}

void Block::wake(Thread& thread) {
  thread.state = State::kReady;
  ready_.push(&thread);
}

void Block::wait(Thread& thread, State state, const char* in, uint32_t mask, Site site) {
  thread.state = state;
  thread.waits_in = in;
  thread.waits_for = mask;
  thread.site = site;
  Thread* next = ready_.pop();
  if (next == nullptr) fail("deadlock: every thread of the block waits for another");
  running = next;
  thread.fiber.switch_to(next->fiber);
}

void Block::open_barrier() {
  barrier_result[barrier_generation % 2] = votes;
  at_barrier = votes = 0;
  ++barrier_generation;
  for (unsigned i = 0; i < size; ++i) {
    if (threads[i].state == State::kAtBarrier) wake(threads[i]);
  }
}

void Block::exit(Thread& thread) {
  if (thread.copies->count > 0)
    fail("a thread exits with an async_copy that it has not waited for");
  for (unsigned i = 0; i < thread.warp->masks; ++i) {
    const Meeting& meeting = thread.warp->meetings[i];
    if (meeting.arrived != 0 && meeting.participants >> thread.lane & 1) {
      fail("lane %u exits while other lanes wait for it in %s", thread.lane, meeting.name);
    }
  }
  race_detector::release(&thread_ends);
  thread.state = State::kExited;
  thread.warp->live &= ~(1u << thread.lane);
  --live;
  if (live > 0 && at_barrier == live) open_barrier();  // exited threads are not waited for

  Thread* next = ready_.pop();
  if (next == nullptr && live > 0) fail("deadlock: the threads that are left wait for others");
  running = next;
  thread.fiber.leave_for(next != nullptr ? next->fiber : host_);
}

int barrier(bool vote, Site site) {
  Thread& self = running_thread();
  Block& block = *self.owner;
  Warp& warp = *self.warp;
  const unsigned generation = block.barrier_generation;

  // bar.sync is an aligned instruction: a warp must execute one and the same.
  const bool first_of_warp =
      warp.barrier_site.file == nullptr || warp.barrier_generation != generation;
  if (!first_of_warp && warp.barrier_site != site) {
    fail("divergent __syncthreads: lanes of one warp are at %s:%d and %s:%d",
         warp.barrier_site.file, warp.barrier_site.line, site.file, site.line);
  }
  warp.barrier_generation = generation;
  warp.barrier_site = site;

  void* const sync = static_cast<char*>(block.barrier_sync) + generation % 2;
  race_detector::release(sync);
  block.votes += vote;
  ++block.at_barrier;
  if (block.at_barrier == block.live) {
    block.open_barrier();
  } else {
    block.wait(self, State::kAtBarrier, "__syncthreads", 0, site);
  }
  race_detector::acquire(sync);
  return int(block.barrier_result[generation % 2]);
}

}  // namespace simt
