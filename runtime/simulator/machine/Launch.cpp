//===- Launch.cpp - A grid of a kernel ------------------------------------===//
//
// Each thread goes round its clusters. It begins one more when none of them
// made progress, or when it has none.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Launch.h"

#include <cstring>
#include <fmt/format.h>
#include <list>
#include <thread>

using namespace dsrt::simulator;

Launch::Launch(const Kernel &kernel, const LaunchShape &shape,
               const std::vector<uint8_t> &bytes, DeviceMemory &memory,
               const Settings &settings)
    : kernel(kernel), shape(shape), memory(memory), settings(settings) {
  constexpr size_t alignment = 256;
  size_t size = (bytes.size() / alignment + 1) * alignment;
  parameters.reset(static_cast<uint8_t *>(std::aligned_alloc(alignment, size)));
  if (!parameters)
    throw std::bad_alloc();
  std::memcpy(parameters.get(), bytes.data(), bytes.size());
  if (settings.races > 1)
    globalRaces =
        std::make_unique<GlobalRaces>(clusterCount(), kernel.globalUnit);
}

bool Launch::inParameters(uint64_t address, uint64_t bytes) const {
  uint64_t offset = address - parameterAddress();
  return offset <= kernel.parameterBytes &&
         bytes <= kernel.parameterBytes - offset;
}

unsigned Launch::residentClusters() const {
  constexpr uint64_t threadsOfMultiprocessor = 2048;
  uint64_t perMultiprocessor =
      std::min<uint64_t>(32, threadsOfMultiprocessor / volume(shape.block));
  perMultiprocessor = std::min<uint64_t>(
      perMultiprocessor, (kMaxSharedBytes + 1024) / (sharedBytes() + 1024));
  uint64_t ctas = settings.multiprocessors * perMultiprocessor;
  return static_cast<unsigned>(
      std::max<uint64_t>(1, ctas / volume(shape.cluster)));
}

std::array<unsigned, 3> Launch::clusterAt(uint64_t number) const {
  std::array<unsigned, 3> position;
  for (unsigned i = 0; i < 3; ++i) {
    unsigned clusters = shape.grid[i] / shape.cluster[i];
    position[i] = static_cast<unsigned>(number % clusters) * shape.cluster[i];
    number /= clusters;
  }
  return position;
}

std::unique_ptr<Cluster> Launch::nextCluster() {
  uint64_t number = begun.fetch_add(1);
  if (number >= clusterCount())
    return nullptr;
  return std::make_unique<Cluster>(*this, number);
}

void Launch::work(unsigned residentLimit) {
  // Rounds without any progress of the launch before it counts as a deadlock:
  // some 10^8 instructions of each warp.
  constexpr unsigned patience = 25000;
  std::list<std::unique_ptr<Cluster>> resident;
  Counts done;
  bool more = true;
  unsigned idleRounds = 0;
  uint64_t seen = progress;
  while (!stopped) {
    bool anyProgress = false;
    for (auto cluster = resident.begin(); cluster != resident.end();) {
      Cluster::Status status = (*cluster)->run();
      anyProgress |= status != Cluster::Status::Stuck;
      if (status != Cluster::Status::Done) {
        ++cluster;
        continue;
      }
      done.add((*cluster)->counts);
      cluster = resident.erase(cluster);
    }
    if (more && !anyProgress && resident.size() < residentLimit) {
      std::unique_ptr<Cluster> next = nextCluster();
      more = next != nullptr;
      if (next)
        resident.push_back(std::move(next));
    }
    if (resident.empty()) {
      if (!more)
        break;
      continue;
    }
    idleRounds = anyProgress || progress != seen ? 0 : idleRounds + 1;
    seen = progress;
    if (idleRounds > patience)
      throw Fault(FaultKind::Deadlock,
                  fmt::format("kernel {}: deadlock, all warps poll memory that "
                              "no warp writes",
                              kernel.name));
  }
  std::lock_guard<std::mutex> lock(mutex);
  total.add(done);
}

void Launch::run() {
  uint64_t clusters = clusterCount();
  unsigned resident = residentClusters();
  auto count = static_cast<unsigned>(
      std::min<uint64_t>({settings.threads, clusters, resident}));
  total[Count::Launches] = 1;
  auto guardedWork = [&] {
    try {
      work(std::max(1u, resident / count));
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex);
      if (!failure)
        failure = std::current_exception();
      stopped = true;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < count; ++i)
    threads.emplace_back(guardedWork);
  guardedWork();
  for (std::thread &thread : threads)
    thread.join();
  if (failure)
    std::rethrow_exception(failure);
}
