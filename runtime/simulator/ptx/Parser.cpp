//===- Parser.cpp - Reads PTX text: declarations --------------------------===//
//
// A module is directives, variables and functions. Debug sections and
// prototypes are skipped; every directive that is not known is an error.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/ptx/Parser.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

ModuleSyntax dsrt::simulator::parsePtx(std::string_view text) {
  return Parser(text).parseModule();
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

const Token &Parser::peek(size_t ahead) const {
  return tokens[std::min(position + ahead, tokens.size() - 1)];
}

Token Parser::next() {
  Token token = peek();
  if (token.kind != TokenKind::End)
    ++position;
  return token;
}

bool Parser::accept(std::string_view text) {
  const Token &token = peek();
  bool matches =
      (token.kind == TokenKind::Word || token.kind == TokenKind::Punctuation) &&
      token.text == text;
  position += matches;
  return matches;
}

void Parser::expect(std::string_view text, std::string_view where) {
  if (!accept(text))
    failExpected(fmt::format("'{}' {}", text, where));
}

std::string_view Parser::expectName(std::string_view what) {
  if (peek().kind != TokenKind::Word || peek().text[0] == '.')
    failExpected(what);
  return next().text;
}

void Parser::fail(const std::string &message) const {
  throw PtxError(peek().line, message);
}

void Parser::failExpected(std::string_view what) const {
  if (peek().kind == TokenKind::End)
    fail(fmt::format("expected {}, got the end of the text", what));
  fail(fmt::format("expected {}, got '{}'", what, peek().text));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// The bits of 0f3F800000 (8 digits) and 0d3FF0000000000000 (16 digits).
static std::optional<Literal> floatBits(const std::string &text) {
  if (text.size() < 2 || text[0] != '0')
    return std::nullopt;
  bool single = text[1] == 'f' || text[1] == 'F';
  bool isDouble = text[1] == 'd' || text[1] == 'D';
  if (!(single && text.size() == 10) && !(isDouble && text.size() == 18))
    return std::nullopt;
  char *end = nullptr;
  Literal literal;
  literal.kind = single ? Literal::Kind::Single : Literal::Kind::Double;
  literal.bits = std::strtoull(text.c_str() + 2, &end, 16);
  return *end ? std::nullopt : std::optional<Literal>(literal);
}

Literal Parser::parseLiteral() {
  bool negative = accept("-");
  if (peek().kind != TokenKind::Number)
    failExpected("a number");
  std::string text(peek().text);
  if (std::optional<Literal> literal = floatBits(text)) {
    if (negative)
      failExpected("the sign of a number in its bits");
    next();
    return *literal;
  }
  if (text.back() == 'U')
    text.pop_back();
  Literal literal;
  char *end = nullptr;
  errno = 0;
  bool binary = text.size() > 2 && text[0] == '0' && text[1] == 'b';
  literal.bits = binary ? std::strtoull(text.c_str() + 2, &end, 2)
                        : std::strtoull(text.c_str(), &end, 0);
  if (*end == '.' || *end == 'e' || *end == 'E') {
    double value = std::strtod(text.c_str(), &end);
    literal.kind = Literal::Kind::Double;
    value = negative ? -value : value;
    std::memcpy(&literal.bits, &value, sizeof value);
  } else if (negative) {
    literal.bits = -literal.bits;
  }
  if (*end || errno == ERANGE)
    failExpected("a number of at most 64 bits");
  next();
  return literal;
}

uint64_t Parser::parseUnsigned(std::string_view what) {
  if (peek().kind != TokenKind::Number)
    failExpected(what);
  Literal literal = parseLiteral();
  if (literal.kind != Literal::Kind::Integer)
    fail(fmt::format("expected {}, got a floating-point number", what));
  return literal.bits;
}

/// The "+8" or "-8" after a name, 0 if there is none.
int64_t Parser::parseOffset() {
  bool plus = accept("+");
  if (!plus && !(peek().text == "-" && peek().kind == TokenKind::Punctuation))
    return 0;
  Literal literal = parseLiteral();
  if (literal.kind != Literal::Kind::Integer)
    fail("expected an integer as offset");
  return static_cast<int64_t>(literal.bits);
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

ModuleSyntax Parser::parseModule() {
  ModuleSyntax module;
  parseVersion(module);
  while (peek().kind != TokenKind::End) {
    if (accept(".file"))
      parseFile(module);
    else if (accept(".section"))
      skipSection();
    else if (accept(".pragma"))
      skipLine();
    else if (accept(".extern"))
      parseLinked(module, /*external=*/true);
    else if (accept(".visible") || accept(".weak") || accept(".common"))
      parseLinked(module, /*external=*/false);
    else
      parseLinked(module, /*external=*/false);
  }
  return module;
}

void Parser::parseVersion(ModuleSyntax &module) {
  expect(".version", "at the begin of the text");
  Token version = next();
  unsigned major = 0, minor = 0;
  if (std::sscanf(std::string(version.text).c_str(), "%u.%u", &major, &minor) !=
      2)
    throw PtxError(version.line, fmt::format("expected a version as in "
                                             "'.version 8.3', got '{}'",
                                             version.text));
  module.version = major * 10 + minor;
  expect(".target", "after .version");
  module.target = expectName("a target as in '.target sm_90a'");
  while (accept(","))
    expectName("an option of the target");
  if (accept(".address_size")) {
    unsigned line = peek().line;
    uint64_t size = parseUnsigned("64");
    if (size != 64)
      throw PtxError(
          line, fmt::format("expected addresses of 64 bits, got {}", size));
  }
}

void Parser::parseFile(ModuleSyntax &module) {
  unsigned line = peek().line;
  uint64_t number = parseUnsigned("the number of a file");
  if (peek().kind != TokenKind::String)
    failExpected("the name of a file in quotes");
  module.files[static_cast<unsigned>(number)] = next().text;
  while (peek().line == line && peek().kind != TokenKind::End)
    next(); // a time stamp and a size
}

void Parser::skipLine() {
  unsigned line = peek().line;
  while (peek().line == line && peek().kind != TokenKind::End)
    next();
}

/// .section .debug_info { ... }
void Parser::skipSection() {
  next();
  expect("{", "after the name of a section");
  while (!accept("}")) {
    if (peek().kind == TokenKind::End)
      failExpected("the '}' of a section");
    next();
  }
}

static std::optional<Space> variableSpace(std::string_view directive) {
  if (directive == ".global")
    return Space::Global;
  if (directive == ".const")
    return Space::Const;
  if (directive == ".shared")
    return Space::Shared;
  return std::nullopt;
}

/// What may follow a linking directive.
void Parser::parseLinked(ModuleSyntax &module, bool external) {
  if (accept(".entry")) {
    module.functions.push_back(parseFunction(/*entry=*/true));
  } else if (accept(".func")) {
    module.functions.push_back(parseFunction(/*entry=*/false));
  } else if (std::optional<Space> space = variableSpace(peek().text)) {
    next();
    do
      module.variables.push_back(parseVariable(*space, external));
    while (accept(","));
    expect(";", "after a variable");
  } else {
    failExpected("a function or a variable");
  }
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

FunctionSyntax Parser::parseFunction(bool entry) {
  FunctionSyntax function;
  function.line = peek().line;
  function.entry = entry;
  if (!entry && peek().text == "(")
    function.results = parseParameters();
  function.name = expectName("the name of a function");
  if (peek().text == "(")
    function.parameters = parseParameters();
  parsePerformanceDirectives(function);
  if (accept(";"))
    return function;
  location = SourceLocation();
  function.body = parseBlock();
  return function;
}

std::vector<VariableSyntax> Parser::parseParameters() {
  std::vector<VariableSyntax> parameters;
  expect("(", "before parameters");
  if (accept(")"))
    return parameters;
  do
    parameters.push_back(parseParameter());
  while (accept(","));
  expect(")", "after parameters");
  return parameters;
}

std::array<unsigned, 3> Parser::parseExtents() {
  std::array<unsigned, 3> extents = {1, 1, 1};
  for (unsigned i = 0; i < 3; ++i) {
    if (i > 0 && !accept(","))
      break;
    uint64_t extent = parseUnsigned("an extent");
    if (extent == 0 || extent > 0x7fffffff)
      fail(
          fmt::format("expected an extent from 1 to 2^31 - 1, got {}", extent));
    extents[i] = static_cast<unsigned>(extent);
  }
  return extents;
}

void Parser::parsePerformanceDirectives(FunctionSyntax &function) {
  for (;;) {
    if (accept(".maxntid"))
      function.maxThreads = parseExtents();
    else if (accept(".reqntid"))
      function.requiredThreads = parseExtents();
    else if (accept(".reqnctapercluster"))
      function.clusterSize = parseExtents();
    else if (accept(".maxnreg"))
      function.maxRegisters = parseExtents()[0];
    else if (accept(".minnctapersm") || accept(".maxclusterrank"))
      parseExtents();
    else if (accept(".pragma"))
      skipLine();
    else if (!accept(".explicitcluster") && !accept(".noreturn"))
      return;
  }
}

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

void Parser::parseDeclarator(VariableSyntax &variable) {
  for (;;) {
    if (accept(".align")) {
      uint64_t align = parseUnsigned("an alignment");
      if (align == 0 || align > 4096 || (align & (align - 1)))
        fail(fmt::format("expected an alignment that is a power of two up to "
                         "4096, got {}",
                         align));
      variable.align = static_cast<unsigned>(align);
      continue;
    }
    std::string_view word = peek().text;
    if (word.empty() || word[0] != '.')
      failExpected("the type of a variable");
    std::optional<Type> type = typeNamed(word.substr(1));
    if (!type || sizeOf(*type) == 0)
      failExpected("the type of a variable");
    next();
    variable.type = *type;
    return;
  }
}

void Parser::parseArraySizes(VariableSyntax &variable) {
  while (accept("[")) {
    if (accept("]")) {
      variable.unsized = true;
      variable.count = 0;
      continue;
    }
    uint64_t size = parseUnsigned("the size of an array");
    constexpr uint64_t largest = uint64_t(1) << 32;
    if (size > largest || variable.count * size > largest)
      fail("expected an array of at most 2^32 elements");
    variable.count *= size;
    expect("]", "after the size of an array");
  }
}

void Parser::parseInitializer(VariableSyntax &variable) {
  if (accept("{")) { // braces of inner dimensions only group
    if (accept("}"))
      return;
    if (++depth > 64)
      fail("expected at most 64 nested braces");
    do
      parseInitializer(variable);
    while (accept(","));
    --depth;
    expect("}", "after an initializer");
    return;
  }
  InitialValue value;
  if (peek().kind == TokenKind::Word) {
    value.generic = accept("generic");
    if (value.generic)
      expect("(", "after generic");
    value.symbol = expectName("a number or a symbol");
    if (value.generic)
      expect(")", "after the symbol");
    value.offset = parseOffset();
  } else {
    value.number = parseLiteral();
  }
  variable.initializer.push_back(value);
}

VariableSyntax Parser::parseVariable(Space space, bool external) {
  VariableSyntax variable;
  variable.line = peek().line;
  variable.space = space;
  variable.external = external;
  parseDeclarator(variable);
  variable.name = expectName("the name of a variable");
  parseArraySizes(variable);
  if (accept("="))
    parseInitializer(variable);
  if (variable.initializer.size() > variable.count)
    throw PtxError(variable.line,
                   fmt::format("expected at most {} values for {}, got {}",
                               variable.count, variable.name,
                               variable.initializer.size()));
  return variable;
}

/// .param .u64 .ptr .global .align 16 name: the last alignment is that of what
/// the pointer points to.
VariableSyntax Parser::parseParameter() {
  expect(".param", "before a parameter");
  VariableSyntax variable;
  variable.line = peek().line;
  variable.space = Space::Param;
  parseDeclarator(variable);
  if (accept(".ptr")) {
    while (accept(".global") || accept(".shared") || accept(".const") ||
           accept(".local"))
      ;
    if (accept(".align"))
      parseUnsigned("an alignment");
  }
  variable.name = expectName("the name of a parameter");
  parseArraySizes(variable);
  return variable;
}
