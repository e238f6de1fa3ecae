//===- DSRTOps.td - The host program of a compiled model ---*- tablegen -*-===//
//
// One op per function of the runtime's C ABI (runtime/include/dsrt/abi.h). There is
// no cleverness here: all of it belongs in the passes that create these ops.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_DSRT_IR_DSRTOPS_TD
#define DIALECTS_DSRT_IR_DSRTOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def DSRT_Dialect : Dialect {
  let name = "dsrt";
  let cppNamespace = "::mlir::dsrt";
  let summary = "The host program of a compiled model, as calls of the runtime.";
  let description = [{
    Ops with data are in destination-passing style, on tensors before bufferization and
    on memrefs after it: upstream one-shot bufferization needs no more to know about
    them. On tensors there is one result for each output, of its type (checked by the
    destination-style interface); on memrefs there are no results.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

class DSRT_Op<string mnemonic, list<Trait> traits = []> : Op<DSRT_Dialect, mnemonic, traits> {
  let hasVerifier = 1;
}

/// An op that reads `inputs` and writes `outputs`.
class DSRT_DpsOp<string mnemonic, list<Trait> traits = []>
    : DSRT_Op<mnemonic, traits # [AttrSizedOperandSegments, DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
            ["reifyResultShapes"]>,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  dag operandArgs = (ins Variadic<AnyType>:$inputs, Variadic<AnyShaped>:$outputs);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutputsMutable(); }
  }];
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def OpGroupKernels : OpDocGroup {
  let summary = "Kernels";
  let description = "How the host program runs kernels, which live in a nested module.";
}

let opDocGroup = OpGroupKernels in {

def DSRT_DispatchOp : DSRT_DpsOp<"dispatch", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "Runs a kernel function. The one op that joins host and kernels.";
  let description = [{
    The body of the kernel it names is never looked into. It becomes a call: of the
    kernel's code on the host, of a function that launches it on a GPU. The kernel's
    arguments are the inputs, then the outputs.

    ```mlir
    %y = dsrt.dispatch @kernels::@scaled_linear_0
        ins(%q, %s : tensor<?x7168xf8E4M3FN>, tensor<?x56xf32>)
        outs(%init : tensor<?x1536xbf16>) -> tensor<?x1536xbf16>
    ```

    Constraints:
    - (C1) `kernel` names a symbol.
    - (C2) inputs and outputs that are shaped are either all ranked tensors, or all
      memrefs and there are no results.
    - (C3) if the kernel is a `func.func`, it has one argument for each input and
      output, and one result for each output, or none.
    - (C4) then the shapes, element types and encodings (a lowered kernel has none) of
      operands fit those of the arguments, and
      those of the outputs those of the results. A dynamic size fits every size, a memref
      fits a tensor: host and kernels are bufferized apart.
  }];
  let arguments = !con((ins SymbolRefAttr:$kernel), operandArgs);
  let assemblyFormat = [{
    $kernel `ins` `(` ($inputs^ `:` type($inputs))? `)`
            `outs` `(` ($outputs^ `:` type($outputs))? `)` attr-dict (`->` type($results)^)?
  }];
}

} // OpGroupKernels

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def OpGroupMemory : OpDocGroup {
  let summary = "Memory";
  let description = "Weights, the workspace, and what one does with buffers.";
}

let opDocGroup = OpGroupMemory in {

def DSRT_GetWeightOp : DSRT_Op<"get_weight", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "A weight in device memory. ABI: an element of dsrt_weights.";
  let description = [{
    ```mlir
    %gamma = dsrt.get_weight @gamma : memref<7168xbf16>
    ```

    Constraints:
    - (C1) `weight` names a symbol.
    - (C2) the result is a ranked tensor or a memref, with a static shape.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyShaped:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def DSRT_WorkspaceOp : DSRT_Op<"workspace", [Pure,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "A buffer at a fixed byte offset of the workspace. ABI: dsrt_workspace.";
  let description = [{
    ```mlir
    %buffer = dsrt.workspace 4096 (%tokens) : memref<?x7168xbf16>
    ```

    Constraints:
    - (C1) `offset` is not negative.
    - (C2) there is one dynamic size for each dynamic dimension of the result.
    - (C3) the result is contiguous and row-major.
  }];
  let arguments = (ins I64Attr:$offset, Variadic<Index>:$dynamic_sizes);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$offset (`(` $dynamic_sizes^ `)`)? attr-dict `:` type($result)";
}

} // OpGroupMemory

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

def OpGroupChecks : OpDocGroup {
  let summary = "Checks";
  let description = "What the ops of the `check` dialect become.";
}

let opDocGroup = OpGroupChecks in {

// The write stands for the end of the run: an op that only reads would be dead.
def DSRT_ExpectOp : DSRT_Op<"expect", [MemoryEffects<[MemWrite]>]> {
  let summary = "Fails the run unless `actual` is `expected`, bitwise or to a tolerance. ABI: dsrt_expect.";
  let description = [{
    ```mlir
    dsrt.expect %actual, %expected {atol = 1.0e-3, rtol = 0.0} : memref<4xf32>, memref<4xf32>
    ```

    Constraints:
    - (C1) `actual` and `expected` are ranked tensors or memrefs, have the same element
      type and fitting shapes.
    - (C2) `atol` and `rtol` are finite and not negative, and 0 if `exact`.
  }];
  let arguments = (ins Arg<AnyShaped, "", [MemRead]>:$actual, Arg<AnyShaped, "", [MemRead]>:$expected,
                       F64Attr:$atol, F64Attr:$rtol, UnitAttr:$exact);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual) `,` type($expected)";
}

} // OpGroupChecks

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

def OpGroupCollectives : OpDocGroup {
  let summary = "Collectives";
  let description = [{
    Data exchanged by the ranks of a group, by number. No target lowers them yet.

    ```mlir
    %y = dsrt.all_reduce group 0 ins(%x : tensor<?x7168xbf16>)
        outs(%init : tensor<?x7168xbf16>) -> tensor<?x7168xbf16>
    ```

    Constraints of each:
    - (C1) `group` is not negative.
    - (C2) inputs and outputs that are shaped are either all ranked tensors, or all
      memrefs and there are no results.
    - (C3) for the collectives but `ep_dispatch` and `ep_combine`: there is one output
      for each input, of the same element type and rank, and for `all_reduce` of a
      fitting shape.
  }];
}

let opDocGroup = OpGroupCollectives in {

class DSRT_Collective<string mnemonic, string what> : DSRT_DpsOp<mnemonic> {
  let summary = what;
  let arguments = !con((ins I32Attr:$group), operandArgs);
  let assemblyFormat = [{
    `group` $group `ins` `(` $inputs `:` type($inputs) `)`
            `outs` `(` $outputs `:` type($outputs) `)` attr-dict (`->` type($results)^)?
  }];
}

def DSRT_AllReduceOp : DSRT_Collective<"all_reduce", "Sum over a group of ranks.">;
def DSRT_AllGatherOp : DSRT_Collective<"all_gather", "Concatenation over a group of ranks.">;
def DSRT_ReduceScatterOp : DSRT_Collective<"reduce_scatter", "This rank's part of the sum.">;
def DSRT_EpDispatchOp : DSRT_Collective<"ep_dispatch", "Uneven all-to-all of expert rows.">;
def DSRT_EpCombineOp : DSRT_Collective<"ep_combine", "The way back of `ep_dispatch`.">;

} // OpGroupCollectives

#endif // DIALECTS_DSRT_IR_DSRTOPS_TD
