//===- KernelBuilder.cpp - Makes a kernel out of its text -----------------===//
//
// Parameters of a kernel are offsets into one block; those of an expanded
// function are the caller's variables.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/decode/KernelBuilder.h"
#include "runtime/simulator/instructions/Control.h"
#include "runtime/simulator/ptx/Lexer.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

KernelBuilder::KernelBuilder(const FunctionSyntax &entry,
                             const ModuleSymbols &module,
                             const Functions &functions)
    : entry(entry), functions(functions), scopes(kernel, module) {}

Kernel KernelBuilder::build() {
  kernel.name = entry.name;
  kernel.maxThreads = entry.maxThreads;
  kernel.requiredThreads = entry.requiredThreads;
  kernel.clusterSize = entry.clusterSize;
  scopes.enter(/*function=*/true);
  declareParameters();
  buildBlock(*entry.body);
  // Threads may run off the end of the text.
  Instruction end;
  end.exits = true;
  end.execute = exitLanes;
  end.opcode = "exit";
  kernel.code.push_back(end);
  scopes.leave();
  scopes.finish();
  findReconvergence(kernel.code);
  kernel.executed.resize(kernel.code.size());
  return std::move(kernel);
}

void KernelBuilder::declareParameters() {
  for (const VariableSyntax &parameter : entry.parameters) {
    uint64_t alignment = parameter.alignment();
    uint64_t offset =
        (kernel.parameterBytes + alignment - 1) / alignment * alignment;
    kernel.parameters.push_back({offset, parameter.bytes()});
    kernel.parameterBytes = offset + parameter.bytes();
    scopes.declareSymbol(parameter.name, {Space::Param, offset},
                         parameter.line);
  }
  constexpr uint64_t largest = 32764;
  if (kernel.parameterBytes > largest)
    throw PtxError(entry.line,
                   fmt::format("expected at most {} bytes of "
                               "parameters of {}, got {}",
                               largest, entry.name, kernel.parameterBytes));
}

void KernelBuilder::buildBlock(const BlockSyntax &block) {
  scopes.enter(/*function=*/false);
  for (const StatementSyntax &statement : block.statements)
    buildStatement(statement);
  scopes.leave();
}

void KernelBuilder::buildStatement(const StatementSyntax &statement) {
  switch (statement.kind) {
  case StatementSyntax::Kind::Register:
    return scopes.declareRegisters(*statement.reg);
  case StatementSyntax::Kind::Variable:
    return scopes.declareVariable(*statement.variable);
  case StatementSyntax::Kind::Label:
    return scopes.declareLabel(*statement.label);
  case StatementSyntax::Kind::Targets:
    return scopes.declareTargets(*statement.targets);
  case StatementSyntax::Kind::Block:
    return buildBlock(*statement.block);
  case StatementSyntax::Kind::Instruction:
    return buildInstruction(*statement.instruction);
  }
}

void KernelBuilder::buildInstruction(const InstructionSyntax &syntax) {
  constexpr size_t largest = 4000000;
  if (kernel.code.size() > largest)
    throw PtxError(syntax.line,
                   fmt::format("expected at most {} instructions in {}, calls "
                               "expanded",
                               largest, entry.name));
  Decoder decoder(syntax, scopes);
  if (decoder.base() == "call")
    return buildCall(decoder);
  if (decoder.base() == "ret")
    return buildReturn(decoder);
  DecodeFunction decode = findDecodeFunction(syntax.opcode);
  if (!decode)
    decoder.unknownForm();
  decode(decoder);
  decoder.finish();
  kernel.usesAsyncProxy |= decoder.instruction.usesAsyncProxy;
  kernel.code.push_back(std::move(decoder.instruction));
}

/// A thread that returns from a kernel is done.
void KernelBuilder::buildReturn(Decoder &decoder) {
  decoder.take("uni");
  decoder.finish();
  if (expansions.empty()) {
    decoder.instruction.exits = true;
    decoder.instruction.execute = exitLanes;
  } else {
    expansions.back().returns.push_back(nextIndex());
    decoder.instruction.targets = {kNoTarget};
    decoder.instruction.execute = branchLanes;
  }
  kernel.code.push_back(std::move(decoder.instruction));
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// call (results), function, (arguments); both lists may be absent.
void KernelBuilder::buildCall(Decoder &decoder) {
  decoder.take("uni");
  const OperandSyntax *results = nullptr, *arguments = nullptr;
  if (decoder.peekOperand().kind == OperandSyntax::Kind::List)
    results = &decoder.readOperand();
  const OperandSyntax &callee = decoder.readOperand();
  if (decoder.hasOperand())
    arguments = &decoder.readOperand();
  decoder.finish();
  auto function = functions.find(callee.name);
  if (callee.kind != OperandSyntax::Kind::Name || function == functions.end())
    decoder.fail(fmt::format("expected the name of a function after call, got "
                             "'{}'",
                             callee.name));
  if (!function->second->body)
    decoder.fail(fmt::format("expected a function with a body, got '{}', which "
                             "is only declared",
                             callee.name));
  unsigned line = decoder.instruction.line;
  CodeIndex skip = kNoTarget;
  if (decoder.instruction.guard != kNoSlot) { // branch around the function
    skip = nextIndex();
    decoder.instruction.guardNegated = !decoder.instruction.guardNegated;
    decoder.instruction.targets = {kNoTarget};
    decoder.instruction.execute = branchLanes;
    kernel.code.push_back(std::move(decoder.instruction));
  }
  expand(*function->second, results, arguments, line);
  if (skip != kNoTarget)
    kernel.code[skip].targets[0] = nextIndex();
}

std::vector<Symbol>
KernelBuilder::argumentSymbols(const std::vector<VariableSyntax> &formals,
                               const OperandSyntax *actuals,
                               const FunctionSyntax &function, unsigned line) {
  size_t count = actuals ? actuals->elements.size() : 0;
  if (count != formals.size())
    throw PtxError(line, fmt::format("expected {} arguments or results of {}, "
                                     "got {}",
                                     formals.size(), function.name, count));
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < count; ++i) {
    std::string_view name = actuals->elements[i].name;
    std::optional<Symbol> symbol = scopes.findSymbol(name);
    if (!symbol || symbol->space != Space::Local)
      throw PtxError(line, fmt::format("expected a .param variable as argument "
                                       "of {}, got '{}'",
                                       function.name, name));
    symbols.push_back(*symbol);
  }
  return symbols;
}

void KernelBuilder::expand(const FunctionSyntax &function,
                           const OperandSyntax *results,
                           const OperandSyntax *arguments, unsigned line) {
  for (const Expansion &expansion : expansions)
    if (expansion.function == &function)
      throw PtxError(line, fmt::format("expected no recursion, got a call of "
                                       "{} inside of itself",
                                       function.name));
  std::vector<Symbol> resultSymbols =
      argumentSymbols(function.results, results, function, line);
  std::vector<Symbol> symbols =
      argumentSymbols(function.parameters, arguments, function, line);
  expansions.push_back({&function, {}});
  scopes.enter(/*function=*/true);
  for (size_t i = 0; i < resultSymbols.size(); ++i)
    scopes.declareSymbol(function.results[i].name, resultSymbols[i], line);
  for (size_t i = 0; i < symbols.size(); ++i)
    scopes.declareSymbol(function.parameters[i].name, symbols[i], line);
  buildBlock(*function.body);
  scopes.leave();
  for (CodeIndex index : expansions.back().returns)
    kernel.code[index].targets[0] = nextIndex();
  expansions.pop_back();
}
