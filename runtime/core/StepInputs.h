//===- StepInputs.h - The integer arguments of a step -----------*- C++ -*-===//
//
// Flattens the new tokens of several sequences into one step: token ids,
// positions, cache slots, the block table and the prefix sums of lengths.
// Allocates only in its constructor.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_STEPINPUTS_H
#define DSRT_CORE_STEPINPUTS_H

#include "runtime/core/EntryBinding.h"
#include "runtime/core/PageTable.h"

#include <vector>

namespace dsrt {

/// The next `count` tokens of a sequence, of which `start` are in the cache.
struct StepChunk {
  int32_t sequence = 0;
  const int32_t *tokens = nullptr;
  int64_t count = 0;
  int64_t start = 0;
};

class StepInputs {
public:
  /// `wholeTable`: the block table always has `maxPages` columns; else as many
  /// as the longest sequence of the step has pages.
  StepInputs(int64_t maxTokens, int64_t maxSequences, int64_t maxPages,
             bool wholeTable);

  /// Fills everything; the pages of the sequences are reserved before.
  void fill(const StepChunk *chunks, int64_t chunkCount, const PageTable &table,
            bool allLogits);

  /// The argument's address and sizes; not for hidden and caches.
  dsrt_buffer buffer(Role role);

  int64_t tokenCount() const { return tokenTotal; }
  int64_t rowCount() const { return rowTotal; }

private:
  int64_t smallestPageTotal;
  int64_t tokenTotal = 0, rowTotal = 0, sequenceTotal = 0, pageTotal = 0,
          kvTotal = 0;
  std::vector<int32_t> tokens, positions, slots, blockTable, cuQueryLengths,
      cuKvLengths, logitRows;
};

} // namespace dsrt

#endif // DSRT_CORE_STEPINPUTS_H
