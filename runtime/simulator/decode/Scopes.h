//===- Scopes.h - What the names of a kernel mean ---------------*- C++ -*-===//
//
// Registers, variables and labels by name, in nested scopes. A function that is
// expanded opens a scope from which the caller's names are not seen. Allocates
// the slots of registers and constants, and shared and local memory.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DECODE_SCOPES_H
#define DSRT_SIMULATOR_DECODE_SCOPES_H

#include "runtime/simulator/machine/Program.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

namespace dsrt::simulator {

struct RegisterInfo {
  Slot slot;
  Type type;
};

/// A variable's address in its space.
struct Symbol {
  Space space;
  uint64_t address;
  bool dynamic = false; // behind the other shared memory, wherever that ends
};

/// Module-level variables: where those of global memory are, and the shared
/// ones, which every kernel that names them lays out for itself.
struct ModuleSymbols {
  std::unordered_map<std::string_view, Symbol> placed;
  std::unordered_map<std::string_view, const VariableSyntax *> shared;
};

class Scopes {
public:
  Scopes(Kernel &kernel, const ModuleSymbols &module)
      : kernel(kernel), module(module) {}

  void enter(bool function);
  /// Resolves the branches to the labels of the scope that ends.
  void leave();

  void declareRegisters(const RegisterSyntax &syntax);
  void declareVariable(const VariableSyntax &syntax);
  void declareSymbol(std::string_view name, Symbol symbol, unsigned line);
  void declareLabel(const LabelSyntax &syntax);
  void declareTargets(const BranchTargetsSyntax &syntax);

  std::optional<RegisterInfo> findRegister(std::string_view name) const;
  /// Places a shared variable of the module when it is first found.
  std::optional<Symbol> findSymbol(std::string_view name);
  const BranchTargetsSyntax *findTargets(std::string_view name) const;

  /// The 32 bits of a special register such as %tid.x.
  std::optional<Slot> specialRegister(std::string_view name);
  /// A slot whose lanes all hold 'bits', of 2, 4 or 8 bytes.
  Slot constant(uint64_t bits, unsigned bytes);
  /// The same for a predicate.
  Slot predicateConstant(bool value);
  /// A slot for the address of a symbol plus an offset.
  Slot symbolConstant(Symbol symbol, int64_t offset, unsigned bytes);
  /// A new register.
  Slot allocate(Type type);
  uint64_t allocateLocal(uint64_t bytes, unsigned alignment);

  void noteSharedAccess(unsigned bytes) {
    kernel.sharedUnit = std::min(kernel.sharedUnit, bytes);
  }
  void noteGlobalAccess(unsigned bytes) {
    kernel.globalUnit = std::min(kernel.globalUnit, bytes);
  }

  /// Registers a branch of the instruction that comes next.
  void branchTo(std::string_view label, unsigned line);

  /// All is declared: lays out dynamic shared memory behind the other.
  void finish();

private:
  /// %r<12>: one after the other.
  struct CountedRegisters {
    Slot first;
    unsigned stride;
    unsigned count;
    Type type;
  };
  struct Scope {
    bool function;
    std::unordered_map<std::string_view, RegisterInfo> registers;
    std::unordered_map<std::string_view, Symbol> symbols;
    std::unordered_map<std::string_view, CodeIndex> labels;
    std::unordered_map<std::string_view, const BranchTargetsSyntax *> targets;
    std::unordered_map<std::string_view, CountedRegisters> counted;
  };
  struct Branch {
    CodeIndex instruction;
    size_t target;
    std::string_view label;
    unsigned line;
    size_t depth; // the innermost scope that may have the label
  };
  struct DynamicAddress {
    Slot slot;
    unsigned bytes;
    int64_t offset;
  };

  template <typename T>
  const T *find(std::unordered_map<std::string_view, T> Scope::*names,
                std::string_view name) const;
  Symbol placeShared(const VariableSyntax &variable);
  Slot allocateBytes(uint64_t bytes, uint64_t alignment);
  void writeConstant(Slot slot, uint64_t bits, unsigned bytes);

  Kernel &kernel;
  const ModuleSymbols &module;
  std::vector<Scope> scopes;
  std::vector<Branch> branches;
  std::map<std::pair<uint64_t, unsigned>, Slot> constants;
  std::map<SpecialRegister, Slot> specials;
  std::unordered_map<std::string_view, Symbol> sharedOfModule;
  std::vector<DynamicAddress> dynamicAddresses;
  unsigned dynamicAlignment = 16;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DECODE_SCOPES_H
