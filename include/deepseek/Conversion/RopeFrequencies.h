//===- RopeFrequencies.h - What positions are multiplied with ---*- C++ -*-===//

#ifndef DEEPSEEK_CONVERSION_ROPEFREQUENCIES_H
#define DEEPSEEK_CONVERSION_ROPEFREQUENCIES_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::deepseek {

class YarnAttr;

/// The frequencies of the pairs of `width` elements of a `rope`, as f32
/// arithmetic gives them. `yarn` may be null.
SmallVector<float> ropeFrequencies(double theta, YarnAttr yarn, int64_t width);

} // namespace mlir::deepseek

#endif // DEEPSEEK_CONVERSION_ROPEFREQUENCIES_H
