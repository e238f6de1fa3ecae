//===- Session.h - Sequences and their steps --------------------*- C++ -*-===//
//
// Owns what running a model needs besides the model: workspace, latent caches,
// page table, thread team. All of it is made by create(); a step allocates
// nothing.
//
// A step appends tokens to the caches of some sequences and computes their
// logits. It is checked as a whole before anything changes.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_SESSION_H
#define DSRT_CORE_SESSION_H

#include "runtime/core/Call.h"
#include "runtime/core/EntryBinding.h"
#include "runtime/core/Memory.h"
#include "runtime/core/PageTable.h"
#include "runtime/core/StepInputs.h"

#include <memory>
#include <optional>
#include <vector>

namespace dsrt {

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
  /// `weights` are the addresses in the order of the module's table; they and
  /// the module outlive the session.
  static Result<std::unique_ptr<Session>> create(const Module &module,
                                                 const void *const *weights,
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
  static Status runChecks(const Module &module, const void *const *weights,
                          const dsrt_entry &entry, int threads);

  const StepLimits &limits() const { return stepLimits; }
  int64_t hiddenBytes() const;
  /// Workspace and caches, as reserved.
  uint64_t planBytes() const;
  ThreadTeam &team() { return threads; }

private:
  Session(const Module &module, int threadCount, const StepLimits &limits,
          int64_t pagesPerSequence, int64_t pageSize);

  Status reserveMemory(int64_t pageCount);
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
  StepLimits stepLimits;
  ThreadTeam threads;
  PageTable pages;
  StepInputs inputs;
  std::optional<EntryBinding> prefill, decode, mtp;
  Memory workspace;
  std::vector<Memory> caches; // by the number of the cache
  std::vector<StepChunk> positioned;
  int64_t pageTotal = 0;
  dsrt_call call;
};

} // namespace dsrt

#endif // DSRT_CORE_SESSION_H
