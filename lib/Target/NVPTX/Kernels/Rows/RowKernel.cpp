//===- RowKernel.cpp - What a kernel does with one row --------------------===//

#include "lib/Target/NVPTX/Kernels/Rows/RowKernel.h"

#include "lib/Target/NVPTX/Kernels/ViewElements.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::deepseek;

/// Pieces of a row that one CTA holds in registers: four for each of its
/// threads.
static constexpr int64_t kMaxPieces = 4096;
/// Rotation angles whose frequencies are selected by immediate operands.
static constexpr int64_t kMaxRopeWidth = 256;
/// Choices of a token whose rows are added in straight code.
static constexpr int64_t kMaxChoices = 32;

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

std::optional<int64_t> deepseek::getRowElements(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() == 0)
    return std::nullopt;
  int64_t elements = 1;
  for (int64_t size : tensor.getShape().drop_front()) {
    if (ShapedType::isDynamic(size))
      return std::nullopt;
    elements *= size;
  }
  return elements;
}

/// Whether `op` only looks at its first operand in another way.
static bool isView(Operation *op) {
  return isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp, tensor::CastOp>(op);
}

bool RowKernel::addView(Operation *op) {
  Value source = op->getOperand(0), result = op->getResult(0);
  if (findView(source))
    return addMemory(result);
  // Of a computed value: the same elements in the same order.
  reshapes[result] = resolve(source);
  return !isa<tensor::ExtractSliceOp>(op) &&
         getRowElements(result.getType()) == getRowElements(source.getType());
}

/// Notes where the rows of `value` lie, if they do.
bool RowKernel::addMemory(Value value) {
  std::optional<ArgumentView> view = viewOf(value);
  if (!view || view->sizes.empty() || view->scales ||
      !getRowElements(value.getType()))
    return false;
  views[value] = *view;
  return true;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

static bool isNumber(Type type) { return type.isF32() || type.isBF16(); }

static bool hasNumbers(ValueRange values) {
  return llvm::all_of(values, [](Value value) {
    return isNumber(getElementTypeOrSelf(value.getType()));
  });
}

std::optional<double> deepseek::getSplat(Value value) {
  DenseFPElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)) || !constant.isSplat())
    return std::nullopt;
  return constant.getSplatValue<APFloat>().convertToDouble();
}

static bool canEmit(QuantizeOp op) {
  auto type = cast<RankedTensorType>(op.getQ().getType());
  BlockScaledAttr scaling = getBlockScaled(type);
  int64_t block = scaling.getBlock().back();
  return type.getRank() == 2 && isa<Float8E4M3FNType>(type.getElementType()) &&
         scaling.getBlock().front() == 1 && !scaling.getPacking() &&
         llvm::isPowerOf2_64(block);
}

static bool canEmit(MoECombineOp op) {
  auto scores = cast<RankedTensorType>(op.getScores().getType());
  return !scores.isDynamicDim(1) &&
         scores.getDimSize(1) + op.getSharedGroup() <= kMaxChoices &&
         isa<BlockArgument>(op.getRows()) &&
         isa<BlockArgument>(op.getSource()) &&
         isa<BlockArgument>(op.getScores());
}

static bool canEmit(CacheAppendOp op) {
  Type element = getElementTypeOrSelf(op.getCache().getType());
  return isa<BlockArgument>(op.getCache()) &&
         getElementTypeOrSelf(op.getLatent().getType()) == element &&
         getElementTypeOrSelf(op.getRope().getType()) == element;
}

static bool canEmit(RopeOp op) {
  int64_t width = cast<RankedTensorType>(op.getX().getType()).getShape().back();
  return width > 0 && width <= kMaxRopeWidth;
}

std::optional<RowOperands> deepseek::getRowOperands(Operation *op) {
  using Result = std::optional<RowOperands>;
  if (!isa<QuantizeOp>(op) &&
      (!hasNumbers(op->getResults()) || op->getNumResults() != 1))
    return std::nullopt;
  auto of = [](bool can, RowOperands operands) {
    return can ? Result(operands) : Result();
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](EmbeddingOp op) {
        return of(isa<BlockArgument>(op.getTable()),
                  {{}, {op.getTokens()}, {}});
      })
      .Case([&](RMSNormOp op) {
        return of(cast<RankedTensorType>(op.getX().getType()).getRank() == 2,
                  {{op.getX()}, {}, {op.getGamma()}});
      })
      .Case([&](SwigluOp op) {
        return of(true, {{op.getGate(), op.getUp()}, {}, {}});
      })
      .Case([&](RopeOp op) {
        return of(canEmit(op), {{op.getX()}, {op.getPositions()}, {}});
      })
      .Case([&](QuantizeOp op) {
        return of(canEmit(op), {{op.getX()}, {}, {}});
      })
      .Case([&](MoECombineOp op) {
        RowOperands operands;
        if (op.getShared())
          operands.rows.push_back(op.getShared());
        return of(canEmit(op), operands);
      })
      .Case([&](CacheAppendOp op) {
        return of(canEmit(op),
                  {{op.getLatent(), op.getRope()}, {op.getSlots()}, {}});
      })
      .Case<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
            arith::NegFOp, arith::ExtFOp, arith::TruncFOp>([&](Operation *op) {
        RowOperands operands;
        for (Value operand : op->getOperands())
          if (!getSplat(operand))
            operands.rows.push_back(operand);
        return of(isa<RankedTensorType>(op->getResult(0).getType()) &&
                      !operands.rows.empty(),
                  operands);
      })
      .Default([](Operation *) { return Result(); });
}

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

void RowKernel::limitVector(int64_t multiple) {
  while (multiple % vector != 0)
    vector /= 2;
}

const ArgumentView *RowKernel::findView(Value value) const {
  auto found = views.find(value);
  return found == views.end() ? nullptr : &found->second;
}

Value RowKernel::resolve(Value value) const {
  auto found = reshapes.find(value);
  return found == reshapes.end() ? value : found->second;
}

ArrayRef<unsigned> RowKernel::getOuts(Value value) const {
  auto found = outs.find(value);
  return found == outs.end() ? ArrayRef<unsigned>() : found->second;
}

/// A value that is read by row, or computed.
bool RowKernel::useRows(Value value) {
  std::optional<int64_t> elements = getRowElements(value.getType());
  if (!elements || *elements == 0)
    return false;
  limitVector(*elements);
  widest = std::max(widest, *elements);
  const ArgumentView *view = findView(value);
  if (!view)
    return true;
  limitVector(view->strides.front());
  while (!ViewElements(*view, 1).hasRunsOf(vector))
    vector /= 2;
  if (!rows)
    rows = view->argument;
  bytes += *elements *
           getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth() / 8;
  return true;
}

bool RowKernel::addOp(Operation *op) {
  std::optional<RowOperands> operands = getRowOperands(op);
  if (!operands)
    return false;
  for (Value value : operands->rows)
    if (!useRows(value) || !hasNumbers(value))
      return false;
  for (Value value : operands->scalars) {
    const ArgumentView *view = findView(value);
    if (!view || view->sizes.size() != 1 || view->strides.front() != 1 ||
        view->offset != 0)
      return false;
    rows = view->argument;
  }
  for (Value value : operands->vectors)
    if (!isa<BlockArgument>(value) || !hasNumbers(value))
      return false;
  if (auto quantize = dyn_cast<QuantizeOp>(op)) {
    limitVector(getBlockScaled(quantize.getQ().getType()).getBlock().back());
    // Codes and scales are only stored.
    for (Operation *user : op->getUsers())
      if (!isa<func::ReturnOp>(user))
        return false;
  }
  if (auto embedding = dyn_cast<EmbeddingOp>(op))
    bytes += getRowElements(embedding.getTable().getType()).value_or(0) *
             getElementTypeOrSelf(embedding.getTable().getType())
                 .getIntOrFloatBitWidth() /
             8;
  if (auto rope = dyn_cast<RopeOp>(op))
    limitVector(
        cast<RankedTensorType>(rope.getX().getType()).getShape().back());
  if (auto combine = dyn_cast<MoECombineOp>(op)) {
    rows = cast<BlockArgument>(combine.getScores()).getArgNumber();
    auto type = cast<RankedTensorType>(combine.getRows().getType());
    if (!hasNumbers(combine.getRows()) || type.isDynamicDim(1))
      return false;
    bytes +=
        type.getDimSize(1) * type.getElementTypeBitWidth() / 8 *
        (cast<RankedTensorType>(combine.getScores().getType()).getDimSize(1) +
         combine.getSharedGroup());
  }
  ops.push_back(op);
  if (isa<CacheAppendOp>(op))
    return true;
  return useRows(op->getResult(0));
}

/// Scales may stand in another order than rows.
static bool isScale(Value value) {
  auto quantize = value.getDefiningOp<QuantizeOp>();
  return quantize && value == quantize.getScale();
}

bool RowKernel::addReturn(func::FuncOp kernel, func::ReturnOp op) {
  unsigned firstOut = kernel.getNumArguments() - op.getNumOperands();
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    unsigned out = firstOut + index;
    if (value == kernel.getArgument(out) ||
        value.getDefiningOp<CacheAppendOp>())
      continue;
    if (findView(value)) {
      if (!useRows(value) || !hasNumbers(value))
        return false;
      copies.push_back({value, out});
    } else {
      outs[resolve(value)].push_back(out);
    }
    if (!isScale(value))
      rows = out;
    bytes += getRowElements(value.getType()).value_or(0) *
             getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth() / 8;
  }
  return true;
}

std::optional<RowKernel> RowKernel::analyze(func::FuncOp kernel) {
  RowKernel result;
  for (BlockArgument argument : kernel.getArguments()) {
    result.arguments.push_back(argument);
    result.addMemory(argument);
  }
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (isa<tensor::DimOp>(op) || op.hasTrait<OpTrait::ConstantLike>())
      continue;
    if (!(isView(&op) ? result.addView(&op) : result.addOp(&op)))
      return std::nullopt;
  }
  auto end = cast<func::ReturnOp>(kernel.getBody().front().getTerminator());
  if (!result.addReturn(kernel, end) || !result.rows ||
      (result.ops.empty() && result.copies.empty()))
    return std::nullopt;
  result.rowsArgument = *result.rows;
  for (Operation *op : result.ops) {
    // A pair of elements is turned by one thread; a block of scales is at most
    // a warp.
    if (isa<RopeOp>(op) && result.vector < 2)
      return std::nullopt;
    if (auto quantize = dyn_cast<QuantizeOp>(op))
      if (getBlockScaled(quantize.getQ().getType()).getBlock().back() /
              result.vector >
          32)
        return std::nullopt;
  }
  if (result.widest / result.vector > kMaxPieces)
    return std::nullopt;
  return result;
}
