//===- DeviceStep.cpp - A step on a GPU -----------------------------------===//

#include "runtime/core/DeviceStep.h"

#include <algorithm>
#include <cstring>

namespace dsrt {

namespace {

constexpr size_t kMaxBuckets = 16;

uint64_t aligned(uint64_t bytes) { return (bytes + 127) / 128 * 128; }

/// Bytes of a buffer of that type.
uint64_t bytesOf(const dsrt_value &value, const dsrt_buffer &buffer) {
  uint64_t bytes = static_cast<uint64_t>(elementBytes(value.dtype));
  for (int64_t i = 0; i < value.rank; ++i)
    bytes *= static_cast<uint64_t>(buffer.sizes[i]);
  return bytes;
}

} // namespace

Status callEntry(const dsrt_entry &entry, dsrt_call &call,
                 const dsrt_buffer *args, dsrt_buffer *results) {
  call.failure.clear();
  const dsrt_status status = entry.function(&call, args, results);
  if (status == DSRT_OK)
    return Status();
  return call.failure.empty()
             ? error(DSRT_MODEL_FAILED, "entry '{}' failed with status {}",
                     entry.name, status)
             : Status(status, call.failure);
}

uint64_t DeviceStep::inputBytes(const SessionPlan &plan) {
  uint64_t largest = 0;
  for (auto *binding : {&plan.prefill, &plan.decode, &plan.mtp}) {
    if (!*binding)
      continue;
    uint64_t bytes = 0;
    for (const BoundArgument &argument : (*binding)->arguments) {
      dsrt_buffer buffer = {};
      const int64_t tokens = plan.limits.maxTokens;
      const int64_t sequences = plan.limits.maxSequences;
      switch (argument.role) {
      case Role::Cache:
      case Role::KvTotal:
        continue;
      case Role::BlockTable:
        buffer.sizes[0] = sequences;
        buffer.sizes[1] = plan.pagesPerSequence;
        break;
      case Role::CuQueryLengths:
      case Role::CuKvLengths:
        buffer.sizes[0] = sequences + 1;
        break;
      default:
        buffer.sizes[0] = tokens;
        buffer.sizes[1] = argument.value->shape[1];
      }
      bytes += aligned(bytesOf(*argument.value, buffer));
    }
    largest = std::max(largest, bytes);
  }
  return largest;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

DeviceStep::Staging::~Staging() {
  if (address)
    device.releaseStaging(address);
}

Status DeviceStep::Staging::reserve(uint64_t bytes) {
  if (bytes <= size)
    return Status();
  if (address)
    device.releaseStaging(address);
  address = nullptr;
  size = 0;
  Result<void *> memory = device.allocateStaging(bytes);
  if (!memory.ok())
    return memory.status();
  address = *memory;
  size = bytes;
  return Status();
}

Result<std::unique_ptr<DeviceStep>>
DeviceStep::create(Device &device, const SessionPlan &plan) {
  std::unique_ptr<DeviceStep> step(new DeviceStep(device));
  const uint64_t bytes = inputBytes(plan);
  Result<Memory> memory = Memory::reserve(device, bytes, "the arguments");
  if (!memory.ok())
    return memory.status();
  step->inputs = std::move(*memory);
  DSRT_TRY(step->stagedInputs.reserve(bytes));
  // Logits of one row of each sequence; a step with more gets more.
  DSRT_TRY(step->stagedResults.reserve(static_cast<uint64_t>(
      plan.limits.maxSequences * plan.limits.vocabulary * 4)));
  return step;
}

DeviceStep::~DeviceStep() {
  for (const Bucket &bucket : buckets)
    if (bucket.graph)
      device.releaseGraph(bucket.graph);
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

/// Moves the arguments of the host to the device: their addresses depend on
/// their sizes only.
Status DeviceStep::uploadArguments(EntryBinding &binding) {
  uint64_t offset = 0;
  for (size_t i = 0; i < binding.arguments.size(); ++i) {
    const BoundArgument &argument = binding.arguments[i];
    dsrt_buffer &buffer = binding.args[i];
    // An entry that does not read it is the same for every value.
    if (argument.role == Role::KvTotal && argument.value->bound[0] == 0)
      buffer.sizes[0] = 0;
    if (argument.role == Role::Cache || argument.role == Role::KvTotal)
      continue;
    const uint64_t bytes = bytesOf(*argument.value, buffer);
    std::memcpy(stagedInputs.data() + offset, buffer.data, bytes);
    buffer.data = static_cast<char *>(inputs.data()) + offset;
    offset += aligned(bytes);
  }
  return device.upload(inputs.data(), stagedInputs.data(), offset);
}

Status DeviceStep::downloadResults(EntryBinding &binding) {
  const dsrt_entry &entry = *binding.entry;
  uint64_t total = 0;
  for (uint64_t i = 0; i < entry.result_count; ++i)
    if (!binding.inPlace[i])
      total += aligned(bytesOf(entry.results[i], binding.results[i]));
  DSRT_TRY(stagedResults.reserve(total));
  uint64_t offset = 0;
  for (uint64_t i = 0; i < entry.result_count; ++i) {
    if (binding.inPlace[i])
      continue;
    dsrt_buffer &result = binding.results[i];
    const uint64_t bytes = bytesOf(entry.results[i], result);
    DSRT_TRY(
        device.download(stagedResults.data() + offset, result.data, bytes));
    result.data = stagedResults.data() + offset;
    offset += aligned(bytes);
  }
  return Status();
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

DeviceStep::Bucket &DeviceStep::findBucket(const EntryBinding &binding,
                                           bool &isNew) {
  sizes.clear();
  for (const dsrt_buffer &buffer : binding.args)
    sizes.insert(sizes.end(), buffer.sizes, buffer.sizes + DSRT_MAX_RANK);
  auto bucket = std::find_if(buckets.begin(), buckets.end(), [&](Bucket &b) {
    return b.function == binding.entry->function && b.sizes == sizes;
  });
  isNew = bucket == buckets.end();
  if (isNew && buckets.size() < kMaxBuckets) {
    bucket = buckets.insert(buckets.end(), Bucket());
  } else if (isNew) {
    bucket = std::min_element(buckets.begin(), buckets.end(),
                              [](const Bucket &one, const Bucket &other) {
                                return one.lastUse < other.lastUse;
                              });
    if (bucket->graph)
      device.releaseGraph(bucket->graph);
    *bucket = Bucket();
  }
  if (isNew) {
    bucket->function = binding.entry->function;
    bucket->sizes = sizes;
  }
  bucket->lastUse = ++uses;
  return *bucket;
}

/// Records what the entry does. Constants were uploaded by the run before.
Status DeviceStep::capture(EntryBinding &binding, dsrt_call &call,
                           Bucket &bucket) {
  DSRT_TRY(device.beginCapture());
  Status status = callEntry(*binding.entry, call, binding.args.data(),
                            binding.results.data());
  Result<void *> graph = device.endCapture(); // also after a failure
  if (!status.ok() || !graph.ok()) {
    if (graph.ok())
      device.releaseGraph(*graph);
    return status.ok() ? graph.status() : status;
  }
  bucket.graph = *graph;
  bucket.results = binding.results;
  return Status();
}

Status DeviceStep::execute(EntryBinding &binding, dsrt_call &call) {
  bool isNew = true;
  Bucket *bucket = device.usesGraphs() ? &findBucket(binding, isNew) : nullptr;
  if (isNew)
    return callEntry(*binding.entry, call, binding.args.data(),
                     binding.results.data());
  if (!bucket->graph)
    DSRT_TRY(capture(binding, call, *bucket));
  binding.results = bucket->results;
  return device.replay(bucket->graph);
}

Status DeviceStep::run(EntryBinding &binding, dsrt_call &call) {
  DSRT_TRY(uploadArguments(binding));
  Status status = execute(binding, call);
  if (status.ok())
    status = downloadResults(binding);
  // Nothing may use the staged arguments any more, failure or not.
  Status finished = device.synchronize();
  return status.ok() ? finished : status;
}

} // namespace dsrt
