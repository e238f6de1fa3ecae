//===- DeviceStep.h - A step on a GPU ---------------------------*- C++ -*-===//
//
// What lies between a session and an entry whose buffers are a GPU's. Arguments
// travel together, in one copy from pinned memory; results come back into
// pinned memory. An entry that is run again with the same sizes is recorded as
// a graph, and replayed from then on: the host program, its thousand launches
// and their grids depend on nothing else.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_DEVICESTEP_H
#define DSRT_CORE_DEVICESTEP_H

#include "runtime/core/Call.h"
#include "runtime/core/Memory.h"
#include "runtime/core/SessionPlan.h"

#include <vector>

namespace dsrt {

class DeviceStep {
public:
  /// Bytes on the device for the arguments of the largest step.
  static uint64_t inputBytes(const SessionPlan &plan);

  static Result<std::unique_ptr<DeviceStep>> create(Device &device,
                                                    const SessionPlan &plan);
  ~DeviceStep();
  DeviceStep(const DeviceStep &) = delete;
  DeviceStep &operator=(const DeviceStep &) = delete;

  uint64_t deviceBytes() const { return inputs.size(); }

  /// Runs the entry on binding.args, of which all but the caches are of the
  /// host. binding.results are the host's, too, but the caches; they are valid
  /// until the next step. The device is the calling thread's.
  Status run(EntryBinding &binding, dsrt_call &call);

private:
  explicit DeviceStep(Device &device)
      : device(device), stagedInputs(device), stagedResults(device) {}

  /// Pinned memory of the host.
  class Staging {
  public:
    explicit Staging(Device &device) : device(device) {}
    ~Staging();
    /// Gets at least that many bytes; the old ones are gone.
    Status reserve(uint64_t bytes);
    char *data() const { return static_cast<char *>(address); }

  private:
    Device &device;
    void *address = nullptr;
    uint64_t size = 0;
  };

  /// An entry that was run with these sizes of its arguments.
  struct Bucket {
    dsrt_entry_function function = nullptr; // entries may be one and the same
    std::vector<int64_t> sizes;
    void *graph = nullptr; // null until it is run for the second time
    std::vector<dsrt_buffer> results;
    uint64_t lastUse = 0;
  };

  Status uploadArguments(EntryBinding &binding);
  Status execute(EntryBinding &binding, dsrt_call &call);
  Status capture(EntryBinding &binding, dsrt_call &call, Bucket &bucket);
  Status downloadResults(EntryBinding &binding);
  /// The bucket of the arguments; the one that was used least lately makes room
  /// for a new one.
  Bucket &findBucket(const EntryBinding &binding, bool &isNew);

  Device &device;
  Memory inputs;
  Staging stagedInputs, stagedResults;
  std::vector<Bucket> buckets;
  std::vector<int64_t> sizes; // of the step at hand
  uint64_t uses = 0;
};

/// Calls an entry; its failure as a status.
Status callEntry(const dsrt_entry &entry, dsrt_call &call,
                 const dsrt_buffer *args, dsrt_buffer *results);

} // namespace dsrt

#endif // DSRT_CORE_DEVICESTEP_H
