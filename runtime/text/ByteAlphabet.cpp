//===- ByteAlphabet.cpp - The printable alphabet of bytes -----------------===//
//
// Both directions of the table, made once.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <array>

using namespace dsrt;

namespace {

constexpr unsigned alphabetEnd = 0x100 + 68; // one more than the last symbol

struct Alphabet {
  std::array<char32_t, 256> symbol;
  std::array<int16_t, alphabetEnd> byte; // -1: no symbol

  Alphabet() {
    byte.fill(-1);
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      bool printable =
          (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      symbol[b] = printable ? b : next++;
      byte[symbol[b]] = static_cast<int16_t>(b);
    }
  }
};

} // namespace

static const Alphabet &alphabet() {
  static const Alphabet table;
  return table;
}

bool dsrt::appendBytesOfSymbols(std::string_view symbols, std::string &out) {
  const Alphabet &table = alphabet();
  size_t start = out.size();
  while (!symbols.empty()) {
    char32_t symbol = utf8CodePoint(symbols);
    if (symbol >= alphabetEnd || table.byte[symbol] < 0) {
      out.resize(start);
      return false;
    }
    out += static_cast<char>(table.byte[symbol]);
    symbols.remove_prefix(utf8Length(symbols[0]));
  }
  return true;
}

std::string dsrt::symbolOfByte(unsigned char byte) {
  std::string text;
  appendUtf8(text, alphabet().symbol[byte]);
  return text;
}
