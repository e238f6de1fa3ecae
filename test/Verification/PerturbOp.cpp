//===- PerturbOp.cpp - A miscompile by seed -------------------------------===//
//
// Makes one op compute something slightly else, as a wrong rewrite would: of a
// deepseek op a number among its attributes is changed or an operand rounded to
// FP8 on the way, of the arithmetic of a kernel in the LLVM dialect the result
// is multiplied by a number near one. The seed chooses the op. A remark says
// which.
//
//===----------------------------------------------------------------------===//

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// The last operand that can be rounded: the first may be a cache without rows.
Value findFloatOperand(Operation *op) {
  for (Value operand : llvm::reverse(op->getOperands()))
    if (auto type = dyn_cast<RankedTensorType>(operand.getType()))
      if (type.getElementType().isBF16() || type.getElementType().isF32())
        return operand;
  return Value();
}

std::optional<NamedAttribute> findNumber(Operation *op) {
  for (NamedAttribute attribute : op->getAttrDictionary())
    if (isa<FloatAttr>(attribute.getValue()))
      return attribute;
  return std::nullopt;
}

bool isCandidate(Operation *op) {
  if (isa<LLVM::FMulOp, LLVM::FAddOp, LLVM::FDivOp>(op))
    return true;
  if (isa<WeightOp, GetWeightOp, DequantizeOp>(op) ||
      !isa_and_nonnull<DeepSeekDialect>(op->getDialect()))
    return false;
  return findFloatOperand(op) || findNumber(op);
}

/// 1e-6 and 10000 alike become another number that matters.
void changeNumber(Operation *op, NamedAttribute attribute) {
  auto number = cast<FloatAttr>(attribute.getValue());
  op->setAttr(attribute.getName(),
              FloatAttr::get(number.getType(),
                             number.getValueAsDouble() * 1.25 + 0.01));
}

void roundOperand(Operation *op, Value operand) {
  OpBuilder builder(op);
  auto type = cast<RankedTensorType>(operand.getType());
  Type narrow = type.clone(Float8E4M3FNType::get(op->getContext()));
  Value rounded =
      arith::TruncFOp::create(builder, op->getLoc(), narrow, operand);
  Value widened = arith::ExtFOp::create(builder, op->getLoc(), type, rounded);
  op->replaceUsesOfWith(operand, widened);
}

void scaleResult(Operation *op) {
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  Type type = op->getResult(0).getType();
  TypedAttr factor =
      builder.getFloatAttr(getElementTypeOrSelf(type), 1.0 + 1.0 / 16);
  if (auto vector = dyn_cast<VectorType>(type))
    factor = DenseElementsAttr::get(vector, cast<Attribute>(factor));
  Value constant =
      LLVM::ConstantOp::create(builder, op->getLoc(), type, factor);
  auto scaled = LLVM::FMulOp::create(builder, op->getLoc(), type,
                                     op->getResult(0), constant);
  op->getResult(0).replaceAllUsesExcept(scaled.getResult(), scaled);
}

struct PerturbOp : PassWrapper<PerturbOp, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PerturbOp)

  PerturbOp() = default;
  PerturbOp(const PerturbOp &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "test-perturb-op"; }
  StringRef getDescription() const override {
    return "Makes one op compute something slightly else";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, LLVM::LLVMDialect>();
  }

  void runOnOperation() override {
    SmallVector<Operation *> candidates;
    getOperation().walk([&](Operation *op) {
      if (isCandidate(op) &&
          (kind.empty() || op->getName().getStringRef() == kind.getValue()))
        candidates.push_back(op);
    });
    if (candidates.empty()) {
      getOperation().emitError("has no op to perturb");
      return signalPassFailure();
    }
    // A step that has no factor in common with most numbers of candidates.
    Operation *op = candidates[seed * 7919 % candidates.size()];
    auto function = op->getParentOfType<FunctionOpInterface>();
    op->emitRemark() << "perturbed '" << op->getName() << "' in @"
                     << function.getName();
    if (op->getName().getDialectNamespace() == "llvm")
      scaleResult(op);
    else if (std::optional<NamedAttribute> number = findNumber(op))
      changeNumber(op, *number);
    else
      roundOperand(op, findFloatOperand(op));
  }

  Option<uint64_t> seed{*this, "seed", llvm::cl::desc("chooses the op"),
                        llvm::cl::init(0)};
  Option<std::string> kind{*this, "kind",
                           llvm::cl::desc("only ops of this name")};
};

} // namespace

namespace mlir::deepseek {
void registerPerturbOpPass() { PassRegistration<PerturbOp>(); }
} // namespace mlir::deepseek
