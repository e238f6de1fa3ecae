//===- Parallel.cpp - A loop on several threads ---------------------------===//
//
// Threads take the next index from a counter. If the system refuses a thread,
// those that there are do the work.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/Parallel.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace dsrt {

void parallelFor(size_t count, const std::function<void(size_t)> &body) {
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;)
      body(i);
  };
  constexpr size_t kMaxThreads = 16;
  size_t threads = std::min<size_t>(
      {count, std::thread::hardware_concurrency(), kMaxThreads});
  std::vector<std::thread> others;
  try {
    for (size_t i = 1; i < threads; ++i)
      others.emplace_back(work);
  } catch (const std::system_error &) {
  }
  work();
  for (std::thread &thread : others)
    thread.join();
}

} // namespace dsrt
