//===- Bench.cpp - The command `bench` ------------------------------------===//
//
// Speed of prefill and decode, and the limits of the machine they run on,
// measured in the same run, so that each speed also comes as a fraction of what
// is possible.
//
// Prefill is held against the peak of the multiply units, decode of one
// sequence against the read bandwidth: each of its tokens has to read the
// weights it uses and the cache. A model that fits in the processor's caches
// can be above 1.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"
#include "runtime/serve/DeviceSpeed.h"
#include "runtime/serve/Machine.h"
#include "runtime/serve/TokenCost.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dsrt {

namespace {

struct BenchOptions {
  ModelOptions model;
  std::optional<int64_t> promptTokens;
  int64_t genTokens = 64, repeat = 3;
  bool json = false;
};

struct Summary {
  double least, median, most;
};

Summary summarize(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return {values.front(), (values[(n - 1) / 2] + values[n / 2]) / 2,
          values.back()};
}

struct Measured {
  std::vector<double> prefill, decode; // tokens per second of each repeat
  double readySeconds = 0, firstTokenSeconds = 0;
};

int32_t mostLikely(const StepOutput &output, int64_t vocabulary) {
  return static_cast<int32_t>(
      std::max_element(output.logits, output.logits + vocabulary) -
      output.logits);
}

/// One prompt and its continuation, timed.
Status measureOnce(Session &session, const std::vector<int32_t> &prompt,
                   int64_t genTokens, double programBegin, Measured &result) {
  const int64_t vocabulary = session.limits().vocabulary;
  const int64_t limit = session.limits().maxTokens;
  const int64_t length = static_cast<int64_t>(prompt.size());
  Result<int32_t> sequence = session.addSequence();
  if (!sequence.ok())
    return sequence.status();

  const double begin = now();
  Result<StepOutput> output = StepOutput();
  for (int64_t at = 0; at < length; at += limit) {
    StepChunk chunk = {*sequence, prompt.data() + at,
                       std::min(limit, length - at), 0};
    output = session.run(&chunk, 1, DSRT_ENTRY_AUTO, /*allLogits=*/false);
    if (!output.ok())
      return output.status();
  }
  int32_t id = mostLikely(*output, vocabulary);
  const double prefilled = now();
  if (result.prefill.empty())
    result.firstTokenSeconds = prefilled - programBegin;
  for (int64_t i = 0; i < genTokens; ++i) {
    StepChunk chunk = {*sequence, &id, 1, 0};
    output = session.run(&chunk, 1, DSRT_ENTRY_AUTO, /*allLogits=*/false);
    if (!output.ok())
      return output.status();
    id = mostLikely(*output, vocabulary);
  }
  const double end = now();
  result.prefill.push_back(static_cast<double>(length) / (prefilled - begin));
  result.decode.push_back(static_cast<double>(genTokens) / (end - prefilled));
  return session.removeSequence(*sequence);
}

nlohmann::ordered_json speedJson(const std::vector<double> &values) {
  Summary summary = summarize(values);
  return {{"tokens_per_s", summary.median},
          {"tokens_per_s_min", summary.least},
          {"tokens_per_s_max", summary.most}};
}

std::string speedLine(const char *name, const std::vector<double> &values) {
  Summary summary = summarize(values);
  return fmt::format("{:<8} {:>10.1f} tokens/s   (least {:.1f}, most {:.1f})\n",
                     name, summary.median, summary.least, summary.most);
}

Options makeParser(const std::string &program, BenchOptions &options) {
  Options parser(
      program, "bench [options]",
      "Measures prefill and decode of one sequence, and in the same run the "
      "machine: read bandwidth and the peak of its multiply units. Speeds are "
      "the median of the repeats.\n\n"
      "fraction_of_peak: operations of the weights' products per token "
      "(two per element used) times tokens/s, of the measured peak. "
      "fraction_of_read_bandwidth: bytes_per_token (weights that a token uses, "
      "experts as many as it is routed to, and the cache) times tokens/s, of "
      "the measured bandwidth; above 1 the model fits in the processor's "
      "caches. On a GPU the bandwidth is that of a copy inside of it, and the "
      "speed at which weights got there is compared with that of its link.");
  parser.integer("--prompt-tokens", "P", 1, 1 << 30, options.promptTokens,
                 "tokens of the prompt (default: 128, or what the context has "
                 "room for)");
  parser.integer("--gen-tokens", "G", 1, 1 << 30, options.genTokens,
                 "tokens to generate (default 64)");
  parser.integer("--repeat", "R", 1, 1000, options.repeat,
                 "how often (default 3)");
  parser.flag("--json", options.json, "print one JSON object");
  options.model.declare(parser);
  return parser;
}

/// What is printed.
struct Report {
  Measured measured;
  MachineLimits machine;
  TokenCost cost;
  int64_t promptTokens, genTokens;
  int threads;
  double bytesPerToken, prefillFraction, decodeFraction;
  uint64_t planBytes, peakBytes;
  // Of a model on a GPU, in place of the machine and of the fraction of its
  // peak.
  std::string device;
  DeviceSpeed deviceSpeed;
  UploadRate upload;
};

Result<Report> measure(const Invocation &invocation,
                       const BenchOptions &options, int64_t promptTokens,
                       int64_t vocabulary) {
  Model &model = invocation.model;
  auto session =
      openSession(model, options.model, 1, promptTokens + options.genTokens);
  if (!session.ok())
    return session.status();
  Report report = {};
  report.measured.readySeconds = now() - invocation.begin;
  report.promptTokens = promptTokens;
  report.genTokens = options.genTokens;
  report.threads = (*session)->team().size();
  report.planBytes = (*session)->planBytes();

  // Ids that spread over the vocabulary, the same in every run.
  std::vector<int32_t> prompt(static_cast<size_t>(promptTokens));
  for (size_t i = 0; i < prompt.size(); ++i)
    prompt[i] =
        static_cast<int32_t>((i * 7919 + 17) % static_cast<size_t>(vocabulary));
  for (int64_t i = 0; i < options.repeat; ++i)
    DSRT_TRY(measureOnce(**session, prompt, options.genTokens, invocation.begin,
                         report.measured));
  report.peakBytes = peakResidentBytes(); // before the machine's own buffers
  Device &device = model.device();
  if (device.isHost()) {
    report.machine = measureMachine((*session)->team());
  } else {
    Result<DeviceSpeed> speed = measureDevice(device);
    if (!speed.ok())
      return speed.status();
    report.device = device.name();
    report.deviceSpeed = *speed;
    report.upload = model.uploadRate();
  }

  const Module &module = model.module();
  report.cost = tokenCost(module);
  const dsrt_entry *entry = module.findEntry("decode");
  entry = entry ? entry : module.findEntry("prefill");
  const double cached = static_cast<double>(promptTokens) +
                        (static_cast<double>(options.genTokens) + 1) / 2;
  report.bytesPerToken =
      report.cost.weightBytes +
      cached * static_cast<double>(cacheBytesPerToken(module, *entry));
  report.prefillFraction = summarize(report.measured.prefill).median *
                           report.cost.operations /
                           report.machine.operationsPerSecond;
  report.decodeFraction =
      summarize(report.measured.decode).median * report.bytesPerToken /
      (device.isHost() ? report.machine.readBytesPerSecond
                       : report.deviceSpeed.copyBytesPerSecond);
  return report;
}

double uploadSpeed(const Report &report) {
  return static_cast<double>(report.upload.bytes) / report.upload.seconds;
}

nlohmann::ordered_json deviceJson(const Report &report) {
  return {{"name", report.device},
          {"link_gb_per_s", report.deviceSpeed.linkBytesPerSecond / 1e9},
          {"copy_gb_per_s", report.deviceSpeed.copyBytesPerSecond / 1e9},
          {"weight_bytes", report.upload.bytes},
          {"weights_gb_per_s", uploadSpeed(report) / 1e9},
          {"fraction_of_link",
           uploadSpeed(report) / report.deviceSpeed.linkBytesPerSecond}};
}

std::string jsonText(const Report &report) {
  nlohmann::ordered_json json;
  if (report.device.empty())
    json["machine"] = {
        {"threads", report.threads},
        {"read_gb_per_s", report.machine.readBytesPerSecond / 1e9},
        {"bf16_gflops", report.machine.operationsPerSecond / 1e9},
        {"bf16_instruction", report.machine.instruction}};
  else
    json["device"] = deviceJson(report);
  json["prefill"] = speedJson(report.measured.prefill);
  json["prefill"]["tokens"] = report.promptTokens;
  json["prefill"]["flops_per_token"] = report.cost.operations;
  if (report.device.empty())
    json["prefill"]["fraction_of_peak"] = report.prefillFraction;
  json["decode"] = speedJson(report.measured.decode);
  json["decode"]["tokens"] = report.genTokens;
  json["decode"]["bytes_per_token"] = report.bytesPerToken;
  json["decode"]["experts_per_token"] = report.cost.expertsPerToken;
  json["decode"][report.device.empty() ? "fraction_of_read_bandwidth"
                                       : "fraction_of_copy_bandwidth"] =
      report.decodeFraction;
  json["start"] = {{"ready_s", report.measured.readySeconds},
                   {"first_token_s", report.measured.firstTokenSeconds}};
  json["memory"] = {{"plan_bytes", report.planBytes},
                    {"peak_rss_bytes", report.peakBytes}};
  return json.dump() + "\n";
}

std::string deviceText(const Report &report) {
  return fmt::format(
      "device   {}, {:.1f} GB/s copied inside, {:.1f} GB/s over the link\n"
      "weights  {} copied at {:.1f} GB/s, {:.0f} % of the link\n",
      report.device, report.deviceSpeed.copyBytesPerSecond / 1e9,
      report.deviceSpeed.linkBytesPerSecond / 1e9,
      formatBytes(static_cast<double>(report.upload.bytes)),
      uploadSpeed(report) / 1e9,
      100 * uploadSpeed(report) / report.deviceSpeed.linkBytesPerSecond);
}

std::string tableText(const Report &report) {
  const bool onHost = report.device.empty();
  std::string text =
      onHost
          ? fmt::format(
                "machine  {:.1f} GB/s read, {:.0f} GFLOP/s ({}), {} threads\n",
                report.machine.readBytesPerSecond / 1e9,
                report.machine.operationsPerSecond / 1e9,
                report.machine.instruction, report.threads)
          : deviceText(report);
  text += speedLine("prefill", report.measured.prefill);
  if (onHost)
    text +=
        fmt::format("{:>19.1f} % of the peak, {:.1f} MFLOP per token\n",
                    100 * report.prefillFraction, report.cost.operations / 1e6);
  text += speedLine("decode", report.measured.decode);
  text += fmt::format(
      "{:>19.1f} % of the {} bandwidth, {} per token{}\n",
      100 * report.decodeFraction, onHost ? "read" : "copy",
      formatBytes(report.bytesPerToken),
      report.cost.expertsPerToken
          ? fmt::format(" with {} experts", report.cost.expertsPerToken)
          : "");
  return text +
         fmt::format(
             "start    ready after {:.3f} s, first token after {:.3f} s\n"
             "memory   {} planned, {} resident at most\n",
             report.measured.readySeconds, report.measured.firstTokenSeconds,
             formatBytes(static_cast<double>(report.planBytes)),
             formatBytes(static_cast<double>(report.peakBytes)));
}

} // namespace

Result<int> runBench(const Invocation &invocation) {
  BenchOptions options;
  Options parser = makeParser(invocation.program, options);
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  Result<StepLimits> limits = readStepLimits(invocation.model.module());
  if (!limits.ok())
    return limits.status();
  const int64_t room = limits->context - options.genTokens;
  const int64_t length =
      options.promptTokens.value_or(std::clamp<int64_t>(room, 1, 128));
  if (length > room)
    return error(DSRT_LIMIT_EXCEEDED,
                 "--prompt-tokens and --gen-tokens: expected at most {} "
                 "together, the context, got {} + {}",
                 limits->context, length, options.genTokens);
  Result<Report> report =
      measure(invocation, options, length, limits->vocabulary);
  if (!report.ok())
    return report.status();
  DSRT_TRY(print(options.json ? jsonText(*report) : tableText(*report)));
  return 0;
}

} // namespace dsrt
