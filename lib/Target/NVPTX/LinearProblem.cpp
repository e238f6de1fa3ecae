//===- LinearProblem.cpp - What a kernel of a product computes ------------===//
//
// From the end to the start: the epilogue, the product, then its operands
// through slices and reshapes to the arguments.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/LinearProblem.h"

#include "deepseek/Transforms/Epilogues.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"
#include "lib/Target/NVPTX/ArgumentView.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// The parts that `value` is put together from along `dim`; itself if it is
/// not.
SmallVector<Value> partsOf(Value value, int64_t dim) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  auto concat = value.getDefiningOp<tensor::ConcatOp>();
  if (!concat || concat.getDim() != static_cast<uint64_t>(dim))
    return {value};
  return SmallVector<Value>(concat.getInputs());
}

class Parser {
public:
  explicit Parser(func::FuncOp kernel) : kernel(kernel) {}
  std::optional<LinearProblem> run();

private:
  bool parseEpilogue();
  bool parseProduct(Operation *op);
  bool parseInput();
  bool parseWeight();
  bool parsePiece(Value w, Value scales);
  bool placeScales(WeightPiece &piece, const ArgumentView &w, Value scales);
  bool splitGates();
  bool checkTypes();

  func::FuncOp kernel;
  LinearProblem problem;
  Value product, x, w, xScale, wScale;
};

/// The results, down to the product's.
bool Parser::parseEpilogue() {
  Operation *end = kernel.getBody().front().getTerminator();
  unsigned results = end->getNumOperands();
  if (results == 0 || kernel.getNumArguments() < results)
    return false;
  problem.y = kernel.getNumArguments() - results;
  problem.yType = getElementTypeOrSelf(end->getOperand(0));
  product = end->getOperand(0);
  if (results == 2) {
    auto quantize = product.getDefiningOp<QuantizeOp>();
    if (!quantize || quantize.getQ() != product ||
        quantize.getScale() != end->getOperand(1))
      return false;
    auto swiglu = quantize.getX().getDefiningOp<SwigluOp>();
    if (!swiglu || !getGatedSource(swiglu))
      return false;
    product = getGatedSource(swiglu);
    if (!quantizesTiles(quantize, Product(product.getDefiningOp())))
      return false;
    BlockScaledAttr scaling = getBlockScaled(quantize.getQ().getType());
    problem.epilogue = LinearProblem::Epilogue::SwigluQuantize;
    problem.yScale = problem.y + 1;
    problem.quantizeBlock = scaling.getBlock().back();
    problem.powerOfTwoScales = scaling.getFormat() == ScaleFormat::PowerOfTwo;
  } else if (results != 1) {
    return false;
  } else if (auto swiglu = product.getDefiningOp<SwigluOp>()) {
    product = getGatedSource(swiglu);
    problem.epilogue = LinearProblem::Epilogue::Swiglu;
  }
  if (!product)
    return false;
  problem.productType = getElementTypeOrSelf(product);
  return true;
}

bool Parser::parseProduct(Operation *op) {
  Product plain(op);
  if (plain.op) {
    x = plain.x;
    w = plain.w;
    xScale = plain.xScale;
    wScale = plain.wScale;
    if (!plain.offsets)
      return true;
    auto offsets = dyn_cast<BlockArgument>(plain.offsets);
    if (!offsets)
      return false;
    problem.offsets = offsets.getArgNumber();
    problem.groups = cast<RankedTensorType>(w.getType()).getDimSize(0);
    return true;
  }
  auto heads = dyn_cast_or_null<HeadLinearOp>(op);
  if (!heads)
    return false;
  x = heads.getX();
  w = heads.getW();
  problem.transposed = heads.getTransposed();
  problem.heads = cast<RankedTensorType>(w.getType()).getDimSize(0);
  return true;
}

bool Parser::parseInput() {
  std::optional<ArgumentView> view = viewOf(x);
  if (!view || view->scales || view->strides.back() != 1)
    return false;
  bool hasHeads = view->strides.size() == 3;
  problem.x = view->argument;
  problem.xType = view->argumentType.getElementType();
  problem.xOffset = view->offset;
  problem.xRowStride = view->strides.front();
  problem.xHeadStride = hasHeads ? view->strides[1] : 0;
  problem.inner = view->sizes.back();
  if (!xScale)
    return true;
  auto scales = dyn_cast<BlockArgument>(xScale);
  BlockScaledAttr scaling = getBlockScaled(x.getType());
  if (!scales || scaling.getBlock().front() != 1 ||
      scaling.getLayout() != ScaleLayout::RowMajor ||
      !getElementTypeOrSelf(xScale).isF32())
    return false;
  problem.xScale = scales.getArgNumber();
  return true;
}

/// Where the scales of a piece stand.
bool Parser::placeScales(WeightPiece &piece, const ArgumentView &view,
                         Value scales) {
  auto argument = dyn_cast<BlockArgument>(scales);
  BlockScaledAttr scaling = getBlockScaled(view.argumentType);
  if (!argument || !scaling || scaling.getLayout() != ScaleLayout::RowMajor ||
      !getElementTypeOrSelf(scales).isF32())
    return false;
  auto type = cast<RankedTensorType>(scales.getType());
  piece.scales = argument.getArgNumber();
  problem.blockRows = scaling.getBlock()[0];
  problem.blockColumns = scaling.getBlock()[1];
  piece.scaleRowStride = type.getDimSize(type.getRank() - 1);
  piece.rowOffset = piece.offset / piece.rowStride;
  if (piece.offset % piece.rowStride != 0)
    return false;
  if (type.getRank() == 3) {
    piece.scaleBatchStride = type.getDimSize(1) * type.getDimSize(2);
    return true;
  }
  // A matrix of which each head has its rows: whole blocks of them.
  int64_t rows = piece.batchStride / piece.rowStride;
  piece.scaleBatchStride = rows / problem.blockRows * piece.scaleRowStride;
  return piece.batchStride % piece.rowStride == 0 &&
         rows % problem.blockRows == 0;
}

bool Parser::parsePiece(Value value, Value scales) {
  std::optional<ArgumentView> view = viewOf(value);
  if (!view || view->strides.back() != 1 ||
      llvm::any_of(view->sizes, ShapedType::isDynamic))
    return false;
  int64_t rank = view->sizes.size();
  WeightPiece piece;
  piece.argument = view->argument;
  piece.outputs = view->sizes[problem.transposed ? rank - 1 : rank - 2];
  piece.offset = view->offset;
  piece.batchStride = rank == 3 ? view->strides[0] : 0;
  piece.rowStride = view->strides[rank - 2];
  Type type = view->argumentType.getElementType();
  if (problem.wType && type != problem.wType)
    return false;
  problem.wType = type;
  if (!scales)
    scales = view->scales;
  if (scales && !placeScales(piece, *view, scales))
    return false;
  problem.pieces.push_back(piece);
  return true;
}

bool Parser::parseWeight() {
  auto type = cast<RankedTensorType>(w.getType());
  problem.outputs =
      type.getDimSize(type.getRank() - (problem.transposed ? 1 : 2));
  SmallVector<Value> parts = partsOf(w, type.getRank() - 2);
  SmallVector<Value> scales(parts.size());
  if (wScale) {
    scales = partsOf(wScale, type.getRank() - 2);
    if (scales.size() != parts.size())
      return false;
  }
  if (parts.size() > 1 && problem.transposed)
    return false;
  for (auto [part, scale] : llvm::zip_equal(parts, scales))
    if (!parsePiece(part, scale))
      return false;
  // All pieces in blocks of the same kind.
  for (Value part : parts) {
    std::optional<ArgumentView> view = viewOf(part);
    BlockScaledAttr scaling = getBlockScaled(view->argumentType);
    if (scaling && (scaling.getBlock()[0] != problem.blockRows ||
                    scaling.getBlock()[1] != problem.blockColumns))
      return false;
  }
  return true;
}

/// Makes gate and up pieces of their own.
bool Parser::splitGates() {
  if (!problem.isGated())
    return true;
  int64_t half = problem.outputs / 2;
  if (problem.pieces.size() == 1) {
    WeightPiece up = problem.pieces.front();
    up.offset += half * up.rowStride;
    up.rowOffset += half;
    problem.pieces.push_back(up);
    for (WeightPiece &piece : problem.pieces)
      piece.outputs = half;
  }
  return problem.pieces.size() == 2 && problem.pieces[0].outputs == half &&
         problem.pieces[1].outputs == half;
}

bool Parser::checkTypes() {
  auto isOperand = [](Type type) {
    return type.isBF16() || isa<Float8E4M3FNType>(type);
  };
  bool fp8Input = isa<Float8E4M3FNType>(problem.xType);
  bool fp8Weight = isa<Float8E4M3FNType>(problem.wType);
  bool isResult = problem.epilogue == LinearProblem::Epilogue::SwigluQuantize
                      ? isa<Float8E4M3FNType>(problem.yType)
                      : problem.yType.isBF16() || problem.yType.isF32();
  auto isFloat = [](Type type) { return type.isBF16() || type.isF32(); };
  return isOperand(problem.xType) && isOperand(problem.wType) && isResult &&
         isFloat(problem.productType) && fp8Input == problem.isScaled() &&
         (!fp8Input || fp8Weight) && fp8Weight == problem.hasFp8Weight();
}

std::optional<LinearProblem> Parser::run() {
  if (!kernel.getBody().hasOneBlock() || !parseEpilogue() ||
      !parseProduct(product.getDefiningOp()) || !parseInput() ||
      !parseWeight() || !splitGates() || !checkTypes())
    return std::nullopt;
  // A rounding between product and swiglu that is none of y's is not known
  // here.
  if (problem.epilogue == LinearProblem::Epilogue::Swiglu &&
      problem.productType != problem.yType)
    return std::nullopt;
  return problem;
}

} // namespace

std::optional<LinearProblem> LinearProblem::parse(func::FuncOp kernel) {
  return Parser(kernel).run();
}
