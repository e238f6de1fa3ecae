//===- MachineCode.h - LLVM's optimizer and code generator ------*- C++ -*-===//

#ifndef LIB_TARGET_COMMON_MACHINECODE_H
#define LIB_TARGET_COMMON_MACHINECODE_H

#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"

namespace llvm {
class Module;
class TargetMachine;
class raw_pwrite_stream;
} // namespace llvm

namespace mlir::deepseek {

/// Optimizes all functions but those that say optnone.
void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine);

/// Writes the module as a file of that type.
llvm::Error emitMachineCode(llvm::Module &module, llvm::TargetMachine &machine,
                            llvm::CodeGenFileType type,
                            llvm::raw_pwrite_stream &out);

} // namespace mlir::deepseek

#endif // LIB_TARGET_COMMON_MACHINECODE_H
