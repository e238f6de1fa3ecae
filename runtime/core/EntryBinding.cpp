//===- EntryBinding.cpp - An entry's arguments by name --------------------===//
//
// The names, types and ranks that entries of a language model have.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/EntryBinding.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace dsrt {

namespace {

struct KnownArgument {
  const char *name;
  Role role;
  int64_t rank;
  int64_t dtype; // -1: any float
};

constexpr KnownArgument knownArguments[] = {
    {"tokens", Role::Tokens, 1, DSRT_I32},
    {"positions", Role::Positions, 1, DSRT_I32},
    {"slots", Role::Slots, 1, DSRT_I32},
    {"block_table", Role::BlockTable, 2, DSRT_I32},
    {"cu_q_lens", Role::CuQueryLengths, 1, DSRT_I32},
    {"cu_kv_lens", Role::CuKvLengths, 1, DSRT_I32},
    {"kv_total", Role::KvTotal, 0, DSRT_INDEX},
    {"logit_rows", Role::LogitRows, 1, DSRT_I32},
    {"hidden", Role::Hidden, 2, -1},
};
constexpr KnownArgument cacheArgument = {"cache.N", Role::Cache, 3, -1};

/// "cache.12" -> 12, anything else -> -1.
int64_t cacheNumber(const char *name) {
  if (std::strncmp(name, "cache.", 6) != 0 || !name[6])
    return -1;
  char *end;
  long number = std::strtol(name + 6, &end, 10);
  return *end || number < 0 || number > 1 << 20 ? -1 : number;
}

const KnownArgument *findKnown(const char *name) {
  for (const KnownArgument &known : knownArguments)
    if (std::strcmp(known.name, name) == 0)
      return &known;
  return cacheNumber(name) >= 0 ? &cacheArgument : nullptr;
}

Status unknownArgument(const Module &module, const dsrt_entry &entry,
                       const char *name) {
  std::string names;
  for (const KnownArgument &known : knownArguments)
    names += fmt::format("{}, ", known.name);
  return error(
      DSRT_MALFORMED,
      "'{}': entry '{}' has the argument '{}', which this runtime does "
      "not know (it knows {}{})",
      module.path(), entry.name, name, names, cacheArgument.name);
}

bool isFloat(int64_t dtype) { return dtype == DSRT_F32 || dtype == DSRT_BF16; }

Status bindResults(const Module &module, EntryBinding &binding) {
  const dsrt_entry &entry = *binding.entry;
  for (uint64_t i = 0; i < entry.result_count; ++i) {
    const dsrt_value &value = entry.results[i];
    const char *name = module.name(value);
    binding.inPlace.push_back(cacheNumber(name) >= 0);
    bool matrix = value.rank == 2 && value.shape[1] > 0;
    if (std::strcmp(name, "logits") == 0 && matrix && value.dtype == DSRT_F32) {
      binding.logitsIndex = static_cast<int>(i);
      binding.vocabulary = value.shape[1];
    } else if (std::strcmp(name, "hidden") == 0 && matrix &&
               isFloat(value.dtype)) {
      binding.hiddenIndex = static_cast<int>(i);
      binding.hiddenSize = value.shape[1];
      binding.hiddenType = value.dtype;
    }
  }
  if (binding.logitsIndex < 0)
    return error(DSRT_MALFORMED,
                 "'{}': entry '{}' has no result 'logits' of f32 [rows, "
                 "vocabulary]",
                 module.path(), entry.name);
  return Status();
}

/// The bounds of the plan, from the arguments that have them.
Status readLimits(const Module &module, EntryBinding &binding) {
  for (const BoundArgument &argument : binding.arguments) {
    const int64_t *bound = argument.value->bound;
    switch (argument.role) {
    case Role::Tokens:
      binding.maxTokens = bound[0];
      break;
    case Role::BlockTable:
      binding.maxSequences = bound[0];
      binding.maxPages = bound[1];
      break;
    case Role::KvTotal:
      binding.maxKvTotal = std::max<int64_t>(bound[0], 0);
      break;
    case Role::LogitRows:
      binding.maxRows = bound[0];
      break;
    default:
      break;
    }
  }
  constexpr int64_t largest = 1 << 30;
  for (int64_t limit : {binding.maxTokens, binding.maxSequences,
                        binding.maxPages, binding.maxRows})
    if (limit < 1 || limit > largest)
      return error(DSRT_MALFORMED,
                   "'{}': entry '{}' lacks tokens, block_table or logit_rows, "
                   "or their bounds are not within 1 and 2^30",
                   module.path(), binding.entry->name);
  return Status();
}

} // namespace

Result<EntryBinding> EntryBinding::create(const Module &module,
                                          const dsrt_entry &entry) {
  EntryBinding binding;
  binding.entry = &entry;
  for (uint64_t i = 0; i < entry.arg_count; ++i) {
    const dsrt_value &value = entry.args[i];
    const char *name = module.name(value);
    const KnownArgument *known = findKnown(name);
    if (!known)
      return unknownArgument(module, entry, name);
    bool typeFits =
        known->dtype < 0 ? isFloat(value.dtype) : value.dtype == known->dtype;
    if (!typeFits || value.rank != known->rank)
      return error(DSRT_MALFORMED,
                   "'{}': entry '{}': argument '{}' is of type {} and rank {}, "
                   "expected {} and rank {}",
                   module.path(), entry.name, name,
                   elementTypeName(value.dtype), value.rank,
                   known->dtype < 0 ? "f32 or bf16"
                                    : elementTypeName(known->dtype),
                   known->rank);
    binding.arguments.push_back({known->role, cacheNumber(name), &value});
  }
  binding.args.resize(entry.arg_count);
  binding.results.resize(entry.result_count);
  DSRT_TRY(bindResults(module, binding));
  for (const BoundArgument &argument : binding.arguments)
    if (argument.role == Role::Hidden &&
        (argument.value->dtype != binding.hiddenType ||
         argument.value->shape[1] != binding.hiddenSize))
      return error(DSRT_MALFORMED,
                   "'{}': entry '{}' takes and returns 'hidden' of different "
                   "types",
                   module.path(), entry.name);
  DSRT_TRY(readLimits(module, binding));
  return binding;
}

} // namespace dsrt
