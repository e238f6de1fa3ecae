//===- Passes.h - Conversions between dialects ------------------*- C++ -*-===//

#ifndef DEEPSEEK_CONVERSION_PASSES_H
#define DEEPSEEK_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
namespace arith {
class ArithDialect;
}
namespace dsrt {
class DSRTDialect;
}
namespace func {
class FuncOp;
}
namespace linalg {
class LinalgDialect;
}
namespace LLVM {
class LLVMDialect;
}
namespace math {
class MathDialect;
}
namespace scf {
class SCFDialect;
}
namespace tensor {
class TensorDialect;
}

namespace deepseek {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "deepseek/Conversion/Passes.h.inc"

} // namespace deepseek
} // namespace mlir

#endif // DEEPSEEK_CONVERSION_PASSES_H
