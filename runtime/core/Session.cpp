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

Session::Session(Model &model, int threadCount, SessionPlan plan)
    : module(model.module()), device(model.device()), stepLimits(plan.limits),
      threads(threadCount),
      pages(plan.limits.maxSequences, plan.pagesPerSequence, plan.pageSize),
      inputs(plan.limits.maxTokens, plan.limits.maxSequences,
             plan.pagesPerSequence, /*wholeTable=*/!device.isHost()),
      prefill(std::move(plan.prefill)), decode(std::move(plan.decode)),
      mtp(std::move(plan.mtp)), cacheBytes(std::move(plan.cacheBytes)),
      positioned(plan.limits.maxSequences),
      pageTotal(plan.limits.maxSequences * plan.pagesPerSequence) {}

Result<std::unique_ptr<Session>>
Session::create(Model &model, const SessionOptions &options) {
  Result<SessionPlan> plan = SessionPlan::create(model.module(), options);
  if (!plan.ok())
    return plan.status();
  Device &device = model.device();
  if (!device.isHost())
    DSRT_TRY(
        checkDeviceMemory(device, "caches and workspace of a session",
                          MemoryPlan(model.module(), *plan).sessionBytes()));
  // Kernels of a GPU need no threads of the processor.
  int threadCount = options.threads > 0 ? options.threads
                    : device.isHost()   ? ThreadTeam::availableCores()
                                        : 1;
  std::unique_ptr<Session> session(new Session(model, threadCount, *plan));
  DSRT_TRY(session->reserveMemory());
  if (!device.isHost()) {
    std::unique_lock<std::mutex> mine = device.use();
    auto step = DeviceStep::create(device, *plan);
    if (!step.ok())
      return step.status();
    session->onDevice = std::move(*step);
    // As on the processor, no byte of a page is ever undefined.
    for (const Memory &cache : session->caches)
      DSRT_TRY(device.clear(cache.data(), cache.size()));
    DSRT_TRY(device.synchronize());
  }
  session->call.weights = model.weights();
  session->call.workspace = session->workspace.data();
  session->call.team = &session->threads;
  session->call.device = &device;
  return session;
}

/// The workspace and one region per cache number.
Status Session::reserveMemory() {
  const uint64_t workspaceBytes = module.tables().workspace_bytes;
  double total = static_cast<double>(workspaceBytes);
  for (uint64_t bytes : cacheBytes)
    total += static_cast<double>(bytes);
  const double available = static_cast<double>(availableMemory());
  if (device.isHost() && total > available)
    return error(
        DSRT_OUT_OF_MEMORY,
        "the cache of {} sequence{} of {} tokens and the workspace need "
        "{}, this machine has {}; ask for fewer tokens or sequences",
        stepLimits.maxSequences, stepLimits.maxSequences == 1 ? "" : "s",
        stepLimits.context, formatBytes(total), formatBytes(available));

  Result<Memory> memory =
      Memory::reserve(device, workspaceBytes, "the workspace");
  if (!memory.ok())
    return memory.status();
  workspace = std::move(*memory);
  for (uint64_t bytes : cacheBytes) {
    Result<Memory> cache = Memory::reserve(device, bytes, "the cache");
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
  if (onDevice) {
    std::unique_lock<std::mutex> mine = device.use();
    DSRT_TRY(onDevice->run(binding, call));
  } else {
    DSRT_TRY(callEntry(*binding.entry, call, binding.args.data(),
                       binding.results.data()));
  }

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

Status Session::runChecks(Model &model, const dsrt_entry &entry,
                          int threadCount) {
  Device &device = model.device();
  Result<Memory> workspace = Memory::reserve(
      device, model.module().tables().workspace_bytes, "the workspace");
  if (!workspace.ok())
    return workspace.status();
  ThreadTeam team(threadCount > 0 ? threadCount : ThreadTeam::availableCores());
  dsrt_call call;
  call.weights = model.weights();
  call.workspace = workspace->data();
  call.team = &team;
  call.device = &device;
  std::vector<dsrt_buffer> results(entry.result_count);
  std::unique_lock<std::mutex> mine = device.use();
  DSRT_TRY(callEntry(entry, call, nullptr, results.data()));
  return device.isHost() ? Status() : device.synchronize();
}

int64_t Session::hiddenBytes() const {
  const EntryBinding &binding = decode ? *decode : *prefill;
  return binding.hiddenSize * elementBytes(binding.hiddenType);
}

uint64_t Session::planBytes() const {
  uint64_t bytes = workspace.size() + (onDevice ? onDevice->deviceBytes() : 0);
  for (const Memory &cache : caches)
    bytes += cache.size();
  return bytes;
}

} // namespace dsrt
