//===- ByteAlphabet.h - The printable alphabet of bytes ---------*- C++ -*-===//
//
// A tokenizer.json writes each byte of a token as one printable character (the
// table that GPT-2 introduced): printable Latin-1 bytes as themselves, the
// other 68 as U+0100 and up in order.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_BYTEALPHABET_H
#define DSRT_TEXT_BYTEALPHABET_H

#include <string>
#include <string_view>

namespace dsrt {

/// Appends the bytes that `symbols` (valid UTF-8) stands for. Returns false,
/// appending nothing, when a character is not in the alphabet.
bool appendBytesOfSymbols(std::string_view symbols, std::string &out);

/// The symbol of a byte, in UTF-8.
std::string symbolOfByte(unsigned char byte);

} // namespace dsrt

#endif // DSRT_TEXT_BYTEALPHABET_H
