//===- Sequences.h - Whole sequences through a session ----------*- C++ -*-===//
//
// Runs known token sequences through the model, several at a time and in
// chunks, and hands the logits of every position to the caller.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_SEQUENCES_H
#define DSRT_SERVE_SEQUENCES_H

#include "runtime/core/Session.h"

#include <functional>
#include <vector>

namespace dsrt {

/// The rows of a step that belong to one sequence.
struct SequenceRows {
  size_t sequence; // index of the caller's list
  int64_t start;   // position of the first row
  int64_t count;
  int64_t firstRow; // its row in the step
  int32_t handle;   // of the session
};

struct SequenceOptions {
  int64_t chunk = 0; // tokens per sequence and step; 0: as many as fit
  int32_t entry = 0; // DSRT_ENTRY_*
};

using StepObserver = std::function<Status(const std::vector<SequenceRows> &,
                                          const StepOutput &)>;

/// Calls `observe` after each step, in which every token has its logits.
Status runSequences(Session &session,
                    const std::vector<std::vector<int32_t>> &sequences,
                    const SequenceOptions &options,
                    const StepObserver &observe);

} // namespace dsrt

#endif // DSRT_SERVE_SEQUENCES_H
