//===- Sequences.cpp - Whole sequences through a session ------------------===//
//
// A step takes as many tokens as it may, in the order of the sequences; a
// sequence that is finished makes room for the next one.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Sequences.h"

#include <algorithm>

namespace dsrt {

namespace {
struct Active {
  size_t sequence;
  int64_t done;
  int32_t handle;
};
} // namespace

Status runSequences(Session &session,
                    const std::vector<std::vector<int32_t>> &sequences,
                    const SequenceOptions &options,
                    const StepObserver &observe) {
  const int64_t chunk =
      options.chunk ? options.chunk : session.limits().maxTokens;
  std::vector<Active> active;
  std::vector<StepChunk> chunks;
  std::vector<SequenceRows> rows;
  size_t next = 0;
  while (next < sequences.size() || !active.empty()) {
    while (next < sequences.size() && static_cast<int64_t>(active.size()) <
                                          session.limits().maxSequences) {
      Result<int32_t> handle = session.addSequence();
      if (!handle.ok())
        return handle.status();
      active.push_back({next++, 0, *handle});
    }
    chunks.clear();
    rows.clear();
    int64_t budget = session.limits().maxTokens, row = 0;
    for (Active &entry : active) {
      const std::vector<int32_t> &ids = sequences[entry.sequence];
      int64_t count = std::min(
          {static_cast<int64_t>(ids.size()) - entry.done, chunk, budget});
      if (count == 0)
        continue;
      chunks.push_back({entry.handle, ids.data() + entry.done, count, 0});
      rows.push_back({entry.sequence, entry.done, count, row, entry.handle});
      entry.done += count;
      budget -= count;
      row += count;
    }
    Result<StepOutput> output =
        session.run(chunks.data(), static_cast<int64_t>(chunks.size()),
                    options.entry, /*allLogits=*/true);
    if (!output.ok())
      return output.status();
    DSRT_TRY(observe(rows, *output));
    for (size_t i = active.size(); i-- > 0;)
      if (active[i].done ==
          static_cast<int64_t>(sequences[active[i].sequence].size())) {
        DSRT_TRY(session.removeSequence(active[i].handle));
        active.erase(active.begin() + static_cast<std::ptrdiff_t>(i));
      }
  }
  return Status();
}

} // namespace dsrt
