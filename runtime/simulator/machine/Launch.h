//===- Launch.h - A grid of a kernel ----------------------------*- C++ -*-===//
//
// Runs the clusters of a grid on several threads. A thread begins another
// cluster when those it has make no progress, up to what would fit onto the
// modelled GPU: clusters may wait for each other as far as they may there.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_LAUNCH_H
#define DSRT_SIMULATOR_MACHINE_LAUNCH_H

#include "runtime/simulator/machine/Cta.h"
#include "runtime/simulator/machine/GlobalRaces.h"

#include <atomic>
#include <exception>
#include <mutex>

namespace dsrt::simulator {

struct Settings {
  unsigned threads = 1; // of this process
  unsigned multiprocessors = 8;
  uint64_t seed = 1;
  unsigned races = 1; // look for them: 1 in shared memory, 2 in global too
};

struct LaunchShape {
  std::array<unsigned, 3> grid = {1, 1, 1};
  std::array<unsigned, 3> block = {1, 1, 1};
  std::array<unsigned, 3> cluster = {1, 1, 1};
  uint64_t dynamicShared = 0;
};

inline uint64_t volume(const std::array<unsigned, 3> &extents) {
  return uint64_t(extents[0]) * extents[1] * extents[2];
}

class Launch {
public:
  /// 'parameters' are the bytes of the kernel's parameter block.
  Launch(const Kernel &kernel, const LaunchShape &shape,
         const std::vector<uint8_t> &parameters, DeviceMemory &memory,
         const Settings &settings);

  /// Throws the Fault of the first cluster that had one.
  void run();
  /// What the clusters did that have ended.
  const Counts &counts() const { return total; }

  uint64_t sharedBytes() const {
    return kernel.sharedBytes + shape.dynamicShared;
  }
  bool inParameters(uint64_t address, uint64_t bytes) const;
  uint64_t parameterAddress() const {
    return reinterpret_cast<uint64_t>(parameters.get());
  }

  /// The position in the grid of the first CTA of a cluster by its number.
  std::array<unsigned, 3> clusterAt(uint64_t number) const;
  /// The position in its CTA of a thread by its number.
  std::array<unsigned, 3> threadAt(unsigned number) const {
    return {number % shape.block[0], number / shape.block[0] % shape.block[1],
            number / shape.block[0] / shape.block[1]};
  }

  const Kernel &kernel;
  const LaunchShape shape;
  DeviceMemory &memory;
  const Settings settings;
  /// Grows with everything that other clusters may wait for.
  std::atomic<uint64_t> progress{0};
  /// Null if races in global memory are not looked for.
  std::unique_ptr<GlobalRaces> globalRaces;

private:
  void work(unsigned residentLimit);
  std::unique_ptr<Cluster> nextCluster();
  uint64_t clusterCount() const {
    return volume(shape.grid) / volume(shape.cluster);
  }
  unsigned residentClusters() const;

  struct Free {
    void operator()(uint8_t *memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t, Free> parameters;
  std::atomic<uint64_t> begun{0};
  std::atomic<bool> stopped{false};
  std::mutex mutex; // of what follows
  std::exception_ptr failure;
  Counts total;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_LAUNCH_H
