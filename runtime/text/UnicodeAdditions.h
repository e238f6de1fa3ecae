//===- UnicodeAdditions.h - Characters newer than Unicode 14 ----*- C++ -*-===//
//
// PCRE2 of Debian 12 knows Unicode 14; the tokenizers that others use know
// Unicode 16. Without the difference an emoji of 2022 would give other ids.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_UNICODEADDITIONS_H
#define DSRT_TEXT_UNICODEADDITIONS_H

#include <cstdint>
#include <string>
#include <string_view>

namespace dsrt {

/// The characters that a general category ("L", "Lu" ...) gained, as ranges for
/// the inside of a character class; often empty.
std::string newCharacters(std::string_view category);

} // namespace dsrt

#endif // DSRT_TEXT_UNICODEADDITIONS_H
