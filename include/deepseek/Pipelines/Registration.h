//===- Registration.h - What the tools know ---------------------*- C++ -*-===//
//
// The dialects and passes of the compiler, for the tools that read IR. Only
// what the design uses is registered: a smaller tool is easier to learn.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_PIPELINES_REGISTRATION_H
#define DEEPSEEK_PIPELINES_REGISTRATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::deepseek {

/// Our three dialects, the upstream ones that the stages use, and the interface
/// models that bufferization and the conversion to LLVM look for.
void registerDialects(DialectRegistry &registry);

/// Our passes and pipelines and the upstream passes that are useful beside
/// them.
void registerPasses();

} // namespace mlir::deepseek

#endif // DEEPSEEK_PIPELINES_REGISTRATION_H
