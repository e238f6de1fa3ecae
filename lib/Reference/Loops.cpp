//===- Loops.cpp - What several families of the reference share -----------===//

#include "Loops.h"

#include <algorithm>
#include <cmath>

using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;
using llvm::ArrayRef;
using llvm::StringRef;
using llvm::Twine;

void reference::multiply(Matrix x, Matrix w, int64_t inner, float *y) {
  // The inner loop runs over a tile of outputs, so that it vectorizes without
  // changing the order in which any one output is summed.
  constexpr int64_t tile = 32;
  std::vector<float> transposed(inner * tile); // [inner, tile]
  for (int64_t begin = 0; begin < w.rows; begin += tile) {
    int64_t width = std::min(tile, w.rows - begin);
    if (width < tile)
      std::fill(transposed.begin(), transposed.end(), 0.0f);
    for (int64_t o = 0; o < width; ++o)
      for (int64_t i = 0; i < inner; ++i)
        transposed[i * tile + o] = w.data[(begin + o) * w.stride + i];
    for (int64_t t = 0; t < x.rows; ++t) {
      float sum[tile] = {};
      for (int64_t i = 0; i < inner; ++i) {
        float value = x.data[t * x.stride + i];
        for (int64_t o = 0; o < tile; ++o)
          sum[o] += value * transposed[i * tile + o];
      }
      std::copy(sum, sum + width, y + t * w.rows + begin);
    }
  }
}

void reference::normalizeRow(const float *x, const float *gamma, int64_t width,
                             double epsilon, float *y) {
  float sum = 0;
  for (int64_t i = 0; i < width; ++i)
    sum += x[i] * x[i];
  float mean = sum / static_cast<float>(width);
  float factor = 1.0f / std::sqrt(mean + static_cast<float>(epsilon));
  for (int64_t i = 0; i < width; ++i)
    y[i] = x[i] * factor * gamma[i];
}

float reference::silu(float gate, float up) {
  return gate / (1.0f + std::exp(-gate)) * up;
}

llvm::Error reference::expectShape(StringRef what, const Tensor &tensor,
                                   ArrayRef<int64_t> shape) {
  bool equal = tensor.rank() == static_cast<int64_t>(shape.size());
  for (size_t i = 0; equal && i < shape.size(); ++i)
    equal = shape[i] == -1 || shape[i] == tensor.dim(i);
  if (equal)
    return llvm::Error::success();
  std::string expected = toString(shape);
  for (size_t at; (at = expected.find("-1")) != std::string::npos;)
    expected.replace(at, 2, "?");
  return makeError("expected " + what + " of shape " + expected + ", got " +
                   toString(tensor.shape()));
}

llvm::Error reference::expectIndex(StringRef what, int64_t position,
                                   int64_t value, int64_t limit) {
  if (value >= 0 && value < limit)
    return llvm::Error::success();
  return makeError("expected " + what + "[" + Twine(position) +
                   "] to be at least 0 and below " + Twine(limit) + ", got " +
                   Twine(value));
}

llvm::Error reference::expectPrefixSums(StringRef what,
                                        ArrayRef<int64_t> values,
                                        int64_t total) {
  bool good = !values.empty() && values.front() == 0 &&
              values.back() == total && llvm::is_sorted(values);
  if (good)
    return llvm::Error::success();
  return makeError("expected " + what + " to ascend from 0 to " + Twine(total) +
                   ", got " + toString(values));
}
