//===- CompareTensors.cpp - ds-test-compare -------------------------------===//
//
// What the tests of compiled models ask of the files that models write: are two
// safetensors files close or equal, do they keep the golden values of a prompt,
// do they choose the same tokens. Every comparison prints its figure and its
// bound; the program exits with 1 if one does not hold, and with 2 if it was
// called wrongly.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/safetensors/Reader.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <vector>

using namespace dsrt;

namespace {

constexpr char usage[] =
    "usage: ds-test-compare COMMAND ...\n"
    "tensors EXPECTED ACTUAL [--atol X] [--rms X] [--only A,B] [--suffix S]\n"
    "        [--rows N]\n"
    "    each tensor of EXPECTED (of --only, if given) against that of ACTUAL\n"
    "    named alike, plus S. Without a bound: equal bytes. --rms bounds the\n"
    "    root of the mean square of the differences. --rows: only the first N\n"
    "prompt GOLDEN ACTUAL [--atol X]\n"
    "    logits, hidden states, router choices, MTP against a golden prompt\n"
    "quantized GOLDEN ACTUAL [--least F] [--rms X]\n"
    "    router choices and logits against those of a golden prompt with\n"
    "    quantized activations: a fraction F of the tokens has the golden\n"
    "    experts, and logits are compared where no token before had others\n"
    "last GOLDEN ACTUAL --golden NAME --row R [--atol X]\n"
    "    row R of ACTUAL's logits against a golden vector\n"
    "greedy GOLDEN JSON [--suffix S] [--atol X] [--margin M]\n"
    "    ids and logprobs that generate --json printed; they may go another\n"
    "    way where the golden choice leads by at most M\n"
    "top1 EXPECTED ACTUAL [--margin M] [--least F]\n"
    "    the same largest logit in a fraction F of the rows where EXPECTED's\n"
    "    largest leads by M\n"
    "value JSON KEY EXPECTED [--rtol X]\n"
    "    a number of a JSON object\n"
    "ids FILE TENSOR...\n"
    "    prints the elements of I32 tensors as one line of ids\n";

/// The command line: positions and options that all take a value.
struct Arguments {
  std::vector<std::string> positions;
  std::map<std::string, std::string> options;

  double number(const std::string &name, double otherwise) const {
    auto found = options.find(name);
    return found == options.end() ? otherwise
                                  : std::strtod(found->second.c_str(), nullptr);
  }
  std::string text(const std::string &name) const {
    auto found = options.find(name);
    return found == options.end() ? "" : found->second;
  }
  bool has(const std::string &name) const { return options.count(name); }
};

/// Ends the program on a broken test: a file that is not there.
[[noreturn]] void die(const std::string &message) {
  fmt::print(stderr, "ds-test-compare: error: {}\n", message);
  std::exit(1);
}

/// Counts what does not hold.
class Report {
public:
  void bound(const std::string &name, double value, double most) {
    line(value <= most,
         fmt::format("{}: max error {:.3g} (bound {:.3g})", name, value, most));
  }
  void line(bool holds, const std::string &text) {
    fmt::print("{} {}\n", holds ? "PASS" : "FAIL", text);
    ++count;
    failures += !holds;
  }
  int finish() const {
    if (count == 0)
      die("nothing was compared");
    return failures ? 1 : 0;
  }

private:
  int count = 0, failures = 0;
};

SafetensorsFile openFile(const std::string &path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file.ok())
    die(file.status().message());
  return std::move(*file);
}

const Tensor &tensorOf(const SafetensorsFile &file, const std::string &name,
                       DataType type) {
  const Tensor *tensor = file.find(name);
  if (!tensor)
    die(fmt::format("'{}' has no tensor '{}'", file.path(), name));
  if (tensor->dtype != type)
    die(fmt::format("'{}': '{}' is {}, expected {}", file.path(), name,
                    tensor->typeText(), dataTypeText(type)));
  return *tensor;
}

const float *floats(const Tensor &tensor) {
  return reinterpret_cast<const float *>(tensor.data);
}
const int32_t *ints(const Tensor &tensor) {
  return reinterpret_cast<const int32_t *>(tensor.data);
}
int64_t elements(const Tensor &tensor) { return tensor.bytes() / 4; }
int64_t width(const Tensor &tensor) {
  return tensor.shape.empty() ? 1 : tensor.shape.back();
}

struct Difference {
  double largest = 0, squares = 0;
  int64_t count = 0;

  void add(const float *a, const float *b, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      double d = std::fabs(static_cast<double>(a[i]) - b[i]);
      // NaN never compares; two equal infinities differ by none.
      if (a[i] == b[i])
        d = 0;
      else if (std::isnan(d))
        d = INFINITY;
      largest = std::max(largest, d);
      squares += d * d;
    }
    count += n;
  }
  double rms() const {
    return std::sqrt(squares / std::max<int64_t>(count, 1));
  }
};

std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// The elements as floats; none if the type has no such.
std::vector<float> widened(const Tensor &tensor) {
  std::vector<float> values;
  if (tensor.dtype == DataType::F32) {
    values.assign(floats(tensor), floats(tensor) + elements(tensor));
  } else if (tensor.dtype == DataType::BF16) {
    values.resize(tensor.bytes() / 2);
    for (size_t i = 0; i < values.size(); ++i) {
      uint16_t bits;
      std::memcpy(&bits, tensor.data + 2 * i, 2);
      const uint32_t word = static_cast<uint32_t>(bits) << 16;
      std::memcpy(&values[i], &word, 4);
    }
  }
  return values;
}

/// Reports how far two tensors of floats are apart, in their first `rows`.
void compareFloats(Report &report, const Arguments &arguments, const Tensor &a,
                   const Tensor &b) {
  std::vector<float> x = widened(a), y = widened(b);
  if (arguments.has("rows")) {
    const size_t count =
        width(a) * static_cast<size_t>(arguments.number("rows", 0));
    if (x.size() >= count && y.size() >= count) {
      x.resize(count);
      y.resize(count);
    }
  }
  if (x.size() != y.size() || x.empty() || width(a) != width(b))
    return report.line(false, fmt::format("{}: expected {}, got {}", a.name,
                                          a.typeText(), b.typeText()));
  Difference difference;
  difference.add(x.data(), y.data(), static_cast<int64_t>(x.size()));
  if (arguments.has("atol"))
    report.bound(a.name, difference.largest, arguments.number("atol", 0));
  if (arguments.has("rms"))
    report.bound(a.name + " rms", difference.rms(), arguments.number("rms", 0));
}

int compareTensors(const Arguments &arguments) {
  SafetensorsFile expected = openFile(arguments.positions[0]);
  SafetensorsFile actual = openFile(arguments.positions[1]);
  std::vector<std::string> names = split(arguments.text("only"));
  if (names.empty())
    for (const Tensor &tensor : expected.tensors())
      names.push_back(tensor.name);
  const bool exact = !arguments.has("atol") && !arguments.has("rms");
  Report report;
  for (const std::string &name : names) {
    const Tensor *a = expected.find(name);
    const Tensor *b = actual.find(name + arguments.text("suffix"));
    if (!a || !b) {
      report.line(false, fmt::format("{}: '{}' does not have it", name,
                                     (a ? actual : expected).path()));
    } else if (!exact && a->dtype != DataType::I32) {
      compareFloats(report, arguments, *a, *b);
    } else {
      const bool same = a->dtype == b->dtype && a->shape == b->shape &&
                        !std::memcmp(a->data, b->data, a->bytes());
      report.line(same,
                  fmt::format("{}: {} and {} are {}", name, a->typeText(),
                              b->typeText(), same ? "equal" : "not equal"));
    }
  }
  return report.finish();
}

//===----------------------------------------------------------------------===//
// Golden prompts
//===----------------------------------------------------------------------===//

class PromptComparison {
public:
  PromptComparison(const SafetensorsFile &golden, const SafetensorsFile &actual,
                   double bound)
      : golden(golden), actual(actual), bound(bound),
        positions(tensorOf(golden, "positions", DataType::I32)),
        tokens(elements(tensorOf(golden, "input_ids", DataType::I32))) {}

  int run();

private:
  /// Row `row` of actual `name` against row `goldenRow` of `goldenName`.
  void add(Difference &difference, const std::string &name, int64_t row,
           const std::string &goldenName, int64_t goldenRow);
  void logits(const std::string &name, const std::string &goldenPrefix);
  void router(const std::string &layer);

  const SafetensorsFile &golden, &actual;
  double bound;
  const Tensor &positions;
  int64_t tokens;
  Report report;
};

void PromptComparison::add(Difference &difference, const std::string &name,
                           int64_t row, const std::string &goldenName,
                           int64_t goldenRow) {
  const Tensor &a = tensorOf(golden, goldenName, DataType::F32);
  const Tensor &b = tensorOf(actual, name, DataType::F32);
  const int64_t n = width(a);
  if (width(b) != n || (row + 1) * n > elements(b) ||
      (goldenRow + 1) * n > elements(a))
    die(fmt::format("{}: got {}, expected rows as of {}", name, b.typeText(),
                    a.typeText()));
  difference.add(floats(a) + goldenRow * n, floats(b) + row * n, n);
}

void PromptComparison::logits(const std::string &name,
                              const std::string &goldenPrefix) {
  Difference difference;
  const int64_t rows = elements(positions);
  for (int64_t i = 0; i < rows; ++i)
    add(difference, name, ints(positions)[i], goldenPrefix + "_pos", i);
  add(difference, name, tokens - 1, goldenPrefix + "_last", 0);
  report.bound(fmt::format("{} at {} positions", name, rows + 1),
               difference.largest, bound);
}

/// The chosen experts wherever the golden choice is clear, and their weights.
void PromptComparison::router(const std::string &layer) {
  constexpr float clear = 1e-4f;
  const Tensor &wanted = tensorOf(golden, "router_idx." + layer, DataType::I32);
  const float *weights =
      floats(tensorOf(golden, "router_w." + layer, DataType::F32));
  const float *margin =
      floats(tensorOf(golden, "router_margin." + layer, DataType::F32));
  const Tensor &chosen = tensorOf(actual, "router_idx." + layer, DataType::I32);
  const Tensor &got = tensorOf(actual, "router_w." + layer, DataType::F32);
  const int64_t k = width(wanted);
  if (width(chosen) != k || elements(chosen) < tokens * k ||
      elements(got) < tokens * k)
    die(fmt::format("router_idx.{}: got {}", layer, chosen.typeText()));
  int64_t compared = 0, wrong = 0;
  double largest = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    std::map<int32_t, float> a, b;
    for (int64_t i = t * k; i < (t + 1) * k; ++i) {
      a[ints(wanted)[i]] = weights[i];
      b[ints(chosen)[i]] = floats(got)[i];
    }
    bool same = std::equal(a.begin(), a.end(), b.begin(), b.end(),
                           [](auto &x, auto &y) { return x.first == y.first; });
    compared += margin[t] > clear;
    wrong += margin[t] > clear && !same;
    if (same)
      for (auto &[expert, weight] : a)
        largest = std::max<double>(largest, std::fabs(weight - b[expert]));
  }
  report.line(wrong == 0 && compared > 0,
              fmt::format("router_idx.{}: {} of {} clear choices differ ({} "
                          "tokens)",
                          layer, wrong, compared, tokens));
  report.bound("router_w." + layer, largest, bound);
}

int PromptComparison::run() {
  logits("logits", "logits");
  const Tensor &hidden = tensorOf(golden, "hidden_last", DataType::F32);
  for (int64_t i = 0; i + 1 < hidden.shape[0]; ++i) {
    Difference difference;
    const std::string name = fmt::format("hidden.{}", i);
    add(difference, name, tokens - 1, "hidden_last", i);
    report.bound(name, difference.largest, bound);
  }
  Difference difference;
  add(difference, "hidden", tokens - 1, "hidden_last", hidden.shape[0] - 1);
  report.bound("hidden", difference.largest, bound);
  for (int layer = 1; layer <= 4; ++layer)
    router(std::to_string(layer));
  logits("mtp_logits", "mtp_logits");
  return report.finish();
}

int comparePrompt(const Arguments &arguments) {
  SafetensorsFile golden = openFile(arguments.positions[0]);
  SafetensorsFile actual = openFile(arguments.positions[1]);
  return PromptComparison(golden, actual, arguments.number("atol", 1e-3)).run();
}

/// Whether a token's row of two tensors holds the same experts, in any order.
bool sameExperts(const Tensor &a, const Tensor &b, int64_t token) {
  const int64_t k = width(a);
  std::set<int32_t> x(ints(a) + token * k, ints(a) + (token + 1) * k);
  return x == std::set<int32_t>(ints(b) + token * k, ints(b) + (token + 1) * k);
}

int compareQuantized(const Arguments &arguments) {
  SafetensorsFile golden = openFile(arguments.positions[0]);
  SafetensorsFile actual = openFile(arguments.positions[1]);
  const int64_t tokens = elements(tensorOf(golden, "input_ids", DataType::I32));
  int64_t same = 0, agreeing = tokens; // how many tokens, and from the first on
  for (int layer = 1; layer <= 4; ++layer) {
    const std::string name = fmt::format("router_idx.{}", layer);
    const Tensor &a = tensorOf(golden, "actq_" + name, DataType::I32);
    const Tensor &b = tensorOf(actual, name, DataType::I32);
    if (width(a) != width(b) || elements(b) < tokens * width(a))
      die(fmt::format("{}: got {}", name, b.typeText()));
    for (int64_t t = 0; t < tokens; ++t) {
      same += sameExperts(a, b, t);
      if (!sameExperts(a, b, t))
        agreeing = std::min(agreeing, t);
    }
  }
  Report report;
  const double fraction =
      static_cast<double>(same) / static_cast<double>(4 * tokens);
  report.line(fraction >= arguments.number("least", 0.99),
              fmt::format("experts: {} of {} choices are the golden ones, all "
                          "of the first {} tokens",
                          same, 4 * tokens, agreeing));

  const Tensor &positions = tensorOf(golden, "positions", DataType::I32);
  const Tensor &a = tensorOf(golden, "actq_logits_pos", DataType::F32);
  const Tensor &b = tensorOf(actual, "logits", DataType::F32);
  Difference difference;
  for (int64_t i = 0; i < elements(positions); ++i) {
    const int64_t row = ints(positions)[i], n = width(a);
    if (row >= agreeing)
      continue;
    if (width(b) != n || (row + 1) * n > elements(b))
      die(fmt::format("logits: got {}", b.typeText()));
    difference.add(floats(a) + i * n, floats(b) + row * n, n);
  }
  report.bound(
      fmt::format("logits at {} positions, rms", difference.count / width(a)),
      difference.rms(), arguments.number("rms", 0.05));
  return report.finish();
}

int compareLast(const Arguments &arguments) {
  SafetensorsFile golden = openFile(arguments.positions[0]);
  SafetensorsFile actual = openFile(arguments.positions[1]);
  const Tensor &a = tensorOf(golden, arguments.text("golden"), DataType::F32);
  const Tensor &b = tensorOf(actual, "logits", DataType::F32);
  const int64_t row = static_cast<int64_t>(arguments.number("row", 0));
  if (width(a) != width(b) || (row + 1) * width(b) > elements(b))
    die(fmt::format("logits: got {}", b.typeText()));
  Difference difference;
  difference.add(floats(a), floats(b) + row * width(b), width(b));
  Report report;
  report.bound(a.name, difference.largest, arguments.number("atol", 1e-3));
  return report.finish();
}

//===----------------------------------------------------------------------===//
// Tokens and numbers
//===----------------------------------------------------------------------===//

nlohmann::json readJson(const std::string &path) {
  std::ifstream stream(path);
  nlohmann::json json = nlohmann::json::parse(stream, nullptr, false);
  if (!json.is_object())
    die(fmt::format("'{}' holds no JSON object", path));
  return json;
}

int compareGreedy(const Arguments &arguments) {
  SafetensorsFile golden = openFile(arguments.positions[0]);
  const std::string suffix = arguments.text("suffix");
  const Tensor &ids = tensorOf(golden, "greedy_ids" + suffix, DataType::I32);
  const Tensor &logprobs =
      tensorOf(golden, "greedy_logprobs" + suffix, DataType::F32);
  nlohmann::json json = readJson(arguments.positions[1]);
  auto got = json["ids"].get<std::vector<int32_t>>();
  auto values = json["logprobs"].get<std::vector<double>>();
  if (got.empty() || got.size() != values.size())
    die(fmt::format("'{}': {} ids, {} logprobs", arguments.positions[1],
                    got.size(), values.size()));
  const int64_t count =
      std::min<int64_t>(elements(ids), static_cast<int64_t>(got.size()));
  int64_t same = 0;
  double largest = 0;
  for (; same < count && got[same] == ints(ids)[same]; ++same)
    largest =
        std::max(largest, std::fabs(values[same] - floats(logprobs)[same]));
  Report report;
  const double margin = same == count
                            ? 0
                            : floats(tensorOf(golden, "greedy_margin" + suffix,
                                              DataType::F32))[same];
  report.line(
      same == count || margin <= arguments.number("margin", 0),
      fmt::format("greedy: the first {} of {} tokens are the golden "
                  "ones{}",
                  same, count,
                  same == count
                      ? ""
                      : fmt::format(", the next leads by {:.3g}", margin)));
  report.bound("logprobs", largest, arguments.number("atol", 1e-3));
  return report.finish();
}

int compareTop1(const Arguments &arguments) {
  SafetensorsFile expected = openFile(arguments.positions[0]);
  SafetensorsFile actual = openFile(arguments.positions[1]);
  const float least = static_cast<float>(arguments.number("margin", 0.1));
  int64_t rows = 0, clear = 0, same = 0;
  for (const Tensor &a : expected.tensors()) {
    if (a.name.rfind("logits", 0) != 0)
      continue;
    const Tensor &b = tensorOf(actual, a.name, DataType::F32);
    if (a.shape != b.shape || a.dtype != DataType::F32)
      die(fmt::format("{}: expected {}, got {}", a.name, a.typeText(),
                      b.typeText()));
    const int64_t n = width(a);
    for (int64_t at = 0; at < elements(a); at += n, ++rows) {
      const float *x = floats(a) + at, *y = floats(b) + at;
      const int64_t best = std::max_element(x, x + n) - x;
      float second = -INFINITY;
      for (int64_t i = 0; i < n; ++i)
        if (i != best)
          second = std::max(second, x[i]);
      if (x[best] - second <= least)
        continue;
      ++clear;
      same += std::max_element(y, y + n) - y == best;
    }
  }
  const double fraction = clear ? static_cast<double>(same) / clear : 0;
  Report report;
  report.line(fraction >= arguments.number("least", 0.99),
              fmt::format("top-1: {} of {} clear rows agree, {:.3f} % ({} rows "
                          "in all)",
                          same, clear, 100 * fraction, rows));
  return report.finish();
}

int compareValue(const Arguments &arguments) {
  nlohmann::json json = readJson(arguments.positions[0]);
  const std::string &key = arguments.positions[1];
  if (!json.contains(key) || !json[key].is_number())
    die(fmt::format("'{}' has no number '{}'", arguments.positions[0], key));
  const double got = json[key].get<double>();
  const double expected = std::strtod(arguments.positions[2].c_str(), nullptr);
  const double error = std::fabs(got / expected - 1);
  const double bound = arguments.number("rtol", 1e-3);
  Report report;
  report.line(error <= bound,
              fmt::format("{}: {:.6g}, expected {:.6g}: {:.4f} % off (bound "
                          "{:.3g} %)",
                          key, got, expected, 100 * error, 100 * bound));
  return report.finish();
}

int printIds(const Arguments &arguments) {
  SafetensorsFile file = openFile(arguments.positions[0]);
  const char *comma = "";
  for (size_t i = 1; i < arguments.positions.size(); ++i) {
    const Tensor &tensor =
        tensorOf(file, arguments.positions[i], DataType::I32);
    for (int64_t j = 0; j < elements(tensor); ++j, comma = ",")
      fmt::print("{}{}", comma, ints(tensor)[j]);
  }
  fmt::print("\n");
  return 0;
}

struct Command {
  int (*run)(const Arguments &);
  size_t positions;
  std::set<std::string> options;
};

const std::map<std::string, Command> commands = {
    {"tensors", {compareTensors, 2, {"atol", "rms", "only", "suffix", "rows"}}},
    {"prompt", {comparePrompt, 2, {"atol"}}},
    {"quantized", {compareQuantized, 2, {"least", "rms"}}},
    {"last", {compareLast, 2, {"golden", "row", "atol"}}},
    {"greedy", {compareGreedy, 2, {"suffix", "atol", "margin"}}},
    {"top1", {compareTop1, 2, {"margin", "least"}}},
    {"value", {compareValue, 3, {"rtol"}}},
    {"ids", {printIds, 2, {}}},
};

} // namespace

int main(int argc, char **argv) {
  auto found = commands.find(argc > 1 ? argv[1] : "");
  Arguments arguments;
  bool right = found != commands.end();
  for (int i = 2; right && i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      arguments.positions.push_back(word);
      continue;
    }
    right = found->second.options.count(word.substr(2)) && i + 1 < argc;
    if (right)
      arguments.options[word.substr(2)] = argv[++i];
  }
  if (right && found->second.run == printIds)
    right = arguments.positions.size() >= 2;
  else if (right)
    right = arguments.positions.size() == found->second.positions;
  if (!right) {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  return found->second.run(arguments);
}
