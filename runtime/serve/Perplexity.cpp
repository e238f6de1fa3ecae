//===- Perplexity.cpp - The command `perplexity` --------------------------===//
//
// How well the model predicts a text: the mean negative log-likelihood of its
// tokens and its exponential. The text is cut into full windows w of N tokens;
// each is predicted by itself from [BOS] + w[0 .. N-2]. A model without BOS
// predicts w[1 .. N-1] from w[0 .. N-2].
//
// Windows run as sequences of one batch. Each token's value does not depend on
// the batch, and they are added in the order of the text.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"
#include "runtime/serve/ModelFolder.h"
#include "runtime/serve/Sequences.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace dsrt {

namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::optional<std::string> text;
  int64_t window = 512;
  int64_t chunk = 0;
  bool json = false;
};

/// Inputs and targets of equal length, one pair per window.
struct Windows {
  std::vector<std::vector<int32_t>> inputs, targets;
};

double negativeLogLikelihood(const float *logits, int64_t vocabulary,
                             int32_t target) {
  const float largest = *std::max_element(logits, logits + vocabulary);
  double sum = 0;
  for (int64_t v = 0; v < vocabulary; ++v)
    sum += std::exp(static_cast<double>(logits[v]) - largest);
  return std::log(sum) + largest - static_cast<double>(logits[target]);
}

Result<Windows> cutWindows(const std::vector<int32_t> &ids, int64_t size,
                           int64_t bos) {
  Windows windows;
  for (size_t at = 0; at + size <= ids.size(); at += size) {
    auto first = ids.begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<int32_t> target(first, first + size);
    std::vector<int32_t> input;
    if (bos >= 0)
      input.push_back(static_cast<int32_t>(bos));
    input.insert(input.end(), target.begin(), target.end() - 1);
    if (bos < 0)
      target.erase(target.begin());
    windows.inputs.push_back(std::move(input));
    windows.targets.push_back(std::move(target));
  }
  if (windows.inputs.empty())
    return error(DSRT_INVALID_ARGUMENT,
                 "--text: the text has {} tokens, one window is {}; give more "
                 "text or a smaller --window",
                 ids.size(), size);
  return windows;
}

/// A line on a terminal that says how far it is, once it takes long.
class Progress {
public:
  explicit Progress(size_t total)
      : total(total), begin(now()), shown(false), terminal(isatty(2)) {}
  ~Progress() {
    if (shown)
      fmt::print(stderr, "\r\033[K");
  }
  void update(size_t done) {
    if (!terminal || now() - begin < 2)
      return;
    fmt::print(stderr, "\r{} of {} tokens", done, total);
    shown = true;
  }

private:
  size_t total;
  double begin;
  bool shown, terminal;
};

/// The value of every target, in the order of the text.
Result<std::vector<double>> evaluate(Session &session, const Windows &windows,
                                     int64_t chunk) {
  const int64_t vocabulary = session.limits().vocabulary;
  const size_t length = windows.inputs[0].size();
  std::vector<double> values(windows.inputs.size() * length);
  Progress progress(values.size());
  size_t done = 0;
  SequenceOptions options;
  options.chunk = chunk;
  Status status = runSequences(
      session, windows.inputs, options,
      [&](const std::vector<SequenceRows> &rows, const StepOutput &output) {
        for (const SequenceRows &part : rows)
          for (int64_t i = 0; i < part.count; ++i) {
            const int64_t position = part.start + i;
            const double value = negativeLogLikelihood(
                output.logits + (part.firstRow + i) * vocabulary, vocabulary,
                windows.targets[part.sequence][position]);
            if (!std::isfinite(value))
              return error(DSRT_MODEL_FAILED,
                           "the logits of token {} of window {} are not finite "
                           "numbers; are the weights damaged?",
                           position, part.sequence);
            values[part.sequence * length + position] = value;
            ++done;
          }
        progress.update(done);
        return Status();
      });
  if (!status.ok())
    return status;
  return values;
}

Result<std::vector<int32_t>> textIds(const ModelFolder &folder,
                                     const std::string &path) {
  Result<std::string> text = readFile(path);
  if (!text.ok())
    return text.status();
  DSRT_TRY(checkUtf8(*text, path));
  Result<const Tokenizer *> tokenizer = folder.requireTokenizer();
  if (!tokenizer.ok())
    return tokenizer.status();
  return (*tokenizer)->encode(*text, /*addBos=*/false);
}

Options makeParser(const std::string &program, PerplexityOptions &options) {
  Options parser(
      program, "perplexity --text FILE [options]",
      "Prints the mean negative log-likelihood (nll) of the tokens of "
      "a text and the perplexity (ppl), its exponential. The text is "
      "cut into full windows, each predicted by itself after BOS; "
      "what is left at the end is not counted.");
  parser.string("--text", "FILE", options.text, "file with the text");
  parser.integer("--window", "N", 2, 1 << 30, options.window,
                 "tokens per window (default 512)");
  parser.integer(
      "--chunk", "N", 1, 1 << 30, options.chunk,
      "tokens of a window per step (default: as many as the model was "
      "compiled for)");
  parser.flag("--json", options.json,
              "print one JSON object: nll, ppl, tokens, windows, seconds");
  options.model.declare(parser);
  return parser;
}

std::string reportText(const std::vector<double> &values, size_t windows,
                       double seconds, bool json) {
  double sum = 0;
  for (double value : values)
    sum += value;
  const double nll = sum / static_cast<double>(values.size());
  if (!json)
    return fmt::format("nll     {:.6f}\nppl     {:.7g}\ntokens  {}\n"
                       "windows {}\n",
                       nll, std::exp(nll), values.size(), windows);
  nlohmann::ordered_json object = {{"nll", nll},
                                   {"ppl", std::exp(nll)},
                                   {"tokens", values.size()},
                                   {"windows", windows},
                                   {"seconds", seconds}};
  return object.dump() + "\n";
}

} // namespace

Result<int> runPerplexity(const Invocation &invocation) {
  PerplexityOptions options;
  Options parser = makeParser(invocation.program, options);
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  if (!options.text)
    return error(DSRT_INVALID_ARGUMENT, "perplexity: --text FILE is missing");
  Model &model = invocation.model;
  Result<StepLimits> limits = readStepLimits(model.module());
  if (!limits.ok())
    return limits.status();
  if (options.window > limits->context)
    return error(DSRT_LIMIT_EXCEEDED,
                 "--window: expected at most the context of {} tokens, got {}",
                 limits->context, options.window);
  Result<ModelFolder> folder = ModelFolder::open(model, options.model.folder);
  if (!folder.ok())
    return folder.status();
  Result<std::vector<int32_t>> ids = textIds(*folder, *options.text);
  if (!ids.ok())
    return ids.status();
  DSRT_TRY(checkIds(*ids, limits->vocabulary, "--text"));
  Result<Windows> windows =
      cutWindows(*ids, options.window, model.module().tables().bos_token);
  if (!windows.ok())
    return windows.status();
  auto session = openSession(
      model, options.model,
      std::min<int64_t>(limits->maxSequences, windows->inputs.size()),
      options.window);
  if (!session.ok())
    return session.status();

  const double begin = now();
  Result<std::vector<double>> values =
      evaluate(**session, *windows, options.chunk);
  if (!values.ok())
    return values.status();
  DSRT_TRY(print(reportText(*values, windows->inputs.size(), now() - begin,
                            options.json)));
  return 0;
}

} // namespace dsrt
