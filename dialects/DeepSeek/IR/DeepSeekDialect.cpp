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

using namespace mlir;
using namespace mlir::deepseek;

#include "dialects/DeepSeek/IR/DeepSeekDialect.cpp.inc"
#include "dialects/DeepSeek/IR/DeepSeekEnums.cpp.inc"
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

LogicalResult LatentCacheAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type element,
    function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != 3 || shape[2] != getLatent() + getRope())
    return emitError() << "expected [pages, page_size, "
                       << getLatent() + getRope() << "]";
  return success();
}

LogicalResult BlockScaledAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type element,
    function_ref<InFlightDiagnostic()> emitError) const {
  if (!isa<Float8E4M3FNType, Float8E5M2Type>(element))
    return emitError() << "expected an FP8 element type, got " << element;
  if (getBlock().size() > shape.size())
    return emitError() << "expected at most " << shape.size()
                       << " block sizes, got " << getBlock().size();
  return success();
}

BlockScaledAttr deepseek::getBlockScaled(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<BlockScaledAttr>(tensor.getEncoding())
                : BlockScaledAttr();
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
