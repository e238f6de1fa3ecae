//===- EntryBuilder.cpp - Builds the body of one entry --------------------===//
//
// The ops that occur everywhere. See the header.
//
//===----------------------------------------------------------------------===//

#include "EntryBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

RankedTensorType EntryBuilder::perToken(ArrayRef<int64_t> sizes,
                                        Type element) const {
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  llvm::append_range(shape, sizes);
  return RankedTensorType::get(shape, element);
}

SmallVector<OpFoldResult>
EntryBuilder::perTokenSizes(ArrayRef<int64_t> sizes) const {
  SmallVector<OpFoldResult> result = {inputs.numTokens};
  for (int64_t size : sizes)
    result.push_back(b.getIndexAttr(size));
  return result;
}

static Type storedElement(MLIRContext *context, StoredType type) {
  switch (type) {
  case StoredType::BFloat16:
    return BFloat16Type::get(context);
  case StoredType::Float16:
    return Float16Type::get(context);
  case StoredType::Float32:
    return Float32Type::get(context);
  }
  return {};
}

static Value getWeight(EntryBuilder &entry, StringRef symbol, StringRef key,
                       RankedTensorType type, bool quantizable = false) {
  StringRef name = entry.weights.declare(symbol, key, type, quantizable);
  return GetWeightOp::create(entry.b, type, name);
}

/// `name` inside of a place; the outermost place has no name of its own.
static std::string join(StringRef place, StringRef separator, StringRef name) {
  return place.empty() ? name.str() : (place + separator + name).str();
}

Value EntryBuilder::plainWeight(const Place &place, StringRef name,
                                StringRef symbol, ArrayRef<int64_t> shape,
                                Type element) {
  return getWeight(*this, join(place.symbol, "_", symbol),
                   join(place.key, ".", name),
                   RankedTensorType::get(shape, element));
}

Value EntryBuilder::weight(const Place &place, StringRef name, StringRef symbol,
                           ArrayRef<int64_t> shape) {
  return plainWeight(place, (name + ".weight").str(), symbol, shape,
                     storedElement(b.getContext(), config.storedType));
}

Value EntryBuilder::matrix(const Place &place, StringRef name, StringRef symbol,
                           ArrayRef<int64_t> shape) {
  std::string key = join(place.key, ".", name) + ".weight";
  std::string sym = join(place.symbol, "_", symbol);
  if (!config.fp8)
    return getWeight(
        *this, sym, key,
        RankedTensorType::get(shape,
                              storedElement(b.getContext(), config.storedType)),
        /*quantizable=*/true);

  const Fp8Config &fp8 = *config.fp8;
  auto encoding = BlockScaledAttr::get(
      b.getContext(), {fp8.blockRows, fp8.blockColumns},
      fp8.powerOfTwo ? ScaleFormat::PowerOfTwo : ScaleFormat::Any);
  // The last block of a dimension may be ragged.
  SmallVector<int64_t> scaleShape(shape);
  int64_t &rows = scaleShape[shape.size() - 2];
  int64_t &columns = scaleShape[shape.size() - 1];
  rows = llvm::divideCeil(rows, fp8.blockRows);
  columns = llvm::divideCeil(columns, fp8.blockColumns);

  Value quantized =
      getWeight(*this, sym, key,
                RankedTensorType::get(
                    shape, Float8E4M3FNType::get(b.getContext()), encoding));
  Value scale = getWeight(*this, sym + "_scale", key + "_scale_inv",
                          RankedTensorType::get(scaleShape, b.getF32Type()));
  return DequantizeOp::create(b, RankedTensorType::get(shape, residual),
                              quantized, scale);
}

Value EntryBuilder::linear(Value x, Value w, Type element) {
  int64_t size = cast<RankedTensorType>(w.getType()).getDimSize(0);
  int64_t rows = cast<RankedTensorType>(x.getType()).getDimSize(0);
  return LinearOp::create(b, RankedTensorType::get({rows, size}, element), x,
                          w);
}

Value EntryBuilder::project(const Place &place, StringRef name,
                            StringRef symbol, Value x, int64_t size) {
  int64_t inner = cast<RankedTensorType>(x.getType()).getDimSize(1);
  return linear(x, matrix(place, name, symbol, {size, inner}), residual);
}

Value EntryBuilder::norm(const Place &place, StringRef name, StringRef symbol,
                         Value x, double epsilon) {
  int64_t size = cast<RankedTensorType>(x.getType()).getShape().back();
  Value gamma = weight(place, name, symbol, {size});
  return RMSNormOp::create(b, x.getType(), x, gamma, APFloat(epsilon));
}

Value EntryBuilder::add(Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}

Value EntryBuilder::sliceLast(Value x, int64_t offset, int64_t size) {
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> inner(type.getShape().drop_front());
  inner.back() = size;
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0));
  offsets.back() = b.getIndexAttr(offset);
  SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(
      b, perToken(inner, type.getElementType()), x, offsets,
      perTokenSizes(inner), strides);
}
