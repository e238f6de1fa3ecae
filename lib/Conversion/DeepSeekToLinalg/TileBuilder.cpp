//===- TileBuilder.cpp - Loops and tiles on tensors -----------------------===//
//
// Implementation of the builder that all lowerings of this folder use.
//
//===----------------------------------------------------------------------===//

#include "TileBuilder.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::deepseek;

RankedTensorType deepseek::withoutEncoding(RankedTensorType type) {
  return RankedTensorType::get(type.getShape(), type.getElementType());
}

int64_t deepseek::tileOf(int64_t size, int64_t limit) {
  int64_t tile = 1;
  while (tile * 2 <= limit && size % (tile * 2) == 0)
    tile *= 2;
  return tile;
}

//===----------------------------------------------------------------------===//
// Window
//===----------------------------------------------------------------------===//

Window &Window::at(int64_t dim, OpFoldResult index) {
  offsets[dim] = index;
  dropped[dim] = true;
  return *this;
}

Window &Window::range(int64_t dim, OpFoldResult offset, OpFoldResult size,
                      int64_t stride) {
  offsets[dim] = offset;
  sizes[dim] = size;
  strides[dim] = stride;
  return *this;
}

namespace {
/// A window of a particular tensor, with all of its defaults filled in.
struct Bounds {
  Bounds(TileBuilder &b, const Window &window, Value tensor) {
    for (size_t dim = 0; dim < window.offsets.size(); ++dim) {
      OpFoldResult one = b.getIndexAttr(1);
      offsets.push_back(window.offsets[dim] ? window.offsets[dim]
                                            : OpFoldResult(b.getIndexAttr(0)));
      if (window.dropped[dim])
        sizes.push_back(one);
      else
        sizes.push_back(window.sizes[dim] ? window.sizes[dim]
                                          : b.size(tensor, dim));
      strides.push_back(
          b.getIndexAttr(std::max<int64_t>(window.strides[dim], 1)));
      if (!window.dropped[dim])
        shape.push_back(
            getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
    }
  }
  SmallVector<OpFoldResult> offsets, sizes, strides;
  SmallVector<int64_t> shape;
};
} // namespace

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value TileBuilder::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}

Value TileBuilder::toValue(OpFoldResult value) {
  return getValueOrCreateConstantIndexOp(*this, getLoc(), value);
}

Value TileBuilder::add(OpFoldResult a, OpFoldResult b) {
  return createOrFold<arith::AddIOp>(toValue(a), toValue(b));
}

Value TileBuilder::sub(OpFoldResult a, OpFoldResult b) {
  return createOrFold<arith::SubIOp>(toValue(a), toValue(b));
}

Value TileBuilder::mul(OpFoldResult a, int64_t b) {
  return createOrFold<arith::MulIOp>(toValue(a), index(b));
}

Value TileBuilder::div(OpFoldResult a, int64_t b) {
  return createOrFold<arith::DivUIOp>(toValue(a), index(b));
}

Value TileBuilder::rem(OpFoldResult a, int64_t b) {
  return createOrFold<arith::RemUIOp>(toValue(a), index(b));
}

Value TileBuilder::widen(Value scalar) {
  if (scalar.getType().isF32())
    return scalar;
  return arith::ExtFOp::create(*this, getF32Type(), scalar);
}

Value TileBuilder::round(Value scalar, Type type) {
  if (scalar.getType() == type)
    return scalar;
  return arith::TruncFOp::create(*this, type, scalar);
}

Value TileBuilder::less(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b);
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Value TileBuilder::plain(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.getEncoding())
    return tensor;
  return tensor::CastOp::create(*this, withoutEncoding(type), tensor);
}

Value TileBuilder::indexAt(Value tensor, ValueRange indices) {
  return arith::IndexCastOp::create(*this, getIndexType(),
                                    scalar(tensor, indices));
}

Value TileBuilder::slice(Value tensor, const Window &window) {
  Bounds bounds(*this, window, tensor);
  auto type = RankedTensorType::get(bounds.shape,
                                    getElementTypeOrSelf(tensor.getType()));
  return tensor::ExtractSliceOp::create(*this, type, tensor, bounds.offsets,
                                        bounds.sizes, bounds.strides);
}

Value TileBuilder::put(Value piece, Value tensor, const Window &window) {
  Bounds bounds(*this, window, tensor);
  return tensor::InsertSliceOp::create(*this, piece, tensor, bounds.offsets,
                                       bounds.sizes, bounds.strides);
}

Value TileBuilder::temporary(ArrayRef<int64_t> shape, Type element) {
  return tensor::EmptyOp::create(*this, shape, element);
}

Value TileBuilder::filled(ArrayRef<int64_t> shape, Value value) {
  return linalg::FillOp::create(*this, value, temporary(shape, value.getType()))
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Value>
TileBuilder::parallelMany(ArrayRef<OpFoldResult> upper, ArrayRef<int64_t> steps,
                          ValueRange outs,
                          function_ref<Parts(ValueRange, ValueRange)> body) {
  SmallVector<OpFoldResult> lower(upper.size(), getIndexAttr(0)), step;
  for (int64_t size : steps)
    step.push_back(getIndexAttr(size));
  auto forall =
      scf::ForallOp::create(*this, lower, upper, step, outs, std::nullopt);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPoint(forall.getTerminator());
  ValueRange shared = forall.getRegionIterArgs();
  Parts parts = body(forall.getInductionVars(), shared);
  SmallVector<Bounds, 0> bounds;
  for (auto [part, out] : llvm::zip_equal(parts, shared))
    bounds.emplace_back(*this, part.window, out);
  setInsertionPointToStart(forall.getTerminator().getBody());
  for (auto [part, out, at] : llvm::zip_equal(parts, shared, bounds))
    tensor::ParallelInsertSliceOp::create(*this, part.value, out, at.offsets,
                                          at.sizes, at.strides);
  return SmallVector<Value>(forall.getResults());
}

Value TileBuilder::parallel(ArrayRef<OpFoldResult> upper,
                            ArrayRef<int64_t> steps, Value out,
                            function_ref<Part(ValueRange, Value)> body) {
  return parallelMany(upper, steps, out,
                      [&](ValueRange indices, ValueRange outs) {
                        return Parts{body(indices, outs[0])};
                      })
      .front();
}

Value TileBuilder::parallelRows(Value out,
                                function_ref<Value(ValueRange, Value)> body) {
  int64_t rank = cast<RankedTensorType>(out.getType()).getRank();
  if (rank < 2)
    return body({}, out);
  SmallVector<OpFoldResult> upper;
  for (int64_t dim = 0; dim + 1 < rank; ++dim)
    upper.push_back(size(out, dim));
  SmallVector<int64_t> steps(upper.size(), 1);
  return parallel(upper, steps, out, [&](ValueRange indices, Value shared) {
    Window window(rank);
    for (auto [dim, index] : llvm::enumerate(indices))
      window.at(dim, index);
    return Part{window, body(indices, slice(shared, window))};
  });
}

SmallVector<Value>
TileBuilder::serial(OpFoldResult lower, OpFoldResult upper, int64_t step,
                    ValueRange inits,
                    function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, toValue(lower), toValue(upper),
                                 index(step), inits);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(*this, next);
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value>
TileBuilder::chooseMany(Value condition, function_ref<SmallVector<Value>()> yes,
                        function_ref<SmallVector<Value>()> no) {
  auto side = [&](function_ref<SmallVector<Value>()> values) {
    return [this, values](OpBuilder &nested, Location) {
      OpBuilder::InsertionGuard guard(*this);
      restoreInsertionPoint(nested.saveInsertionPoint());
      scf::YieldOp::create(*this, values());
    };
  };
  auto branch = scf::IfOp::create(*this, condition, side(yes), side(no));
  return SmallVector<Value>(branch.getResults());
}

Value TileBuilder::choose(Value condition, function_ref<Value()> yes,
                          function_ref<Value()> no) {
  return chooseMany(
             condition, [&] { return SmallVector<Value>{yes()}; },
             [&] { return SmallVector<Value>{no()}; })
      .front();
}

Value TileBuilder::generic(StringRef iterators, ValueRange inputs, Value out,
                           Maps maps, Body body) {
  SmallVector<utils::IteratorType> types;
  for (char letter : iterators)
    types.push_back(letter == 'p' ? utils::IteratorType::parallel
                                  : utils::IteratorType::reduction);
  auto op = linalg::GenericOp::create(
      *this, out.getType(), inputs, out, maps, types,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        OpBuilder::InsertionGuard guard(*this);
        restoreInsertionPoint(nested.saveInsertionPoint());
        linalg::YieldOp::create(*this, body(args));
      });
  return op.getResult(0);
}

Value TileBuilder::elementwise(ValueRange inputs, Value out, Body body) {
  int64_t rank = cast<RankedTensorType>(out.getType()).getRank();
  SmallVector<AffineMap> maps(inputs.size() + 1, getMultiDimIdentityMap(rank));
  return generic(std::string(rank, 'p'), inputs, out, maps, body);
}

Value TileBuilder::reduce(Value input, Value init,
                          function_ref<Value(Value, Value)> body) {
  int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
  Value result =
      generic(std::string(rank, 'r'), input, filled({}, init),
              {getMultiDimIdentityMap(rank), map(rank, {})},
              [&](ValueRange args) { return body(args[0], args[1]); });
  return scalar(result);
}

Value deepseek::copyInto(TileBuilder &b, Value row, Value place) {
  return b.elementwise(row, place, [](ValueRange args) { return args[0]; });
}

//===----------------------------------------------------------------------===//
// Destinations
//===----------------------------------------------------------------------===//

/// The out argument that the returned `result` is to be written into, or null.
static Value outArgument(OpResult result) {
  auto function = result.getOwner()->getParentOfType<func::FuncOp>();
  if (!function || result.getOwner()->getBlock() != &function.front())
    return {};
  int64_t outs = function.getNumArguments() - function.getNumResults();
  for (OpOperand &use : result.getUses()) {
    if (!isa<func::ReturnOp>(use.getOwner()) || outs < 0)
      continue;
    Value argument = function.getArgument(outs + use.getOperandNumber());
    if (argument.getType() == result.getType())
      return argument;
  }
  return {};
}

Value deepseek::destination(TileBuilder &b, OpResult result,
                            ArrayRef<OpFoldResult> sizes) {
  if (Value out = outArgument(result))
    return b.plain(out);
  return tensor::EmptyOp::create(b, sizes,
                                 getElementTypeOrSelf(result.getType()));
}

Value deepseek::destinationLike(TileBuilder &b, OpResult result, Value like) {
  auto type = cast<RankedTensorType>(result.getType());
  SmallVector<OpFoldResult> sizes;
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    sizes.push_back(ShapedType::isDynamic(size)
                        ? b.size(like, dim)
                        : OpFoldResult(b.getIndexAttr(size)));
  return destination(b, result, sizes);
}
