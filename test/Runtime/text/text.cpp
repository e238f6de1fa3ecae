//===- text.cpp - The parts of the tokenizer, one by one ------------------===//
//
// ds-test-text utf8              repair of every cut of broken byte sequences
// ds-test-text regex PATTERN     the translation to PCRE2
// ds-test-text split PATTERN S   the pieces of S, each in brackets
// ds-test-text chat FILE         renders conversations with the template of a
//                                tokenizer_config.json
// ds-test-text eos FOLDER        ids of generation_config.json
//
//===----------------------------------------------------------------------===//

#include "runtime/text/ChatTemplate.h"
#include "runtime/text/Json.h"
#include "runtime/text/SplitPattern.h"
#include "runtime/text/TokenizerConfig.h"
#include "runtime/text/Utf8.h"

#include <cstdio>

using namespace dsrt;

static int fail(const Status &status) {
  fmt::print(stderr, "ds-test-text: error: {}\n", status.message());
  return 1;
}

static std::string repaired(std::string_view bytes, size_t cut) {
  Utf8Repair repair;
  std::string out;
  repair.push(bytes.substr(0, cut), out);
  repair.push(bytes.substr(cut), out);
  repair.finish(out);
  return out;
}

// Cutting a stream anywhere must not change what it is repaired to.
static int utf8() {
  const std::string_view cases[] = {"plain",
                                    "h\xC3\xA9",
                                    "\xF0\x9F\x99\x82",
                                    "\xF0\x9F\x99",
                                    "\xF0\x9F\x99x",
                                    "\xE2\x82",
                                    "\xC0\x80",
                                    "\xED\xA0\x80",
                                    "\xF4\x90\x80\x80",
                                    "\x80\x80",
                                    "a\xFF"
                                    "b",
                                    "\xE0\x80\xC3\xA9",
                                    "\xF0\x90\xF0\x90\x80\x80"};
  for (std::string_view bytes : cases) {
    std::string whole = repaired(bytes, bytes.size());
    bool same = true;
    for (size_t cut = 0; cut < bytes.size(); ++cut)
      same &= repaired(bytes, cut) == whole;
    fmt::print("{:02x} -> {}{}\n",
               fmt::join(reinterpret_cast<const unsigned char *>(bytes.data()),
                         reinterpret_cast<const unsigned char *>(bytes.data()) +
                             bytes.size(),
                         " "),
               whole, same ? "" : " (DEPENDS ON THE CUT)");
  }
  return 0;
}

static int split(const std::string &pattern, std::string_view text) {
  Result<SplitPattern> compiled = SplitPattern::compile(pattern);
  if (!compiled.ok())
    return fail(compiled.status());
  SplitPattern::Scratch scratch;
  for (size_t from = 0; from < text.size();) {
    Result<SplitPattern::Match> match = compiled->find(text, from, scratch);
    if (!match.ok())
      return fail(match.status());
    if (!match->found)
      break;
    fmt::print("[{}]", text.substr(match->begin, match->end - match->begin));
    from = match->end > from ? match->end : from + 1;
  }
  fmt::print("\n");
  return 0;
}

static int chat(const std::string &path) {
  Result<std::string> text = readTextFile(path);
  if (!text.ok())
    return fail(text.status());
  Result<TokenizerConfig> config = parseTokenizerConfig(*text, path);
  if (!config.ok())
    return fail(config.status());
  Result<ChatTemplate> chat =
      ChatTemplate::recognize(config->chatTemplate.value_or(""));
  if (!chat.ok())
    return fail(chat.status());
  const std::vector<ChatMessage> conversation = {
      {"system", "S1"},
      {"user", "U1"},
      {"assistant", "<think>T</think>A1"},
      {"system", "S2"},
      {"user", "U2"}};
  std::vector<ChatMessage> answered = conversation;
  answered.push_back({"assistant", "A2"});
  for (const auto &messages :
       {conversation, answered, {{"user", "U"}}, {{"tool", "x"}}}) {
    Result<std::string> prompt = chat->render(messages, true, "<B>", "<E>");
    if (!prompt.ok())
      return fail(prompt.status());
    fmt::print("{}|\n", *prompt);
    std::fflush(stdout);
  }
  return 0;
}

static int eos(const std::string &folder) {
  Result<std::vector<int32_t>> ids = loadEosIds(folder);
  if (!ids.ok())
    return fail(ids.status());
  fmt::print("eos [{}]\n", fmt::join(*ids, ", "));
  return 0;
}

int main(int argc, char **argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  args.resize(3);
  if (args[0] == "utf8")
    return utf8();
  if (args[0] == "regex") {
    Result<std::string> out = translateRegex(args[1]);
    if (!out.ok())
      return fail(out.status());
    fmt::print("{}\n", *out);
    return 0;
  }
  if (args[0] == "split")
    return split(args[1], args[2]);
  if (args[0] == "chat")
    return chat(args[1]);
  if (args[0] == "eos")
    return eos(args[1]);
  return fail(error(DSRT_INVALID_ARGUMENT, "unknown mode '{}'", args[0]));
}
