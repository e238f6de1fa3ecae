//===- BufferizableOpInterfaceImpl.cpp - Bufferization of dsrt ------------===//
//
// Ops with data are in destination-passing style, so upstream's model of it is
// all they need; get_weight only changes its type.
//
//===----------------------------------------------------------------------===//

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::dsrt;

namespace {

/// A destination-passing op on tensors becomes the same op on memrefs.
template <typename Op>
struct DpsModel : DstBufferizableOpInterfaceExternalModel<DpsModel<Op>, Op> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    // A kernel may read what it updates in place (a cache).
    return true;
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (!isa<TensorType>(operand.getType())) {
        operands.push_back(operand);
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
    }
    SmallVector<Value> outputs;
    for (OpOperand &init : cast<Op>(op).getDpsInitsMutable())
      outputs.push_back(operands[init.getOperandNumber()]);
    rewriter.setInsertionPoint(op);
    OperationState newState(op->getLoc(), op->getName(), operands, TypeRange(),
                            op->getAttrs());
    newState.propertiesAttr = op->getPropertiesAsAttribute();
    rewriter.create(newState);
    replaceOpWithBufferizedValues(rewriter, op, outputs);
    return success();
  }
};

/// A weight is memory that nobody may write.
struct GetWeightModel
    : BufferizableOpInterface::ExternalModel<GetWeightModel, GetWeightOp> {
  bool isWritable(Operation *, Value, const AnalysisState &) const {
    return false;
  }

  AliasingOpOperandList getAliasingOpOperands(Operation *, Value,
                                              const AnalysisState &) const {
    return {};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto weight = cast<GetWeightOp>(op);
    auto type = dyn_cast<RankedTensorType>(weight.getType());
    if (!type)
      return success();
    auto buffer = MemRefType::get(type.getShape(), type.getElementType());
    replaceOpWithNewBufferizedOp<GetWeightOp>(rewriter, op, buffer,
                                              weight.getWeightAttr());
    return success();
  }
};

/// Reads both operands.
struct ExpectModel
    : BufferizableOpInterface::ExternalModel<ExpectModel, ExpectOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto expect = cast<ExpectOp>(op);
    FailureOr<Value> actual =
        getBuffer(rewriter, expect.getActual(), options, state);
    FailureOr<Value> expected =
        getBuffer(rewriter, expect.getExpected(), options, state);
    if (failed(actual) || failed(expected))
      return failure();
    rewriter.modifyOpInPlace(op, [&] {
      expect.getActualMutable().assign(*actual);
      expect.getExpectedMutable().assign(*expected);
    });
    return success();
  }
};

} // namespace

void dsrt::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, DSRTDialect *) {
    DispatchOp::attachInterface<DpsModel<DispatchOp>>(*context);
    AllReduceOp::attachInterface<DpsModel<AllReduceOp>>(*context);
    AllGatherOp::attachInterface<DpsModel<AllGatherOp>>(*context);
    ReduceScatterOp::attachInterface<DpsModel<ReduceScatterOp>>(*context);
    EpDispatchOp::attachInterface<DpsModel<EpDispatchOp>>(*context);
    EpCombineOp::attachInterface<DpsModel<EpCombineOp>>(*context);
    GetWeightOp::attachInterface<GetWeightModel>(*context);
    ExpectOp::attachInterface<ExpectModel>(*context);
  });
}
