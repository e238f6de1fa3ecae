// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// linear of a block-scaled weight. Widths are not multiples of the block size: 160
// inputs are one block of 128 and one of 32, 136 outputs one of 128 and one of 8.
// Weights and activations are seeded values; each result is computed in two ways.

!w8 = tensor<136x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!p8 = tensor<8x160xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
!x8 = tensor<5x160xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<5x160xf32>
  deepseek.weight @q from "proj.weight" : !w8
  deepseek.weight @s from "proj.weight_scale_inv" : tensor<2x2xf32>

  // Dequantizing on the way gives the same bits as dequantizing first: the weight is
  // rounded alike and the products are added in the same order.
  func.func @dequantized_on_the_way() {
    %x = deepseek.get_weight @x : tensor<5x160xf32>
    %q = deepseek.get_weight @q : !w8
    %s = deepseek.get_weight @s : tensor<2x2xf32>
    %zero = arith.constant dense<0.0> : tensor<136x160xbf16>
    %w = deepseek.dequantize %q, %s : (!w8, tensor<2x2xf32>) -> tensor<136x160xbf16>
    %stored = arith.addf %w, %zero : tensor<136x160xbf16>
    %a = deepseek.linear %x, %w : (tensor<5x160xf32>, tensor<136x160xbf16>) -> tensor<5x136xf32>
    %b = deepseek.linear %x, %stored : (tensor<5x160xf32>, tensor<136x160xbf16>) -> tensor<5x136xf32>
    check.expect_eq %a, %b : tensor<5x136xf32>
    return
  }

  // W8A8: the activations' scales come out of the sum. Against the same product of
  // the dequantized activations only the order of roundings differs: a few ulps of
  // f32 of a sum of 160 terms.
  func.func @scaled() {
    %x = deepseek.get_weight @x : tensor<5x160xf32>
    %q = deepseek.get_weight @q : !w8
    %s = deepseek.get_weight @s : tensor<2x2xf32>
    %xq, %xs = deepseek.quantize %x : (tensor<5x160xf32>) -> (!x8, tensor<5x2xf32>)
    %a = deepseek.scaled_linear %xq, %xs, %q, %s : (!x8, tensor<5x2xf32>, !w8, tensor<2x2xf32>) -> tensor<5x136xf32>
    %xd = deepseek.dequantize %xq, %xs : (!x8, tensor<5x2xf32>) -> tensor<5x160xf32>
    %w = deepseek.dequantize %q, %s : (!w8, tensor<2x2xf32>) -> tensor<136x160xf32>
    %b = deepseek.linear %xd, %w : (tensor<5x160xf32>, tensor<136x160xf32>) -> tensor<5x136xf32>
    check.expect_close %a, %b {atol = 1.0e-5 : f64, rtol = 1.0e-5 : f64} : tensor<5x136xf32>
    return
  }

  // Whole numbers, so that every order of adding is exact: rows of ones meet
  // 1.5 * 2 in the first block and 1.5 * 0.25 in the ragged one.
  func.func @exact() {
    %x = arith.constant dense<1.0> : tensor<2x160xf32>
    %q = arith.constant dense<1.5> : tensor<8x160xf8E4M3FN>
    %e = tensor.cast %q : tensor<8x160xf8E4M3FN> to tensor<8x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
    %s = arith.constant dense<[[2.0, 0.25]]> : tensor<1x2xf32>
    %w = deepseek.dequantize %e, %s : (tensor<8x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<1x2xf32>) -> tensor<8x160xf32>
    %y = deepseek.linear %x, %w : (tensor<2x160xf32>, tensor<8x160xf32>) -> tensor<2x8xf32>
    %expected = arith.constant dense<396.0> : tensor<2x8xf32>
    check.expect_eq %y, %expected : tensor<2x8xf32>
    return
  }

  // Scales of one byte, for as many rows as dequantize the weight beforehand.
  func.func @scales_e8m0() {
    %x = arith.constant dense<1.0> : tensor<9x160xf32>
    %q = arith.constant dense<1.5> : tensor<8x160xf8E4M3FN>
    %e = tensor.cast %q : tensor<8x160xf8E4M3FN> to !p8
    %s = arith.constant dense<[[2.0, 0.25]]> : tensor<1x2xf8E8M0FNU>
    %w = deepseek.dequantize %e, %s : (!p8, tensor<1x2xf8E8M0FNU>) -> tensor<8x160xbf16>
    %y = deepseek.linear %x, %w : (tensor<9x160xf32>, tensor<8x160xbf16>) -> tensor<9x8xf32>
    %expected = arith.constant dense<396.0> : tensor<9x8xf32>
    check.expect_eq %y, %expected : tensor<9x8xf32>
    return
  }
}
