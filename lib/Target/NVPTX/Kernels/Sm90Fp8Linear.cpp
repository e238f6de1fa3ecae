//===- Sm90Fp8Linear.cpp - scaled_linear by wgmma and TMA -----------------===//
//
//   y[t, o] = sum_b (sum_{k in block b} x[t, k] * w[o, k])
//                   * x_scale[t, b] * w_scale[o / 128, b]
//   and then, of gate and up: swiglu; and then: quantize in blocks of [1, 128]
//
//   clusters of R CTAs, one a range of K, or CTAs that make all R ranges;
//   each for 128 rows o (of gate and of up) and 8 to 128 tokens t:
//     8 token tiles side by side, then the next weight rows, then the next 8
//     the CTA of Sm90Product.cpp
//
// It never ran on a GPU.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Kernels.h"
#include "lib/Target/NVPTX/Kernels/Sm90Product.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

class Fp8LinearEmitter : public Sm90ProductEmitter {
public:
  StringRef getName() const override { return "sm90_fp8_linear"; }

private:
  bool writes(const LinearProblem &problem) const override {
    return problem.isScaled() && !problem.isGrouped();
  }
};

} // namespace

const KernelEmitter *deepseek::getSm90Fp8LinearEmitter() {
  static const Fp8LinearEmitter emitter;
  return &emitter;
}
