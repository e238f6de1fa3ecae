// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Sorted by expert, the input's order within one; expert 1 gets nothing.
func.func @sorted() {
  %x = arith.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %indices = arith.constant dense<[[2, 0], [0, 2], [2, 3]]> : tensor<3x2xi32>
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 4 : i64}
      : (tensor<3x1xf32>, tensor<3x2xi32>) -> (tensor<6x1xf32>, tensor<5xi32>, tensor<6xi32>)
  %er = arith.constant dense<[[1.0], [2.0], [1.0], [2.0], [3.0], [3.0]]> : tensor<6x1xf32>
  %eo = arith.constant dense<[0, 2, 2, 5, 6]> : tensor<5xi32>
  %es = arith.constant dense<[1, 2, 0, 3, 4, 5]> : tensor<6xi32>
  check.expect_eq %rows, %er : tensor<6x1xf32>
  check.expect_eq %offsets, %eo : tensor<5xi32>
  check.expect_eq %source, %es : tensor<6xi32>
  return
}
