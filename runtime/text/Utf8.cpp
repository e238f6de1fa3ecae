//===- Utf8.cpp - UTF-8, checked and repaired -----------------------------===//
//
// The table of well-formed byte sequences (Unicode standard, table 3-7) as
// code: only the second byte's range depends on the first byte.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Utf8.h"

#include <cstring>

using namespace dsrt;

static constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

unsigned dsrt::utf8Length(unsigned char first) {
  if (first < 0x80)
    return 1;
  if (first < 0xC2 || first > 0xF4)
    return 0;
  return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

static bool secondByteFits(unsigned char first, unsigned char second) {
  switch (first) {
  case 0xE0:
    return second >= 0xA0 && second <= 0xBF;
  case 0xED:
    return second >= 0x80 && second <= 0x9F;
  case 0xF0:
    return second >= 0x90 && second <= 0xBF;
  case 0xF4:
    return second >= 0x80 && second <= 0x8F;
  default:
    return second >= 0x80 && second <= 0xBF;
  }
}

size_t dsrt::utf8ValidPrefix(std::string_view text) {
  if (text.empty())
    return 0;
  unsigned char first = text[0];
  unsigned length = utf8Length(first);
  if (length == 0)
    return 0;
  size_t valid = 1;
  while (valid < length && valid < text.size()) {
    unsigned char next = text[valid];
    bool fits =
        valid == 1 ? secondByteFits(first, next) : (next & 0xC0) == 0x80;
    if (!fits)
      break;
    ++valid;
  }
  return valid;
}

char32_t dsrt::utf8CodePoint(std::string_view text) {
  unsigned char first = text[0];
  unsigned length = utf8Length(first);
  if (length == 1)
    return first;
  char32_t value = first & (0x7F >> length);
  for (unsigned i = 1; i < length; ++i)
    value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  return value;
}

void dsrt::appendUtf8(std::string &out, char32_t codePoint) {
  auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80 | (codePoint >> shift & 0x3F));
  };
  if (codePoint < 0x80) {
    out += static_cast<char>(codePoint);
  } else if (codePoint < 0x800) {
    out += static_cast<char>(0xC0 | codePoint >> 6);
    tail(0);
  } else if (codePoint < 0x10000) {
    out += static_cast<char>(0xE0 | codePoint >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | codePoint >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

// The end of the ASCII text that starts at `at`, or some bytes before it.
static size_t skipAscii(std::string_view text, size_t at) {
  uint64_t word;
  while (at + sizeof(word) <= text.size()) {
    std::memcpy(&word, text.data() + at, sizeof(word));
    if (word & 0x8080808080808080u)
      break;
    at += sizeof(word);
  }
  return at;
}

Status dsrt::checkUtf8(std::string_view text, std::string_view what) {
  for (size_t at = skipAscii(text, 0); at < text.size();) {
    unsigned char first = text[at];
    size_t valid = utf8ValidPrefix(text.substr(at));
    if (valid == 0 || valid < utf8Length(first))
      return error(DSRT_INVALID_ARGUMENT,
                   "{} is not valid UTF-8: byte 0x{:02x} at offset {} does not "
                   "belong to a character; convert the text to UTF-8",
                   what, first, at);
    at += valid;
    if (first < 0x80)
      at = skipAscii(text, at);
  }
  return Status();
}

void Utf8Repair::push(std::string_view bytes, std::string &out) {
  std::string joined;
  if (!held.empty()) {
    joined = held.append(bytes);
    held.clear();
    bytes = joined;
  }
  while (!bytes.empty()) {
    size_t ascii = skipAscii(bytes, 0);
    out.append(bytes.substr(0, ascii));
    bytes.remove_prefix(ascii);
    if (bytes.empty())
      return;
    size_t valid = utf8ValidPrefix(bytes);
    size_t length = utf8Length(bytes[0]);
    if (valid > 0 && valid == length) {
      out.append(bytes.substr(0, valid));
    } else if (valid > 0 && valid == bytes.size()) {
      held = bytes;
      return;
    } else {
      out += replacement;
      valid = valid > 0 ? valid : 1;
    }
    bytes.remove_prefix(valid);
  }
}

void Utf8Repair::finish(std::string &out) {
  if (!held.empty())
    out += replacement;
  held.clear();
}
