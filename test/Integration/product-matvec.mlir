// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_89 activations=bf16 stop-after=buffers" | ds-opt --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_89}))" | sed 's/matvec_rows = 0/matvec_rows = 4/' > %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: ds-opt %t.mlir --ds-compile="target=nvptx chip=sm_89 start-after=buffers" | ds-translate --emit=shared -o %t.so && ds-run %t.so --device=simulator
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_80 activations=bf16 stop-after=buffers" | ds-opt --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80}))" | sed 's/matvec_rows = 0/matvec_rows = 3/' | ds-opt --ds-compile="target=nvptx chip=sm_80 start-after=buffers" | ds-translate --emit=shared -o %t.80.so && ds-run %t.80.so --device=simulator

// Products of few rows by the matrix-vector kernel, which a person asks for in the
// configuration, against the same products in f32. Rows are not whole loads of a warp:
// 1040 FP8 inputs are two passes of 512 bytes and a ragged one, 200 BF16 ones 400 bytes.

// CHECK-DAG: func.func @scaled_linear_40x1040_f8{{.*}}matvec_rows = 4
// CHECK-DAG: func.func @linear_40x1040_f8{{.*}}matvec_rows = 4
// CHECK-DAG: func.func @linear_100x200_bf16{{.*}}matvec_rows = 4
// CHECK-DAG: func.func @grouped_linear_4x48x200_bf16{{.*}}matvec_rows = 4

!x8 = tensor<3x1040xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<40x1040xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<3x1040xbf16>
  deepseek.weight @w from "w.weight" : !w8
  deepseek.weight @w_s from "w.weight_scale_inv" : tensor<1x9xf32>
  deepseek.weight @z from "z" : tensor<9x200xbf16>
  deepseek.weight @v from "v.weight" : tensor<100x200xbf16>
  deepseek.weight @e from "experts.*.weight" : tensor<4x48x200xbf16>

  func.func @fp8() {
    %x = deepseek.get_weight @x : tensor<3x1040xbf16>
    %w = deepseek.get_weight @w : !w8
    %w_s = deepseek.get_weight @w_s : tensor<1x9xf32>
    %wd = deepseek.dequantize %w, %w_s : (!w8, tensor<1x9xf32>) -> tensor<40x1040xf32>

    %q, %s = deepseek.quantize %x : (tensor<3x1040xbf16>) -> (!x8, tensor<3x9xf32>)
    %a = deepseek.scaled_linear %q, %s, %w, %w_s : (!x8, tensor<3x9xf32>, !w8, tensor<1x9xf32>) -> tensor<3x40xf32>
    %xd = deepseek.dequantize %q, %s : (!x8, tensor<3x9xf32>) -> tensor<3x1040xf32>
    %a_f32 = deepseek.linear %xd, %wd : (tensor<3x1040xf32>, tensor<40x1040xf32>) -> tensor<3x40xf32>
    check.expect_close %a, %a_f32 {atol = 1.0e-4 : f64, rtol = 1.0e-4 : f64} : tensor<3x40xf32>

    // The reference rounds the weight to bf16.
    %wb = deepseek.dequantize %w, %w_s : (!w8, tensor<1x9xf32>) -> tensor<40x1040xbf16>
    %b = deepseek.linear %x, %wb : (tensor<3x1040xbf16>, tensor<40x1040xbf16>) -> tensor<3x40xf32>
    %xf = arith.extf %x : tensor<3x1040xbf16> to tensor<3x1040xf32>
    %b_f32 = deepseek.linear %xf, %wd : (tensor<3x1040xf32>, tensor<40x1040xf32>) -> tensor<3x40xf32>
    check.expect_close %b, %b_f32 {atol = 5.0e-4 : f64, rtol = 0.00390625 : f64} : tensor<3x40xf32>
    return
  }

  func.func @bf16() {
    %z = deepseek.get_weight @z : tensor<9x200xbf16>
    %x = tensor.extract_slice %z[0, 0] [2, 200] [1, 1] : tensor<9x200xbf16> to tensor<2x200xbf16>
    %v = deepseek.get_weight @v : tensor<100x200xbf16>
    %a = deepseek.linear %x, %v : (tensor<2x200xbf16>, tensor<100x200xbf16>) -> tensor<2x100xf32>
    %xf = arith.extf %x : tensor<2x200xbf16> to tensor<2x200xf32>
    %vf = arith.extf %v : tensor<100x200xbf16> to tensor<100x200xf32>
    %a_f32 = deepseek.linear %xf, %vf : (tensor<2x200xf32>, tensor<100x200xf32>) -> tensor<2x100xf32>
    check.expect_close %a, %a_f32 {atol = 1.0e-4 : f64, rtol = 1.0e-5 : f64} : tensor<2x100xf32>

    // Groups of 1, 0, 6 and 2 rows.
    %offsets = arith.constant dense<[0, 1, 1, 7, 9]> : tensor<5xi32>
    %e = deepseek.get_weight @e : tensor<4x48x200xbf16>
    %b = deepseek.grouped_linear %z, %e, %offsets : (tensor<9x200xbf16>, tensor<4x48x200xbf16>, tensor<5xi32>) -> tensor<9x48xf32>
    %zf = arith.extf %z : tensor<9x200xbf16> to tensor<9x200xf32>
    %ef = arith.extf %e : tensor<4x48x200xbf16> to tensor<4x48x200xf32>
    %b_f32 = deepseek.grouped_linear %zf, %ef, %offsets : (tensor<9x200xf32>, tensor<4x48x200xf32>, tensor<5xi32>) -> tensor<9x48xf32>
    check.expect_close %b, %b_f32 {atol = 1.0e-4 : f64, rtol = 1.0e-5 : f64} : tensor<9x48xf32>
    return
  }
}
