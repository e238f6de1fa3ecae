// RUN: ds-eval %s
// RUN: ds-opt %s --ds-hoist-weights -o %t.mlir && ds-eval %t.mlir
// RUN: ds-opt %t.mlir --ds-compile="start-after=quantize stop-after=kernels" -o %t.kernels.mlir
// RUN: ds-eval %t.kernels.mlir
// RUN: ds-opt %t.kernels.mlir --ds-compile=start-after=kernels | ds-translate --emit=shared -o %t.so
// RUN: ds-run %t.so | FileCheck %s
// RUN: ds-run %t.so describe --weights | FileCheck %s --check-prefix=DESCRIBE
// RUN: sed 's/deepseek.name = "w_twice"/deepseek.name = "w_thrice"/' %s > %t.other.mlir
// RUN: not ds-eval %t.other.mlir 2>&1 | FileCheck %s --check-prefix=OTHER

// A derived weight is the result of its name of @prepare, which runs before the
// other entries; what else is computed from weights alone joins it.

// CHECK-NOT: prepare
// CHECK: reads: passed
// CHECK: also_reads: passed
// CHECK-NOT: prepare

// DESCRIBE: prepare
// DESCRIBE: -> w_twice f32 [3, 5]
// DESCRIBE: w f32 [3, 5]
// DESCRIBE: w_twice f32 [3, 5] derived
// DESCRIBE: w_mulf f32 [3, 5] derived

// OTHER: error: 'deepseek.weight' op is derived, but no result of 'prepare' has its name

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @w from "w" : tensor<3x5xf32>
  deepseek.weight @w_twice derived : tensor<3x5xf32>

  func.func @prepare() -> (tensor<3x5xf32> {deepseek.name = "w_twice"}) {
    %w = deepseek.get_weight @w : tensor<3x5xf32>
    %0 = arith.addf %w, %w : tensor<3x5xf32>
    return %0 : tensor<3x5xf32>
  }
  func.func @reads() {
    %w = deepseek.get_weight @w : tensor<3x5xf32>
    %twice = deepseek.get_weight @w_twice : tensor<3x5xf32>
    %two = arith.constant dense<2.0> : tensor<3x5xf32>
    %0 = arith.mulf %w, %two : tensor<3x5xf32>
    check.expect_eq %twice, %0 : tensor<3x5xf32>
    return
  }
  func.func @also_reads() {
    %w = deepseek.get_weight @w : tensor<3x5xf32>
    %twice = deepseek.get_weight @w_twice : tensor<3x5xf32>
    %0 = arith.subf %twice, %w : tensor<3x5xf32>
    check.expect_eq %0, %w : tensor<3x5xf32>
    return
  }
}
