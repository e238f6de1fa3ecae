//===- Parser.h - Reads PTX text --------------------------------*- C++ -*-===//
//
// Recursive descent over the tokens. Declarations are in Parser.cpp, the bodies
// of functions in ParseBody.cpp. Names are resolved later, where the types that
// their use requires are known.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_PTX_PARSER_H
#define DSRT_SIMULATOR_PTX_PARSER_H

#include "runtime/simulator/ptx/Lexer.h"
#include "runtime/simulator/ptx/Syntax.h"

namespace dsrt::simulator {

class Parser {
public:
  explicit Parser(std::string_view text) : tokens(tokenize(text)) {}

  ModuleSyntax parseModule();

private:
  // Tokens.
  const Token &peek(size_t ahead = 0) const;
  Token next();
  bool accept(std::string_view text);
  void expect(std::string_view text, std::string_view where);
  std::string_view expectName(std::string_view what);
  [[noreturn]] void fail(const std::string &message) const;
  [[noreturn]] void failExpected(std::string_view what) const;

  // Numbers.
  Literal parseLiteral();
  uint64_t parseUnsigned(std::string_view what);
  int64_t parseOffset();

  // Declarations.
  void parseVersion(ModuleSyntax &module);
  void parseFile(ModuleSyntax &module);
  void skipSection();
  void skipLine();
  void parseLinked(ModuleSyntax &module, bool external);
  FunctionSyntax parseFunction(bool entry);
  std::vector<VariableSyntax> parseParameters();
  void parsePerformanceDirectives(FunctionSyntax &function);
  std::array<unsigned, 3> parseExtents();
  VariableSyntax parseVariable(Space space, bool external);
  VariableSyntax parseParameter();
  void parseDeclarator(VariableSyntax &variable);
  void parseArraySizes(VariableSyntax &variable);
  void parseInitializer(VariableSyntax &variable);

  // Bodies.
  std::unique_ptr<BlockSyntax> parseBlock();
  void parseStatement(BlockSyntax &block);
  bool parseDirective(BlockSyntax &block);
  void parseRegisters(BlockSyntax &block);
  void parseLocation();
  void parseLabel(BlockSyntax &block);
  void parseInstruction(BlockSyntax &block);
  OperandSyntax parseOperand();
  OperandSyntax parseNumberOrName();
  OperandSyntax parseAddress();
  OperandSyntax parseList(std::string_view open, std::string_view close);

  std::vector<Token> tokens;
  size_t position = 0;
  unsigned depth = 0;
  SourceLocation location;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_PTX_PARSER_H
