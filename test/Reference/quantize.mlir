// RUN: ds-eval %s
// RUN: ds-opt %s --convert-deepseek-to-linalg | ds-eval

// Blocks of [1, 2], the last one ragged: largest numbers 448, 224 and below 1e-4.
func.func @ragged() {
  %x = arith.constant dense<[[448.0, 17.0, -224.0, 1.0, 0.0]]> : tensor<1x5xf32>
  %q, %scale = deepseek.quantize %x : (tensor<1x5xf32>)
      -> (tensor<1x5xf8E4M3FN, #deepseek.block_scaled<[1, 2]>>, tensor<1x3xf32>)
  // 17 lies between 16 and 18: the even code wins. 1 / 0.5 is 2.
  %eq = arith.constant dense<[[448.0, 16.0, -448.0, 2.0, 0.0]]> : tensor<1x5xf8E4M3FN, #deepseek.block_scaled<[1, 2]>>
  %es = arith.constant dense<[[1.0, 0.5, 2.2321429e-07]]> : tensor<1x3xf32>
  check.expect_eq %q, %eq : tensor<1x5xf8E4M3FN, #deepseek.block_scaled<[1, 2]>>
  check.expect_close %scale, %es {rtol = 1.0e-6} : tensor<1x3xf32>
  return
}

// 500 / 448 is rounded up to 2, 448 / 448 stays 1; both scale types hold them.
func.func @power_of_two() {
  %x = arith.constant dense<[[500.0, 2.0], [448.0, 2.0]]> : tensor<2x2xf32>
  %q, %scale = deepseek.quantize %x : (tensor<2x2xf32>)
      -> (tensor<2x2xf8E4M3FN, #deepseek.block_scaled<[1, 2], power_of_two>>, tensor<2x1xf8E8M0FNU>)
  // 250 lies between 240 and 256.
  %eq = arith.constant dense<[[256.0, 1.0], [448.0, 2.0]]> : tensor<2x2xf8E4M3FN, #deepseek.block_scaled<[1, 2], power_of_two>>
  %es = arith.constant dense<[[2.0], [1.0]]> : tensor<2x1xf8E8M0FNU>
  check.expect_eq %q, %eq : tensor<2x2xf8E4M3FN, #deepseek.block_scaled<[1, 2], power_of_two>>
  check.expect_eq %scale, %es : tensor<2x1xf8E8M0FNU>
  return
}
