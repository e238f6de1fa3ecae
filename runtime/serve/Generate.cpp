//===- Generate.cpp - The command `generate` ------------------------------===//
//
// Prompt in, text out as it comes. Token ids work without a tokenizer; text
// asks for one. The choice of each token is the sampler's.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"
#include "runtime/serve/ModelFolder.h"
#include "runtime/serve/Sampler.h"

#include <algorithm>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>

namespace dsrt {

namespace {

struct GenerateOptions {
  ModelOptions model;
  std::optional<std::string> prompt, promptIds, promptFile;
  int64_t count = 128;
  std::optional<double> temperature, topP, minP;
  std::optional<int64_t> topK, seed;
  int64_t chunk = 0;
  bool ignoreEos = false, chat = false, json = false;
};

volatile std::sig_atomic_t interrupted = 0;

/// The first Ctrl-C ends generation after the current token; the second one
/// ends the process.
void watchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

/// What generation made.
struct Generated {
  std::vector<int32_t> ids;
  std::vector<double> logprobs;
  std::string text;
  const char *finish = "length";
  double prefillSeconds = 0, decodeSeconds = 0;
};

void declare(GenerateOptions &options, Options &parser) {
  parser.string("--prompt", "TEXT", options.prompt, "text to continue");
  parser.string("--prompt-file", "FILE", options.promptFile,
                "file with the text to continue");
  parser.string(
      "--prompt-ids", "IDS", options.promptIds,
      "token ids to continue, as in 0,12,7; taken as they are, no BOS "
      "is added");
  parser.integer("-n", "N", 1, std::numeric_limits<int32_t>::max(),
                 options.count, "tokens to generate at most (default 128)");
  parser.real("--temperature", "T", 0, 100, options.temperature,
              "0 takes the most likely token (default: 0, or 1 if another "
              "sampling option is given)");
  parser.integer("--top-k", "K", 1, std::numeric_limits<int32_t>::max(),
                 options.topK, "sample from the K most likely tokens");
  parser.real("--top-p", "P", 0, 1, options.topP,
              "sample from the most likely tokens that have probability P "
              "together");
  parser.real(
      "--min-p", "P", 0, 1, options.minP,
      "sample from tokens at least P times as likely as the most likely "
      "one");
  parser.integer(
      "--seed", "S", 0, std::numeric_limits<int64_t>::max(), options.seed,
      "seed of the sampling (default 0); the same seed gives the same "
      "text");
  parser.flag("--ignore-eos", options.ignoreEos,
              "go on after an end-of-sequence token");
  parser.flag("--chat", options.chat,
              "the prompt is a user's message: wrap it in the chat template");
  parser.flag("--json", options.json,
              "print one JSON object: prompt_ids, ids, text, logprobs, "
              "finish_reason (stop, length or interrupt), timings");
  parser.integer("--chunk", "N", 1, 1 << 30, options.chunk,
                 "prompt tokens per step (default: as many as the model was "
                 "compiled for)");
  options.model.declare(parser);
}

SamplerOptions samplerOptions(const GenerateOptions &options) {
  SamplerOptions sampler;
  const bool sampling =
      options.topK || options.topP || options.minP || options.seed;
  sampler.temperature = options.temperature.value_or(sampling ? 1.0 : 0.0);
  sampler.topK = options.topK.value_or(0);
  sampler.topP = options.topP.value_or(1.0);
  sampler.minP = options.minP.value_or(0.0);
  sampler.seed = static_cast<uint64_t>(options.seed.value_or(0));
  return sampler;
}

/// The ids of the prompt, by whichever option gave it.
Result<std::vector<int32_t>> promptIds(const GenerateOptions &options,
                                       const ModelFolder &folder,
                                       int64_t vocabulary) {
  const int given = options.prompt.has_value() + options.promptIds.has_value() +
                    options.promptFile.has_value();
  if (given != 1)
    return error(
        DSRT_INVALID_ARGUMENT,
        "expected one of --prompt, --prompt-file and --prompt-ids, got "
        "{}; see --help",
        given == 0 ? "none" : "several");
  std::vector<int32_t> ids;
  const char *origin = "--prompt";
  if (options.promptIds) {
    if (options.chat)
      return error(DSRT_INVALID_ARGUMENT,
                   "--chat: expected --prompt or --prompt-file, got "
                   "--prompt-ids");
    origin = "--prompt-ids";
    Result<std::vector<int32_t>> parsed = parseIds(*options.promptIds, origin);
    if (!parsed.ok())
      return parsed.status();
    ids = std::move(*parsed);
  } else {
    std::string text;
    if (options.promptFile) {
      origin = "--prompt-file";
      Result<std::string> file = readFile(*options.promptFile);
      if (!file.ok())
        return file.status();
      text = std::move(*file);
    } else {
      text = *options.prompt;
    }
    DSRT_TRY(checkUtf8(text, origin));
    Result<const Tokenizer *> tokenizer = folder.requireTokenizer();
    if (!tokenizer.ok())
      return tokenizer.status();
    Result<std::vector<int32_t>> encoded =
        options.chat ? (*tokenizer)
                           ->encodeChat({{"user", text}},
                                        /*addGenerationPrompt=*/true)
                     : (*tokenizer)->encode(text, (*tokenizer)->addsBos());
    if (!encoded.ok())
      return encoded.status();
    ids = std::move(*encoded);
  }
  if (ids.empty())
    return error(DSRT_INVALID_ARGUMENT, "{}: the prompt has no tokens", origin);
  DSRT_TRY(checkIds(ids, vocabulary, origin));
  return ids;
}

/// Runs the prompt in chunks; returns the logits of its last token, unless it
/// was interrupted.
Result<StepOutput> prefill(Session &session, int32_t sequence,
                           const std::vector<int32_t> &ids, int64_t chunk) {
  const int64_t limit = session.limits().maxTokens;
  chunk = chunk ? std::min(chunk, limit) : limit;
  Result<StepOutput> output = StepOutput();
  const int64_t count = static_cast<int64_t>(ids.size());
  for (int64_t at = 0; at < count && output.ok() && !interrupted; at += chunk) {
    StepChunk step = {sequence, ids.data() + at, std::min(chunk, count - at),
                      0};
    output = session.run(&step, 1, DSRT_ENTRY_AUTO, /*allLogits=*/false);
  }
  return output;
}

/// Writes tokens as they come: text, or ids where there is no tokenizer.
class TokenPrinter {
public:
  TokenPrinter(const Tokenizer *tokenizer, bool quiet) : quiet(quiet) {
    if (tokenizer)
      decoder.emplace(*tokenizer, /*skipSpecial=*/true);
  }

  Status token(int32_t id) {
    if (!decoder)
      return emit(fmt::format("{}{}", text.empty() ? "" : ",", id));
    Result<std::string> piece = decoder->push(id);
    return piece.ok() ? emit(*piece) : piece.status();
  }
  Status finish() {
    if (decoder)
      DSRT_TRY(emit(decoder->finish()));
    return quiet || text.empty() || text.back() == '\n' ? Status()
                                                        : print("\n");
  }
  const std::string &written() const { return text; }

private:
  Status emit(const std::string &piece) {
    text += piece;
    return quiet || piece.empty() ? Status() : print(piece);
  }

  std::optional<StreamDecoder> decoder;
  bool quiet;
  std::string text;
};

Result<Generated> generate(Session &session, const ModelFolder &folder,
                           const std::vector<int32_t> &prompt,
                           const GenerateOptions &options) {
  Generated result;
  Result<int32_t> sequence = session.addSequence();
  if (!sequence.ok())
    return sequence.status();
  const int64_t vocabulary = session.limits().vocabulary;
  const Tokenizer *tokenizer = folder.tokenizer();
  // Ids that the tokenizer does not know are padding of the logits.
  const int64_t choices =
      tokenizer ? std::min<int64_t>(vocabulary, tokenizer->size()) : vocabulary;
  Result<Sampler> sampler = Sampler::create(samplerOptions(options));
  if (!sampler.ok())
    return sampler.status();
  TokenPrinter printer(tokenizer, options.json);
  watchInterrupts();

  const double begin = now();
  Result<StepOutput> output =
      prefill(session, *sequence, prompt, options.chunk);
  const double prefilled = now();
  result.prefillSeconds = prefilled - begin;
  for (;;) {
    if (!output.ok())
      return output.status();
    if (interrupted) {
      result.finish = "interrupt";
      break;
    }
    Result<SampledToken> token =
        sampler->sample(output->logits, vocabulary, choices);
    if (!token.ok())
      return token.status();
    const int32_t id = token->id;
    result.ids.push_back(id);
    result.logprobs.push_back(token->logprob);
    if (!options.ignoreEos && folder.isEos(id)) {
      result.finish = "stop";
      break;
    }
    DSRT_TRY(printer.token(id));
    if (static_cast<int64_t>(result.ids.size()) == options.count ||
        session.length(*sequence) == session.limits().context)
      break;
    StepChunk step = {*sequence, &id, 1, 0};
    output = session.run(&step, 1, DSRT_ENTRY_AUTO, /*allLogits=*/false);
  }
  result.decodeSeconds = now() - prefilled;
  DSRT_TRY(printer.finish());
  result.text = printer.written();
  return result;
}

Status printJson(const Generated &result, const std::vector<int32_t> &prompt,
                 bool hasText, double loadSeconds) {
  const double steps = static_cast<double>(result.ids.size()) - 1;
  nlohmann::ordered_json json;
  json["prompt_ids"] = prompt;
  json["ids"] = result.ids;
  if (hasText)
    json["text"] = result.text;
  else
    json["text"] = nullptr;
  json["logprobs"] = result.logprobs;
  json["finish_reason"] = result.finish;
  json["timings"] = {
      {"load_s", loadSeconds},
      {"prefill_s", result.prefillSeconds},
      {"decode_s", result.decodeSeconds},
      {"prefill_tokens_per_s",
       static_cast<double>(prompt.size()) / result.prefillSeconds},
      {"decode_tokens_per_s", steps > 0 ? steps / result.decodeSeconds : 0.0}};
  return print(
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
      "\n");
}

} // namespace

Result<int> runGenerate(const Invocation &invocation) {
  GenerateOptions options;
  Options parser(
      invocation.program, "[generate] --prompt TEXT [options]",
      "Continues a prompt and writes the text as it comes. Ctrl-C ends "
      "cleanly, "
      "with exit code 130.\n\nOther commands, each with its own --help:\n"
      "  logits      logits and hidden states of given tokens, to a file\n"
      "  perplexity  how well the model predicts a text\n"
      "  tokenize    text to token ids and back\n"
      "  bench       speed of model and machine\n"
      "  describe    what the model was compiled for\n"
      "  check       run the checks of a test program");
  declare(options, parser);
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  Result<StepLimits> limits = readStepLimits(invocation.model.module());
  if (!limits.ok())
    return limits.status();
  Result<ModelFolder> folder =
      ModelFolder::open(invocation.model, options.model.folder);
  if (!folder.ok())
    return folder.status();
  Result<std::vector<int32_t>> prompt =
      promptIds(options, *folder, limits->vocabulary);
  if (!prompt.ok())
    return prompt.status();
  const int64_t length = static_cast<int64_t>(prompt->size());
  if (length > limits->context)
    return error(DSRT_LIMIT_EXCEEDED,
                 "the prompt has {} tokens, the context is {}; shorten it or "
                 "compile with a larger context",
                 length, limits->context);
  // The last token is not fed back.
  const int64_t context = std::min(limits->context, length + options.count - 1);
  auto session = openSession(invocation.model, options.model, 1, context);
  if (!session.ok())
    return session.status();
  const double loadSeconds = now() - invocation.begin;
  Result<Generated> result = generate(**session, *folder, *prompt, options);
  if (!result.ok())
    return result.status();
  if (options.json)
    DSRT_TRY(printJson(*result, *prompt, folder->tokenizer() != nullptr,
                       loadSeconds));
  return interrupted ? 130 : 0;
}

} // namespace dsrt
