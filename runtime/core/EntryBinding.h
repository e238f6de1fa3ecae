//===- EntryBinding.h - An entry's arguments by name ------------*- C++ -*-===//
//
// Finds out once which argument of an entry is what, so that a step only fills
// in addresses and sizes. An argument that the runtime does not know is an
// error here, before anything runs.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_ENTRYBINDING_H
#define DSRT_CORE_ENTRYBINDING_H

#include "runtime/core/Module.h"

#include <vector>

namespace dsrt {

/// What an argument of an entry is.
enum class Role {
  Tokens,
  Positions,
  Slots,
  BlockTable,
  CuQueryLengths,
  CuKvLengths,
  KvTotal,
  LogitRows,
  Hidden,
  Cache
};

struct BoundArgument {
  Role role;
  int64_t cache; // the number N of "cache.N"
  const dsrt_value *value;
};

struct EntryBinding {
  /// The entry of that name; an error names what does not fit.
  static Result<EntryBinding> create(const Module &module,
                                     const dsrt_entry &entry);

  const dsrt_entry *entry = nullptr;
  std::vector<BoundArgument> arguments;
  // Filled anew by each step, allocated once.
  std::vector<dsrt_buffer> args;
  std::vector<dsrt_buffer> results;

  // What the plan allows per step.
  int64_t maxTokens = 0;
  int64_t maxSequences = 0;
  int64_t maxPages = 0;
  int64_t maxRows = 0;
  int64_t maxKvTotal = 0; // 0: no limit of its own

  /// By result: an argument updated in place, which is a cache.
  std::vector<bool> inPlace;
  int logitsIndex = -1;
  int hiddenIndex = -1; // -1: the entry has no such result
  int64_t vocabulary = 0;
  int64_t hiddenSize = 0;
  int64_t hiddenType = DSRT_F32;
};

} // namespace dsrt

#endif // DSRT_CORE_ENTRYBINDING_H
