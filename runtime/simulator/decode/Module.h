//===- Module.h - A loaded PTX module ---------------------------*- C++ -*-===//
//
// Kernels ready to run, and variables in global memory. Everything that can be
// wrong with the text is found here, before any launch.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DECODE_MODULE_H
#define DSRT_SIMULATOR_DECODE_MODULE_H

#include "runtime/simulator/decode/Scopes.h"
#include "runtime/simulator/machine/DeviceMemory.h"

#include <map>
#include <memory>
#include <string>

namespace dsrt::simulator {

class Module {
public:
  struct Variable {
    uint64_t address;
    uint64_t bytes;
  };

  /// Throws PtxError.
  Module(std::string text, DeviceMemory &memory);
  ~Module();
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  const Kernel *findKernel(const std::string &name) const;
  const Variable *findVariable(const std::string &name) const;
  const std::map<std::string, Kernel> &kernels() const { return allKernels; }

private:
  void placeVariables(const ModuleSyntax &syntax);
  void initialize(const VariableSyntax &syntax, uint64_t address);
  void buildKernels(const ModuleSyntax &syntax);
  void releaseVariables();

  const std::string text; // names and opcodes of the kernels point into it
  DeviceMemory &memory;
  ModuleSymbols symbols;
  std::map<std::string, Variable> variables;
  std::map<std::string, Kernel> allKernels;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DECODE_MODULE_H
