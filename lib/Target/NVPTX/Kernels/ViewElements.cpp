//===- ViewElements.cpp - How threads walk a view -------------------------===//

#include "lib/Target/NVPTX/Kernels/ViewElements.h"

#include <numeric>

using namespace mlir;
using namespace mlir::deepseek;

ViewElements::ViewElements(const ArgumentView &view, size_t outer)
    : offset(view.offset) {
  for (size_t dim = outer; dim < view.sizes.size(); ++dim) {
    int64_t size = view.sizes[dim], stride = view.strides[dim];
    if (size == 1)
      continue;
    if (!sizes.empty() && strides.back() == size * stride) {
      sizes.back() *= size;
      strides.back() = stride;
      continue;
    }
    sizes.push_back(size);
    strides.push_back(stride);
  }
}

int64_t ViewElements::count() const {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t(1),
                         std::multiplies<>());
}

bool ViewElements::hasRunsOf(int64_t vector) const {
  if (vector == 1)
    return true;
  if (offset % vector != 0 || sizes.empty() || strides.back() != 1)
    return false;
  for (auto [size, stride] : llvm::zip_equal(sizes, strides))
    if ((stride == 1 ? size : stride) % vector != 0)
      return false;
  return true;
}

Val ViewElements::emitOffset(KernelBuilder &k, Val index) const {
  Val result = constantLike(index, offset);
  for (size_t dim = sizes.size(); dim-- > 0;) {
    Val at = index;
    if (dim > 0) {
      at = index % sizes[dim];
      index = index / sizes[dim];
    }
    result = result + at * strides[dim];
  }
  return result;
}
