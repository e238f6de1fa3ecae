//===- SplitPattern.cpp - A regular expression that splits text -----------===//
//
// PCRE2 with its just-in-time compiler. Where that is not to be had (a system
// that forbids memory to be writable and executable) the interpreter gives the
// same matches more slowly.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/SplitPattern.h"
#include "runtime/text/Json.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace dsrt;

// The interpreter's and the JIT code's memory for going back, and the number of
// attempts of one match: far beyond what sensible expressions need.
static constexpr size_t jitStackStart = 32 << 10, jitStackLimit = 16 << 20;
static constexpr uint32_t matchLimit = 20'000'000;

static std::string pcreMessage(int code) {
  unsigned char text[256];
  if (pcre2_get_error_message(code, text, sizeof(text)) < 0)
    return fmt::format("PCRE2 error {}", code);
  return reinterpret_cast<const char *>(text);
}

struct SplitPattern::Scratch::State {
  pcre2_match_data *data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context *context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack *stack =
      pcre2_jit_stack_create(jitStackStart, jitStackLimit, nullptr);

  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

SplitPattern::Scratch::Scratch() : state(std::make_unique<State>()) {
  if (!state->context)
    return;
  pcre2_set_match_limit(state->context, matchLimit);
  if (state->stack)
    pcre2_jit_stack_assign(state->context, nullptr, state->stack);
}

SplitPattern::Scratch::~Scratch() = default;

Result<SplitPattern> SplitPattern::compile(std::string_view pattern) {
  Result<std::string> translated = translateRegex(pattern);
  if (!translated.ok())
    return translated.status();
  std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context *)>
      context(pcre2_compile_context_create(nullptr),
              pcre2_compile_context_free);
  if (!context)
    return error(DSRT_OUT_OF_MEMORY, "no memory for a regular expression");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code *compiled = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
      &offset, context.get());
  if (!compiled)
    return error(DSRT_MALFORMED,
                 "the regular expression '{}' does not compile: {}",
                 quoteText(pattern), pcreMessage(code));
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);

  SplitPattern result;
  result.source = pattern;
  result.code = std::shared_ptr<const void>(compiled, [](const void *p) {
    pcre2_code_free(static_cast<pcre2_code *>(const_cast<void *>(p)));
  });
  return result;
}

Result<SplitPattern::Match>
SplitPattern::find(std::string_view text, size_t from, Scratch &scratch) const {
  Scratch::State &state = *scratch.state;
  if (!state.data || !state.context)
    return error(DSRT_OUT_OF_MEMORY, "no memory for a regular expression");
  int found =
      pcre2_match(static_cast<const pcre2_code *>(code.get()),
                  reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                  PCRE2_NO_UTF_CHECK, state.data, state.context);
  if (found == PCRE2_ERROR_NOMATCH)
    return Match{text.size(), text.size(), false};
  if (found < 0)
    return error(DSRT_LIMIT_EXCEEDED,
                 "the tokenizer's regular expression '{}' fails on a piece of "
                 "{} bytes: {}",
                 quoteText(source), text.size(), pcreMessage(found));
  const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(state.data);
  return Match{ends[0], ends[1], true};
}
