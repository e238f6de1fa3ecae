//===- Utf8.h - UTF-8, checked and repaired ---------------------*- C++ -*-===//
//
// What text handling needs of Unicode's UTF-8: finding the first byte that does
// not belong, and replacing what does not by U+FFFD, one for each maximal part
// of a character as the Unicode standard recommends (section 3.9, and what
// tokenizers written in Rust do).
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_UTF8_H
#define DSRT_TEXT_UTF8_H

#include "runtime/core/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dsrt {

/// Bytes of a character that starts with this byte; 0 when none does.
unsigned utf8Length(unsigned char first);

/// How many bytes at the start of `text` are valid so far as a character: all
/// of it (the value of utf8Length), or a part that the next byte contradicts or
/// that the end cuts off.
size_t utf8ValidPrefix(std::string_view text);

/// The code point of the valid character at the start of `text`.
char32_t utf8CodePoint(std::string_view text);

/// Appends the character of a code point.
void appendUtf8(std::string &out, char32_t codePoint);

/// Fails with the offset of the first invalid byte; `what` names the text.
Status checkUtf8(std::string_view text, std::string_view what);

/// Repairs a stream of bytes that may be cut anywhere.
class Utf8Repair {
public:
  /// Appends to `out` what is certain after these bytes.
  void push(std::string_view bytes, std::string &out);
  /// Appends what the end of the stream makes of a character cut off.
  void finish(std::string &out);

private:
  std::string held; // the start of a character
};

} // namespace dsrt

#endif // DSRT_TEXT_UTF8_H
