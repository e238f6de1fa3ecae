//===- Passes.td - Conversions between dialects ------------*- tablegen -*-===//

#ifndef DEEPSEEK_CONVERSION_PASSES_TD
#define DEEPSEEK_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertDeepSeekToLinalg : Pass<"convert-deepseek-to-linalg", "func::FuncOp"> {
  let summary = "Lowers every deepseek op on tensors to linalg, tensor, scf, arith and math";
  let description = [{
    For kernel functions `(inputs..., outs...) -> results`. A result is written into
    its out argument. Each op becomes one `scf.forall` over independent parts of its
    result (tiles of outputs for products, rows for the rest) with `linalg.generic`
    on slices inside; temporaries have static sizes. A `dequantize` disappears into
    the products that read it. Encodings leave the function's signature.

    ```mlir
    func.func @k(%x: tensor<?x256xbf16>, %w: tensor<192x256xbf16>, %out: tensor<?x192xbf16>) ... {
      %y = deepseek.linear %x, %w ...           // before
      return %y
    }
      %y = scf.forall (%o) = (0) to (192) step (64) shared_outs(%shared = %out) {
        scf.for %t ... {                        // rows, 4 at a time
          linalg.generic ...                    // products, `math.fma` in f32
          linalg.generic ...                    // one rounding to bf16
    ```

    `mla`, `experts` and the ops of communication have to be gone before.
  }];
  let dependentDialects = ["arith::ArithDialect", "linalg::LinalgDialect",
                           "math::MathDialect", "scf::SCFDialect",
                           "tensor::TensorDialect"];
}

def ConvertDeepSeekToDSRT : Pass<"convert-deepseek-to-dsrt", "ModuleOp"> {
  let summary = "Turns deepseek.get_weight of host functions into dsrt.get_weight";
  let dependentDialects = ["dsrt::DSRTDialect"];
}

def ConvertCheckToDSRT : Pass<"convert-check-to-dsrt", "ModuleOp"> {
  let summary = "Turns check ops of host functions into dsrt.expect";
  let dependentDialects = ["dsrt::DSRTDialect"];
}

def ConvertDSRTToLLVM : Pass<"convert-dsrt-to-llvm", "ModuleOp"> {
  let summary = "Turns the host program on memrefs into LLVM functions and the module's tables";
  let description = [{
    Each entry becomes `(call, args, results) -> status`; the kernels of the nested
    module, by now LLVM functions, move up beside it; the weight, kernel and entry
    tables become constants behind the one exported symbol, `dsrt_module_query`
    (runtime/include/dsrt/abi.h).

    Where the nested module has the attribute `dsrt.images`, the target is a GPU: its
    functions are launchers, its attributes `dsrt.images`, `dsrt.device_kernels` and
    `dsrt.scratch_bytes` become tables, copies are the runtime's, and so are constants,
    which it uploads.
  }];
  let dependentDialects = ["LLVM::LLVMDialect"];
}

#endif // DEEPSEEK_CONVERSION_PASSES_TD
