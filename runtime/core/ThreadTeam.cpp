//===- ThreadTeam.cpp - Threads that share loops --------------------------===//
//
// Workers join a loop only while it is open: a worker that sleeps or was
// descheduled is never waited for, only those inside are. Joining is a
// compare-and-swap on the word that also holds the number of the loop, so a
// late worker cannot enter the next one by mistake.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/ThreadTeam.h"

#include <algorithm>
#include <sched.h>
#include <system_error>

namespace dsrt {

namespace {
constexpr uint64_t insideMask = 0xffff;
constexpr uint64_t closedBit = 0x10000;
constexpr int loopShift = 20;

// About 50 microseconds of spinning: longer than the host program needs between
// two kernels, shorter than anyone notices on an idle machine.
constexpr int spinsBeforeSleep = 2000;

// Pieces per thread: enough that a slow thread does not hold up the others.
constexpr int64_t piecesPerThread = 4;

constexpr int maxThreads = 1024;

thread_local bool insideLoop = false;

void pauseThread() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}
} // namespace

ThreadTeam::ThreadTeam(int threads) : state(closedBit) {
  threads = std::clamp(threads, 1, maxThreads);
  workers.reserve(threads - 1);
  try {
    for (int i = 1; i < threads; ++i)
      workers.emplace_back([this] { work(); });
  } catch (const std::system_error &) {
    // The system grants no more threads: go on with those there are.
  }
}

ThreadTeam::~ThreadTeam() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping.store(true);
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

int ThreadTeam::availableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

void ThreadTeam::run(dsrt_range loop, void *loopContext, int64_t items,
                     int64_t grain) {
  if (items <= 0)
    return;
  grain = std::max<int64_t>(grain, 1);
  if (workers.empty() || items <= grain || insideLoop) {
    loop(loopContext, 0, items);
    return;
  }
  range = loop;
  context = loopContext;
  count = items;
  int64_t pieces = size() * piecesPerThread;
  piece = std::max(grain, (items + pieces - 1) / pieces);
  next.store(0, std::memory_order_relaxed);

  // Sequentially consistent with the sleeper's count: either it sees the loop
  // before it sleeps, or the count is seen here.
  uint64_t number = (state.load(std::memory_order_relaxed) >> loopShift) + 1;
  state.store(number << loopShift, std::memory_order_seq_cst);
  if (sleepers.load(std::memory_order_seq_cst) > 0) {
    { std::lock_guard<std::mutex> lock(mutex); }
    wake.notify_all();
  }

  runPieces();
  state.fetch_or(closedBit, std::memory_order_acq_rel);
  for (int spins = 0; state.load(std::memory_order_acquire) & insideMask;)
    if (++spins < spinsBeforeSleep)
      pauseThread();
    else
      sched_yield();
}

void ThreadTeam::runPieces() {
  insideLoop = true;
  for (;;) {
    int64_t begin = next.fetch_add(piece, std::memory_order_relaxed);
    if (begin >= count)
      break;
    range(context, begin, std::min(begin + piece, count));
  }
  insideLoop = false;
}

void ThreadTeam::work() {
  uint64_t seen = 0;
  for (;;) {
    waitForLoop(seen);
    if (stopping.load(std::memory_order_acquire))
      return;
    uint64_t current = state.load(std::memory_order_acquire);
    bool entered = false;
    while (!entered && !(current & closedBit))
      entered = state.compare_exchange_weak(current, current + 1,
                                            std::memory_order_acq_rel,
                                            std::memory_order_acquire);
    seen = current >> loopShift;
    if (!entered)
      continue;
    runPieces();
    state.fetch_sub(1, std::memory_order_release);
  }
}

/// Returns when there is a loop other than `seen`, or the team stops.
void ThreadTeam::waitForLoop(uint64_t &seen) {
  auto ready = [&] {
    return stopping.load(std::memory_order_acquire) ||
           state.load(std::memory_order_seq_cst) >> loopShift != seen;
  };
  for (int spins = 0; spins < spinsBeforeSleep; ++spins) {
    if (ready())
      return;
    pauseThread();
  }
  std::unique_lock<std::mutex> lock(mutex);
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  wake.wait(lock, ready);
  sleepers.fetch_sub(1, std::memory_order_seq_cst);
}

} // namespace dsrt
