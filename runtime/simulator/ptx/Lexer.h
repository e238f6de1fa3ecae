//===- Lexer.h - PTX text as tokens -----------------------------*- C++ -*-===//
//
// Words keep their dots: "ld.global.nc.v4.b32", "%tid.x" and ".reg" are one
// token each. Lines matter, since .loc and .file end at the end of their line.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_PTX_LEXER_H
#define DSRT_SIMULATOR_PTX_LEXER_H

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace dsrt::simulator {

/// What is wrong with a PTX text; the message names the line.
class PtxError : public std::runtime_error {
public:
  PtxError(unsigned line, const std::string &message);
};

enum class TokenKind { Word, Number, String, Punctuation, End };

struct Token {
  TokenKind kind;
  std::string_view text; // of a string: without its quotes
  unsigned line;
};

/// The tokens of 'text', which must outlive them; an End token is the last.
std::vector<Token> tokenize(std::string_view text);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_PTX_LEXER_H
