// RUN: ds-opt %s --convert-check-to-dsrt | FileCheck %s
// RUN: ds-opt %s --convert-check-to-dsrt --canonicalize | FileCheck %s

// Nobody reads what an expectation finds; it has to survive all the same.
// CHECK-LABEL: @main
// CHECK: dsrt.expect %arg0, %arg1 {atol = 1.000000e-03 : f64, rtol = 5.000000e-01 : f64} : tensor<2xf32>, tensor<2xf32>
// CHECK: dsrt.expect %arg0, %arg1 {atol = 0.000000e+00 : f64, exact, rtol = 0.000000e+00 : f64}
func.func @main(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  check.expect_close %a, %b {atol = 1.0e-3, rtol = 0.5} : tensor<2xf32>
  check.expect_eq %a, %b : tensor<2xf32>
  return
}
