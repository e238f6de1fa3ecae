//===- HostRun.h - A program's steps by host code ---------------*- C++ -*-===//
//
// Takes a module of a later stage through the remaining ones to an executable,
// and runs that: a program that crashes ends itself, not the compiler.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_VERIFICATION_HOSTRUN_H
#define LIB_VERIFICATION_HOSTRUN_H

#include "lib/Verification/ReferenceRun.h"

#include "deepseek/Pipelines/Stages.h"
#include "deepseek/Target/Artifact/Artifact.h"

namespace mlir::deepseek::verification {

/// A copy of `module`, which is of `stage`, in stage llvm.
llvm::Expected<OwningOpRef<ModuleOp>>
lowerToLLVM(ModuleOp module, const Stage &stage, const CompileOptions &options);

/// What runReference returns, by the code of a module of stage llvm.
/// `weights` may be empty: where the module says. So may `device`, which is
/// what the program is told with --device.
llvm::Expected<reference::TensorMap>
runHost(ModuleOp module, const ArtifactOptions &artifact,
        const std::string &weights, const StepTokens &tokens, StringRef device);

/// Makes what each dispatch of the steps' entries writes a result of the
/// entry, named "dispatch.<number>.<output>", on a module of stage buffers
/// or device. Caches are left out: the entry returns them.
LogicalResult returnDispatchResults(ModuleOp module);
std::string getDispatchResultName(size_t dispatch, unsigned output);

/// Puts the kernels of a module of stage llvm in place of those that one of
/// stage device has.
void replaceKernels(ModuleOp device, ModuleOp llvmModule);

} // namespace mlir::deepseek::verification

#endif // LIB_VERIFICATION_HOSTRUN_H
