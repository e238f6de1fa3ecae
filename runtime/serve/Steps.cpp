//===- Steps.cpp - The command `steps` ------------------------------------===//
//
// Runs the steps of one sequence with given tokens and writes all that each
// step returns: what is compared with another program that took the same steps
// (`ds-compile --verify-stages`). The command `logits` writes less, for files
// of any length.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"
#include "runtime/weights/safetensors/Writer.h"

#include <algorithm>
#include <cstring>
#include <deque>

namespace dsrt {

namespace {

struct StepsOptions {
  ModelOptions model;
  std::optional<std::string> promptIds, nextIds, output;
};

/// One sequence, and a copy of every result of its steps: the results
/// themselves last until the next step.
class StepRecorder {
public:
  StepRecorder(const Module &module, Session &session)
      : module(module), session(session) {}

  Status run(const std::vector<int32_t> &prompt,
             const std::vector<int32_t> &next);
  Status write(const std::string &path) const {
    return writeSafetensors(path, tensors);
  }

private:
  Status runMtp(const std::vector<int32_t> &prompt, int32_t next);
  Result<StepOutput> runMain(const std::string &name,
                             const std::vector<int32_t> &tokens);
  void record(const std::string &step, const StepOutput &output);
  void recordCache(const std::string &name, const dsrt_value &value,
                   const dsrt_buffer &buffer);
  char *add(const std::string &name, const dsrt_value &value,
            std::vector<int64_t> shape);

  const Module &module;
  Session &session;
  int32_t sequence = 0;
  std::deque<std::vector<char>> copies; // their addresses stay
  std::vector<TensorToWrite> tensors;
  std::vector<char> hidden; // of the prompt
};

/// A tensor to fill in.
char *StepRecorder::add(const std::string &name, const dsrt_value &value,
                        std::vector<int64_t> shape) {
  int64_t bytes = elementBytes(value.dtype);
  for (int64_t size : shape)
    bytes *= size;
  copies.emplace_back(static_cast<size_t>(bytes));
  tensors.push_back({name, dataTypeOfAbi(value.dtype), std::move(shape),
                     copies.back().data()});
  return copies.back().data();
}

/// The rows of the cache that the sequence uses, in the order of its tokens.
void StepRecorder::recordCache(const std::string &name, const dsrt_value &value,
                               const dsrt_buffer &buffer) {
  const int64_t rows = session.length(sequence), width = buffer.sizes[2];
  const int64_t rowBytes = width * elementBytes(value.dtype);
  char *out = add(name, value, {rows, width});
  for (int64_t row = 0; row < rows; ++row)
    std::memcpy(out + row * rowBytes,
                static_cast<const char *>(buffer.data) +
                    session.slot(sequence, row) * rowBytes,
                static_cast<size_t>(rowBytes));
}

void StepRecorder::record(const std::string &step, const StepOutput &output) {
  for (uint64_t i = 0; i < output.entry->result_count; ++i) {
    const dsrt_value &value = output.entry->results[i];
    const dsrt_buffer &buffer = output.results[i];
    const std::string name = fmt::format("{}.{}", step, module.name(value));
    if (std::strncmp(module.name(value), "cache.", 6) == 0 && value.rank == 3) {
      recordCache(name, value, buffer);
      continue;
    }
    std::vector<int64_t> shape(buffer.sizes, buffer.sizes + value.rank);
    char *out = add(name, value, std::move(shape));
    std::memcpy(out, buffer.data, copies.back().size());
  }
}

Result<StepOutput> StepRecorder::runMain(const std::string &name,
                                         const std::vector<int32_t> &tokens) {
  StepChunk chunk{sequence, tokens.data(), static_cast<int64_t>(tokens.size()),
                  0};
  Result<StepOutput> output =
      session.run(&chunk, 1, DSRT_ENTRY_AUTO, /*allLogits=*/true);
  if (output.ok())
    record(name, *output);
  return output;
}

/// Row t takes the hidden state of token t and token t + 1.
Status StepRecorder::runMtp(const std::vector<int32_t> &prompt, int32_t next) {
  std::vector<int32_t> tokens(prompt.begin() + 1, prompt.end());
  tokens.push_back(next);
  StepChunk chunk{sequence, tokens.data(), static_cast<int64_t>(tokens.size()),
                  0};
  Result<StepOutput> output =
      session.runMtp(&chunk, 1, hidden.data(), /*allLogits=*/true);
  if (output.ok())
    record("mtp", *output);
  return output.status();
}

Status StepRecorder::run(const std::vector<int32_t> &prompt,
                         const std::vector<int32_t> &next) {
  Result<int32_t> added = session.addSequence();
  if (!added.ok())
    return added.status();
  sequence = *added;
  Result<StepOutput> output = runMain("prefill", prompt);
  if (!output.ok())
    return output.status();
  if (session.hasMtp()) {
    const char *data = static_cast<const char *>(output->hidden);
    hidden.assign(data, data + output->tokens * session.hiddenBytes());
    DSRT_TRY(runMtp(prompt, next.front()));
  }
  for (size_t i = 0; i < next.size(); ++i)
    if (Result<StepOutput> step =
            runMain(fmt::format("decode.{}", i), {next[i]});
        !step.ok())
      return step.status();
  return Status();
}

Options makeParser(const std::string &program, StepsOptions &options) {
  Options parser(
      program,
      "steps --prompt-ids IDS --next-ids IDS -o OUT.safetensors "
      "[options]",
      "Runs one sequence: a step of the prompt, one of the MTP module "
      "where the model has it, then a step for each of the next ids. "
      "Writes every result of every step, named prefill.logits, "
      "mtp.hidden, decode.0.cache.3 and so on; of a cache the rows in "
      "use.");
  parser.string("--prompt-ids", "IDS", options.promptIds,
                "token ids of the prompt, as in 0,12,7");
  parser.string("--next-ids", "IDS", options.nextIds,
                "token ids of the steps after it, whatever the model would "
                "choose");
  parser.string("-o", "OUT", options.output, "the safetensors file to write");
  options.model.declare(parser);
  return parser;
}

} // namespace

Result<int> runSteps(const Invocation &invocation) {
  StepsOptions options;
  Options parser = makeParser(invocation.program, options);
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  for (auto [name, value] : {std::pair("--prompt-ids IDS", &options.promptIds),
                             {"--next-ids IDS", &options.nextIds},
                             {"-o OUT.safetensors", &options.output}})
    if (!*value)
      return error(DSRT_INVALID_ARGUMENT, "steps: {} is missing", name);
  auto prompt = parseIds(*options.promptIds, "--prompt-ids");
  if (!prompt.ok())
    return prompt.status();
  auto next = parseIds(*options.nextIds, "--next-ids");
  if (!next.ok())
    return next.status();
  if (prompt->empty() || next->empty())
    return error(DSRT_INVALID_ARGUMENT, "steps: expected at least one id of {}",
                 prompt->empty() ? "--prompt-ids" : "--next-ids");
  auto session =
      openSession(invocation.model, options.model, 1,
                  static_cast<int64_t>(prompt->size() + next->size()));
  if (!session.ok())
    return session.status();
  StepRecorder recorder(invocation.model.module(), **session);
  DSRT_TRY(recorder.run(*prompt, *next));
  DSRT_TRY(recorder.write(*options.output));
  return 0;
}

} // namespace dsrt
