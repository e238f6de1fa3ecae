//===- Ladder.h - Runs a program at every stage -----------------*- C++ -*-===//
//
// Does each stage of a compile compute what the stage before it computed? The
// tensor stages are run by the reference, the others by their code, all on the
// same tokens. What a stage may change of a value is in the table of the stages
// (Pipelines/Stages.h).
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_VERIFICATION_LADDER_H
#define DEEPSEEK_VERIFICATION_LADDER_H

#include "deepseek/Pipelines/Stages.h"
#include "deepseek/Target/Artifact/Artifact.h"

#include "mlir/IR/OwningOpRef.h"

#include <functional>

namespace mlir::deepseek {

struct LadderOptions {
  CompileOptions compile;
  /// How host code becomes a program.
  ArtifactOptions artifact;
  /// Where the weights are; empty: where the module says.
  std::string weights;
  /// Token ids; empty: some of the vocabulary.
  std::vector<int64_t> prompt;
  /// Steps of one token after the prompt, at least one.
  int64_t decodeSteps = 3;
  /// Told of each step that is done.
  std::function<void(const Twine &)> progress;
};

/// The module after each stage, in order.
using StageModules = std::vector<OwningOpRef<ModuleOp>>;

/// Compiles an imported module. A failure has been reported.
FailureOr<StageModules> compileStages(ModuleOp module,
                                      const CompileOptions &options);

/// True for a folder that `dump-stages` wrote, perhaps edited since.
bool isStageFolder(StringRef folder);
llvm::Expected<StageModules> readStages(StringRef folder, MLIRContext &context);

/// Runs all stages and prints a line for each; then, for each stage that is
/// wrong, the first op whose value differs. True if no stage is wrong.
llvm::Expected<bool> verifyStages(const StageModules &modules,
                                  const LadderOptions &options,
                                  llvm::raw_ostream &os);

} // namespace mlir::deepseek

#endif // DEEPSEEK_VERIFICATION_LADDER_H
