//===- DeepSeekDialect.h - The deepseek dialect -----------------*- C++ -*-===//
//
// Declarations of the dialect, its attributes and its ops. Their meaning is
// said in the .td files beside this one.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_DEEPSEEK_IR_DEEPSEEKDIALECT_H
#define DIALECTS_DEEPSEEK_IR_DEEPSEEKDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h.inc"
#include "dialects/DeepSeek/IR/DeepSeekEnums.h.inc"
#include "dialects/DeepSeek/IR/QuantizableOpInterface.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/DeepSeek/IR/DeepSeekAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/DeepSeek/IR/DeepSeekOps.h.inc"

namespace mlir::deepseek {

/// The `block_scaled` encoding of an FP8 tensor type, or null.
BlockScaledAttr getBlockScaled(Type type);

/// The shape of the scales of a tensor with a `block_scaled` encoding.
SmallVector<int64_t> getScaleShape(RankedTensorType q);

/// The `latent_cache` encoding of a cache's type, or null.
LatentCacheAttr getLatentCache(Type type);

/// Where the size of a result's dimension comes from: a dimension of an
/// operand.
struct DimSource {
  Value operand;
  int64_t dim;
};

/// The sizes of `result` as values: static ones from its type, the others from
/// `sources`, which names an operand's dimension for each of its dimensions.
SmallVector<OpFoldResult> reifyShape(OpBuilder &builder, Value result,
                                     ArrayRef<DimSource> sources);

/// The entry that computes the derived weights, each a result of its name.
constexpr StringLiteral kPrepareEntry = "prepare";

/// Discardable attribute of a weight that the official checkpoints have in FP8:
/// the input of a product that may be quantized.
constexpr StringLiteral kQuantizableAttr = "deepseek.quantizable";

/// Discardable attribute of a derived weight whose leading dimension counts
/// experts, as a '*' in a key does.
constexpr StringLiteral kStackedAttr = "deepseek.stacked";

/// Discardable attributes that `ds-import` puts on entries and that the later
/// stages and the runtime read.
constexpr StringLiteral kEntryAttr = "deepseek.entry";
constexpr StringLiteral kNameAttr = "deepseek.name";
constexpr StringLiteral kDimsAttr = "deepseek.dims";

/// Discardable attributes of the module.
constexpr StringLiteral kModelAttr = "deepseek.model";
constexpr StringLiteral kSourceAttr = "deepseek.source";
constexpr StringLiteral kEosAttr = "deepseek.eos";
constexpr StringLiteral kBosAttr = "deepseek.bos";
constexpr StringLiteral kContextAttr = "deepseek.context";
constexpr StringLiteral kExpertsPerTokenAttr = "deepseek.experts_per_token";

} // namespace mlir::deepseek

#endif // DIALECTS_DEEPSEEK_IR_DEEPSEEKDIALECT_H
