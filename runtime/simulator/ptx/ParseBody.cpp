//===- ParseBody.cpp - Reads PTX text: the bodies of functions ------------===//
//
// Instructions share one grammar: a guard, an opcode and operands of a few
// shapes. Whether the operands fit the opcode is decided when it is decoded.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/ptx/Parser.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

template <typename T>
static void append(BlockSyntax &block, StatementSyntax::Kind kind,
                   std::unique_ptr<T> StatementSyntax::*member, T value) {
  StatementSyntax statement;
  statement.kind = kind;
  statement.*member = std::make_unique<T>(std::move(value));
  block.statements.push_back(std::move(statement));
}

std::unique_ptr<BlockSyntax> Parser::parseBlock() {
  expect("{", "before a block");
  if (++depth > 256)
    fail("expected at most 256 nested blocks");
  auto block = std::make_unique<BlockSyntax>();
  while (!accept("}")) {
    if (peek().kind == TokenKind::End)
      failExpected("the '}' of a block");
    parseStatement(*block);
  }
  --depth;
  return block;
}

void Parser::parseStatement(BlockSyntax &block) {
  if (peek().text == "{" && peek().kind == TokenKind::Punctuation) {
    StatementSyntax statement;
    statement.kind = StatementSyntax::Kind::Block;
    statement.block = parseBlock();
    block.statements.push_back(std::move(statement));
  } else if (accept(";")) {
    // Inline assembly leaves empty statements.
  } else if (peek(1).text == ":" && peek(1).kind == TokenKind::Punctuation) {
    parseLabel(block);
  } else if (!parseDirective(block)) {
    parseInstruction(block);
  }
}

bool Parser::parseDirective(BlockSyntax &block) {
  if (accept(".reg")) {
    parseRegisters(block);
    return true;
  }
  if (accept(".loc")) {
    parseLocation();
    return true;
  }
  if (accept(".pragma")) {
    skipLine();
    return true;
  }
  std::optional<Space> space;
  if (accept(".shared"))
    space = Space::Shared;
  else if (accept(".local"))
    space = Space::Local;
  else if (accept(".param"))
    space = Space::Param;
  if (!space)
    return false;
  do
    append(block, StatementSyntax::Kind::Variable, &StatementSyntax::variable,
           parseVariable(*space, /*external=*/false));
  while (accept(","));
  expect(";", "after a variable");
  return true;
}

void Parser::parseRegisters(BlockSyntax &block) {
  std::string_view word = peek().text;
  std::optional<Type> type;
  if (word.size() > 1 && word[0] == '.')
    type = typeNamed(word.substr(1));
  if (!type)
    failExpected("the type of registers");
  next();
  do {
    RegisterSyntax reg{peek().line, expectName("a register"), std::nullopt,
                       *type};
    if (accept("<")) {
      uint64_t count = parseUnsigned("the number of registers");
      if (count > 1000000)
        fail("expected at most a million registers");
      reg.count = static_cast<unsigned>(count);
      expect(">", "after the number of registers");
    }
    append(block, StatementSyntax::Kind::Register, &StatementSyntax::reg, reg);
  } while (accept(","));
  expect(";", "after registers");
}

/// .loc 1 12 5, function_name $info0, inlined_at 1 3 1: the first three count.
void Parser::parseLocation() {
  unsigned line = peek().line;
  location.file = static_cast<unsigned>(parseUnsigned("the number of a file"));
  location.line = static_cast<unsigned>(parseUnsigned("a line"));
  location.column = static_cast<unsigned>(parseUnsigned("a column"));
  while (peek().line == line && peek().kind != TokenKind::End)
    next();
}

void Parser::parseLabel(BlockSyntax &block) {
  unsigned line = peek().line;
  std::string_view name = expectName("a label");
  expect(":", "after a label");
  if (accept(".branchtargets")) {
    BranchTargetsSyntax targets{name, {}};
    do
      targets.targets.push_back(expectName("a label"));
    while (accept(","));
    expect(";", "after the targets of a branch");
    append(block, StatementSyntax::Kind::Targets, &StatementSyntax::targets,
           std::move(targets));
    return;
  }
  append(block, StatementSyntax::Kind::Label, &StatementSyntax::label,
         LabelSyntax{line, name});
}

void Parser::parseInstruction(BlockSyntax &block) {
  InstructionSyntax instruction;
  instruction.line = peek().line;
  instruction.location = location;
  if (accept("@")) {
    instruction.guardNegated = accept("!");
    instruction.guard = expectName("a predicate");
  }
  instruction.opcode = expectName("an instruction");
  if (!accept(";")) {
    do
      instruction.operands.push_back(parseOperand());
    while (accept(","));
    expect(";", fmt::format("after {}", instruction.opcode));
  }
  append(block, StatementSyntax::Kind::Instruction,
         &StatementSyntax::instruction, std::move(instruction));
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

OperandSyntax Parser::parseOperand() {
  if (peek().kind == TokenKind::Punctuation) {
    if (peek().text == "[")
      return parseAddress();
    if (peek().text == "{")
      return parseList("{", "}");
    if (peek().text == "(")
      return parseList("(", ")");
  }
  OperandSyntax operand = parseNumberOrName();
  if (!accept("|"))
    return operand;
  OperandSyntax pair;
  pair.kind = OperandSyntax::Kind::Pair;
  pair.line = operand.line;
  pair.elements.push_back(std::move(operand));
  pair.elements.push_back(parseNumberOrName());
  return pair;
}

OperandSyntax Parser::parseNumberOrName() {
  OperandSyntax operand;
  operand.line = peek().line;
  operand.negated = accept("!");
  if (peek().kind == TokenKind::Word) {
    operand.name = expectName("an operand");
    operand.offset = parseOffset();
  } else {
    operand.kind = OperandSyntax::Kind::Number;
    operand.number = parseLiteral();
  }
  return operand;
}

/// [base], [base+8], [8], [base, {x, y}]
OperandSyntax Parser::parseAddress() {
  OperandSyntax operand;
  operand.kind = OperandSyntax::Kind::Address;
  operand.line = peek().line;
  expect("[", "before an address");
  if (peek().kind == TokenKind::Word) {
    operand.name = expectName("an address");
    operand.offset = parseOffset();
  } else {
    Literal literal = parseLiteral();
    if (literal.kind != Literal::Kind::Integer)
      fail("expected an integer as address");
    operand.offset = static_cast<int64_t>(literal.bits);
  }
  if (accept(","))
    operand.elements = parseList("{", "}").elements;
  expect("]", "after an address");
  return operand;
}

OperandSyntax Parser::parseList(std::string_view open, std::string_view close) {
  OperandSyntax operand;
  operand.kind = OperandSyntax::Kind::List;
  operand.line = peek().line;
  expect(open, "before a list");
  if (accept(close))
    return operand;
  do
    operand.elements.push_back(parseNumberOrName());
  while (accept(","));
  expect(close, "after a list");
  return operand;
}
