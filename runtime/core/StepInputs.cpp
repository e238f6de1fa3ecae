//===- StepInputs.cpp - The integer arguments of a step -------------------===//

#include "runtime/core/StepInputs.h"

#include <algorithm>

namespace dsrt {

StepInputs::StepInputs(int64_t maxTokens, int64_t maxSequences,
                       int64_t maxPages, bool wholeTable)
    : smallestPageTotal(wholeTable ? maxPages : 1), tokens(maxTokens),
      positions(maxTokens), slots(maxTokens),
      blockTable(maxSequences * maxPages), cuQueryLengths(maxSequences + 1),
      cuKvLengths(maxSequences + 1), logitRows(maxTokens) {}

void StepInputs::fill(const StepChunk *chunks, int64_t chunkCount,
                      const PageTable &table, bool allLogits) {
  tokenTotal = rowTotal = kvTotal = 0;
  sequenceTotal = chunkCount;
  pageTotal = smallestPageTotal;
  for (int64_t b = 0; b < chunkCount; ++b)
    pageTotal =
        std::max(pageTotal, table.pageCount(chunks[b].start + chunks[b].count));

  for (int64_t b = 0; b < chunkCount; ++b) {
    const StepChunk &chunk = chunks[b];
    cuQueryLengths[b] = static_cast<int32_t>(tokenTotal);
    cuKvLengths[b] = static_cast<int32_t>(kvTotal);
    const int64_t length = chunk.start + chunk.count;
    const int64_t used = table.pageCount(length);
    for (int64_t p = 0; p < pageTotal; ++p)
      blockTable[b * pageTotal + p] =
          p < used ? table.page(chunk.sequence, p) : 0;
    for (int64_t i = 0; i < chunk.count; ++i, ++tokenTotal) {
      tokens[tokenTotal] = chunk.tokens[i];
      positions[tokenTotal] = static_cast<int32_t>(chunk.start + i);
      slots[tokenTotal] = table.slot(chunk.sequence, chunk.start + i);
      if (allLogits || i + 1 == chunk.count)
        logitRows[rowTotal++] = static_cast<int32_t>(tokenTotal);
    }
    kvTotal += length;
  }
  cuQueryLengths[chunkCount] = static_cast<int32_t>(tokenTotal);
  cuKvLengths[chunkCount] = static_cast<int32_t>(kvTotal);
}

dsrt_buffer StepInputs::buffer(Role role) {
  switch (role) {
  case Role::Tokens:
    return {tokens.data(), {tokenTotal}};
  case Role::Positions:
    return {positions.data(), {tokenTotal}};
  case Role::Slots:
    return {slots.data(), {tokenTotal}};
  case Role::BlockTable:
    return {blockTable.data(), {sequenceTotal, pageTotal}};
  case Role::CuQueryLengths:
    return {cuQueryLengths.data(), {sequenceTotal + 1}};
  case Role::CuKvLengths:
    return {cuKvLengths.data(), {sequenceTotal + 1}};
  case Role::KvTotal:
    return {nullptr, {kvTotal}};
  case Role::LogitRows:
    return {logitRows.data(), {rowTotal}};
  default:
    return {};
  }
}

} // namespace dsrt
