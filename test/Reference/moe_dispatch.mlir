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

// Every token has a third choice, the last expert; tokens are in order there.
func.func @shared_group() {
  %x = arith.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %indices = arith.constant dense<[[2, 0], [0, 2], [2, 3]]> : tensor<3x2xi32>
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 5 : i64, shared_group}
      : (tensor<3x1xf32>, tensor<3x2xi32>) -> (tensor<9x1xf32>, tensor<6xi32>, tensor<9xi32>)
  %er = arith.constant dense<[[1.0], [2.0], [1.0], [2.0], [3.0], [3.0], [1.0], [2.0], [3.0]]> : tensor<9x1xf32>
  %eo = arith.constant dense<[0, 2, 2, 5, 6, 9]> : tensor<6xi32>
  %es = arith.constant dense<[1, 3, 0, 4, 6, 7, 2, 5, 8]> : tensor<9xi32>
  check.expect_eq %rows, %er : tensor<9x1xf32>
  check.expect_eq %offsets, %eo : tensor<6xi32>
  check.expect_eq %source, %es : tensor<9xi32>
  return
}

// The scales of a row's blocks go with it: every code is 448, the scales differ.
func.func @scaled_rows() {
  %x = arith.constant dense<[[2.0, 4.0], [8.0, 16.0]]> : tensor<2x2xf32>
  %q, %scale = deepseek.quantize %x
      : (tensor<2x2xf32>) -> (tensor<2x2xf8E4M3FN, #deepseek.block_scaled<[1, 1]>>, tensor<2x2xf32>)
  %indices = arith.constant dense<[[1], [0]]> : tensor<2x1xi32>
  %rows, %offsets, %source, %rows_scale = deepseek.moe_dispatch %q, %indices, %scale {num_experts = 3 : i64, shared_group}
      : (tensor<2x2xf8E4M3FN, #deepseek.block_scaled<[1, 1]>>, tensor<2x1xi32>, tensor<2x2xf32>)
      -> (tensor<4x2xf8E4M3FN, #deepseek.block_scaled<[1, 1]>>, tensor<4xi32>, tensor<4xi32>, tensor<4x2xf32>)
  %y = deepseek.dequantize %rows, %rows_scale
      : (tensor<4x2xf8E4M3FN, #deepseek.block_scaled<[1, 1]>>, tensor<4x2xf32>) -> tensor<4x2xf32>
  %e = arith.constant dense<[[8.0, 16.0], [2.0, 4.0], [2.0, 4.0], [8.0, 16.0]]> : tensor<4x2xf32>
  check.expect_close %y, %e {atol = 0.0 : f64, rtol = 1.0e-6 : f64} : tensor<4x2xf32>
  return
}
