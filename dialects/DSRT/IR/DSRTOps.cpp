//===- DSRTOps.cpp - Verifiers and names of the ops -----------------------===//
//
// What the constraints of DSRTOps.td ask for, and how results are called.
//
//===----------------------------------------------------------------------===//

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mlir::dsrt;

//===----------------------------------------------------------------------===//
// What several ops check
//===----------------------------------------------------------------------===//

/// Inputs and outputs that are shaped are all ranked tensors, or all memrefs
/// and then there are no results. (The interface checks the results on
/// tensors.)
static LogicalResult verifyOneWorld(Operation *op, OperandRange inputs,
                                    OperandRange outputs) {
  Type first;
  for (OperandRange range : {inputs, outputs}) {
    for (Type type : range.getTypes()) {
      if (!isa<ShapedType>(type))
        continue;
      if (!isa<RankedTensorType, MemRefType>(type))
        return op->emitOpError("expected ranked tensors or memrefs, got ")
               << type;
      if (!first)
        first = type;
      if (isa<MemRefType>(first) != isa<MemRefType>(type))
        return op->emitOpError("expected either tensors or memrefs, got ")
               << first << " and " << type;
    }
  }
  if (isa_and_nonnull<MemRefType>(first) && op->getNumResults() != 0)
    return op->emitOpError("expected no results on memrefs, got ")
           << op->getNumResults();
  return success();
}

/// Whether a value of one type can stand for one of the other, if whether it is
/// a tensor or a memref is left aside. Encodings, which memrefs and lowered
/// kernels have none of, say what the elements mean.
static bool fits(Type a, Type b) {
  auto shapedA = dyn_cast<ShapedType>(a), shapedB = dyn_cast<ShapedType>(b);
  if (!shapedA || !shapedB)
    return a == b;
  auto tensorA = dyn_cast<RankedTensorType>(a),
       tensorB = dyn_cast<RankedTensorType>(b);
  if (tensorA && tensorB && tensorA.getEncoding() && tensorB.getEncoding() &&
      tensorA.getEncoding() != tensorB.getEncoding())
    return false;
  return shapedA.getElementType() == shapedB.getElementType() &&
         succeeded(verifyCompatibleShape(a, b));
}

/// A tolerance is finite and not negative.
static LogicalResult verifyTolerance(Operation *op, StringRef name,
                                     const APFloat &value) {
  if (value.isFinite() && (value.isZero() || !value.isNegative()))
    return success();
  SmallString<16> text;
  value.toString(text);
  return op->emitOpError("expected a finite, not negative ")
         << name << ", got " << text;
}

//===----------------------------------------------------------------------===//
// DispatchOp
//===----------------------------------------------------------------------===//

LogicalResult DispatchOp::verify() {
  return verifyOneWorld(*this, getInputs(), getOutputs()); // dispatch_c2
}

/// Checks one operand or output against its place in the kernel's signature.
static LogicalResult verifyFits(DispatchOp op, func::FuncOp kernel,
                                StringRef what, size_t number, Type expected,
                                Type got) {
  if (fits(expected, got))
    return success();
  InFlightDiagnostic error = op.emitOpError("expected ")
                             << what << " " << number << " to fit " << expected
                             << ", got " << got;
  error.attachNote(kernel.getLoc()) << "the kernel is here";
  return error;
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &table) {
  Operation *symbol = table.lookupNearestSymbolFrom(*this, getKernelAttr());
  if (!symbol) // dispatch_c1
    return emitOpError("expected the name of a kernel, got ")
           << getKernelAttr();
  auto kernel = dyn_cast<func::FuncOp>(symbol);
  if (!kernel) // Lowered already; its signature is then its target's affair.
    return success();
  size_t operands = getInputs().size() + getOutputs().size();
  if (kernel.getNumArguments() != operands) // dispatch_c3
    return emitOpError("expected ")
           << kernel.getNumArguments()
           << " inputs and outputs, the kernel's arguments, got " << operands;
  size_t results = kernel.getNumResults();
  if (results != 0 && results != getOutputs().size()) // dispatch_c3
    return emitOpError("expected ") << results << " outputs, the kernel's "
                                    << "results, got " << getOutputs().size();
  FunctionType type = kernel.getFunctionType();
  for (auto [i, operand] : llvm::enumerate(getOperandTypes())) // dispatch_c4
    if (failed(
            verifyFits(*this, kernel, "operand", i, type.getInput(i), operand)))
      return failure();
  if (results == 0)
    return success();
  for (auto [i, output] : llvm::enumerate(getOutputs().getTypes()))
    if (failed(verifyFits(*this, kernel, "output", i, type.getResult(i),
                          output))) // dispatch_c4
      return failure();
  return success();
}

void DispatchOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  for (Value result : getResults())
    setName(result, getKernel().getLeafReference().getValue());
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

LogicalResult GetWeightOp::verify() {
  auto type = cast<ShapedType>(getType());
  if (isa<RankedTensorType, MemRefType>(type) && type.hasStaticShape())
    return success();
  return emitOpError( // get_weight_c2
             "expected a ranked tensor or a memref of a static shape, got ")
         << getType();
}

LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &table) {
  if (table.lookupNearestSymbolFrom(*this, getWeightAttr()))
    return success();
  return emitOpError("expected the name of a weight, got ") // get_weight_c1
         << getWeightAttr();
}

void GetWeightOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), getWeight());
}

LogicalResult WorkspaceOp::verify() {
  auto offset = static_cast<int64_t>(getOffset());
  if (offset < 0) // workspace_c1
    return emitOpError("expected an offset of 0 or more, got ") << offset;
  MemRefType type = getType();
  if (static_cast<int64_t>(getDynamicSizes().size()) !=
      type.getNumDynamicDims()) // workspace_c2
    return emitOpError("expected ")
           << type.getNumDynamicDims() << " dynamic sizes, got "
           << getDynamicSizes().size();
  if (!type.getLayout().isIdentity()) // workspace_c3
    return emitOpError("expected a contiguous, row-major result, got ") << type;
  return success();
}

void WorkspaceOp::getAsmResultNames(
    function_ref<void(Value, StringRef)> setName) {
  setName(getResult(), "workspace");
}

//===----------------------------------------------------------------------===//
// ExpectOp
//===----------------------------------------------------------------------===//

LogicalResult ExpectOp::verify() {
  Type actual = getActual().getType(), expected = getExpected().getType();
  for (Type type : {actual, expected})
    if (!isa<RankedTensorType, MemRefType>(type)) // expect_c1
      return emitOpError("expected ranked tensors or memrefs, got ") << type;
  if (!fits(actual, expected)) // expect_c1
    return emitOpError("expected operands that fit, got ")
           << actual << " and " << expected;
  if (failed(verifyTolerance(*this, "atol", getAtol())) || // expect_c2
      failed(verifyTolerance(*this, "rtol", getRtol())))
    return failure();
  if (getExact() && (!getAtol().isZero() || !getRtol().isZero())) // expect_c2
    return emitOpError("expected tolerances of 0 of an exact expectation, got "
                       "others");
  return success();
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

/// What all collectives check.
template <typename Op>
static LogicalResult verifyCollective(Op op) {
  if (static_cast<int32_t>(op.getGroup()) < 0) // collective_c1
    return op.emitOpError("expected a group of 0 or more, got ")
           << static_cast<int32_t>(op.getGroup());
  // collective_c2
  return verifyOneWorld(op, op.getInputs(), op.getOutputs());
}

/// What those check that have an output for each input.
template <typename Op>
static LogicalResult verifyPairs(Op op, bool sameShape) {
  if (failed(verifyCollective(op)))
    return failure();
  if (op.getInputs().size() != op.getOutputs().size()) // collective_c3
    return op.emitOpError("expected ")
           << op.getInputs().size() << " outputs, one for each input, got "
           << op.getOutputs().size();
  for (auto [input, output] :
       llvm::zip_equal(op.getInputs().getTypes(), op.getOutputs().getTypes())) {
    auto from = dyn_cast<ShapedType>(input);
    auto to = cast<ShapedType>(output);
    if (!from || from.getElementType() != to.getElementType() ||
        from.getRank() != to.getRank() ||
        (sameShape && !fits(from, to))) // collective_c3
      return op.emitOpError("expected an output to fit ")
             << input << ", got " << output;
  }
  return success();
}

LogicalResult AllReduceOp::verify() {
  return verifyPairs(*this, /*sameShape=*/true);
}

LogicalResult AllGatherOp::verify() {
  return verifyPairs(*this, /*sameShape=*/false);
}

LogicalResult ReduceScatterOp::verify() {
  return verifyPairs(*this, /*sameShape=*/false);
}

LogicalResult EpDispatchOp::verify() { return verifyCollective(*this); }

LogicalResult EpCombineOp::verify() { return verifyCollective(*this); }
