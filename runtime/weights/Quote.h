//===- Quote.h - Text of a file inside of a message -------------*- C++ -*-===//
//
// Names out of files may hold line breaks or be megabytes long; a message is
// one line.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_QUOTE_H
#define DSRT_WEIGHTS_QUOTE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dsrt {

/// 'text' with control characters escaped, shortened in the middle.
std::string quote(std::string_view text);

/// "[1536, 7168]".
std::string shapeText(const std::vector<int64_t> &shape);

} // namespace dsrt

#endif // DSRT_WEIGHTS_QUOTE_H
