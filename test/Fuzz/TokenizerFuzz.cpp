//===- TokenizerFuzz.cpp - libFuzzer target for tokenizer.json ------------===//
//
// Any bytes as a tokenizer.json. One that loads has to encode a few texts, and
// to give them back where it has all the bytes they need.
//
//   clang++ -fsanitize=fuzzer,address,undefined ... && ./fuzz-tokenizer \
//       test/Fuzz/corpus/tokenizer
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Tokenizer.h"

#include <cstdio>
#include <cstdlib>

using namespace dsrt;

static void check(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "tokenizer fuzz: %s\n", what);
  std::abort();
}

static void tryTokenizer(const Tokenizer &tokenizer) {
  using namespace std::string_literals;
  const std::string texts[] = {
      "", "Hello, world 123!\r\n  \n", "caf\u00E9 \u6F22\u5B57 \u3042\0x"s,
      std::string(200, 'a') + std::string(100, ' ') + "<a><b>",
      "\xFF not UTF-8"};
  for (const std::string &text : texts) {
    Result<std::vector<int32_t>> ids = tokenizer.encode(text, false);
    if (!ids.ok()) {
      check(!ids.status().message().empty(), "an error without a message");
      continue;
    }
    Result<std::string> whole = tokenizer.decode(*ids, false);
    check(whole.ok() && *whole == text, "decode(encode(x)) is not x");
    StreamDecoder stream(tokenizer, false);
    std::string streamed;
    for (int32_t id : *ids)
      streamed += *stream.push(id);
    check(streamed + stream.finish() == text, "the stream is not the text");
  }
  for (int32_t id : {-1, 0, 1, tokenizer.size(), 1 << 30})
    (void)tokenizer.decode({id}, true);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  Result<Tokenizer> tokenizer = Tokenizer::parse(text, "tokenizer.json");
  if (tokenizer.ok())
    tryTokenizer(*tokenizer);
  else
    check(!tokenizer.status().message().empty() &&
              tokenizer.status().message().find('\n') == std::string::npos,
          "an error that is not one line");
  return 0;
}
