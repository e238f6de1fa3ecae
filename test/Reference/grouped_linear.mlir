// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Group 0 has one row, group 1 none, group 2 two.
func.func @groups() {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %w = arith.constant dense<[[[1.0, 1.0]], [[99.0, 99.0]], [[1.0, -1.0]]]> : tensor<3x1x2xf32>
  %offsets = arith.constant dense<[0, 1, 1, 3]> : tensor<4xi32>
  %y = deepseek.grouped_linear %x, %w, %offsets
      : (tensor<3x2xf32>, tensor<3x1x2xf32>, tensor<4xi32>) -> tensor<3x1xf32>
  %e = arith.constant dense<[[3.0], [-1.0], [-1.0]]> : tensor<3x1xf32>
  check.expect_eq %y, %e : tensor<3x1xf32>
  return
}
