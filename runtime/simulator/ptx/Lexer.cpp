//===- Lexer.cpp - PTX text as tokens -------------------------------------===//
//
// One pass over the text, one function per kind of token.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/ptx/Lexer.h"

#include <algorithm>
#include <fmt/format.h>

using namespace dsrt::simulator;

PtxError::PtxError(unsigned line, const std::string &message)
    : std::runtime_error(fmt::format("line {}: {}", line, message)) {}

static bool isDigit(char c) { return c >= '0' && c <= '9'; }

static bool isIdentifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || isDigit(c) ||
         c == '_' || c == '$' || c == '%';
}

namespace {
class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  std::vector<Token> run() {
    for (;;) {
      skipSpace();
      if (position == text.size()) {
        tokens.push_back({TokenKind::End, "the end of the text", line});
        return std::move(tokens);
      }
      char c = text[position];
      if (c == '"')
        string();
      else if (isDigit(c))
        number();
      else if (isIdentifier(c) || c == '.')
        word();
      else
        punctuation();
    }
  }

private:
  char at(size_t index) const { return index < text.size() ? text[index] : 0; }

  void push(TokenKind kind, size_t begin, size_t end) {
    tokens.push_back({kind, text.substr(begin, end - begin), line});
  }

  void skipSpace() {
    while (position < text.size()) {
      char c = text[position];
      if (c == '\n') {
        ++line;
        ++position;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++position;
      } else if (c == '/' && at(position + 1) == '/') {
        position = std::min(text.find('\n', position), text.size());
      } else if (c == '/' && at(position + 1) == '*') {
        skipBlockComment();
      } else {
        return;
      }
    }
  }

  void skipBlockComment() {
    size_t end = text.find("*/", position + 2);
    if (end == std::string_view::npos)
      throw PtxError(line, "expected the end of the comment that begins here");
    for (; position < end + 2; ++position)
      line += text[position] == '\n';
  }

  void string() {
    size_t end = position + 1;
    while (end < text.size() && text[end] != '"' && text[end] != '\n')
      end += text[end] == '\\' ? 2 : 1;
    if (at(end) != '"')
      throw PtxError(line, "expected the end of the string in its line");
    push(TokenKind::String, position + 1, end);
    position = end + 1;
  }

  void number() {
    char second = at(position + 1);
    bool decimal = at(position) != '0' || isDigit(second) || second == '.';
    size_t end = position;
    for (char c = at(end); isIdentifier(c) || c == '.'; c = at(end)) {
      bool exponent = decimal && (c == 'e' || c == 'E');
      char next = at(end + 1);
      end += exponent && (next == '+' || next == '-') ? 2 : 1;
    }
    push(TokenKind::Number, position, end);
    position = end;
  }

  void word() {
    size_t end = position + 1;
    for (;;) {
      if (isIdentifier(at(end)) || at(end) == '.')
        ++end;
      else if (at(end) == ':' && at(end + 1) == ':' &&
               isIdentifier(at(end + 2)))
        end += 3;
      else
        break;
    }
    push(TokenKind::Word, position, end);
    position = end;
  }

  void punctuation() {
    constexpr std::string_view known = "{}[](),;:+-!@|<>=*";
    char c = text[position];
    if (known.find(c) == std::string_view::npos)
      throw PtxError(line, fmt::format("unexpected character 0x{:02x}",
                                       static_cast<unsigned char>(c)));
    push(TokenKind::Punctuation, position, position + 1);
    ++position;
  }

  std::string_view text;
  size_t position = 0;
  unsigned line = 1;
  std::vector<Token> tokens;
};
} // namespace

std::vector<Token> dsrt::simulator::tokenize(std::string_view text) {
  return Lexer(text).run();
}
