//===- Passes.td - Transformations of a model --------------*- tablegen -*-===//

#ifndef DEEPSEEK_TRANSFORMS_PASSES_TD
#define DEEPSEEK_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerMla : Pass<"ds-lower-mla", "func::FuncOp"> {
  let summary = "Rewrites deepseek.mla into its expanded or its absorbed form";
  let description = [{
    `expanded` rebuilds keys and values of all cached rows (`cache_gather`, `linear`,
    `attention`); `absorbed` moves the two halves of `kv_b` onto query and output
    (`head_linear`, `latent_attention`, `head_linear`). `auto`, the fast
    mode, is expanded in the function named `prefill`, where every cached row is new,
    and absorbed elsewhere: the last bits of logits then depend on how a prompt was cut
    into chunks.
  }];
  let options = [
    Option<"form", "form", "MlaForm", "MlaForm::Absorbed", "The form to rewrite into",
      [{::llvm::cl::values(
        clEnumValN(MlaForm::Absorbed, "absorbed", "attend to the latent cache itself"),
        clEnumValN(MlaForm::Expanded, "expanded", "rebuild keys and values"),
        clEnumValN(MlaForm::Auto, "auto", "expanded in @prefill, absorbed elsewhere"))}]>
  ];
  let dependentDialects = ["tensor::TensorDialect"];
}

def FuseExperts : Pass<"ds-fuse-experts", "ModuleOp"> {
  let summary = "Rewrites deepseek.experts into dispatch, two grouped products and combine";
  let description = [{
    Gate and up are one `grouped_linear`, whose weight is `concat` of both stacks: a view,
    nothing is copied. A shared expert of the size and form of a routed one (V3, Kimi) is the
    last group: its tensors join the stacks (`last_key`), one symbol for all entries.
    Another shared expert (V2-Lite: two in one MLP) stays apart. Bit-identical either way:
    every sum is the same, and `moe_combine` adds the shared expert last. Remarks of
    category `moe` say what was done and why not.
  }];
  let options = [
    Option<"shared", "shared", "bool", "true", "Whether the shared expert may be a group">
  ];
  let dependentDialects = ["tensor::TensorDialect"];
}

def FuseLinears : Pass<"ds-fuse-linears", "func::FuncOp"> {
  let summary = "Makes products of weights with the same input one product and slices of it";
  let description = [{
    `linear(x, concat(a, b))`, a view of both weights, in program order: q_a and kv_a of
    attention; gate and up of dense and shared MLPs, which are fused with nothing else.
    Products differ too much if their results or their weights' forms do (the router's
    logits are f32). Bit-identical. Remarks of category `kernel` name the
    products that have become one, and those of the same input that have not and why.
    FP8 weights are fused even if one ends within a block: only FP8 activations mind, and
    ds-quantize-fp8 then takes the product apart; the remark says so.
  }];
  let dependentDialects = ["tensor::TensorDialect"];
}

def QuantizeFp8 : Pass<"ds-quantize-fp8", "ModuleOp"> {
  let summary = "Chooses the number formats of products: which operands are in FP8";
  let description = [{
    With `activations=fp8` every product that has an FP8 form (QuantizableOpInterface)
    and an FP8 weight becomes it: its activations are quantized per row and 128 channels,
    a value once for all its users. Products of other weights (router, output head) stay,
    and so does `kv_b` in the absorbed attention, whose product has no FP8 form. With
    `quantize-weights` the plain weights that the official checkpoints have in FP8
    (`deepseek.quantizable`) are quantized first, in blocks of 128 x 128.

    A fused weight stays fused if its parts end with whole blocks, else its product is
    split again. Remarks of category `fp8` say what was quantized, what not and why.
  }];
  let options = [
    Option<"activations", "activations", "ActivationFormat", "ActivationFormat::BF16",
      "What the activations of products are in",
      [{::llvm::cl::values(
        clEnumValN(ActivationFormat::BF16, "bf16", "as the graph has them"),
        clEnumValN(ActivationFormat::FP8, "fp8", "FP8 with a scale per row and 128 channels"),
        clEnumValN(ActivationFormat::Weights, "weights", "fp8 if there is a product of an FP8 weight"))}]>,
    Option<"scales", "scales", "ScaleChoice", "ScaleChoice::Checkpoint",
      "Which numbers scales may be",
      [{::llvm::cl::values(
        clEnumValN(ScaleChoice::Checkpoint, "checkpoint", "as those of the weight"),
        clEnumValN(ScaleChoice::Any, "any", "any positive number"),
        clEnumValN(ScaleChoice::PowerOfTwo, "power_of_two", "powers of two (ue8m0)"))}]>,
    Option<"quantizeWeights", "quantize-weights", "bool", "false",
           "Quantize the plain weights that the official checkpoints have in FP8">
  ];
  let dependentDialects = ["tensor::TensorDialect"];
}

def HoistWeights : Pass<"ds-hoist-weights", "ModuleOp"> {
  let summary = "Moves what is computed from weights alone into the entry @prepare";
  let description = [{
    Of the checkpoint's weights: another scaling (`quantize`, `requantize`) and elementwise
    arithmetic. Results become derived weights; equal computations are done once,
    whichever entries use them. Views (slices, reshapes, `dequantize`) stay with their
    users, which take them in. Remarks of category `memory` name each derived weight and its bytes.
  }];
  let options = [
    Option<"dequantize", "dequantize", "bool", "false",
           "Also dequantize, once, the weights of products that have no FP8 form">
  ];
  let dependentDialects = ["func::FuncDialect"];
}

def FormKernels : Pass<"ds-form-kernels", "ModuleOp"> {
  let summary = "Outlines every op on tensors into a function of the nested module @kernels";
  let description = [{
    A kernel is one core op (or a tree of elementwise arithmetic) and clones of what
    only views or widens its operands: `dequantize`, slices, reshapes, constants, `concat`
    of weights. Equal kernels exist once, however many layers call them. Afterwards a host
    function holds sizes, `tensor.empty`, weights and `dsrt.dispatch`.
  }];
  let dependentDialects = ["arith::ArithDialect", "dsrt::DSRTDialect",
                           "linalg::LinalgDialect", "tensor::TensorDialect"];
}

def FuseEpilogues : Pass<"ds-fuse-epilogues", "ModuleOp"> {
  let summary = "Ends the kernel of a product of gate and up with swiglu and the quantization of it";
  let description = [{
    After `ds-form-kernels`. The dispatch of a `linear`, `grouped_linear` or a scaled form
    of them, of the swiglu of the two halves of its result, and of the quantization of
    that become one, if nothing else reads what is between. Gate and up are then never
    in memory. A quantization is taken in where its blocks are rows of tiles of the
    product: after a scaled product whose weights share scales as widely.

    A remark of category `kernel` says for each swiglu whether it was fused, or why not.
  }];
  let dependentDialects = ["dsrt::DSRTDialect"];
}

def FuseRows : Pass<"ds-fuse-rows", "ModuleOp"> {
  let summary = "Merges dispatches that work row by row on the same rows into one kernel";
  let description = [{
    After `ds-form-kernels`. Of a step's rows (tokens), a kernel of norms, quantization by
    row, rotation, elementwise arithmetic, routing, `embedding`, `moe_combine` or
    `cache_append` needs row `t` for row `t`. Such dispatches become one, in order, if one
    reads by row what another computes or reads, and nothing that they need runs in
    between:

    - residual add, norm, quantize; `moe_combine` before them;
    - the norm of the query's latent and the norm of the key's latent, both slices of one
      product; with the latter the rotation of its other slice and `cache_append`;
    - `embedding` and the first norm;
    - `route` and `moe_dispatch`, which looks at all rows and therefore comes last.

    A remark of category `kernel` says what was fused, or why a dispatch that follows a
    row-wise one was not.
  }];
  let dependentDialects = ["dsrt::DSRTDialect"];
}

def MergeEntries : Pass<"ds-merge-entries", "ModuleOp"> {
  let summary = "Makes entries that differ in nothing but their name one function";
  let description = [{
    The last of them stays and names the others in `dsrt.aliases`; the module exports an
    entry for each name.
  }];
}

def PlanMemory : Pass<"ds-plan-memory", "ModuleOp"> {
  let summary = "Gives every allocation of an entry a fixed offset in the workspace";
  let description = [{
    Buffers whose lifetimes do not meet share bytes (best fit, in program order).
    Sizes are taken at their bounds: `deepseek.dims` names the dimensions of an entry's
    arguments, the options bound the names. A buffer that an entry returns lives to
    its end. Writes `dsrt.workspace_bytes` on the entry, `dsrt.bounds` on its arguments
    and results, and a remark of category `memory` per entry and buffer.
  }];
  let options = [
    Option<"maxTokens", "max-tokens", "int64_t", "512", "Most new tokens of one step">,
    Option<"maxSequences", "max-sequences", "int64_t", "8", "Most sequences of one step">,
    Option<"context", "context", "int64_t", "0",
           "Most tokens of a sequence (0: the model's context, at most 4096)">,
    Option<"expandedPrefill", "expanded-prefill", "bool", "false",
           "Whether @prefill only runs on fresh sequences, as under mla=auto, so that "
           "its cached rows are at most max-tokens">
  ];
  let dependentDialects = ["dsrt::DSRTDialect"];
}

def ReportKernels : Pass<"ds-report-kernels", "ModuleOp"> {
  let summary = "Prints the launches of a step and the bytes they move, layer by layer";
  let description = [{
    After stage `kernels`. The step has one new token of one sequence. Counted are the
    bytes of weights (of experts the active ones, of the embedding the rows), of
    activations (each read and each write), and of cached rows that the kernels take and
    give; what a kernel keeps to itself is not moved. The layer is read off locations,
    which the module has in memory or when printed with `--mlir-print-debuginfo`.
  }];
  let options = [
    Option<"cachedTokens", "cached-tokens", "int64_t", "1024",
           "Cached tokens of the sequence, the new one among them">
  ];
}

def VerifyStage : Pass<"ds-verify-stage", "ModuleOp"> {
  let summary = "Checks that a module is what it should be after a stage";
  let description = [{
    After `quantize` there is a remark of the category `fp8` for each
    `deepseek.requantize`: the error that it can add.
  }];
  let options = [
    Option<"stage", "stage", "std::string", "", "graph, shard, fuse, quantize, kernels, "
           "buffers, device or llvm">
  ];
}

#endif // DEEPSEEK_TRANSFORMS_PASSES_TD
