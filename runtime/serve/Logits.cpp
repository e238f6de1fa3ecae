//===- Logits.cpp - The command `logits` ----------------------------------===//
//
// Writes what the model computes for given tokens to a safetensors file: logits
// and final hidden state at every position, the logits of the MTP module where
// there is one, and every other result of the entry (a model compiled with
// traces has hidden states and router choices of each layer).
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"
#include "runtime/serve/Sequences.h"
#include "runtime/serve/TensorFile.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>

namespace dsrt {

namespace {

struct LogitsOptions {
  ModelOptions model;
  std::optional<std::string> idsFile, output;
  int64_t chunk = 0;
  std::string entry = "auto";
};

/// One line of the file is one sequence; empty lines are skipped.
Result<std::vector<std::vector<int32_t>>>
readSequences(const std::string &path) {
  Result<std::string> text = readFile(path);
  if (!text.ok())
    return text.status();
  std::vector<std::vector<int32_t>> sequences;
  std::istringstream stream(*text);
  std::string line;
  for (int64_t number = 1; std::getline(stream, line); ++number) {
    Result<std::vector<int32_t>> ids =
        parseIds(line, fmt::format("{}:{}", path, number));
    if (!ids.ok())
      return ids.status();
    if (!ids->empty())
      sequences.push_back(std::move(*ids));
  }
  if (sequences.empty())
    return error(DSRT_INVALID_ARGUMENT, "--prompt-ids-file: '{}' has no ids",
                 path);
  return sequences;
}

/// The file that results go to, and the conversion of their elements.
class Recorder {
public:
  Recorder(const Module &module, Session &session,
           const std::vector<std::vector<int32_t>> &sequences)
      : module(module), session(session), sequences(sequences) {}

  Status create(const std::string &path);
  Status record(const std::vector<SequenceRows> &rows,
                const StepOutput &output);
  Status close() { return file.close(); }

private:
  void declare(const dsrt_value &value);
  Status write(const std::string &name, size_t sequence, int64_t row,
               int64_t count, const dsrt_value &value, const void *data);
  Status recordMtp(const std::vector<SequenceRows> &rows,
                   const StepOutput &output);

  const Module &module;
  Session &session;
  const std::vector<std::vector<int32_t>> &sequences;
  TensorFile file;
  std::map<std::string, size_t> firstTensor; // of sequence 0; the others follow
  std::vector<float> converted;
  std::vector<char> hidden;
};

bool isCache(const char *name) { return std::strncmp(name, "cache.", 6) == 0; }

void Recorder::declare(const dsrt_value &value) {
  const std::string name = module.name(value);
  if (value.rank != 2 || value.shape[1] < 1 || isCache(name.c_str()) ||
      firstTensor.count(name))
    return;
  const char *type = value.dtype == DSRT_I32 ? "I32" : "F32";
  for (size_t i = 0; i < sequences.size(); ++i) {
    std::string full =
        sequences.size() == 1 ? name : fmt::format("{}.{}", name, i);
    size_t tensor = file.declare(
        full, type, static_cast<int64_t>(sequences[i].size()), value.shape[1]);
    if (i == 0)
      firstTensor[name] = tensor;
  }
}

Status Recorder::create(const std::string &path) {
  for (const char *name : {"prefill", "decode"})
    if (const dsrt_entry *entry = module.findEntry(name))
      for (uint64_t i = 0; i < entry->result_count; ++i)
        declare(entry->results[i]);
  if (session.hasMtp())
    for (size_t i = 0; i < sequences.size(); ++i) {
      std::string name = sequences.size() == 1
                             ? std::string("mtp_logits")
                             : fmt::format("mtp_logits.{}", i);
      size_t tensor = file.declare(
          name, "F32", static_cast<int64_t>(sequences[i].size()) - 1,
          session.limits().vocabulary);
      if (i == 0)
        firstTensor["mtp_logits"] = tensor;
    }
  return file.create(path);
}

Status Recorder::write(const std::string &name, size_t sequence, int64_t row,
                       int64_t count, const dsrt_value &value,
                       const void *data) {
  const size_t tensor = firstTensor[name] + sequence;
  if (value.dtype == DSRT_F32 || value.dtype == DSRT_I32)
    return file.writeRows(tensor, row, count, data);
  converted.resize(static_cast<size_t>(count * value.shape[1]));
  for (size_t i = 0; i < converted.size(); ++i)
    converted[i] = static_cast<float>(
        elementValue(value.dtype, data, static_cast<int64_t>(i)));
  return file.writeRows(tensor, row, count, converted.data());
}

Status Recorder::record(const std::vector<SequenceRows> &rows,
                        const StepOutput &output) {
  for (uint64_t i = 0; i < output.entry->result_count; ++i) {
    const dsrt_value &value = output.entry->results[i];
    const std::string name = module.name(value);
    if (!firstTensor.count(name) || isCache(name.c_str()))
      continue;
    const int64_t rowBytes = value.shape[1] * elementBytes(value.dtype);
    const char *data = static_cast<const char *>(output.results[i].data);
    for (const SequenceRows &part : rows)
      DSRT_TRY(write(name, part.sequence, part.start, part.count, value,
                     data + part.firstRow * rowBytes));
  }
  return session.hasMtp() ? recordMtp(rows, output) : Status();
}

/// The MTP row of position i takes the token of position i + 1, so the last
/// position of a sequence has none. The hidden states are copied: they lie in
/// the workspace that the MTP step uses.
Status Recorder::recordMtp(const std::vector<SequenceRows> &rows,
                           const StepOutput &output) {
  const int64_t rowBytes = session.hiddenBytes();
  std::vector<StepChunk> chunks;
  std::vector<SequenceRows> parts;
  hidden.clear();
  int64_t row = 0;
  for (const SequenceRows &part : rows) {
    const std::vector<int32_t> &ids = sequences[part.sequence];
    int64_t count =
        std::min(part.count, static_cast<int64_t>(ids.size()) - 1 - part.start);
    if (count < 1)
      continue;
    const char *data = static_cast<const char *>(output.hidden);
    hidden.insert(hidden.end(), data + part.firstRow * rowBytes,
                  data + (part.firstRow + count) * rowBytes);
    chunks.push_back(
        {part.handle, ids.data() + part.start + 1, count, part.start});
    parts.push_back({part.sequence, part.start, count, row, part.handle});
    row += count;
  }
  if (chunks.empty())
    return Status();
  Result<StepOutput> mtp =
      session.runMtp(chunks.data(), static_cast<int64_t>(chunks.size()),
                     hidden.data(), /*allLogits=*/true);
  if (!mtp.ok())
    return mtp.status();
  const size_t first = firstTensor["mtp_logits"];
  for (const SequenceRows &part : parts)
    DSRT_TRY(file.writeRows(first + part.sequence, part.start, part.count,
                            mtp->logits +
                                part.firstRow * session.limits().vocabulary));
  return Status();
}

Options makeParser(const std::string &program, LogitsOptions &options) {
  Options parser(
      program, "logits --prompt-ids-file FILE -o OUT.safetensors [options]",
      "Writes logits F32 [T, V] at every position of the given tokens, "
      "hidden [T, D] after the final norm, and mtp_logits [T-1, V] "
      "where the model has an MTP module. A model compiled with "
      "--trace adds the hidden state and router choices of every "
      "layer.");
  parser.string(
      "--prompt-ids-file", "FILE", options.idsFile,
      "token ids separated by commas or spaces, one sequence per line; "
      "the tensors of several lines end in .0, .1 ...");
  parser.string("-o", "OUT", options.output, "the safetensors file to write");
  parser.integer("--chunk", "N", 1, 1 << 30, options.chunk,
                 "tokens of a sequence per step (default: as many as the model "
                 "was compiled for)");
  parser.choice("--entry", {"auto", "prefill", "decode"}, options.entry,
                "the compiled entry to run; auto starts sequences with prefill "
                "and continues with decode");
  options.model.declare(parser);
  return parser;
}

} // namespace

Result<int> runLogits(const Invocation &invocation) {
  LogitsOptions options;
  Options parser = makeParser(invocation.program, options);
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  if (!options.idsFile || !options.output)
    return error(DSRT_INVALID_ARGUMENT, "logits: {} is missing",
                 options.idsFile ? "-o OUT.safetensors"
                                 : "--prompt-ids-file FILE");

  auto sequences = readSequences(*options.idsFile);
  if (!sequences.ok())
    return sequences.status();
  Result<StepLimits> limits = readStepLimits(invocation.model.module());
  if (!limits.ok())
    return limits.status();
  int64_t longest = 0;
  for (const std::vector<int32_t> &ids : *sequences) {
    DSRT_TRY(checkIds(ids, limits->vocabulary, "--prompt-ids-file"));
    longest = std::max(longest, static_cast<int64_t>(ids.size()));
  }
  auto session = openSession(
      invocation.model, options.model,
      std::min<int64_t>(limits->maxSequences, sequences->size()), longest);
  if (!session.ok())
    return session.status();

  Recorder recorder(invocation.model.module(), **session, *sequences);
  DSRT_TRY(recorder.create(*options.output));
  SequenceOptions run;
  run.chunk = options.chunk;
  run.entry = options.entry == "prefill"  ? DSRT_ENTRY_PREFILL
              : options.entry == "decode" ? DSRT_ENTRY_DECODE
                                          : DSRT_ENTRY_AUTO;
  DSRT_TRY(runSequences(
      **session, *sequences, run,
      [&](const std::vector<SequenceRows> &rows, const StepOutput &output) {
        return recorder.record(rows, output);
      }));
  DSRT_TRY(recorder.close());
  return 0;
}

} // namespace dsrt
