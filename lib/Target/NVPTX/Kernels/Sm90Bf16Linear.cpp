//===- Sm90Bf16Linear.cpp - Products in bf16 by wgmma and TMA -------------===//
//
//   y[t, o] = sum_k x[t, k] * w[o, k]        and then, of gate and up: swiglu
//
// of all rows t, or, of experts, of those of w's group: the kernels of
// Sm90Fp8Linear.cpp and Sm90Fp8GroupedLinear.cpp with blocks of 64 elements and
// without scales. It never ran on a GPU.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Kernels.h"
#include "lib/Target/NVPTX/Kernels/Sm90Product.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

class Bf16LinearEmitter : public Sm90ProductEmitter {
public:
  StringRef getName() const override { return "sm90_bf16_linear"; }

private:
  bool writes(const LinearProblem &problem) const override {
    return !problem.isScaled();
  }
};

} // namespace

const KernelEmitter *deepseek::getSm90Bf16LinearEmitter() {
  static const Bf16LinearEmitter emitter;
  return &emitter;
}
