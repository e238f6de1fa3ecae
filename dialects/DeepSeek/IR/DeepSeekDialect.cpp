//===- DeepSeekDialect.cpp - The deepseek dialect -------------------------===//
//
// Registration, the two tensor encodings, and what all families of ops share.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

#include "dialects/DeepSeek/IR/DeepSeekDialect.cpp.inc"
#include "dialects/DeepSeek/IR/DeepSeekEnums.cpp.inc"
#include "dialects/DeepSeek/IR/QuantizableOpInterface.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/DeepSeek/IR/DeepSeekAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/DeepSeek/IR/DeepSeekOps.cpp.inc"

void DeepSeekDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/DeepSeek/IR/DeepSeekAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/DeepSeek/IR/DeepSeekOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Tensor encodings
//===----------------------------------------------------------------------===//

LogicalResult
LatentCacheAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        int64_t latent, int64_t rope) {
  constexpr int64_t limit = std::numeric_limits<int32_t>::max();
  if (latent <= 0 || latent > limit) // latent_cache_c1
    return emitError() << "expected a positive latent below 2^31, got "
                       << latent;
  if (rope < 0 || rope % 2 != 0 || rope > limit) // latent_cache_c1
    return emitError() << "expected an even rope of 0 or more below 2^31, got "
                       << rope;
  return success();
}

LogicalResult LatentCacheAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type element,
    function_ref<InFlightDiagnostic()> emitError) const {
  int64_t width = getLatent() + getRope();
  if (shape.size() != 3 || shape[1] == 0 || shape[2] != width) {
    // latent_cache_c2
    InFlightDiagnostic error = emitError();
    error << "expected the shape [pages, page_size, " << width
          << "] of a latent cache, got [";
    llvm::interleaveComma(shape, error, [&](int64_t size) {
      if (ShapedType::isDynamic(size))
        error << "?";
      else
        error << size;
    });
    return error << "]";
  }
  if (!isa<FloatType>(element)) // latent_cache_c3
    return emitError() << "expected the float element type of a latent cache, "
                          "got "
                       << element;
  return success();
}

LogicalResult
BlockScaledAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        ArrayRef<int64_t> block, ScaleFormat format,
                        ScaleLayout layout, StringAttr packing) {
  if (block.size() != 2) // block_scaled_c1
    return emitError() << "expected two block sizes, got " << block.size();
  for (int64_t size : block)
    if (size <= 0) // block_scaled_c1
      return emitError() << "expected positive block sizes, got " << size;
  if (packing && packing.empty()) // block_scaled_c4
    return emitError() << "expected the name of a kernel, got an empty packing";
  return success();
}

LogicalResult BlockScaledAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type element,
    function_ref<InFlightDiagnostic()> emitError) const {
  if (!isa<Float8E4M3FNType, Float8E5M2Type>(element)) // block_scaled_c2
    return emitError() << "expected an FP8 element type, got " << element;
  if (shape.size() < getBlock().size()) // block_scaled_c3
    return emitError() << "expected at least " << getBlock().size()
                       << " dimensions, as there are block sizes, got "
                       << shape.size();
  return success();
}

LogicalResult YarnAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               FloatAttr factor, int64_t originalLength,
                               FloatAttr betaFast, FloatAttr betaSlow) {
  for (FloatAttr attr : {factor, betaFast, betaSlow})
    if (!attr.getType().isF64() || !attr.getValue().isFinite())
      return emitError() << "expected finite numbers of type f64, got " << attr;
  if (factor.getValueAsDouble() < 1.0) // yarn_c1
    return emitError() << "expected a factor of at least 1, got " << factor;
  if (originalLength <= 0) // yarn_c2
    return emitError() << "expected a positive original_length, got "
                       << originalLength;
  if (betaSlow.getValueAsDouble() <= 0.0 ||
      betaFast.getValueAsDouble() < betaSlow.getValueAsDouble()) // yarn_c3
    return emitError() << "expected beta_fast >= beta_slow > 0, got "
                       << betaFast << " and " << betaSlow;
  return success();
}

BlockScaledAttr deepseek::getBlockScaled(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<BlockScaledAttr>(tensor.getEncoding())
                : BlockScaledAttr();
}

SmallVector<int64_t> deepseek::getScaleShape(RankedTensorType q) {
  BlockScaledAttr scaled = getBlockScaled(q);
  SmallVector<int64_t> shape(q.getShape());
  MutableArrayRef<int64_t> blocked =
      MutableArrayRef<int64_t>(shape).take_back(2);
  for (auto [size, block] : llvm::zip_equal(blocked, scaled.getBlock()))
    if (!ShapedType::isDynamic(size))
      size = llvm::divideCeil(size, block);
  if (scaled.getLayout() == ScaleLayout::GroupMajor)
    std::swap(blocked[0], blocked[1]);
  return shape;
}

LatentCacheAttr deepseek::getLatentCache(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<LatentCacheAttr>(tensor.getEncoding())
                : LatentCacheAttr();
}

//===----------------------------------------------------------------------===//
// Result shapes
//===----------------------------------------------------------------------===//

SmallVector<OpFoldResult> deepseek::reifyShape(OpBuilder &builder, Value result,
                                               ArrayRef<DimSource> sources) {
  auto type = cast<RankedTensorType>(result.getType());
  SmallVector<OpFoldResult> shape;
  for (auto [dim, source] : llvm::enumerate(sources)) {
    if (!type.isDynamicDim(dim)) {
      shape.push_back(builder.getIndexAttr(type.getDimSize(dim)));
      continue;
    }
    shape.push_back(tensor::getMixedSize(builder, result.getLoc(),
                                         source.operand, source.dim));
  }
  return shape;
}
