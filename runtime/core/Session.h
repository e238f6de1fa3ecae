//===- Session.h - Sequences and their steps --------------------*- C++ -*-===//
//
// Owns what running a model needs besides the model: workspace, latent caches,
// page table, thread team. All of it is made by create(); a step allocates
// nothing on the processor, and on a GPU nothing of the GPU.
//
// A step appends tokens to the caches of some sequences and computes their
// logits. It is checked as a whole before anything changes.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_SESSION_H
#define DSRT_CORE_SESSION_H

#include "runtime/core/Call.h"
#include "runtime/core/DeviceStep.h"
#include "runtime/core/Memory.h"
#include "runtime/core/Model.h"
#include "runtime/core/PageTable.h"
#include "runtime/core/SessionPlan.h"
#include "runtime/core/StepInputs.h"

#include <memory>
#include <optional>
#include <vector>

namespace dsrt {

/// Valid until the session's next step.
struct StepOutput {
  const dsrt_entry *entry = nullptr;
  const dsrt_buffer *results = nullptr; // in the order of the entry's table
  const float *logits = nullptr;        // [rows, vocabulary]
  int64_t rows = 0;
  const void *hidden = nullptr; // [tokens, hidden size], null if there is none
  int64_t hiddenType = DSRT_F32;
  int64_t tokens = 0;
};

class Session {
public:
  /// The model has its weights, and outlives the session.
  static Result<std::unique_ptr<Session>> create(Model &model,
                                                 const SessionOptions &options);

  Result<int32_t> addSequence();
  Status removeSequence(int32_t sequence);
  int64_t length(int32_t sequence) const { return pages.length(sequence); }
  /// The row of the caches that holds a token of the sequence.
  int32_t slot(int32_t sequence, int64_t position) const {
    return pages.slot(sequence, position);
  }

  /// Runs the main model. `chunk.start` is ignored: chunks go to the end of
  /// their sequences. `entry` is one of DSRT_ENTRY_*.
  Result<StepOutput> run(const StepChunk *chunks, int64_t chunkCount,
                         int32_t entry, bool allLogits);

  bool hasMtp() const { return mtp.has_value(); }
  /// Runs the MTP module on rows that the main model has computed: chunk.tokens
  /// are the tokens after those of the rows, hidden[t] is row t's hidden state
  /// of the main model, in memory that is not the session's.
  Result<StepOutput> runMtp(const StepChunk *chunks, int64_t chunkCount,
                            const void *hidden, bool allLogits);

  /// Runs an entry that has no arguments, such as a test's checks.
  static Status runChecks(Model &model, const dsrt_entry &entry, int threads);

  const StepLimits &limits() const { return stepLimits; }
  int64_t hiddenBytes() const;
  /// Workspace, caches and arguments, as reserved.
  uint64_t planBytes() const;
  ThreadTeam &team() { return threads; }

private:
  Session(Model &model, int threadCount, SessionPlan plan);

  Status reserveMemory();
  Result<EntryBinding *> chooseEntry(const StepChunk *chunks,
                                     int64_t chunkCount, int32_t entry,
                                     bool allLogits);
  Status checkChunks(const StepChunk *chunks, int64_t chunkCount);
  Status checkLimits(const EntryBinding &binding, const StepChunk *chunks,
                     int64_t chunkCount, bool allLogits) const;
  Result<StepOutput> execute(EntryBinding &binding, const StepChunk *chunks,
                             int64_t chunkCount, const void *hidden,
                             bool allLogits);

  const Module &module;
  Device &device;
  StepLimits stepLimits;
  ThreadTeam threads;
  PageTable pages;
  StepInputs inputs;
  std::optional<EntryBinding> prefill, decode, mtp;
  Memory workspace;
  std::vector<uint64_t> cacheBytes; // by the number of the cache
  std::vector<Memory> caches;
  std::unique_ptr<DeviceStep> onDevice; // null on the processor
  std::vector<StepChunk> positioned;
  int64_t pageTotal = 0;
  dsrt_call call;
};

} // namespace dsrt

#endif // DSRT_CORE_SESSION_H
