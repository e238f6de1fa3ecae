// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_89" | ds-translate --emit=shared -o %t.89.so
// RUN: ds-test-mutations %S/mma-linear.mutations %t.89.so env DSRT_SIMULATOR_RACES=2 ds-run %t.89.so check --device=simulator | FileCheck %s
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a" | ds-translate --emit=shared -o %t.90.so
// RUN: ds-test-mutations %S/sm90-linear.mutations %t.90.so env DSRT_SIMULATOR_RACES=2 ds-run %t.90.so check --device=simulator | FileCheck %s

// CHECK-NOT: MISSED
// CHECK: [[N:[0-9]+]] of [[N]] faults found

// A product of FP8 and one of BF16, against those of f32, which no fast kernel takes.
// Rows and outputs fill no tile; the inner dimension of FP8 goes round the stages
// more than once, that of BF16 ends inside of a chunk.

!w8 = tensor<72x4608xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!x8 = tensor<60x4608xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<60x4608xbf16>
  deepseek.weight @w from "w.weight" : !w8
  deepseek.weight @w_s from "w.weight_scale_inv" : tensor<1x36xf32>
  deepseek.weight @r from "r" : tensor<60x200xbf16>
  deepseek.weight @v from "v.weight" : tensor<104x200xbf16>

  func.func @fp8() {
    %x = deepseek.get_weight @x : tensor<60x4608xbf16>
    %w = deepseek.get_weight @w : !w8
    %w_s = deepseek.get_weight @w_s : tensor<1x36xf32>
    %q, %s = deepseek.quantize %x : (tensor<60x4608xbf16>) -> (!x8, tensor<60x36xf32>)
    %y = deepseek.scaled_linear %q, %s, %w, %w_s : (!x8, tensor<60x36xf32>, !w8, tensor<1x36xf32>) -> tensor<60x72xbf16>
    %xd = deepseek.dequantize %q, %s : (!x8, tensor<60x36xf32>) -> tensor<60x4608xf32>
    %wd = deepseek.dequantize %w, %w_s : (!w8, tensor<1x36xf32>) -> tensor<72x4608xf32>
    %t = deepseek.linear %xd, %wd : (tensor<60x4608xf32>, tensor<72x4608xf32>) -> tensor<60x72xf32>
    %f = arith.extf %y : tensor<60x72xbf16> to tensor<60x72xf32>
    check.expect_close %f, %t {atol = 1.0e-4 : f64, rtol = 0.00390625 : f64} : tensor<60x72xf32>
    return
  }

  func.func @bf16() {
    %x = deepseek.get_weight @r : tensor<60x200xbf16>
    %w = deepseek.get_weight @v : tensor<104x200xbf16>
    %y = deepseek.linear %x, %w : (tensor<60x200xbf16>, tensor<104x200xbf16>) -> tensor<60x104xf32>
    %xf = arith.extf %x : tensor<60x200xbf16> to tensor<60x200xf32>
    %wf = arith.extf %w : tensor<104x200xbf16> to tensor<104x200xf32>
    %t = deepseek.linear %xf, %wf : (tensor<60x200xf32>, tensor<104x200xf32>) -> tensor<60x104xf32>
    check.expect_close %y, %t {atol = 1.0e-4 : f64, rtol = 1.0e-5 : f64} : tensor<60x104xf32>
    return
  }
}
