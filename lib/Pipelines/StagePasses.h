//===- StagePasses.h - What a compile does between its passes ---*- C++ -*-===//

#ifndef LIB_PIPELINES_STAGEPASSES_H
#define LIB_PIPELINES_STAGEPASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::deepseek {

/// Writes the module to `folder`/`file`, and the PTX in it beside it; makes the
/// folder.
std::unique_ptr<Pass> createDumpStagePass(std::string folder, std::string file);

/// Notes the target on the module, for the artifact's table.
std::unique_ptr<Pass> createSetTargetPass(std::string target);

} // namespace mlir::deepseek

#endif // LIB_PIPELINES_STAGEPASSES_H
