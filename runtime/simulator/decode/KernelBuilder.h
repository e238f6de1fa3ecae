//===- KernelBuilder.h - Makes a kernel out of its text ---------*- C++ -*-===//
//
// Walks the statements of an entry, decodes its instructions and expands the
// functions that it calls. A thread that returns from an expanded function
// branches behind it, so there is no stack of calls and no recursion.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DECODE_KERNELBUILDER_H
#define DSRT_SIMULATOR_DECODE_KERNELBUILDER_H

#include "runtime/simulator/decode/Decoder.h"

#include <unordered_map>

namespace dsrt::simulator {

class KernelBuilder {
public:
  using Functions =
      std::unordered_map<std::string_view, const FunctionSyntax *>;

  KernelBuilder(const FunctionSyntax &entry, const ModuleSymbols &module,
                const Functions &functions);

  /// Throws PtxError.
  Kernel build();

private:
  void declareParameters();
  void buildBlock(const BlockSyntax &block);
  void buildStatement(const StatementSyntax &statement);
  void buildInstruction(const InstructionSyntax &syntax);
  void buildReturn(Decoder &decoder);
  void buildCall(Decoder &decoder);
  void expand(const FunctionSyntax &function, const OperandSyntax *results,
              const OperandSyntax *arguments, unsigned line);
  std::vector<Symbol>
  argumentSymbols(const std::vector<VariableSyntax> &formals,
                  const OperandSyntax *actuals, const FunctionSyntax &function,
                  unsigned line);
  CodeIndex nextIndex() const {
    return static_cast<CodeIndex>(kernel.code.size());
  }

  const FunctionSyntax &entry;
  const Functions &functions;
  Kernel kernel;
  Scopes scopes;
  /// The functions that are being expanded, with their returns so far.
  struct Expansion {
    const FunctionSyntax *function;
    std::vector<CodeIndex> returns;
  };
  std::vector<Expansion> expansions;
};

/// Sets where the lanes of a divergent branch meet again: at the instruction
/// that all paths from the branch to the end of the kernel have in common.
void findReconvergence(std::vector<Instruction> &code);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DECODE_KERNELBUILDER_H
