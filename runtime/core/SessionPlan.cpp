//===- SessionPlan.cpp - What a session is made of ------------------------===//

#include "runtime/core/SessionPlan.h"

#include "runtime/core/DerivedWeights.h"
#include "runtime/core/DeviceStep.h"
#include "runtime/core/DeviceWeights.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace dsrt {

namespace {

Result<std::optional<EntryBinding>> bindIfPresent(const Module &module,
                                                  const char *name) {
  const dsrt_entry *entry = module.findEntry(name);
  if (!entry)
    return std::optional<EntryBinding>();
  Result<EntryBinding> binding = EntryBinding::create(module, *entry);
  if (!binding.ok())
    return binding.status();
  return std::optional<EntryBinding>(std::move(*binding));
}

/// Tokens per page of the entry's caches, 0 if it has no cache or no sane one.
int64_t pageSizeOf(const EntryBinding &binding) {
  constexpr int64_t largest = 1 << 20;
  for (const BoundArgument &argument : binding.arguments)
    if (argument.role == Role::Cache && argument.value->shape[1] <= largest)
      return argument.value->shape[1];
  return 0;
}

} // namespace

Result<StepLimits> readStepLimits(const Module &module) {
  StepLimits limits;
  limits.context = module.tables().context_length;
  for (const char *name : {"prefill", "decode"}) {
    auto binding = bindIfPresent(module, name);
    if (!binding.ok())
      return binding.status();
    if (!*binding)
      continue;
    const EntryBinding &entry = **binding;
    limits.maxTokens = std::max(limits.maxTokens, entry.maxTokens);
    limits.maxSequences = std::max(limits.maxSequences, entry.maxSequences);
    if (limits.vocabulary && limits.vocabulary != entry.vocabulary)
      return error(DSRT_MALFORMED,
                   "'{}': prefill has {} logits per token, decode {}",
                   module.path(), limits.vocabulary, entry.vocabulary);
    limits.vocabulary = entry.vocabulary;
    limits.hiddenSize = entry.hiddenSize;
    limits.context =
        std::min(limits.context, entry.maxPages * pageSizeOf(entry));
  }
  if (!limits.maxTokens)
    return error(DSRT_NOT_FOUND,
                 "'{}' has neither an entry 'prefill' nor 'decode'",
                 module.path());
  if (limits.context < 1)
    return error(DSRT_MALFORMED, "'{}': the plan allows sequences of {} tokens",
                 module.path(), limits.context);
  return limits;
}

/// The limits that the caller asks for, within those of the model.
static Result<StepLimits> chooseLimits(const Module &module,
                                       const SessionOptions &options) {
  Result<StepLimits> limits = readStepLimits(module);
  if (!limits.ok())
    return limits.status();
  if (options.context > limits->context)
    return error(DSRT_LIMIT_EXCEEDED,
                 "a context of {} tokens was asked for, '{}' was compiled for "
                 "{}; compile it with a larger context",
                 options.context, module.path(), limits->context);
  if (options.maxSequences > limits->maxSequences)
    return error(DSRT_LIMIT_EXCEEDED,
                 "{} sequences at a time were asked for, '{}' was compiled for "
                 "{}; compile it with more max-sequences",
                 options.maxSequences, module.path(), limits->maxSequences);
  if (options.context > 0)
    limits->context = options.context;
  if (options.maxSequences > 0)
    limits->maxSequences = options.maxSequences;
  return limits;
}

Result<SessionPlan> SessionPlan::create(const Module &module,
                                        const SessionOptions &options) {
  SessionPlan plan;
  Result<StepLimits> limits = chooseLimits(module, options);
  if (!limits.ok())
    return limits.status();
  plan.limits = *limits;

  auto prefill = bindIfPresent(module, "prefill");
  auto decode = bindIfPresent(module, "decode");
  auto mtp = bindIfPresent(module, "mtp");
  for (auto *binding : {&prefill, &decode, &mtp})
    if (!binding->ok())
      return binding->status();
  if (*mtp)
    for (auto *binding : {&prefill, &decode})
      if (**binding && ((**binding)->hiddenIndex < 0 ||
                        (**binding)->hiddenSize != (**mtp).hiddenSize ||
                        (**binding)->hiddenType != (**mtp).hiddenType))
        return error(DSRT_MALFORMED,
                     "'{}': entry '{}' does not return the 'hidden' that 'mtp' "
                     "takes",
                     module.path(), (**binding)->entry->name);
  plan.prefill = std::move(*prefill);
  plan.decode = std::move(*decode);
  plan.mtp = std::move(*mtp);
  plan.pageSize = pageSizeOf(plan.decode ? *plan.decode : *plan.prefill);
  plan.pagesPerSequence =
      (plan.limits.context + plan.pageSize - 1) / plan.pageSize;
  // Slots and prefix sums are 32-bit.
  if (plan.pagesPerSequence > std::numeric_limits<int32_t>::max() /
                                  plan.pageSize / plan.limits.maxSequences)
    return error(DSRT_LIMIT_EXCEEDED,
                 "{} sequences of {} tokens are more than 2^31 tokens",
                 plan.limits.maxSequences, plan.limits.context);
  DSRT_TRY(plan.planCaches(module));
  return plan;
}

/// One region per cache number; entries that share a cache must agree on its
/// rows.
Status SessionPlan::planCaches(const Module &module) {
  const uint64_t pageCount =
      static_cast<uint64_t>(pagesPerSequence * limits.maxSequences);
  for (auto *binding : {&prefill, &decode, &mtp}) {
    if (!*binding)
      continue;
    for (const BoundArgument &argument : (*binding)->arguments) {
      if (argument.role != Role::Cache)
        continue;
      const dsrt_value &value = *argument.value;
      if (value.shape[1] != pageSize || value.shape[2] < 1)
        return error(DSRT_MALFORMED,
                     "'{}': cache.{} has pages of [{}, {}], expected [{}, "
                     "latent + rope]",
                     module.path(), argument.cache, value.shape[1],
                     value.shape[2], pageSize);
      uint64_t bytes = static_cast<uint64_t>(value.shape[1]) *
                       static_cast<uint64_t>(value.shape[2]) *
                       static_cast<uint64_t>(elementBytes(value.dtype));
      if (bytes >
          std::numeric_limits<uint64_t>::max() / 4 / pageCount / (1 << 12))
        return error(DSRT_MALFORMED, "'{}': pages of cache.{} have {} bytes",
                     module.path(), argument.cache, bytes);
      cacheBytes.resize(
          std::max<size_t>(cacheBytes.size(), argument.cache + 1));
      uint64_t &known = cacheBytes[argument.cache];
      if (known && known != bytes * pageCount)
        return error(DSRT_MALFORMED,
                     "'{}': the entries disagree on the type of cache.{}",
                     module.path(), argument.cache);
      known = bytes * pageCount;
    }
  }
  return Status();
}

MemoryPlan::MemoryPlan(const Module &module, const SessionPlan &session) {
  const dsrt_module &tables = module.tables();
  const dsrt_entry *prepare = module.findEntry(kPrepareEntry);
  weights = DeviceWeights::plan(tables).bytes;
  derived = prepare ? prepare->workspace_bytes : 0;
  scratch = tables.scratch_bytes;
  workspace = tables.workspace_bytes;
  caches = std::accumulate(session.cacheBytes.begin(), session.cacheBytes.end(),
                           uint64_t(0));
  inputs = DeviceStep::inputBytes(session);
}

Status checkDeviceMemory(Device &device, const std::string &what,
                         uint64_t bytes) {
  Result<uint64_t> available = device.availableBytes();
  if (!available.ok())
    return available.status();
  if (bytes <= *available)
    return Status();
  return error(DSRT_OUT_OF_MEMORY,
               "{} need {} of memory, {} has {} free; ask for fewer tokens or "
               "sequences",
               what, formatBytes(static_cast<double>(bytes)), device.name(),
               formatBytes(static_cast<double>(*available)));
}

} // namespace dsrt
