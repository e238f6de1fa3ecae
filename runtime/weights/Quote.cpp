//===- Quote.cpp - Text of a file inside of a message ---------------------===//
//
// Long text keeps its beginning and its end: tensor names differ at the end.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/Quote.h"

#include <fmt/format.h>

namespace dsrt {

static void append(std::string &result, std::string_view text) {
  for (unsigned char c : text) {
    if (c < 0x20 || c == 0x7f)
      result += fmt::format("\\x{:02x}", c);
    else
      result += static_cast<char>(c);
  }
}

/// True for the bytes of a UTF-8 character after its first.
static bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::string quote(std::string_view text) {
  constexpr size_t kHalf = 120;
  std::string result = "'";
  if (text.size() <= 2 * kHalf) {
    append(result, text);
  } else {
    size_t head = kHalf, tail = text.size() - kHalf;
    while (head > 0 && continues(text[head]))
      --head;
    while (tail < text.size() && continues(text[tail]))
      ++tail;
    append(result, text.substr(0, head));
    result += "...";
    append(result, text.substr(tail));
  }
  return result + "'";
}

std::string shapeText(const std::vector<int64_t> &shape) {
  // A file may claim any rank; a message shows what a weight can have.
  constexpr size_t kShown = 8;
  std::string result = "[";
  for (size_t i = 0; i < shape.size() && i < kShown; ++i)
    result += fmt::format("{}{}", i ? ", " : "", shape[i]);
  if (shape.size() > kShown)
    result += fmt::format(", ... {} more", shape.size() - kShown);
  return result + "]";
}

} // namespace dsrt
