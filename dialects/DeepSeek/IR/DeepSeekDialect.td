//===- DeepSeekDialect.td - DeepSeek dialect definition ----*- tablegen -*-===//
//
// The `deepseek` dialect: a model graph, on tensors, with value semantics.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_DEEPSEEK_IR_DEEPSEEKDIALECT_TD
#define DIALECTS_DEEPSEEK_IR_DEEPSEEKDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def DeepSeek_Dialect : Dialect {
  let name = "deepseek";
  let cppNamespace = "::mlir::deepseek";
  let summary = "Model graphs of the DeepSeek-V3 family, on tensors.";
  let description = [{
    One op is one mathematical step of the model. An op says *what* is computed,
    never how or where: there are no tiles, streams, memory spaces or chips here.

    Conventions that hold for every op:

    - Tokens of all sequences of a step are flattened into one leading dimension
      `T`. `cu_q_lens` and `cu_kv_lens` (`tensor<(B+1)xi32>`, exclusive prefix sums)
      say where each of the `B` sequences begins among the new tokens and among the
      cached rows; the cached rows include those of the new tokens.
    - A weight matrix is `[out, in]`, as in the checkpoint: `linear` is `x * w^T`.
    - Shape letters: T tokens, B sequences, H hidden, N heads, E experts, K chosen
      experts per token, I expert intermediate size, C latent width, R rope width,
      D key head width, Dv value head width, V vocabulary, O and I the two sides of a
      projection.
    - Accumulation is in f32; a result is rounded once, to its element type.
    - Float operands of one op may differ in element type (BF16 weights meet an F32
      residual): each is widened to f32 exactly.
    - `shape(x) = [T, H]` in a constraint: wherever a letter stands, in all constraints
      of an op, the sizes are equal. A dynamic size fits every size; `_` is any
      size.
    - `tensor.cast`s fold into an op where they hide a static size (canonicalization).
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasCanonicalizer = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

defvar DS_Float = [BF16, F16, F32];
defvar DS_Fp8 = [F8E4M3FN, F8E5M2];
defvar DS_Scale = [F32, F8E8M0FNU];

//===----------------------------------------------------------------------===//
// Base op
//===----------------------------------------------------------------------===//

/// Every op that is a pure function of its operands derives from this class and
/// prints as `deepseek.<op> %operands {attrs} : (operand types) -> result types`.
class DeepSeek_Op<string mnemonic, list<Trait> traits = []>
    : Op<DeepSeek_Dialect, mnemonic, traits # [Pure,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
            ["reifyResultShapes"]>,
        DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let assemblyFormat = [{
    operands attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // DIALECTS_DEEPSEEK_IR_DEEPSEEKDIALECT_TD
