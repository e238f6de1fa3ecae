//===- Session.cpp - Sequences and their steps ----------------------------===//
//
// Creation: limits from the entry tables, then memory, once. The caches are
// reserved for the longest sequences the session may have, but the system makes
// a page resident only when a token is written to it.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Session.h"

#include <algorithm>
#include <limits>

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

Session::Session(const Module &module, int threadCount,
                 const StepLimits &limits, int64_t pagesPerSequence,
                 int64_t pageSize)
    : module(module), stepLimits(limits), threads(threadCount),
      pages(limits.maxSequences, pagesPerSequence, pageSize),
      inputs(limits.maxTokens, limits.maxSequences, pagesPerSequence),
      positioned(limits.maxSequences),
      pageTotal(limits.maxSequences * pagesPerSequence) {}

Result<std::unique_ptr<Session>>
Session::create(const Module &module, const void *const *weights,
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
  const int64_t pageSize = pageSizeOf(*decode ? **decode : **prefill);
  const int64_t pagesPerSequence = (limits->context + pageSize - 1) / pageSize;
  // Slots and prefix sums are 32-bit.
  if (pagesPerSequence >
      std::numeric_limits<int32_t>::max() / pageSize / limits->maxSequences)
    return error(DSRT_LIMIT_EXCEEDED,
                 "{} sequences of {} tokens are more than 2^31 tokens",
                 limits->maxSequences, limits->context);

  int threadCount =
      options.threads > 0 ? options.threads : ThreadTeam::availableCores();
  std::unique_ptr<Session> session(
      new Session(module, threadCount, *limits, pagesPerSequence, pageSize));
  session->prefill = std::move(*prefill);
  session->decode = std::move(*decode);
  session->mtp = std::move(*mtp);
  DSRT_TRY(session->reserveMemory(pagesPerSequence * limits->maxSequences));
  session->call.weights = weights;
  session->call.workspace = session->workspace.data();
  session->call.team = &session->threads;
  return session;
}

/// The workspace and one region per cache number; entries that share a cache
/// must agree on its rows.
Status Session::reserveMemory(int64_t pageCount) {
  std::vector<uint64_t> cacheBytes;
  for (auto *binding : {&prefill, &decode, &mtp}) {
    if (!*binding)
      continue;
    for (const BoundArgument &argument : (*binding)->arguments) {
      if (argument.role != Role::Cache)
        continue;
      const dsrt_value &value = *argument.value;
      if (value.shape[1] != pages.tokensPerPage() || value.shape[2] < 1)
        return error(DSRT_MALFORMED,
                     "'{}': cache.{} has pages of [{}, {}], expected [{}, "
                     "latent + rope]",
                     module.path(), argument.cache, value.shape[1],
                     value.shape[2], pages.tokensPerPage());
      uint64_t bytes = static_cast<uint64_t>(value.shape[1]) *
                       static_cast<uint64_t>(value.shape[2]) *
                       static_cast<uint64_t>(elementBytes(value.dtype));
      if (bytes > std::numeric_limits<uint64_t>::max() / 4 /
                      static_cast<uint64_t>(pageCount) / (1 << 12))
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
  const uint64_t workspaceBytes = module.tables().workspace_bytes;
  double total = static_cast<double>(workspaceBytes);
  for (uint64_t bytes : cacheBytes)
    total += static_cast<double>(bytes);
  const double available = static_cast<double>(availableMemory());
  if (total > available)
    return error(
        DSRT_OUT_OF_MEMORY,
        "the cache of {} sequence{} of {} tokens and the workspace need "
        "{}, this machine has {}; ask for fewer tokens or sequences",
        stepLimits.maxSequences, stepLimits.maxSequences == 1 ? "" : "s",
        stepLimits.context, formatBytes(total), formatBytes(available));

  Result<Memory> memory = Memory::reserve(workspaceBytes, "the workspace");
  if (!memory.ok())
    return memory.status();
  workspace = std::move(*memory);
  for (uint64_t bytes : cacheBytes) {
    Result<Memory> cache = Memory::reserve(bytes, "the cache");
    if (!cache.ok())
      return cache.status();
    caches.push_back(std::move(*cache));
  }
  return Status();
}

Result<int32_t> Session::addSequence() {
  int32_t sequence = pages.add();
  if (sequence < 0)
    return error(DSRT_LIMIT_EXCEEDED,
                 "the session has {} sequences and all are in use; remove one "
                 "first",
                 stepLimits.maxSequences);
  return sequence;
}

Status Session::removeSequence(int32_t sequence) {
  if (!pages.contains(sequence))
    return error(DSRT_INVALID_ARGUMENT, "the session has no sequence {}",
                 sequence);
  pages.remove(sequence);
  return Status();
}

/// What does not depend on the entry.
Status Session::checkChunks(const StepChunk *chunks, int64_t chunkCount) {
  if (chunkCount < 1 || chunkCount > stepLimits.maxSequences)
    return error(DSRT_LIMIT_EXCEEDED,
                 "a step of {} sequences, expected 1 to {}", chunkCount,
                 stepLimits.maxSequences);
  for (int64_t b = 0; b < chunkCount; ++b) {
    const StepChunk &chunk = chunks[b];
    if (!pages.contains(chunk.sequence))
      return error(DSRT_INVALID_ARGUMENT, "the session has no sequence {}",
                   chunk.sequence);
    for (int64_t other = 0; other < b; ++other)
      if (chunks[other].sequence == chunk.sequence)
        return error(DSRT_INVALID_ARGUMENT, "sequence {} is twice in one step",
                     chunk.sequence);
    if (chunk.count < 1 || !chunk.tokens)
      return error(DSRT_INVALID_ARGUMENT, "sequence {} has no tokens",
                   chunk.sequence);
    // Before the sum: the count is the caller's and may be anything.
    if (chunk.count > stepLimits.context ||
        chunk.start + chunk.count > stepLimits.context)
      return error(DSRT_LIMIT_EXCEEDED,
                   "sequence {} would have {} + {} tokens, the context is {}",
                   chunk.sequence, chunk.start, chunk.count,
                   stepLimits.context);
    for (int64_t i = 0; i < chunk.count; ++i)
      if (chunk.tokens[i] < 0 || chunk.tokens[i] >= stepLimits.vocabulary)
        return error(
            DSRT_INVALID_ARGUMENT,
            "token id {} at position {} is out of range, the model has "
            "ids 0 to {}",
            chunk.tokens[i], chunk.start + i, stepLimits.vocabulary - 1);
  }
  return Status();
}

Status Session::checkLimits(const EntryBinding &binding,
                            const StepChunk *chunks, int64_t chunkCount,
                            bool allLogits) const {
  int64_t tokens = 0, kvTotal = 0, longest = 0;
  for (int64_t b = 0; b < chunkCount; ++b) {
    tokens += chunks[b].count;
    kvTotal += chunks[b].start + chunks[b].count;
    longest = std::max(longest, chunks[b].start + chunks[b].count);
  }
  const int64_t rows = allLogits ? tokens : chunkCount;
  struct {
    const char *what;
    int64_t value, limit;
  } checks[] = {
      {"new tokens", tokens, std::min(binding.maxTokens, stepLimits.maxTokens)},
      {"sequences", chunkCount, binding.maxSequences},
      {"cache pages of a sequence", pages.pageCount(longest), binding.maxPages},
      {"rows of logits", rows, binding.maxRows},
      {"cached tokens", kvTotal,
       binding.maxKvTotal ? binding.maxKvTotal : kvTotal}};
  for (const auto &check : checks)
    if (check.value > check.limit)
      return error(DSRT_LIMIT_EXCEEDED,
                   "the step has {} {}, entry '{}' was compiled for {}",
                   check.value, check.what, binding.entry->name, check.limit);
  return Status();
}

/// The entry that runs the step, or why the wanted one cannot.
Result<EntryBinding *> Session::chooseEntry(const StepChunk *chunks,
                                            int64_t chunkCount, int32_t entry,
                                            bool allLogits) {
  bool fresh = true;
  for (int64_t b = 0; b < chunkCount; ++b)
    fresh = fresh && chunks[b].start == 0;
  if (entry == DSRT_ENTRY_AUTO) {
    bool fits = prefill && fresh &&
                checkLimits(*prefill, chunks, chunkCount, allLogits).ok();
    entry = fits || !decode ? DSRT_ENTRY_PREFILL : DSRT_ENTRY_DECODE;
  }
  if (entry != DSRT_ENTRY_PREFILL && entry != DSRT_ENTRY_DECODE)
    return error(DSRT_INVALID_ARGUMENT, "there is no kind of entry {}", entry);
  auto &binding = entry == DSRT_ENTRY_PREFILL ? prefill : decode;
  if (!binding)
    return error(DSRT_NOT_FOUND, "'{}' has no entry '{}'", module.path(),
                 entry == DSRT_ENTRY_PREFILL ? "prefill" : "decode");
  if (entry == DSRT_ENTRY_PREFILL && !fresh)
    return error(DSRT_INVALID_ARGUMENT,
                 "entry 'prefill' starts sequences, but one of the step has "
                 "tokens in the cache");
  return &*binding;
}

Result<StepOutput> Session::run(const StepChunk *chunks, int64_t chunkCount,
                                int32_t entry, bool allLogits) {
  for (int64_t b = 0; b < chunkCount && b < stepLimits.maxSequences; ++b) {
    positioned[b] = chunks[b];
    positioned[b].start = pages.contains(chunks[b].sequence)
                              ? pages.length(chunks[b].sequence)
                              : 0;
  }
  DSRT_TRY(checkChunks(positioned.data(), chunkCount));
  Result<EntryBinding *> binding =
      chooseEntry(positioned.data(), chunkCount, entry, allLogits);
  if (!binding.ok())
    return binding.status();
  Result<StepOutput> output =
      execute(**binding, positioned.data(), chunkCount, nullptr, allLogits);
  if (output.ok())
    for (int64_t b = 0; b < chunkCount; ++b)
      pages.setLength(positioned[b].sequence,
                      positioned[b].start + positioned[b].count);
  return output;
}

Result<StepOutput> Session::runMtp(const StepChunk *chunks, int64_t chunkCount,
                                   const void *hidden, bool allLogits) {
  if (!mtp)
    return error(DSRT_NOT_FOUND, "'{}' has no entry 'mtp'", module.path());
  DSRT_TRY(checkChunks(chunks, chunkCount));
  for (int64_t b = 0; b < chunkCount; ++b)
    if (chunks[b].start < 0 ||
        chunks[b].start + chunks[b].count > pages.length(chunks[b].sequence))
      return error(DSRT_INVALID_ARGUMENT,
                   "the MTP rows {} to {} of sequence {} were not computed by "
                   "the main model",
                   chunks[b].start, chunks[b].start + chunks[b].count - 1,
                   chunks[b].sequence);
  return execute(*mtp, chunks, chunkCount, hidden, allLogits);
}

Result<StepOutput> Session::execute(EntryBinding &binding,
                                    const StepChunk *chunks, int64_t chunkCount,
                                    const void *hidden, bool allLogits) {
  DSRT_TRY(checkLimits(binding, chunks, chunkCount, allLogits));
  for (int64_t b = 0; b < chunkCount; ++b)
    pages.reserve(chunks[b].sequence, chunks[b].start + chunks[b].count);
  inputs.fill(chunks, chunkCount, pages, allLogits);

  for (size_t i = 0; i < binding.arguments.size(); ++i) {
    const BoundArgument &argument = binding.arguments[i];
    const int64_t *shape = argument.value->shape;
    if (argument.role == Role::Cache)
      binding.args[i] = {caches[argument.cache].data(),
                         {pageTotal, shape[1], shape[2]}};
    else if (argument.role == Role::Hidden)
      binding.args[i] = {const_cast<void *>(hidden),
                         {inputs.tokenCount(), shape[1]}};
    else
      binding.args[i] = inputs.buffer(argument.role);
  }
  call.failure.clear();
  dsrt_status status = binding.entry->function(&call, binding.args.data(),
                                               binding.results.data());
  if (status != DSRT_OK)
    return call.failure.empty()
               ? error(DSRT_MODEL_FAILED, "entry '{}' failed with status {}",
                       binding.entry->name, status)
               : Status(status, call.failure);

  StepOutput output;
  output.entry = binding.entry;
  output.results = binding.results.data();
  output.logits =
      static_cast<const float *>(binding.results[binding.logitsIndex].data);
  output.rows = inputs.rowCount();
  output.tokens = inputs.tokenCount();
  output.hiddenType = binding.hiddenType;
  if (binding.hiddenIndex >= 0)
    output.hidden = binding.results[binding.hiddenIndex].data;
  return output;
}

Status Session::runChecks(const Module &module, const void *const *weights,
                          const dsrt_entry &entry, int threadCount) {
  Result<Memory> workspace =
      Memory::reserve(module.tables().workspace_bytes, "the workspace");
  if (!workspace.ok())
    return workspace.status();
  ThreadTeam team(threadCount > 0 ? threadCount : ThreadTeam::availableCores());
  dsrt_call call;
  call.weights = weights;
  call.workspace = workspace->data();
  call.team = &team;
  std::vector<dsrt_buffer> results(entry.result_count);
  dsrt_status status = entry.function(&call, nullptr, results.data());
  if (status == DSRT_OK)
    return Status();
  if (!call.failure.empty())
    return Status(status, call.failure);
  return error(DSRT_MODEL_FAILED, "entry '{}' failed with status {}",
               entry.name, status);
}

int64_t Session::hiddenBytes() const {
  const EntryBinding &binding = decode ? *decode : *prefill;
  return binding.hiddenSize * elementBytes(binding.hiddenType);
}

uint64_t Session::planBytes() const {
  uint64_t bytes = workspace.size();
  for (const Memory &cache : caches)
    bytes += cache.size();
  return bytes;
}

} // namespace dsrt
