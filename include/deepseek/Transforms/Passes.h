//===- Passes.h - Transformations of a model --------------------*- C++ -*-===//

#ifndef DEEPSEEK_TRANSFORMS_PASSES_H
#define DEEPSEEK_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
namespace arith {
class ArithDialect;
}
namespace dsrt {
class DSRTDialect;
}
namespace func {
class FuncDialect;
class FuncOp;
}
namespace linalg {
class LinalgDialect;
}
namespace tensor {
class TensorDialect;
}

namespace deepseek {

/// The two ways to compute multi-head latent attention.
enum class MlaForm { Auto, Expanded, Absorbed };

/// What the activations of products are in.
enum class ActivationFormat { BF16, FP8, Weights };

/// Which scales are made: any, powers of two, or what the weights have.
enum class ScaleChoice { Checkpoint, Any, PowerOfTwo };

/// The one function that the forms and the memory plan know by name: it runs
/// when every sequence of a step is fresh.
constexpr StringLiteral kPrefillEntry = "prefill";

/// The nested module that ds-form-kernels makes.
constexpr StringLiteral kKernelsModule = "kernels";

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "deepseek/Transforms/Passes.h.inc"

} // namespace deepseek
} // namespace mlir

#endif // DEEPSEEK_TRANSFORMS_PASSES_H
