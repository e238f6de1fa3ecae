//===- Difference.h - How far tensors are apart -----------------*- C++ -*-===//

#ifndef LIB_VERIFICATION_DIFFERENCE_H
#define LIB_VERIFICATION_DIFFERENCE_H

#include "deepseek/Reference/Binding.h"

namespace mlir::deepseek::verification {

struct Difference {
  bool identical = true; // bit for bit
  double largest = 0;    // infinite where only one is a number, or sizes differ
  double sum = 0;
  int64_t count = 0;
  double magnitude = 0; // of the first tensor, at most
  int64_t where = 0;    // the element that differs most

  double mean() const { return count ? sum / count : 0; }
  void add(const Difference &other);
};

Difference compare(const reference::Tensor &before,
                   const reference::Tensor &after);

/// All tensors of both; a name that only one has is an error that names it.
llvm::Expected<Difference> compare(const reference::TensorMap &before,
                                   const reference::TensorMap &after);

/// "element [3, 17]: 0.25 before, 0.5 after; at most 0.5 apart, of values up to
/// 3.25".
std::string describe(const Difference &difference,
                     const reference::Tensor &before,
                     const reference::Tensor &after);

} // namespace mlir::deepseek::verification

#endif // LIB_VERIFICATION_DIFFERENCE_H
