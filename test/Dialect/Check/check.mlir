// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

// CHECK-LABEL: func @expect
func.func @expect(%a: tensor<2xf32>, %b: tensor<2xf32>, %c: memref<?xi32>) {
  // CHECK: check.expect_close %{{.*}}, %{{.*}} {atol = 1.000000e-03 : f64, rtol = 1.000000e-02 : f64} : tensor<2xf32>
  check.expect_close %a, %b {atol = 1.0e-3, rtol = 1.0e-2} : tensor<2xf32>
  // CHECK: check.expect_close %{{.*}}, %{{.*}} : tensor<2xf32>
  check.expect_close %a, %b : tensor<2xf32>
  // CHECK: check.expect_eq %{{.*}}, %{{.*}} : tensor<2xf32>
  check.expect_eq %a, %b : tensor<2xf32>
  // CHECK: check.expect_eq %{{.*}}, %{{.*}} : memref<?xi32>
  check.expect_eq %c, %c : memref<?xi32>
  return
}
