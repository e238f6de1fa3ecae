//===- Passes.h - Passes that know a target ---------------------*- C++ -*-===//

#ifndef DEEPSEEK_TARGET_PASSES_H
#define DEEPSEEK_TARGET_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
namespace arith {
class ArithDialect;
}
namespace func {
class FuncOp;
}
namespace math {
class MathDialect;
}
namespace memref {
class MemRefDialect;
}
namespace scf {
class SCFDialect;
}
namespace vector {
class VectorDialect;
}
namespace gpu {
class GPUDialect;
}
namespace LLVM {
class LLVMDialect;
}
namespace NVVM {
class NVVMDialect;
}

namespace deepseek {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "deepseek/Target/Passes.h.inc"

} // namespace deepseek
} // namespace mlir

#endif // DEEPSEEK_TARGET_PASSES_H
