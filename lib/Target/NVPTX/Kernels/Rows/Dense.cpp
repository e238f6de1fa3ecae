//===- Dense.cpp - Rows of norms, products and sums -----------------------===//
//
//   rms_norm:  s = sum over the team of x[i]^2
//              y[i] = x[i] * (1 / sqrt(s / H + epsilon)) * gamma[i]
//   swiglu:    y[i] = gate[i] / (1 + exp(-gate[i])) * up[i]
//   arith:     in f32, rounded to the result's type
//
// Square root and quotients are correctly rounded.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Rows/RowBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::deepseek;

static Type elementOf(Value value) {
  return getElementTypeOrSelf(value.getType());
}

void deepseek::emitRow(RowBuilder &b, RMSNormOp op) {
  KernelBuilder &k = b.k;
  RowValue x = b.get(op.getX());
  Val squares = k.f32(0);
  for (size_t piece = 0; piece < x.pieces.size(); ++piece)
    for (Val value : b.unpack(x, piece))
      squares = k.fma(value, value, squares);
  Val mean = b.teamSum(squares) / x.elements;
  Val inverse = k.f32(1) / k.sqrt(mean + op.getEpsilon().convertToDouble());
  RowValue y =
      b.map({x, b.getVector(op.getGamma())}, elementOf(op.getResult()),
            [&](ArrayRef<Val> args) { return args[0] * inverse * args[1]; });
  b.set(op.getResult(), y);
}

void deepseek::emitRow(RowBuilder &b, SwigluOp op) {
  KernelBuilder &k = b.k;
  RowValue y = b.map({b.get(op.getGate()), b.get(op.getUp())},
                     elementOf(op.getResult()), [&](ArrayRef<Val> args) {
                       Val gate = args[0];
                       return gate / (k.exp(k.neg(gate)) + 1.0) * args[1];
                     });
  b.set(op.getResult(), y);
}

void deepseek::emitElementwiseRow(RowBuilder &b, Operation *op) {
  SmallVector<RowValue> operands;
  SmallVector<std::optional<double>> splats;
  for (Value operand : op->getOperands()) {
    splats.push_back(getSplat(operand));
    if (!splats.back())
      operands.push_back(b.get(operand));
  }
  auto compute = [&](ArrayRef<Val> args) {
    Vals values;
    for (std::optional<double> splat : splats) {
      values.push_back(splat ? b.k.f32(*splat) : args.front());
      if (!splat)
        args = args.drop_front();
    }
    return llvm::TypeSwitch<Operation *, Val>(op)
        .Case([&](arith::AddFOp) { return values[0] + values[1]; })
        .Case([&](arith::SubFOp) { return values[0] - values[1]; })
        .Case([&](arith::MulFOp) { return values[0] * values[1]; })
        .Case([&](arith::DivFOp) { return values[0] / values[1]; })
        .Case([&](arith::NegFOp) { return b.k.neg(values[0]); })
        .Default([&](Operation *) { return values[0]; }); // extf, truncf
  };
  b.set(op->getResult(0),
        b.map(operands, elementOf(op->getResult(0)), compute));
}
