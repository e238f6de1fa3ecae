//===- Device.h - Where a model runs ----------------------------*- C++ -*-===//
//
// What the rest of the runtime needs of the processor or of a GPU: memory,
// copies, and, of a GPU, the code of one model and graphs of its launches. Work
// is done in the order of the calls; only synchronize waits for it.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_DEVICE_DEVICE_H
#define DSRT_DEVICE_DEVICE_H

#include "dsrt/abi.h"
#include "runtime/core/Status.h"

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace dsrt {

/// Takes a line about work that takes long.
using Reporter = std::function<void(const std::string &)>;

/// A part of a large block of memory, and what to put there.
struct UploadPiece {
  uint64_t offset;
  const void *source;
  uint64_t bytes;
};

/// How long a copy to the device took.
struct UploadRate {
  uint64_t bytes = 0;
  double seconds = 0;
};

class Device {
public:
  virtual ~Device() = default;
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  /// "NVIDIA H200 (sm_90)".
  virtual std::string name() const = 0;
  /// True if buffers are the process's memory, and kernels its code.
  virtual bool isHost() const = 0;
  /// Gives the device to the calling thread until the lock is gone: steps of
  /// several sessions take turns. The host needs none.
  virtual std::unique_lock<std::mutex> use() = 0;

  // Memory.
  virtual Result<uint64_t> availableBytes() = 0;
  /// `what` names the memory in the message of a failure; zero bytes are null.
  virtual Result<void *> allocate(uint64_t bytes, const char *what) = 0;
  virtual void release(void *address, uint64_t bytes) = 0;

  // Of GPUs only; of the host these fail or do nothing.

  /// Loads the code for this device and allocates the scratch of the module.
  virtual Status load() { return unsupported(); }
  virtual int64_t loadedImage() const { return -1; }
  virtual void *scratch() const { return nullptr; }
  virtual Status launch(int64_t kernel, const int64_t grid[3],
                        const void *const *args);
  virtual Status encodeTensorMap(const dsrt_tensor_map_desc &desc, void *map);
  virtual Result<void *> constant(const void *host, uint64_t bytes);

  /// Host memory that copies need not wait for.
  virtual Result<void *> allocateStaging(uint64_t bytes);
  virtual void releaseStaging(void *) {}
  virtual Status upload(void *to, const void *from, uint64_t bytes);
  virtual Status download(void *to, const void *from, uint64_t bytes);
  virtual Status copy(void *to, const void *from, uint64_t bytes);
  virtual Status clear(void *to, uint64_t bytes);
  virtual Status synchronize() { return unsupported(); }

  /// Copies pieces in ascending order into the `bytes` bytes at `target`, and
  /// zeros between them, as fast as the link allows; returns when all are
  /// there. `report` hears of it from two seconds on.
  virtual Result<UploadRate> uploadAll(void *target, uint64_t bytes,
                                       const std::vector<UploadPiece> &pieces,
                                       const Reporter &report);

  /// What all kernels so far did, empty unless the options ask for it.
  virtual Result<std::string> counts() { return std::string(); }

  /// False if every launch is waited for, to name a kernel that fails.
  virtual bool usesGraphs() const { return false; }
  /// Launches, copies and the like until endCapture are not done but recorded.
  virtual Status beginCapture() { return unsupported(); }
  virtual Result<void *> endCapture();
  virtual Status replay(void *) { return unsupported(); }
  virtual void releaseGraph(void *) {}

protected:
  Device() = default;

private:
  static Status unsupported();
};

struct DeviceOptions {
  /// "auto", "cuda", "simulator", or the path of a driver library.
  std::string device = "auto";
  bool graphs = true;
  // Of the simulator.
  bool traceKernels = false; // prints a line for each launch
  std::string counts;        // "text" or "json": what counts() returns
};

/// The processor.
Device &hostDevice();

/// The device that the module is for. Its code is not loaded yet, but is known
/// to be there.
Result<std::shared_ptr<Device>> openDevice(const dsrt_module &module,
                                           const std::string &path,
                                           const DeviceOptions &options);

} // namespace dsrt

#endif // DSRT_DEVICE_DEVICE_H
