// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// silu(0) = 0, silu(1) = 0.7310586, silu(-1) = -0.2689414; far out it is 0 or x.
func.func @values() {
  %gate = arith.constant dense<[0.0, 1.0, -1.0, 100.0, -200.0]> : tensor<5xf32>
  %up = arith.constant dense<[3.0, 2.0, 2.0, 0.5, 1.0]> : tensor<5xf32>
  %y = deepseek.swiglu %gate, %up : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  %e = arith.constant dense<[0.0, 1.4621172, -0.5378828, 50.0, 0.0]> : tensor<5xf32>
  check.expect_close %y, %e {atol = 1.0e-6} : tensor<5xf32>
  return
}
