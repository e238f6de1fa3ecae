//===- threads.cpp - The thread team --------------------------------------===//
//
// Every item of a loop is run exactly once, whatever the sizes, also when loops
// follow each other at once, after the threads have gone to sleep, and from
// inside of another loop.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/ThreadTeam.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace dsrt;

namespace {

struct Loop {
  ThreadTeam *team;
  std::vector<int> hits;
  std::atomic<int64_t> smallest{INT64_MAX};
};

void hit(void *context, int64_t begin, int64_t end) {
  Loop &loop = *static_cast<Loop *>(context);
  for (int64_t i = begin; i < end; ++i)
    ++loop.hits[i];
  if (end < static_cast<int64_t>(loop.hits.size())) {
    int64_t size = end - begin, known = loop.smallest.load();
    while (size < known && !loop.smallest.compare_exchange_weak(known, size))
      ;
  }
}

void nested(void *context, int64_t begin, int64_t end) {
  Loop &loop = *static_cast<Loop *>(context);
  Loop inner{loop.team, std::vector<int>(100)};
  for (int64_t i = begin; i < end; ++i) {
    loop.team->run(hit, &inner, 100, 1);
    loop.hits[i] += inner.hits[99] == i - begin + 1;
  }
}

void expectOnce(const Loop &loop, const char *what) {
  for (int hits : loop.hits)
    if (hits != 1) {
      std::printf("FAILED: %s: an item ran %d times\n", what, hits);
      std::exit(1);
    }
}

void testTeam(int threads) {
  ThreadTeam team(threads);
  for (int64_t count : {0, 1, 2, 7, 64, 1000, 4097})
    for (int64_t grain : {0, 1, 3, 64, 5000}) {
      Loop loop{&team, std::vector<int>(static_cast<size_t>(count))};
      team.run(hit, &loop, count, grain);
      expectOnce(loop, "sizes");
      if (loop.smallest.load() < grain) {
        std::printf("FAILED: a piece is smaller than the grain\n");
        std::exit(1);
      }
    }
  for (int i = 0; i < 20000; ++i) {
    Loop loop{&team, std::vector<int>(16)};
    team.run(hit, &loop, 16, 1);
    expectOnce(loop, "loops in a row");
  }
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    Loop loop{&team, std::vector<int>(1000)};
    team.run(hit, &loop, 1000, 1);
    expectOnce(loop, "after sleep");
  }
  Loop outer{&team, std::vector<int>(64)};
  team.run(nested, &outer, 64, 1);
  expectOnce(outer, "nested");
  std::printf("team of %d: passed\n", team.size());
}

} // namespace

int main() {
  for (int threads : {1, 2, 3, 8})
    testTeam(threads);
  // Teams come and go without being used.
  for (int i = 0; i < 50; ++i)
    ThreadTeam team(4);
  return 0;
}
