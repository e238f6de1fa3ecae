// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Undoes the order of moe_dispatch.mlir's kind: row p is choice source[p].
func.func @weighed() {
  %rows = arith.constant dense<[[1.0], [10.0], [100.0], [1000.0]]> : tensor<4x1xf32>
  %source = arith.constant dense<[1, 2, 0, 3]> : tensor<4xi32>
  %scores = arith.constant dense<[[2.0, 3.0], [4.0, 5.0]]> : tensor<2x2xf32>
  %y = deepseek.moe_combine %rows, %source, %scores
      : (tensor<4x1xf32>, tensor<4xi32>, tensor<2x2xf32>) -> tensor<2x1xf32>
  %e = arith.constant dense<[[203.0], [5040.0]]> : tensor<2x1xf32>
  check.expect_eq %y, %e : tensor<2x1xf32>
  return
}

// Ascending rows, then shared, then one rounding: (1e8 - 1e8) + 1 is 1, and
// 256 + 1 + 1 is 258 in bf16 only if nothing is rounded in between.
func.func @order() {
  %rows = arith.constant dense<[[1.0e8], [-1.0e8]]> : tensor<2x1xf32>
  %source = arith.constant dense<[1, 0]> : tensor<2xi32>
  %scores = arith.constant dense<1.0> : tensor<1x2xf32>
  %shared = arith.constant dense<1.0> : tensor<1x1xf32>
  %y = deepseek.moe_combine %rows, %source, %scores, %shared
      : (tensor<2x1xf32>, tensor<2xi32>, tensor<1x2xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
  %e = arith.constant dense<1.0> : tensor<1x1xf32>
  check.expect_eq %y, %e : tensor<1x1xf32>

  %b = arith.constant dense<[[256.0], [1.0]]> : tensor<2x1xbf16>
  %sharedb = arith.constant dense<1.0> : tensor<1x1xbf16>
  %z = deepseek.moe_combine %b, %source, %scores, %sharedb
      : (tensor<2x1xbf16>, tensor<2xi32>, tensor<1x2xf32>, tensor<1x1xbf16>) -> tensor<1x1xbf16>
  %ez = arith.constant dense<258.0> : tensor<1x1xbf16>
  check.expect_eq %z, %ez : tensor<1x1xbf16>
  return
}

// The last group's rows are added as they are, last: 2 * 1 + 3 * 10 + 100, and
// (1e8 - 1e8) + 1.
func.func @shared_group() {
  %rows = arith.constant dense<[[1.0], [1.0e8], [10.0], [-1.0e8], [100.0], [1.0]]> : tensor<6x1xf32>
  %source = arith.constant dense<[0, 4, 1, 3, 2, 5]> : tensor<6xi32>
  %scores = arith.constant dense<[[2.0, 3.0], [1.0, 1.0]]> : tensor<2x2xf32>
  %y = deepseek.moe_combine %rows, %source, %scores {shared_group}
      : (tensor<6x1xf32>, tensor<6xi32>, tensor<2x2xf32>) -> tensor<2x1xf32>
  %e = arith.constant dense<[[132.0], [1.0]]> : tensor<2x1xf32>
  check.expect_eq %y, %e : tensor<2x1xf32>
  return
}
