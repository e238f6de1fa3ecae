//===- Passes.td - Passes that know a target ---------------*- tablegen -*-===//

#ifndef DEEPSEEK_TARGET_PASSES_TD
#define DEEPSEEK_TARGET_PASSES_TD

include "mlir/Pass/PassBase.td"

def HostBufferizeKernels : Pass<"host-bufferize-kernels", "ModuleOp"> {
  let summary = "Turns kernel functions on tensors into functions on memrefs that write into their outs";
  let description = [{
    On the nested module of kernels, after `convert-deepseek-to-linalg`. Every
    result is written into its out argument; nothing is allocated: a temporary of
    static size becomes stack memory at the start of the function or of the
    parallel body that uses it, any other is an error that names the kernel.
    A stacked weight (`dsrt.stacked`) becomes a table of pointers.
  }];
}

def HostFuseLoops : Pass<"host-fuse-loops", "func::FuncOp"> {
  let summary = "Runs neighbouring parallel loops over the same rows as one";
  let description = [{
    For kernels of several ops (`ds-fuse-rows`), after `host-bufferize-kernels`: the
    threads meet once, and a row stays in the cache. Two `scf.forall` become one over
    their first dimension if that has the same size (`dsrt.rows` says so of arguments)
    and if, of all memory that one of them writes and the other touches, each iteration
    touches only the row with its own number.
  }];
  let dependentDialects = ["memref::MemRefDialect", "scf::SCFDialect"];
}

def HostVectorizeLinalg : Pass<"host-vectorize-linalg", "func::FuncOp"> {
  let summary = "Lowers linalg on memrefs to loops of 16 lanes in an order that never changes";
  let description = [{
    A reduction is summed in 16 lanes (element `k` in lane `k mod 16`), products
    with a fused multiply-add, and the lanes by a fixed tree; so a result depends
    neither on the instruction set, nor on the number of threads, nor on what else
    is in the batch.
  }];
  let dependentDialects = ["arith::ArithDialect", "math::MathDialect",
                           "memref::MemRefDialect", "scf::SCFDialect",
                           "vector::VectorDialect"];
}

def ExpandFloats : Pass<"expand-floats", "func::FuncOp"> {
  let summary = "Writes FP8 and BF16 casts and exp, rsqrt, sin, cos in exact or bounded arithmetic";
  let description = [{
    Casts: FP8 to f32 is exact for all 256 codes, f32 to FP8 and BF16 rounds to
    nearest even (FP8 saturates). exp is within 2 ulp, rsqrt is 1 / sqrt with two
    correct roundings, sin and cos are evaluated in f64. None depends on the
    instruction set or on a library.
  }];
  let dependentDialects = ["arith::ArithDialect", "math::MathDialect"];
}

def HostOutlineParallel : Pass<"host-outline-parallel", "ModuleOp"> {
  let summary = "Gives kernels the lowered ABI and runs scf.forall on the runtime's thread team";
  let description = [{
    A kernel becomes `(call, data and dynamic sizes of each argument...) -> i32`;
    each outermost `scf.forall` becomes a function over a range of the linear
    iteration space and a call of `dsrt_parallel`, an inner one a loop.
  }];
  let dependentDialects = ["arith::ArithDialect", "LLVM::LLVMDialect",
                           "memref::MemRefDialect", "scf::SCFDialect"];
}

def NVPTXConfigureKernels : Pass<"nvptx-configure-kernels", "ModuleOp"> {
  let summary = "Chooses for each kernel and chip the emitter that writes it, and its parameters";
  let description = [{
    On the nested module of kernels. The choice is the attribute `nvptx.configuration`
    of the kernel function, by chip; what is there already is kept, so a person may
    write or edit it. A remark of the category `kernel` gives the reason.

    `emitters=any_fallback` writes all kernels from their loops: where answers are
    wrong, they tell whether an emitter is to blame.
  }];
  let options = [
    Option<"chips", "chips", "std::string", "\"\"",
           "the chips, separated by commas: sm_80, sm_89, sm_90a, sm_100a, sm_120a">,
    Option<"emitters", "emitters", "std::string", "\"\"",
           "the emitters to choose from, separated by commas; empty: all">
  ];
}

def NVPTXEmitKernels : Pass<"nvptx-emit-kernels", "ModuleOp"> {
  let summary = "Writes the device functions of configured kernels, and the host functions that launch them";
  let description = [{
    On the nested module of kernels. A kernel function becomes a function of its name
    with the lowered kernel ABI, `(call, data and dynamic sizes of each argument...)
    -> i32`, that calls `dsrt_launch`; device functions go into one `gpu.module` a
    chip.
  }];
  let options = [
    Option<"chips", "chips", "std::string", "\"\"",
           "the chips, separated by commas: sm_80, sm_89, sm_90a, sm_100a, sm_120a">
  ];
  let dependentDialects = ["arith::ArithDialect", "gpu::GPUDialect",
                           "LLVM::LLVMDialect", "NVVM::NVVMDialect",
                           "scf::SCFDialect"];
}

def NVPTXSerializeKernels : Pass<"nvptx-serialize-kernels", "ModuleOp"> {
  let summary = "Replaces each gpu.module by its PTX in the attribute dsrt.images";
  let description = [{
    On the nested module of kernels, whose `gpu.module`s hold LLVM and NVVM ops only
    and are named like their chips.
  }];
}

#endif // DEEPSEEK_TARGET_PASSES_TD
