// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

!x = tensor<2x3xf8E4M3FN, #deepseek.block_scaled<[1, 2]>>
!w = tensor<3x3xf8E4M3FN, #deepseek.block_scaled<[2, 2]>>

// All ones: a result is 2 * s0 * w0 + 1 * s1 * w1 with the scales of its row.
func.func @scaled_linear() {
  %x = arith.constant dense<1.0> : !x
  %xs = arith.constant dense<[[1.0, 10.0], [2.0, 20.0]]> : tensor<2x2xf32>
  %w = arith.constant dense<1.0> : !w
  %ws = arith.constant dense<[[1.0, 3.0], [0.5, 0.25]]> : tensor<2x2xf32>
  %y = deepseek.scaled_linear %x, %xs, %w, %ws
      : (!x, tensor<2x2xf32>, !w, tensor<2x2xf32>) -> tensor<2x3xf32>
  %e = arith.constant dense<[[32.0, 32.0, 3.5], [64.0, 64.0, 7.0]]> : tensor<2x3xf32>
  check.expect_eq %y, %e : tensor<2x3xf32>
  return
}

// Rows keep their own scales when they are grouped: row 1 belongs to expert 1.
!g = tensor<2x1x3xf8E4M3FN, #deepseek.block_scaled<[2, 2]>>
func.func @scaled_grouped_linear() {
  %x = arith.constant dense<1.0> : !x
  %xs = arith.constant dense<[[1.0, 10.0], [2.0, 20.0]]> : tensor<2x2xf32>
  %w = arith.constant dense<[[[1.0, 1.0, 1.0]], [[2.0, 2.0, 2.0]]]> : !g
  %ws = arith.constant dense<[[[1.0, 3.0]], [[1.0, 0.5]]]> : tensor<2x1x2xf32>
  %offsets = arith.constant dense<[0, 1, 2]> : tensor<3xi32>
  %y = deepseek.scaled_grouped_linear %x, %xs, %w, %ws, %offsets
      : (!x, tensor<2x2xf32>, !g, tensor<2x1x2xf32>, tensor<3xi32>) -> tensor<2x1xf32>
  %e = arith.constant dense<[[32.0], [28.0]]> : tensor<2x1xf32>
  check.expect_eq %y, %e : tensor<2x1xf32>
  return
}
