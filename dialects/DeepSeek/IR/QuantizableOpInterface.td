//===- QuantizableOpInterface.td - Products with an FP8 form -*- tablegen -*-===//
//
// What the quantization asks of a product, so that it names no op.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_DEEPSEEK_IR_QUANTIZABLEOPINTERFACE_TD
#define DIALECTS_DEEPSEEK_IR_QUANTIZABLEOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def DeepSeek_QuantizableOpInterface : OpInterface<"QuantizableOpInterface"> {
  let cppNamespace = "::mlir::deepseek";
  let description = [{
    A product of activations and a weight that also exists on FP8 operands with block
    scales. Which operands may be FP8, and how its scaled form is built.
  }];
  let methods = [
    InterfaceMethod<"The rows that are multiplied; in FP8 with a scale per row and block.",
      "::mlir::OpOperand &", "getActivationOperand">,
    InterfaceMethod<"The weight; in FP8 with a scale per block.",
      "::mlir::OpOperand &", "getWeightOperand">,
    InterfaceMethod<"Builds the product of scaled operands, all else as in this op.",
      "::mlir::Value", "buildScaled",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::RankedTensorType":$result,
           "::mlir::Value":$x, "::mlir::Value":$xScale,
           "::mlir::Value":$w, "::mlir::Value":$wScale)>
  ];
}

#endif // DIALECTS_DEEPSEEK_IR_QUANTIZABLEOPINTERFACE_TD
