// RUN: ds-eval %s
// RUN: ds-opt %s --ds-fuse-experts | ds-eval

// One input and one inner channel. A gate of 100 makes silu the identity, so expert e
// gives 100 * up[e] * x * x * down[e]; expert 2 is chosen by nobody.
func.func @two_of_three() {
  %x = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %scores = arith.constant dense<[[0.5, 0.25], [1.0, 2.0]]> : tensor<2x2xf32>
  %indices = arith.constant dense<[[1, 0], [0, 1]]> : tensor<2x2xi32>
  %gate = arith.constant dense<100.0> : tensor<3x1x1xf32>
  %up = arith.constant dense<[[[0.01]], [[0.02]], [[99.0]]]> : tensor<3x1x1xf32>
  %down = arith.constant dense<1.0> : tensor<3x1x1xf32>
  %shared = arith.constant dense<[[10.0], [20.0]]> : tensor<2x1xf32>
  %y = deepseek.experts %x, %scores, %indices, %gate, %up, %down
      : (tensor<2x1xf32>, tensor<2x2xf32>, tensor<2x2xi32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>)
      -> tensor<2x1xf32>
  // 0.5 * 2 + 0.25 * 1; 1 * 4 + 2 * 8
  %e = arith.constant dense<[[1.25], [20.0]]> : tensor<2x1xf32>
  check.expect_close %y, %e {rtol = 1.0e-6} : tensor<2x1xf32>
  %z = deepseek.experts %x, %scores, %indices, %gate, %up, %down, %shared
      : (tensor<2x1xf32>, tensor<2x2xf32>, tensor<2x2xi32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<2x1xf32>)
      -> tensor<2x1xf32>
  %ez = arith.constant dense<[[11.25], [40.0]]> : tensor<2x1xf32>
  check.expect_close %z, %ez {rtol = 1.0e-6} : tensor<2x1xf32>
  return
}
