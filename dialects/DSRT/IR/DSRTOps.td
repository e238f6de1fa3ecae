//===- DSRTOps.td - The host program of a compiled model ---*- tablegen -*-===//
//
// One op per function of the runtime's C ABI (runtime/include/dsrt/abi.h). There is
// no cleverness here: all of it belongs in the passes that create these ops.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_DSRT_IR_DSRTOPS_TD
#define DIALECTS_DSRT_IR_DSRTOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def DSRT_Dialect : Dialect {
  let name = "dsrt";
  let cppNamespace = "::mlir::dsrt";
  let summary = "The host program of a compiled model, as calls of the runtime.";
  let description = [{
    Ops are in destination-passing style, on tensors before bufferization and on
    memrefs after it: upstream one-shot bufferization needs no more to know about them.
  }];
}

class DSRT_Op<string mnemonic, list<Trait> traits = []> : Op<DSRT_Dialect, mnemonic, traits>;

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

def DSRT_DispatchOp : DSRT_DpsOp<"dispatch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel function. The one op that joins host and kernels.";
  let description = [{
    The kernel it names is never looked into. The host target turns it into a call,
    the NVPTX target into `dsrt.launch`.

    ```mlir
    %y = dsrt.dispatch @kernels::@scaled_linear_0
        ins(%q, %s : tensor<?x7168xf8E4M3FN>, tensor<?x56xf32>)
        outs(%init : tensor<?x1536xbf16>) -> tensor<?x1536xbf16>
    ```
  }];
  let arguments = !con((ins SymbolRefAttr:$kernel), operandArgs);
  let assemblyFormat = [{
    $kernel `ins` `(` ($inputs^ `:` type($inputs))? `)`
            `outs` `(` ($outputs^ `:` type($outputs))? `)` attr-dict (`->` type($results)^)?
  }];
  let hasVerifier = 1;
}

def DSRT_LaunchOp : DSRT_Op<"launch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Launches a device kernel. ABI: dsrt_launch.";
  let arguments = (ins SymbolRefAttr:$kernel, Variadic<Index>:$grid, DenseI32ArrayAttr:$block,
                       I32Attr:$shared_bytes, Variadic<AnyType>:$args);
  let assemblyFormat = [{
    $kernel `grid` `(` $grid `)` `block` $block `shared` $shared_bytes
            `args` `(` ($args^ `:` type($args))? `)` attr-dict
  }];
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def DSRT_GetWeightOp : DSRT_Op<"get_weight", [Pure]> {
  let summary = "A weight in device memory. ABI: dsrt_weight.";
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyShaped:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def DSRT_WorkspaceOp : DSRT_Op<"workspace", [Pure]> {
  let summary = "A buffer at a fixed byte offset of the workspace. ABI: dsrt_workspace.";
  let arguments = (ins I64Attr:$offset, Variadic<Index>:$dynamic_sizes);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$offset (`(` $dynamic_sizes^ `)`)? attr-dict `:` type($result)";
}

def DSRT_CopyOp : DSRT_Op<"copy"> {
  let summary = "Copies device memory. ABI: dsrt_copy.";
  let arguments = (ins Arg<AnyMemRef, "", [MemRead]>:$source, Arg<AnyMemRef, "", [MemWrite]>:$target);
  let assemblyFormat = "$source `to` $target attr-dict `:` type($source) `,` type($target)";
}

def DSRT_TensorMapOp : DSRT_Op<"tensor_map"> {
  let summary = "A TMA descriptor of a buffer. ABI: dsrt_tensor_map.";
  let arguments = (ins AnyMemRef:$source, DenseI64ArrayAttr:$box, I32Attr:$swizzle_bytes);
  let results = (outs Index:$result);
  let assemblyFormat = "$source `box` $box `swizzle` $swizzle_bytes attr-dict `:` type($source)";
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

def DSRT_ExpectOp : DSRT_Op<"expect"> {
  let summary = "Fails the run unless `actual` is `expected`, bitwise or to a tolerance. ABI: dsrt_expect.";
  let arguments = (ins Arg<AnyShaped, "", [MemRead]>:$actual, Arg<AnyShaped, "", [MemRead]>:$expected,
                       F64Attr:$atol, F64Attr:$rtol, UnitAttr:$exact);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual) `,` type($expected)";
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

class DSRT_Collective<string mnemonic, string what> : DSRT_DpsOp<mnemonic> {
  let summary = what # " ABI: dsrt_" # mnemonic # ".";
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

#endif // DIALECTS_DSRT_IR_DSRTOPS_TD
