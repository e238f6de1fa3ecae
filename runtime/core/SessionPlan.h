//===- SessionPlan.h - What a session is made of ----------------*- C++ -*-===//
//
// Limits, entries and bytes of a session, from the module's tables and what the
// caller asks for. Nothing is allocated here, so that a session that does not
// fit is refused before anything is loaded.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_SESSIONPLAN_H
#define DSRT_CORE_SESSIONPLAN_H

#include "runtime/core/EntryBinding.h"

#include <optional>
#include <vector>

namespace dsrt {

class Device;

/// Zero means the default of dsrt_session_options.
struct SessionOptions {
  int threads = 0;
  int64_t maxSequences = 0;
  int64_t context = 0;
};

/// What the model's tables say about steps of its prefill and decode entries.
struct StepLimits {
  int64_t maxTokens = 0;
  int64_t maxSequences = 0;
  int64_t context = 0;
  int64_t vocabulary = 0;
  int64_t hiddenSize = 0;
};
Result<StepLimits> readStepLimits(const Module &module);

struct SessionPlan {
  static Result<SessionPlan> create(const Module &module,
                                    const SessionOptions &options);

  StepLimits limits;
  int64_t pageSize = 0;
  int64_t pagesPerSequence = 0;
  std::optional<EntryBinding> prefill, decode, mtp;
  std::vector<uint64_t> cacheBytes; // by the number of the cache

private:
  Status planCaches(const Module &module);
};

/// All memory of a device that a model and one session take, in bytes.
struct MemoryPlan {
  MemoryPlan(const Module &module, const SessionPlan &session);

  uint64_t modelBytes() const { return weights + derived + scratch; }
  uint64_t sessionBytes() const { return workspace + caches + inputs; }

  uint64_t weights, derived, scratch; // derived: all that `prepare` works in
  uint64_t workspace, caches, inputs;
};

/// An error if the device has less than `bytes` free, which `what` needs.
Status checkDeviceMemory(Device &device, const std::string &what,
                         uint64_t bytes);

} // namespace dsrt

#endif // DSRT_CORE_SESSIONPLAN_H
