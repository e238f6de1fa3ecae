//===- Device.h - The simulated GPU -----------------------------*- C++ -*-===//
//
// One device with one context. Functions of the driver interface hold its lock
// while they run.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DRIVER_DEVICE_H
#define DSRT_SIMULATOR_DRIVER_DEVICE_H

#include "runtime/simulator/decode/Module.h"
#include "runtime/simulator/driver/Coverage.h"
#include "runtime/simulator/driver/Cuda.h"
#include "runtime/simulator/driver/Statistics.h"
#include "runtime/simulator/driver/Stream.h"
#include "runtime/simulator/machine/Launch.h"

#include <mutex>
#include <unordered_map>

namespace dsrt::simulator {

/// What a CUfunction points to.
struct Function {
  const Kernel *kernel;
  uint64_t maxDynamicShared;
};

/// What a CUmodule points to.
struct LoadedModule {
  LoadedModule(std::string text, DeviceMemory &memory)
      : module(std::move(text), memory) {}
  Module module;
  std::map<std::string, Function> functions;
};

class Device {
public:
  /// The environment says which chip it is, how much memory it has, the seed
  /// and the number of threads; see python-free-docs/Simulator.md.
  static Device &get();
  ~Device();

  /// Waits for all work and makes the device as new; handles become invalid.
  void reset();

  /// Takes an error of a kernel or of a text: prints it, and keeps it for
  /// dsrtSimulatorError.
  void report(const std::string &message);

  /// Checks a shape against the limits and puts the kernel into the stream.
  CUresult launch(Function &function, const LaunchShape &shape, Stream *stream,
                  std::vector<uint8_t> parameters);

  /// What a CTA can have on this chip.
  uint64_t maxSharedBytes() const;

  Stream *streamOf(CUstream handle);
  /// Unloads a module, or all.
  void unload(LoadedModule &module);
  void unloadAll();
  bool knowsModule(LoadedModule *module) const;
  Function *functionOf(CUfunction handle) const;

  std::mutex mutex;
  bool initialized = false;
  unsigned capability = 90; // 89: sm_89
  Settings settings;
  std::unique_ptr<DeviceMemory> memory;
  std::unique_ptr<Scheduler> scheduler;
  Stream *defaultStream = nullptr;
  std::unordered_map<LoadedModule *, std::unique_ptr<LoadedModule>> modules;
  std::map<uint64_t, uint64_t> pinned; // address, bytes
  /// After a fault every call that uses the context fails with it.
  CUresult failure = CUDA_SUCCESS;
  std::string lastError;
  Statistics statistics;
  Coverage coverage;

private:
  Device();
  void run(const Kernel &kernel, const LaunchShape &shape,
           const std::vector<uint8_t> &parameters);
  uint64_t memoryBytes;
};

/// Runs a function of the interface under the lock; exceptions become results.
CUresult guarded(const std::function<CUresult(Device &)> &body);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DRIVER_DEVICE_H
