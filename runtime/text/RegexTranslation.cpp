//===- RegexTranslation.cpp - Oniguruma's syntax to PCRE2's ---------------===//
//
// The two agree on almost all that pre-tokenizers use. What differs:
//
//   \s \S      Oniguruma: Unicode's White_Space; PCRE2 adds U+180E. Written
//   out. ^ $        Ruby's are line anchors: PCRE2_MULTILINE. \h \v \w   other
//   meanings                                       an error \p{Name}   scripts
//   and long names mean other sets               an error;
//              general categories (\p{L}, \p{Lu} ...) are the same
//   [a[b]&&c]  nested classes and intersections                     an error
//   {,n} {2}+ {2}?   quantifiers that PCRE2 reads otherwise         an error
//
// This file only rewrites; it does not check syntax: PCRE2 does that next.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Json.h"
#include "runtime/text/SplitPattern.h"
#include "runtime/text/UnicodeAdditions.h"

using namespace dsrt;

static constexpr std::string_view whiteSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029})"
    R"(\x{202f}\x{205f}\x{3000})";
static constexpr std::string_view notWhiteSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f})"
    R"(\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e})"
    R"(\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";

namespace {

class Translator {
public:
  explicit Translator(std::string_view pattern) : rest(pattern) {}

  Status run();
  std::string out;

private:
  Status unsupported(std::string_view found);
  Status escape(bool inClass);
  Status property(bool inClass);
  Status group();
  Status quantifier();
  Status characterClass();
  bool startsWith(std::string_view text) const {
    return rest.substr(0, text.size()) == text;
  }
  void copy(size_t count) {
    out += rest.substr(0, count);
    rest.remove_prefix(count);
  }

  std::string_view rest;
};

} // namespace

Status Translator::unsupported(std::string_view found) {
  return error(DSRT_MALFORMED,
               "'{}' is not supported in a regular expression of a tokenizer",
               quoteText(found));
}

Status Translator::escape(bool inClass) {
  if (rest.size() < 2)
    return error(DSRT_MALFORMED, "the regular expression ends in a backslash");
  char letter = rest[1];
  if (letter == 's' || letter == 'S') {
    rest.remove_prefix(2);
    if (!inClass)
      out += letter == 's' ? "[" : "[^";
    out += letter == 'S' && inClass ? notWhiteSpace : whiteSpace;
    if (!inClass)
      out += ']';
    return Status();
  }
  if (letter == 'p' || letter == 'P')
    return property(inClass);
  bool isAlphanumeric = (letter >= '0' && letter <= '9') ||
                        (letter >= 'A' && letter <= 'Z') ||
                        (letter >= 'a' && letter <= 'z');
  constexpr std::string_view same = "nrtfaedDx";
  if ((isAlphanumeric && same.find(letter) == same.npos) ||
      static_cast<unsigned char>(letter) >= 0x80)
    return unsupported(rest.substr(0, 2));
  copy(2);
  return Status();
}

// \p{L}, \P{Lu}, \p{^N}: a general category, with the characters that it gained
// since PCRE2's version of Unicode.
Status Translator::property(bool inClass) {
  size_t end = rest.find('}');
  if (rest.substr(2, 1) != "{" || end == rest.npos)
    return unsupported(rest.substr(0, 8));
  std::string_view whole = rest.substr(0, end + 1);
  std::string_view name = rest.substr(3, end - 3);
  bool isNegated = rest[1] == 'P';
  if (!name.empty() && name[0] == '^') {
    isNegated = !isNegated;
    name.remove_prefix(1);
  }
  // C and Cn hold the unassigned characters, which no list can take from.
  constexpr std::string_view categories =
      " Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po "
      "Ps S Sc Sk Sm So Z Zl Zp Zs ";
  if (name.empty() || name.find(' ') != name.npos ||
      categories.find(fmt::format(" {} ", name)) == categories.npos)
    return unsupported(whole);
  std::string added = newCharacters(name);
  if (added.empty()) {
    copy(whole.size());
    return Status();
  }
  if (inClass && isNegated)
    return unsupported(whole);
  rest.remove_prefix(whole.size());
  std::string members = fmt::format("\\p{{{}}}{}", name, added);
  out +=
      inClass ? members : fmt::format("[{}{}]", isNegated ? "^" : "", members);
  return Status();
}

Status Translator::group() {
  if (startsWith("(*"))
    return unsupported("(*");
  if (!startsWith("(?")) {
    copy(1);
    return Status();
  }
  for (std::string_view opening :
       {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"})
    if (startsWith(opening)) {
      copy(opening.size());
      return Status();
    }
  return unsupported(rest.substr(0, 4));
}

Status Translator::quantifier() {
  size_t end = rest.find('}');
  std::string_view text = rest.substr(0, end == rest.npos ? 1 : end + 1);
  bool isRepeat = text.size() > 2 && text[1] >= '0' && text[1] <= '9' &&
                  text.find_first_not_of("0123456789,", 1) == text.size() - 1;
  std::string_view after = rest.substr(text.size(), 1);
  bool isExact = text.find(',') == text.npos;
  if (!isRepeat || after == "+" || (after == "?" && isExact))
    return unsupported(rest.substr(0, text.size() + 1));
  copy(text.size());
  return Status();
}

Status Translator::characterClass() {
  copy(startsWith("[^") ? 2 : 1);
  if (startsWith("]"))
    return unsupported("[]");
  while (!rest.empty() && rest[0] != ']') {
    if (rest[0] == '[')
      return unsupported(rest.substr(0, 2));
    if (startsWith("&&"))
      return unsupported("&&");
    if (rest[0] == '\\')
      DSRT_TRY(escape(/*inClass=*/true));
    else
      copy(1);
  }
  if (rest.empty())
    return error(DSRT_MALFORMED,
                 "a character class of the regular expression is not closed");
  copy(1);
  return Status();
}

Status Translator::run() {
  while (!rest.empty()) {
    switch (rest[0]) {
    case '\\':
      DSRT_TRY(escape(/*inClass=*/false));
      break;
    case '(':
      DSRT_TRY(group());
      break;
    case '{':
      DSRT_TRY(quantifier());
      break;
    case '[':
      DSRT_TRY(characterClass());
      break;
    default:
      copy(1);
    }
  }
  return Status();
}

Result<std::string> dsrt::translateRegex(std::string_view pattern) {
  Translator translator(pattern);
  Status status = translator.run();
  if (!status.ok())
    return status;
  return std::move(translator.out);
}
