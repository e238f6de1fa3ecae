//===- Quant.cpp - Reference of the ops in QuantOps.td --------------------===//
//
// Block-scaled FP8. The last block of a dimension may be ragged.
//
//===----------------------------------------------------------------------===//

#include "Loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;
using llvm::Twine;

static int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The least power of two that is not below `scale` (positive), by its bits:
/// the exponent, plus one if the fraction is not zero.
static float roundUpToPowerOfTwo(float scale) {
  uint32_t bits;
  std::memcpy(&bits, &scale, sizeof(bits));
  uint32_t exponent = (bits >> 23 & 0xff) + ((bits & 0x7fffff) != 0);
  return std::ldexp(1.0f,
                    static_cast<int>(std::clamp(exponent, 1u, 254u)) - 127);
}

static llvm::Error expectScales(llvm::StringRef what, const ScaledTensor &x) {
  llvm::ArrayRef<int64_t> block = x.format.block;
  if (block.size() != 2 || block[0] <= 0 || block[1] <= 0 || x.q.rank() < 2)
    return makeError("expected " + what +
                     " of rank 2 or 3 with a block of two sizes");
  Shape expected(x.q.shape());
  size_t rank = expected.size();
  expected[rank - 2] = ceilDivide(expected[rank - 2], block[0]);
  expected[rank - 1] = ceilDivide(expected[rank - 1], block[1]);
  if (x.format.groupMajor)
    std::swap(expected[rank - 2], expected[rank - 1]);
  return expectShape((what + "_scale").str(), x.scale, expected);
}

/// `[batch, rows, columns]` as `[batch, columns, rows]`.
static std::vector<float> transpose(const std::vector<float> &values,
                                    int64_t batch, int64_t rows,
                                    int64_t columns) {
  std::vector<float> result(values.size());
  for (int64_t e = 0; e < batch; ++e)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        result[(e * columns + j) * rows + i] =
            values[(e * rows + i) * columns + j];
  return result;
}

/// The scales of a tensor in row-major order, in which the loops read them.
static std::vector<float> rowMajorScales(const ScaledTensor &x) {
  std::vector<float> scales(x.scale.size());
  x.scale.readFloats(0, x.scale.size(), scales.data());
  if (!x.format.groupMajor)
    return scales;
  int64_t rank = x.scale.rank();
  return transpose(scales, rank == 3 ? x.scale.dim(0) : 1,
                   x.scale.dim(rank - 2), x.scale.dim(rank - 1));
}

/// Row-major scales `[batch, rows, columns]` of a tensor of this rank, in the
/// layout of `format`.
static Tensor storeScales(const std::vector<float> &scales, int64_t rank,
                          Shape shape, const BlockFormat &format,
                          ElementType type) {
  int64_t batch = shape[0], rows = shape[1], columns = shape[2];
  if (format.groupMajor)
    std::swap(shape[1], shape[2]);
  if (rank == 2)
    shape.erase(shape.begin());
  return Tensor::fromFloats(
      type, shape,
      format.groupMajor ? transpose(scales, batch, rows, columns) : scales);
}

/// Quantizes one matrix `[M, K]`; codes to `q` from `begin` on, scales
/// row-major.
static void quantizeMatrix(const float *in, int64_t M, int64_t K,
                           const BlockFormat &format, Tensor &q, int64_t begin,
                           float *scales) {
  int64_t b0 = format.block[0], b1 = format.block[1];
  int64_t blockRows = ceilDivide(M, b0), blockColumns = ceilDivide(K, b1);
  float largest = q.type() == ElementType::F8E4M3FN ? 448.0f : 57344.0f;
  for (int64_t b = 0; b < blockRows * blockColumns; ++b) {
    int64_t top = b / blockColumns * b0, left = b % blockColumns * b1;
    int64_t bottom = std::min(top + b0, M), right = std::min(left + b1, K);
    float amax = 1e-4f;
    for (int64_t i = top; i < bottom; ++i)
      for (int64_t j = left; j < right; ++j)
        amax = std::max(amax, std::fabs(in[i * K + j]));
    float scale = amax / largest;
    if (format.powerOfTwo)
      scale = roundUpToPowerOfTwo(scale);
    scales[b] = scale;
    for (int64_t i = top; i < bottom; ++i)
      for (int64_t j = left; j < right; ++j)
        q.setFloat(begin + i * K + j, in[i * K + j] / scale);
  }
}

llvm::Expected<Quantized> reference::quantize(const Tensor &x,
                                              const BlockFormat &format,
                                              ElementType type,
                                              ElementType scaleType) {
  int64_t rank = x.rank();
  if (rank != 2 && rank != 3)
    return makeError("expected x of rank 2 or 3, got " + x.describe());
  if (format.block.size() != 2 || format.block[0] <= 0 || format.block[1] <= 0)
    return makeError("expected a block of two positive sizes");
  int64_t batch = rank == 3 ? x.dim(0) : 1;
  int64_t M = x.dim(rank - 2), K = x.dim(rank - 1);
  Shape blocks = {batch, ceilDivide(M, format.block[0]),
                  ceilDivide(K, format.block[1])};
  Floats in(x);
  Tensor q(type, x.shape());
  int64_t perMatrix = blocks[1] * blocks[2];
  std::vector<float> scales(batch * perMatrix);
  for (int64_t e = 0; e < batch; ++e)
    quantizeMatrix(in.data() + e * M * K, M, K, format, q, e * M * K,
                   scales.data() + e * perMatrix);
  return Quantized{std::move(q),
                   storeScales(scales, rank, blocks, format, scaleType)};
}

Result reference::dequantize(ScaledTensor x, ElementType type) {
  if (llvm::Error error = expectScales("q", x))
    return error;
  int64_t rank = x.q.rank(), rows = x.q.dim(rank - 2), K = x.q.dim(rank - 1);
  int64_t batch = x.q.rank() == 3 ? x.q.dim(0) : 1;
  int64_t b0 = x.format.block[0], b1 = x.format.block[1];
  int64_t blockRows = ceilDivide(rows, b0), blockColumns = ceilDivide(K, b1);
  std::vector<float> scale =
      rowMajorScales(x); // [batch, blockRows, blockColumns]
  Tensor result(type, x.q.shape());
  std::vector<float> row(K);
  for (int64_t e = 0; e < batch; ++e)
    for (int64_t i = 0; i < rows; ++i) {
      x.q.readFloats((e * rows + i) * K, K, row.data());
      const float *scales =
          scale.data() + (e * blockRows + i / b0) * blockColumns;
      for (int64_t b = 0; b < blockColumns; ++b)
        for (int64_t j = b * b1; j < std::min((b + 1) * b1, K); ++j)
          row[j] *= scales[b];
      result.writeFloats((e * rows + i) * K, K, row.data());
    }
  return result;
}

llvm::Expected<Quantized> reference::requantize(ScaledTensor x,
                                                const BlockFormat &format,
                                                ElementType scaleType) {
  if (llvm::Error error = expectScales("q", x))
    return error;
  bool exact = x.format.block == format.block &&
               (x.format.powerOfTwo || !format.powerOfTwo);
  if (!exact) {
    Result values = dequantize(x, ElementType::F32);
    if (!values)
      return values.takeError();
    return quantize(*values, format, x.q.type(), scaleType);
  }
  int64_t rank = x.q.rank();
  Shape blocks = {rank == 3 ? x.q.dim(0) : 1,
                  ceilDivide(x.q.dim(rank - 2), format.block[0]),
                  ceilDivide(x.q.dim(rank - 1), format.block[1])};
  return Quantized{
      x.q, storeScales(rowMajorScales(x), rank, blocks, format, scaleType)};
}

namespace {

/// A block-scaled matrix in f32: rows [rows, K], scales [rows / b0, K / b1].
struct ScaledMatrix {
  Matrix matrix;
  const float *scale;
  int64_t rowsPerScale; // b0
};

} // namespace

/// `y[t, o] += (sum over block k of x * w) * x_scale[t / x0, k] * w_scale[o /
/// w0, k]` for each block k of the inner dimension. `firstRow` is x's first row
/// within its tensor, so that its scales are found.
static void multiplyScaled(ScaledMatrix x, int64_t firstRow, ScaledMatrix w,
                           int64_t inner, int64_t block, float *y) {
  int64_t blocks = ceilDivide(inner, block), O = w.matrix.rows;
  std::vector<float> partial(x.matrix.rows * O);
  for (int64_t k = 0; k < blocks; ++k) {
    Matrix xBlock = x.matrix, wBlock = w.matrix;
    xBlock.data += k * block;
    wBlock.data += k * block;
    multiply(xBlock, wBlock, std::min(block, inner - k * block),
             partial.data());
    for (int64_t t = 0; t < x.matrix.rows; ++t) {
      float xScale = x.scale[(firstRow + t) / x.rowsPerScale * blocks + k];
      for (int64_t o = 0; o < O; ++o)
        y[t * O + o] += partial[t * O + o] * xScale *
                        w.scale[o / w.rowsPerScale * blocks + k];
    }
  }
}

static llvm::Error expectOperands(const ScaledTensor &x,
                                  const ScaledTensor &w) {
  if (llvm::Error error = expectScales("x", x))
    return error;
  if (llvm::Error error = expectScales("w", w))
    return error;
  if (x.format.block[1] != w.format.block[1])
    return makeError("expected equal inner blocks, got " +
                     Twine(x.format.block[1]) + " and " +
                     Twine(w.format.block[1]));
  return expectShape("x", x.q, {-1, w.q.shape().back()});
}

Result reference::scaledLinear(ScaledTensor x, ScaledTensor w,
                               ElementType type) {
  if (llvm::Error error = expectOperands(x, w))
    return error;
  if (llvm::Error error = expectShape("w", w.q, {-1, -1}))
    return error;
  int64_t T = x.q.dim(0), I = x.q.dim(1), O = w.q.dim(0);
  Floats in(x.q), weight(w.q);
  std::vector<float> inScale = rowMajorScales(x),
                     weightScale = rowMajorScales(w);
  std::vector<float> y(T * O);
  multiplyScaled({{in.data(), T, I}, inScale.data(), x.format.block[0]}, 0,
                 {{weight.data(), O, I}, weightScale.data(), w.format.block[0]},
                 I, x.format.block[1], y.data());
  return Tensor::fromFloats(type, {T, O}, y);
}

Result reference::scaledGroupedLinear(ScaledTensor x, ScaledTensor w,
                                      const Tensor &offsets, ElementType type) {
  if (llvm::Error error = expectOperands(x, w))
    return error;
  if (llvm::Error error = expectShape("w", w.q, {-1, -1, -1}))
    return error;
  int64_t M = x.q.dim(0), I = x.q.dim(1), E = w.q.dim(0), O = w.q.dim(1);
  if (llvm::Error error = expectShape("offsets", offsets, {E + 1}))
    return error;
  std::vector<int64_t> begin = toInts(offsets);
  if (llvm::Error error = expectPrefixSums("offsets", begin, M))
    return error;
  Floats in(x.q);
  std::vector<float> inScale = rowMajorScales(x),
                     weightScale = rowMajorScales(w);
  int64_t scalesPerExpert = w.scale.dim(1) * w.scale.dim(2);
  std::vector<float> y(M * O), weight(O * I);
  for (int64_t e = 0; e < E; ++e) {
    int64_t rows = begin[e + 1] - begin[e];
    if (rows == 0)
      continue;
    w.q.readFloats(e * O * I, O * I, weight.data());
    multiplyScaled({{in.data() + begin[e] * I, rows, I},
                    inScale.data(),
                    x.format.block[0]},
                   begin[e],
                   {{weight.data(), O, I},
                    weightScale.data() + e * scalesPerExpert,
                    w.format.block[0]},
                   I, x.format.block[1], y.data() + begin[e] * O);
  }
  return Tensor::fromFloats(type, {M, O}, y);
}
