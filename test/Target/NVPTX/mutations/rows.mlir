// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a" | ds-translate --emit=shared -o %t.so
// RUN: ds-test-mutations %S/rows.mutations %t.so env DSRT_SIMULATOR_RACES=2 ds-run %t.so check --device=simulator | FileCheck %s
// RUN: ds-opt %root/test/Integration/route-v3.mlir --ds-compile="target=nvptx chip=sm_90a" | ds-translate --emit=shared -o %t.route.so
// RUN: ds-test-mutations %S/route.mutations %t.route.so env DSRT_SIMULATOR_RACES=2 ds-run %t.route.so check --device=simulator | FileCheck %s
// RUN: ds-opt %root/test/Integration/experts.mlir --ds-compile="target=nvptx chip=sm_90a" | ds-translate --emit=shared -o %t.experts.so
// RUN: ds-test-mutations %S/experts.mutations %t.experts.so env DSRT_SIMULATOR_RACES=2 ds-run %t.experts.so check --device=simulator | FileCheck %s

// CHECK-NOT: MISSED
// CHECK: [[N:[0-9]+]] of [[N]] faults found

// A norm of BF16 against that of f32, and what quantized rows are worth.

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<5x2304xbf16>
  deepseek.weight @g from "g" : tensor<2304xbf16>

  func.func @norm() {
    %x = deepseek.get_weight @x : tensor<5x2304xbf16>
    %g = deepseek.get_weight @g : tensor<2304xbf16>
    %y = deepseek.rms_norm %x, %g {epsilon = 1.0e-6 : f64} : (tensor<5x2304xbf16>, tensor<2304xbf16>) -> tensor<5x2304xbf16>
    %xf = arith.extf %x : tensor<5x2304xbf16> to tensor<5x2304xf32>
    %gf = arith.extf %g : tensor<2304xbf16> to tensor<2304xf32>
    %t = deepseek.rms_norm %xf, %gf {epsilon = 1.0e-6 : f64} : (tensor<5x2304xf32>, tensor<2304xf32>) -> tensor<5x2304xf32>
    %yf = arith.extf %y : tensor<5x2304xbf16> to tensor<5x2304xf32>
    check.expect_close %yf, %t {atol = 1.0e-6 : f64, rtol = 0.0079 : f64} : tensor<5x2304xf32>
    return
  }

  func.func @quantize() {
    %x = deepseek.get_weight @x : tensor<5x2304xbf16>
    %q, %s = deepseek.quantize %x : (tensor<5x2304xbf16>) -> (tensor<5x2304xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<5x18xf32>)
    %y = deepseek.dequantize %q, %s : (tensor<5x2304xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<5x18xf32>) -> tensor<5x2304xf32>
    %xf = arith.extf %x : tensor<5x2304xbf16> to tensor<5x2304xf32>
    check.expect_close %y, %xf {atol = 1.0e-4 : f64, rtol = 0.07 : f64} : tensor<5x2304xf32>
    return
  }
}
