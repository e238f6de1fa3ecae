//===- ThreadTeam.h - Threads that share loops ------------------*- C++ -*-===//
//
// A fixed number of threads, kept for the life of the team, that run one loop
// at a time together with the thread that asks for it. Loops come thousands of
// times a second and each is short, so threads spin a while before they sleep,
// and starting a loop allocates nothing.
//
// Which thread runs which piece is decided by an atomic counter, so a loop must
// compute the same whichever thread runs a piece.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_THREADTEAM_H
#define DSRT_CORE_THREADTEAM_H

#include "dsrt/abi.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace dsrt {

class ThreadTeam {
public:
  /// `threads` counts the caller, so 1 starts no thread. Where the system
  /// grants fewer threads the team is smaller.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam &) = delete;
  ThreadTeam &operator=(const ThreadTeam &) = delete;

  int size() const { return static_cast<int>(workers.size()) + 1; }

  /// Runs range(context, begin, end) over [0, count) in pieces of at least
  /// `grain` and returns when all are done. A loop started from within a loop
  /// runs on its own thread alone. One caller at a time.
  void run(dsrt_range range, void *context, int64_t count, int64_t grain);

  /// Cores this process may use.
  static int availableCores();

private:
  void work();
  void runPieces();
  void waitForLoop(uint64_t &seen);

  // The loop, written only while it is closed and no worker is inside.
  dsrt_range range = nullptr;
  void *context = nullptr;
  int64_t count = 0;
  int64_t piece = 0;

  // Number of the loop in the upper bits, then the closed bit, then how many
  // workers are inside. A worker enters by adding one while it is open.
  alignas(64) std::atomic<uint64_t> state;
  alignas(64) std::atomic<int64_t> next{0};

  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;
};

} // namespace dsrt

#endif // DSRT_CORE_THREADTEAM_H
