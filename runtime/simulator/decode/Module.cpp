//===- Module.cpp - A loaded PTX module -----------------------------------===//
//
// Variables first: their addresses are constants of the kernels.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/decode/Module.h"
#include "runtime/simulator/decode/KernelBuilder.h"
#include "runtime/simulator/ptx/Lexer.h"

#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

Module::Module(std::string ptx, DeviceMemory &memory)
    : text(std::move(ptx)), memory(memory) {
  ModuleSyntax syntax = parsePtx(text);
  try {
    placeVariables(syntax);
    buildKernels(syntax);
  } catch (...) {
    releaseVariables();
    throw;
  }
}

Module::~Module() { releaseVariables(); }

void Module::releaseVariables() {
  for (auto &[name, variable] : variables)
    memory.release(variable.address);
}

const Kernel *Module::findKernel(const std::string &name) const {
  auto found = allKernels.find(name);
  return found == allKernels.end() ? nullptr : &found->second;
}

const Module::Variable *Module::findVariable(const std::string &name) const {
  auto found = variables.find(name);
  return found == variables.end() ? nullptr : &found->second;
}

void Module::placeVariables(const ModuleSyntax &syntax) {
  for (const VariableSyntax &variable : syntax.variables) {
    if (variable.space == Space::Shared) {
      symbols.shared[variable.name] = &variable;
      continue;
    }
    if (variable.external)
      throw PtxError(variable.line,
                     fmt::format("expected a variable of this text, got '{}', "
                                 "which is declared .extern",
                                 variable.name));
    bool isConstant = variable.space == Space::Const;
    uint64_t address = memory.allocate(variable.bytes(), isConstant);
    if (!address)
      throw PtxError(variable.line,
                     fmt::format("no memory for the {} bytes of {}",
                                 variable.bytes(), variable.name));
    variables[std::string(variable.name)] = {address, variable.bytes()};
    symbols.placed[variable.name] = {variable.space, address};
  }
  // Initial values may be addresses of variables that are declared later.
  for (const VariableSyntax &variable : syntax.variables)
    if (variable.space != Space::Shared)
      initialize(variable, variables.at(std::string(variable.name)).address);
}

/// Memory without an initial value is zero, as PTX says.
void Module::initialize(const VariableSyntax &syntax, uint64_t address) {
  unsigned bytes = sizeOf(syntax.type);
  for (size_t k = 0; k < syntax.initializer.size(); ++k) {
    const InitialValue &value = syntax.initializer[k];
    uint64_t bits = value.number.bits;
    if (!value.symbol.empty()) {
      auto symbol = symbols.placed.find(value.symbol);
      if (symbol == symbols.placed.end() || bytes != 8)
        throw PtxError(syntax.line,
                       fmt::format("expected a global variable and 64 bits "
                                   "for its address, got '{}'",
                                   value.symbol));
      bits = symbol->second.address + value.offset;
    }
    std::memcpy(reinterpret_cast<uint8_t *>(address) + k * bytes, &bits, bytes);
  }
  memory.find(address, syntax.bytes())->initialized->set(0, syntax.bytes());
}

void Module::buildKernels(const ModuleSyntax &syntax) {
  KernelBuilder::Functions functions;
  for (const FunctionSyntax &function : syntax.functions) {
    const FunctionSyntax *&known = functions[function.name];
    if (!known || !known->body)
      known = &function;
  }
  for (const FunctionSyntax &function : syntax.functions) {
    if (!function.entry || !function.body)
      continue;
    Kernel kernel = KernelBuilder(function, symbols, functions).build();
    for (auto [number, name] : syntax.files)
      kernel.sourceFiles[number] = name;
    allKernels.emplace(std::string(function.name), std::move(kernel));
  }
}
