//===- Artifact.h - From the LLVM dialect to files --------------*- C++ -*-===//
//
// The end of a compile: a module of stage `llvm` becomes LLVM IR, assembly, an
// object, a shared object or a standalone executable; or the PTX in it is
// written out.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_TARGET_ARTIFACT_ARTIFACT_H
#define DEEPSEEK_TARGET_ARTIFACT_ARTIFACT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace mlir::deepseek {

enum class ArtifactKind { LLVMIR, PTX, Assembly, Object, Shared, Executable };

/// "llvmir", "ptx", "asm", "object", "shared", "executable".
std::optional<ArtifactKind> parseArtifactKind(StringRef text);

struct ArtifactOptions {
  ArtifactKind kind = ArtifactKind::Executable;
  /// A processor of LLVM's host target ("x86-64-v3", "znver4"), or "native".
  std::string chip = "native";
  /// Of PTX: whose ("sm_90a"); empty: the only one that there is.
  std::string gpu;
  /// Folder of libdsrt.a, for executables; those for GPUs look for the simulator
  /// there when they run.
  std::string runtimeDir;
  /// C++ compiler driver that links; empty: the first of clang++-22, clang++,
  /// c++.
  std::string linker;
};

/// The processor that `chip` names ("native": this machine's), or an error that
/// lists the choices.
llvm::Expected<std::string> resolveChip(StringRef chip);

/// An error if no artifact of this kind can be written to `path`: an empty
/// name, a folder, a device for the linker. For callers that want to know it
/// early.
llvm::Error checkOutput(StringRef path, ArtifactKind kind);

/// Writes `module`, which must be of stage `llvm` (for PTX also `device`), to
/// `path`. A file appears
/// under its name only when it is complete; "-", pipes and devices are written
/// as they are.
llvm::Error writeArtifact(ModuleOp module, const ArtifactOptions &options,
                          StringRef path);

/// The translations to LLVM IR that writeArtifact needs.
void registerArtifactTranslations(DialectRegistry &registry);

} // namespace mlir::deepseek

#endif // DEEPSEEK_TARGET_ARTIFACT_ARTIFACT_H
