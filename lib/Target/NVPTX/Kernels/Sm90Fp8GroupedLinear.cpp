//===- Sm90Fp8GroupedLinear.cpp - Experts by wgmma and TMA ----------------===//
//
//   of rows t in [offsets[e], offsets[e + 1]), with w[e] and w_scale[e]:
//   y[t, o] = sum_b (sum_{k in block b} x[t, k] * w[e, o, k])
//                   * x_scale[t, b] * w_scale[e, o / 128, b]
//   and then, of gate and up: swiglu; and then: quantize in blocks of [1, 128]
//
//   CTAs for the most tiles that the number of rows can make, whatever the
//   groups:
//     CTA s * (tiles of weight rows) + o: read the offsets, find the group and
//     the rows of the s-th tile; none is left: end the CTA of Sm90Product.cpp,
//     with the weights of the group
//
// The host never knows the groups. A tile of 8 rows is the form for decoding,
// where an expert has few of them. It never ran on a GPU.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Kernels.h"
#include "lib/Target/NVPTX/Kernels/Sm90Product.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

class Fp8GroupedLinearEmitter : public Sm90ProductEmitter {
public:
  StringRef getName() const override { return "sm90_fp8_grouped_linear"; }

private:
  bool writes(const LinearProblem &problem) const override {
    return problem.isScaled() && problem.isGrouped();
  }
};

} // namespace

const KernelEmitter *deepseek::getSm90Fp8GroupedLinearEmitter() {
  static const Fp8GroupedLinearEmitter emitter;
  return &emitter;
}
