//===- SizeBounds.cpp - The largest size an entry may meet ----------------===//
//
// Sizes grow with what they are computed from (sums, products, quotients by a
// constant), so the bound of a result is the op on the bounds of its operands.
//
//===----------------------------------------------------------------------===//

#include "SizeBounds.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

/// The name that `deepseek.dims` gives to dimension `dim` of an argument.
static StringRef getDimName(func::FuncOp func, unsigned argument, size_t dim) {
  auto names = func.getArgAttrOfType<ArrayAttr>(argument, kDimsAttr);
  if (!names || dim >= names.size())
    return "";
  auto name = dyn_cast<StringAttr>(names[dim]);
  return name ? name.getValue() : "";
}

SmallVector<int64_t> SizeBounds::getArgument(unsigned number) {
  Type type = func.getFunctionType().getInput(number);
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  if (auto shaped = dyn_cast<ShapedType>(type))
    shape.assign(shaped.getShape().begin(), shaped.getShape().end());
  for (auto [dim, size] : llvm::enumerate(shape)) {
    if (!ShapedType::isDynamic(size))
      continue;
    auto found = limits.find(getDimName(func, number, dim));
    size = found == limits.end() ? kUnbounded : found->second;
  }
  return shape;
}

FailureOr<int64_t> SizeBounds::get(Value value, Operation *user) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return *constant;
  auto found = known.find(value);
  if (found != known.end())
    return found->second;

  BlockArgument argument = dyn_cast<BlockArgument>(value);
  int64_t dim = 0;
  auto lookThrough = [&](auto size) {
    argument = dyn_cast<BlockArgument>(size.getSource());
    dim = size.getConstantIndex().value_or(-1);
  };
  if (auto size = value.getDefiningOp<memref::DimOp>())
    lookThrough(size);
  else if (auto size = value.getDefiningOp<tensor::DimOp>())
    lookThrough(size);
  FailureOr<int64_t> bound = failure();
  if (argument) {
    SmallVector<int64_t> bounds = getArgument(argument.getArgNumber());
    bound = dim >= 0 && dim < int64_t(bounds.size()) ? bounds[dim] : kUnbounded;
    if (*bound == kUnbounded)
      return user->emitOpError("needs a bound of dimension ")
             << dim << " of argument " << argument.getArgNumber() << " of '"
             << func.getSymName() << "', whose name in '" << kDimsAttr
             << "' is \"" << getDimName(func, argument.getArgNumber(), dim)
             << "\"; expected tokens, sequences, sequences+1, pages, rows or "
                "kv_tokens";
  } else if (Operation *op = value.getDefiningOp()) {
    bound = getArithmetic(op, user);
    if (failed(bound))
      return failure();
  }
  known[value] = *bound;
  return bound;
}

FailureOr<int64_t> SizeBounds::getArithmetic(Operation *op, Operation *user) {
  auto fail = [&]() -> FailureOr<int64_t> {
    InFlightDiagnostic diagnostic =
        user->emitOpError("has a size that cannot be bounded: it is computed "
                          "by '")
        << op->getName() << "'";
    diagnostic.attachNote(op->getLoc()) << "computed here";
    return diagnostic;
  };
  if (!isa<arith::AddIOp, arith::MulIOp, arith::DivUIOp, arith::DivSIOp,
           arith::CeilDivUIOp, arith::CeilDivSIOp, arith::MinUIOp,
           arith::MinSIOp, arith::MaxUIOp, arith::MaxSIOp>(op))
    return fail();
  FailureOr<int64_t> left = get(op->getOperand(0), user);
  FailureOr<int64_t> right = get(op->getOperand(1), user);
  if (failed(left) || failed(right))
    return failure();
  int64_t result = 0;
  if (isa<arith::AddIOp>(op)) {
    if (llvm::AddOverflow(*left, *right, result))
      return fail();
  } else if (isa<arith::MulIOp>(op)) {
    if (llvm::MulOverflow(*left, *right, result))
      return fail();
  } else if (isa<arith::MinUIOp, arith::MinSIOp>(op)) {
    result = std::min(*left, *right);
  } else if (isa<arith::MaxUIOp, arith::MaxSIOp>(op)) {
    result = std::max(*left, *right);
  } else {
    // A quotient only grows with the dividend if the divisor does not change.
    std::optional<int64_t> divisor = getConstantIntValue(op->getOperand(1));
    if (!divisor || *divisor <= 0)
      return fail();
    result = isa<arith::CeilDivUIOp, arith::CeilDivSIOp>(op)
                 ? llvm::divideCeilSigned(*left, *divisor)
                 : *left / *divisor;
  }
  if (result < 0)
    return fail();
  return result;
}
