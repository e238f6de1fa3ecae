//===- DeepSeekToLinalg.h - The plain lowering of every op ------*- C++ -*-===//
//
// Patterns that turn `deepseek` ops on tensors into scf, linalg, tensor, arith
// and math, one populate function per family of ops.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_CONVERSION_DEEPSEEKTOLINALG_H
#define DEEPSEEK_CONVERSION_DEEPSEEKTOLINALG_H

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace mlir::deepseek {

void populateDenseToLinalg(RewritePatternSet &patterns);
void populateAttentionToLinalg(RewritePatternSet &patterns);
void populateMoEToLinalg(RewritePatternSet &patterns);
void populateMTPToLinalg(RewritePatternSet &patterns);
void populateQuantToLinalg(RewritePatternSet &patterns);
/// `swiglu`, with the product and the `quantize` around it.
void populateGatedProductToLinalg(RewritePatternSet &patterns);

/// Elementwise ops on tensors (`arith`, `math`): a tree of them becomes one
/// loop.
void populateElementwiseToLinalg(RewritePatternSet &patterns);

/// `dequantize` by itself. Ops that read a weight take its `dequantize` into
/// their own loops, so these patterns have to run after all others.
void populateDequantizeToLinalg(RewritePatternSet &patterns);

} // namespace mlir::deepseek

#endif // DEEPSEEK_CONVERSION_DEEPSEEKTOLINALG_H
