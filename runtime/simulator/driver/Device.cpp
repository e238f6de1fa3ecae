//===- Device.cpp - The simulated GPU -------------------------------------===//
//
// Limits are those of the chip where the driver would refuse a launch.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Device.h"
#include "runtime/simulator/ptx/Lexer.h"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <thread>

using namespace dsrt::simulator;

/// A number of the environment, or 'otherwise' if it has none.
static uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  if (!text || !*text)
    return otherwise;
  char *end = nullptr;
  uint64_t value = std::strtoull(text, &end, 10);
  if (*end || text[0] == '-') {
    fmt::print(stderr, "simulator: expected a number in {}, got '{}'\n", name,
               text);
    std::exit(1);
  }
  return value;
}

Device &Device::get() {
  static Device device;
  return device;
}

Device::Device() {
  capability = static_cast<unsigned>(setting("DSRT_SIMULATOR_CHIP", 90));
  settings.seed = setting("DSRT_SIMULATOR_SEED", 1);
  settings.races = static_cast<unsigned>(
      std::min<uint64_t>(2, setting("DSRT_SIMULATOR_RACES", 1)));
  settings.threads = static_cast<unsigned>(
      std::max<uint64_t>(1, setting("DSRT_SIMULATOR_THREADS",
                                    std::thread::hardware_concurrency())));
  constexpr uint64_t mebibyte = uint64_t(1) << 20;
  memoryBytes = setting("DSRT_SIMULATOR_MEMORY", 80 * 1024) * mebibyte;
  reset();
}

Device::~Device() { unloadAll(); }

void Device::unload(LoadedModule &module) {
  coverage.add(module.module);
  modules.erase(&module);
}

void Device::unloadAll() {
  while (!modules.empty())
    unload(*modules.begin()->second);
}

void Device::reset() {
  unloadAll();
  scheduler = std::make_unique<Scheduler>(settings.seed);
  defaultStream = scheduler->create();
  for (auto [address, bytes] : pinned)
    std::free(reinterpret_cast<void *>(address));
  pinned.clear();
  memory = std::make_unique<DeviceMemory>(memoryBytes);
  failure = CUDA_SUCCESS;
}

uint64_t Device::maxSharedBytes() const {
  constexpr uint64_t kibibyte = 1024;
  switch (capability) {
  case 80:
    return 163 * kibibyte;
  case 86:
  case 89:
  case 120:
    return 99 * kibibyte;
  default:
    return kMaxSharedBytes;
  }
}

void Device::report(const std::string &message) {
  lastError = message;
  fmt::print(stderr, "simulator: {}\n", message);
}

Stream *Device::streamOf(CUstream handle) {
  // 0 to 2: the default stream by its names.
  if (reinterpret_cast<uintptr_t>(handle) <= 2)
    return defaultStream;
  auto *stream = reinterpret_cast<Stream *>(handle);
  return scheduler->knows(stream) ? stream : nullptr;
}

bool Device::knowsModule(LoadedModule *module) const {
  return modules.count(module) != 0;
}

Function *Device::functionOf(CUfunction handle) const {
  auto *function = reinterpret_cast<Function *>(handle);
  for (const auto &[key, module] : modules)
    for (auto &[name, candidate] : module->functions)
      if (&candidate == function)
        return function;
  return nullptr;
}

/// What is wrong with a shape; empty if it is allowed.
static std::string wrongShape(const Function &function,
                              const LaunchShape &shape, uint64_t maxShared) {
  const Kernel &kernel = *function.kernel;
  constexpr unsigned largestBlock[] = {1024, 1024, 64};
  constexpr unsigned largestGrid[] = {0x7fffffff, 65535, 65535};
  for (unsigned i = 0; i < 3; ++i) {
    if (shape.block[i] == 0 || shape.block[i] > largestBlock[i])
      return fmt::format("expected 1 to {} threads in dimension {}, got {}",
                         largestBlock[i], i, shape.block[i]);
    if (shape.grid[i] == 0 || shape.grid[i] > largestGrid[i])
      return fmt::format("expected 1 to {} CTAs in dimension {}, got {}",
                         largestGrid[i], i, shape.grid[i]);
    if (shape.cluster[i] == 0 || shape.grid[i] % shape.cluster[i] != 0)
      return fmt::format("expected a grid of whole clusters, got {} CTAs and "
                         "clusters of {} in dimension {}",
                         shape.grid[i], shape.cluster[i], i);
  }
  uint64_t threads = volume(shape.block);
  uint64_t most = kernel.maxThreads ? volume(*kernel.maxThreads) : 1024;
  if (threads > most)
    return fmt::format("expected at most {} threads, got {}", most, threads);
  if (kernel.requiredThreads && shape.block != *kernel.requiredThreads)
    return fmt::format("expected the {} threads of .reqntid, got {}",
                       volume(*kernel.requiredThreads), threads);
  if (shape.dynamicShared > function.maxDynamicShared)
    return fmt::format("expected at most {} bytes of dynamic shared memory, as "
                       "set for the function, got {}",
                       function.maxDynamicShared, shape.dynamicShared);
  if (kernel.sharedBytes + shape.dynamicShared > maxShared)
    return fmt::format("expected at most {} bytes of shared memory, got {}",
                       maxShared, kernel.sharedBytes + shape.dynamicShared);
  if (volume(shape.cluster) > 16)
    return fmt::format("expected clusters of at most 16 CTAs, got {}",
                       volume(shape.cluster));
  return "";
}

CUresult Device::launch(Function &function, const LaunchShape &requested,
                        Stream *stream, std::vector<uint8_t> parameters) {
  LaunchShape shape = requested;
  const Kernel *kernel = function.kernel;
  if (kernel->clusterSize) {
    if (volume(shape.cluster) != 1 && shape.cluster != *kernel->clusterSize)
      return CUDA_ERROR_INVALID_CLUSTER_SIZE;
    shape.cluster = *kernel->clusterSize;
  }
  std::string wrong = wrongShape(function, shape, maxSharedBytes());
  if (!wrong.empty()) {
    report(fmt::format("launch of {}: {}", kernel->name, wrong));
    return CUDA_ERROR_INVALID_VALUE;
  }
  scheduler->enqueue(stream, {[this, kernel, shape, parameters] {
                                run(*kernel, shape, parameters);
                              },
                              nullptr});
  return CUDA_SUCCESS;
}

void Device::run(const Kernel &kernel, const LaunchShape &shape,
                 const std::vector<uint8_t> &parameters) {
  auto begin = std::chrono::steady_clock::now();
  Launch launch(kernel, shape, parameters, *memory, settings);
  launch.run();
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  statistics.add(launch, time.count());
}

CUresult
dsrt::simulator::guarded(const std::function<CUresult(Device &)> &body) {
  Device &device = Device::get();
  std::lock_guard<std::mutex> lock(device.mutex);
  if (!device.initialized)
    return CUDA_ERROR_NOT_INITIALIZED;
  if (device.failure != CUDA_SUCCESS)
    return device.failure;
  try {
    return body(device);
  } catch (const Fault &fault) {
    device.report(fault.what());
    device.failure = static_cast<CUresult>(fault.kind);
    return device.failure;
  } catch (const PtxError &error) {
    device.report(error.what());
    return CUDA_ERROR_INVALID_PTX;
  } catch (const std::bad_alloc &) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  } catch (const std::exception &error) {
    device.report(error.what());
    return CUDA_ERROR_UNKNOWN;
  }
}
