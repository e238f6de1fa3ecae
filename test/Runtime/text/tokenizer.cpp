//===- tokenizer.cpp - Runs a tokenizer on files --------------------------===//
//
// ds-test-tokenizer vectors FOLDER FILE KIND    compare with published vectors
// ds-test-tokenizer goldens FOLDER FILE         compare with the model's
// goldens ds-test-tokenizer encode FOLDER TEXT-FILE     print ids, without BOS
// ds-test-tokenizer round-trip FOLDER           decode what was encoded
// ds-test-tokenizer load FOLDER|FILE            print size, BOS and EOS
// ds-test-tokenizer bench FOLDER TEXT-FILE MB   print load time and speed
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Tokenizer.h"
#include "runtime/text/Json.h"

#include <chrono>
#include <cstdio>

using namespace dsrt;
using nlohmann::json;

static int fail(const Status &status) {
  fmt::print(stderr, "ds-test-tokenizer: error: {}\n", status.message());
  return 1;
}

static std::string idList(const std::vector<int32_t> &ids) {
  return fmt::format("[{}]", fmt::join(ids, ", "));
}

// Whether a text gives these ids, and these ids the text.
static bool agrees(const Tokenizer &tokenizer, const std::string &text,
                   bool addBos, const std::vector<int32_t> &expected) {
  Result<std::vector<int32_t>> ids = tokenizer.encode(text, addBos);
  if (!ids.ok() || *ids != expected) {
    fmt::print("'{}':\n  got      {}\n  expected {}\n", text,
               ids.ok() ? idList(*ids) : ids.status().message(),
               idList(expected));
    return false;
  }
  if (addBos)
    ids->erase(ids->begin());
  Result<std::string> back = tokenizer.decode(*ids, /*skipSpecial=*/false);
  if (back.ok() && *back == text)
    return true;
  fmt::print("'{}': decodes to '{}'\n", text,
             back.ok() ? *back : back.status().message());
  return false;
}

static int vectors(const Tokenizer &tokenizer, const json &list,
                   const std::string &kind) {
  int good = 0, total = 0;
  for (const json &entry : list) {
    if (entry["tokenizer"] != kind)
      continue;
    ++total;
    good += agrees(tokenizer, entry["text"], entry["add_bos"], entry["ids"]);
  }
  fmt::print("{}: {} of {} vectors\n", kind, good, total);
  return good == total ? 0 : 1;
}

static int goldens(const Tokenizer &tokenizer, const json &file) {
  int good = 0, total = 0;
  for (const json &entry : file["cases"]) {
    total += 2;
    good += agrees(tokenizer, entry["text"], true, entry["ids"]);
    good += agrees(tokenizer, entry["text"], false, entry["ids_no_bos"]);
  }
  std::vector<ChatMessage> messages;
  for (const json &entry : file["chat"]["messages"])
    messages.push_back({entry["role"], entry["content"]});
  Result<std::vector<int32_t>> ids = tokenizer.encodeChat(
      messages, file["chat"]["add_generation_prompt"].get<bool>());
  if (!ids.ok())
    return fail(ids.status());
  bool chat = *ids == file["chat"]["ids"].get<std::vector<int32_t>>();
  fmt::print("goldens: {} of {}, chat {}\n", good, total,
             chat ? "equal" : "different: " + idList(*ids));
  return good == total && chat ? 0 : 1;
}

static std::string repeat(std::string_view text, size_t count) {
  std::string out;
  while (count-- > 0)
    out += text;
  return out;
}

// Text that has broken tokenizers before, and long runs of one thing.
static std::vector<std::pair<std::string, std::string>> hardTexts() {
  using namespace std::string_literals;
  return {
      {"interior spaces", "a  b   c    d \t e\u00A0\u00A0f \u3000 g"},
      {"line ends", "a\r\nb\n\r\n\r c\r\r\n  \n x"},
      {"emoji with joiners",
       "👨‍👩‍👧‍👦 🏳️‍🌈 😶‍🌫️ 🇩🇪"},
      {"cjk", "漢字カタカナひらがな、한국어。我想在apple工作1314天"},
      {"nul bytes", "a\0b\0\0 \0"s},
      {"combining marks", "e\u0301\u0327 a\u0308\u0323 \u0301 ក់ เก่ง नमस्ते"},
      {"separators", "a\u0085b \u2028c\u2029 \u180e \u200b\u200d\x1c\x1d x"},
      {"end of planes", "\uFFFD\uFFFF\U0001FFFF\U0010FFFF \uE000"},
      {"one megabyte of a", repeat("a", 1 << 20)},
      {"one megabyte of spaces", repeat(" ", 1 << 20)},
      {"one megabyte of spaces and a letter", repeat(" ", 1 << 20) + "x"},
      {"one megabyte of line ends", repeat("\n", 1 << 20)},
      {"one megabyte of digits", repeat("1234567890", 1 << 17)},
      {"one megabyte of dashes", repeat("-", 1 << 20)},
      {"one megabyte of kana", repeat("あいう", 1 << 17)},
      {"one megabyte of marks", repeat("<", 1 << 20)},
      {"one megabyte of space and line end", repeat(" \n", 1 << 19)}};
}

static int roundTrip(const Tokenizer &tokenizer) {
  for (const auto &[name, text] : hardTexts()) {
    Result<std::vector<int32_t>> ids = tokenizer.encode(text, false);
    if (!ids.ok())
      return fail(ids.status());
    StreamDecoder stream(tokenizer, /*skipSpecial=*/false);
    std::string streamed;
    for (int32_t id : *ids) {
      Result<std::string> part = stream.push(id);
      if (!part.ok())
        return fail(part.status());
      if (Status status = checkUtf8(*part, "streamed text"); !status.ok())
        return fail(status);
      streamed += *part;
    }
    streamed += stream.finish();
    Result<std::string> whole = tokenizer.decode(*ids, false);
    fmt::print("{}: {}, {}\n", name,
               whole.ok() && *whole == text ? "equal" : "DIFFERENT",
               streamed == text ? "equal in a stream"
                                : "DIFFERENT IN A STREAM");
  }
  return 0;
}

static int bench(const std::string &folder, const std::string &sample,
                 size_t megabytes) {
  using clock = std::chrono::steady_clock;
  auto seconds = [](clock::time_point since) {
    return std::chrono::duration<double>(clock::now() - since).count();
  };
  auto start = clock::now();
  Result<Tokenizer> tokenizer = Tokenizer::load(folder);
  double loadTime = seconds(start);
  if (!tokenizer.ok())
    return fail(tokenizer.status());
  std::string text;
  while (text.size() < megabytes << 20)
    text += sample;
  start = clock::now();
  Result<std::vector<int32_t>> ids = tokenizer->encode(text, false);
  double encodeTime = seconds(start);
  if (!ids.ok())
    return fail(ids.status());
  start = clock::now();
  Result<std::string> back = tokenizer->decode(*ids, false);
  double decodeTime = seconds(start);
  double size = text.size() * 1e-6;
  fmt::print("load {:.3f} s, encode {:.1f} MB/s, decode {:.1f} MB/s, {} tokens "
             "for {:.1f} MB, round trip {}\n",
             loadTime, size / encodeTime, size / decodeTime, ids->size(), size,
             back.ok() && *back == text ? "equal" : "DIFFERENT");
  return 0;
}

static Result<Tokenizer> load(const std::string &path) {
  if (path.size() < 5 || path.compare(path.size() - 5, 5, ".json") != 0)
    return Tokenizer::load(path);
  Result<std::string> text = readTextFile(path);
  if (!text.ok())
    return text.status();
  return Tokenizer::parse(*text, path.substr(path.rfind('/') + 1));
}

int main(int argc, char **argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 2)
    return fail(error(DSRT_INVALID_ARGUMENT, "expected a mode and a folder"));
  const std::string &mode = args[0];
  Result<std::string> file =
      args.size() > 2 ? readTextFile(args[2]) : Result<std::string>("");
  if (!file.ok())
    return fail(file.status());
  if (mode == "bench" && args.size() > 3)
    return bench(args[1], *file, std::stoul(args[3]));

  Result<Tokenizer> tokenizer = load(args[1]);
  if (!tokenizer.ok())
    return fail(tokenizer.status());
  if (mode == "vectors" && args.size() > 3)
    return vectors(*tokenizer, json::parse(*file), args[3]);
  if (mode == "goldens")
    return goldens(*tokenizer, json::parse(*file));
  if (mode == "round-trip")
    return roundTrip(*tokenizer);
  if (mode == "encode") {
    Result<std::vector<int32_t>> ids = tokenizer->encode(*file, false);
    if (!ids.ok())
      return fail(ids.status());
    fmt::print("{}\n", idList(*ids));
    return 0;
  }
  if (mode == "load") {
    fmt::print("size {}, bos {}, eos {}, adds bos: {}\n", tokenizer->size(),
               tokenizer->bosId().value_or(-1), tokenizer->eosId().value_or(-1),
               tokenizer->addsBos());
    return 0;
  }
  return fail(error(DSRT_INVALID_ARGUMENT, "unknown mode '{}'", mode));
}
