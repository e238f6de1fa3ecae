//===- ViewElements.h - How threads walk a view -----------------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_KERNELS_VIEWELEMENTS_H
#define LIB_TARGET_NVPTX_KERNELS_VIEWELEMENTS_H

#include "lib/Target/NVPTX/ArgumentView.h"
#include "lib/Target/NVPTX/KernelBuilder.h"

namespace mlir::deepseek {

/// The elements of an argument that a view shows, in its order: `sizes` at
/// `strides`, dimensions without a gap between them as one, none of size 1.
struct ViewElements {
  int64_t offset = 0;
  SmallVector<int64_t> sizes, strides;

  /// Those of `view` whose index in each of the first `outer` dimensions is 0.
  /// The sizes of the others must be known.
  explicit ViewElements(const ArgumentView &view, size_t outer = 0);

  int64_t count() const;
  /// Whether runs of `vector` elements (a power of two) lie side by side, at
  /// multiples of it.
  bool hasRunsOf(int64_t vector) const;
  /// Which element of the argument number `index` is.
  Val emitOffset(KernelBuilder &k, Val index) const;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_VIEWELEMENTS_H
