// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/fp8_gemm.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights
// RUN: ds-opt %s --ds-compile="target=host chip=x86-64-v2" | ds-translate --chip=x86-64-v2 --emit=shared -o %t.v2.so && ds-run %t.v2.so check --model=%t.weights
// RUN: %nvptx-run %s %t check --model=%t.weights

// deepseek.quantize and scaled_linear against the golden values: codes and scales bit
// for bit, products to 2e-6 of the largest result, as f32 sums in another order may
// differ. Then with group-major scales.

#x = #deepseek.block_scaled<[1, 128]>
#w = #deepseek.block_scaled<[128, 128]>
#xg = #deepseek.block_scaled<[1, 128] layout = group_major>
#wg = #deepseek.block_scaled<[128, 128] layout = group_major>

module attributes {deepseek.source = ""} {
  deepseek.weight @aligned_a from "aligned.a" : tensor<16x256xf32>
  deepseek.weight @aligned_a_q from "aligned.a_q" : tensor<16x256xf8E4M3FN, #x>
  deepseek.weight @aligned_a_s from "aligned.a_s" : tensor<16x2xf32>
  deepseek.weight @aligned_b_q from "aligned.b_q" : tensor<256x256xf8E4M3FN, #w>
  deepseek.weight @aligned_b_s from "aligned.b_s" : tensor<2x2xf32>
  deepseek.weight @aligned_y from "aligned.y" : tensor<16x256xf32>

  func.func @aligned() {
    %a = deepseek.get_weight @aligned_a : tensor<16x256xf32>
    %a_q = deepseek.get_weight @aligned_a_q : tensor<16x256xf8E4M3FN, #x>
    %a_s = deepseek.get_weight @aligned_a_s : tensor<16x2xf32>
    %b_q = deepseek.get_weight @aligned_b_q : tensor<256x256xf8E4M3FN, #w>
    %b_s = deepseek.get_weight @aligned_b_s : tensor<2x2xf32>
    %y = deepseek.get_weight @aligned_y : tensor<16x256xf32>
    %q, %s = deepseek.quantize %a : (tensor<16x256xf32>) -> (tensor<16x256xf8E4M3FN, #x>, tensor<16x2xf32>)
    check.expect_eq %q, %a_q : tensor<16x256xf8E4M3FN, #x>
    check.expect_eq %s, %a_s : tensor<16x2xf32>
    %product = deepseek.scaled_linear %q, %s, %b_q, %b_s
        : (tensor<16x256xf8E4M3FN, #x>, tensor<16x2xf32>, tensor<256x256xf8E4M3FN, #w>, tensor<2x2xf32>) -> tensor<16x256xf32>
    check.expect_close %product, %y {atol = 4.2e-5 : f64} : tensor<16x256xf32>
    // Both operands' scales in the other layout. (scale-layouts.mlir: the same bits,
    // where the same kernel takes both.)
    %xg, %xgs = deepseek.quantize %a : (tensor<16x256xf32>) -> (tensor<16x256xf8E4M3FN, #xg>, tensor<2x16xf32>)
    %wg, %wgs = deepseek.requantize %b_q, %b_s : (tensor<256x256xf8E4M3FN, #w>, tensor<2x2xf32>) -> (tensor<256x256xf8E4M3FN, #wg>, tensor<2x2xf32>)
    %group_major = deepseek.scaled_linear %xg, %xgs, %wg, %wgs
        : (tensor<16x256xf8E4M3FN, #xg>, tensor<2x16xf32>, tensor<256x256xf8E4M3FN, #wg>, tensor<2x2xf32>) -> tensor<16x256xf32>
    check.expect_close %group_major, %y {atol = 4.2e-5 : f64} : tensor<16x256xf32>
    return
  }

  deepseek.weight @ragged_a from "ragged.a" : tensor<5x192xf32>
  deepseek.weight @ragged_a_q from "ragged.a_q" : tensor<5x192xf8E4M3FN, #x>
  deepseek.weight @ragged_a_s from "ragged.a_s" : tensor<5x2xf32>
  deepseek.weight @ragged_b_q from "ragged.b_q" : tensor<160x192xf8E4M3FN, #w>
  deepseek.weight @ragged_b_s from "ragged.b_s" : tensor<2x2xf32>
  deepseek.weight @ragged_y from "ragged.y" : tensor<5x160xf32>

  func.func @ragged() {
    %a = deepseek.get_weight @ragged_a : tensor<5x192xf32>
    %a_q = deepseek.get_weight @ragged_a_q : tensor<5x192xf8E4M3FN, #x>
    %a_s = deepseek.get_weight @ragged_a_s : tensor<5x2xf32>
    %b_q = deepseek.get_weight @ragged_b_q : tensor<160x192xf8E4M3FN, #w>
    %b_s = deepseek.get_weight @ragged_b_s : tensor<2x2xf32>
    %y = deepseek.get_weight @ragged_y : tensor<5x160xf32>
    %q, %s = deepseek.quantize %a : (tensor<5x192xf32>) -> (tensor<5x192xf8E4M3FN, #x>, tensor<5x2xf32>)
    check.expect_eq %q, %a_q : tensor<5x192xf8E4M3FN, #x>
    check.expect_eq %s, %a_s : tensor<5x2xf32>
    %product = deepseek.scaled_linear %q, %s, %b_q, %b_s
        : (tensor<5x192xf8E4M3FN, #x>, tensor<5x2xf32>, tensor<160x192xf8E4M3FN, #w>, tensor<2x2xf32>) -> tensor<5x160xf32>
    check.expect_close %product, %y {atol = 4.8e-5 : f64} : tensor<5x160xf32>
    // Both operands' scales in the other layout: the same bits.
    %xg, %xgs = deepseek.quantize %a : (tensor<5x192xf32>) -> (tensor<5x192xf8E4M3FN, #xg>, tensor<2x5xf32>)
    %wg, %wgs = deepseek.requantize %b_q, %b_s : (tensor<160x192xf8E4M3FN, #w>, tensor<2x2xf32>) -> (tensor<160x192xf8E4M3FN, #wg>, tensor<2x2xf32>)
    %group_major = deepseek.scaled_linear %xg, %xgs, %wg, %wgs
        : (tensor<5x192xf8E4M3FN, #xg>, tensor<2x5xf32>, tensor<160x192xf8E4M3FN, #wg>, tensor<2x2xf32>) -> tensor<5x160xf32>
    check.expect_close %group_major, %y {atol = 4.8e-5 : f64} : tensor<5x160xf32>
    return
  }

  deepseek.weight @tall_a from "tall.a" : tensor<131x128xf32>
  deepseek.weight @tall_a_q from "tall.a_q" : tensor<131x128xf8E4M3FN, #x>
  deepseek.weight @tall_a_s from "tall.a_s" : tensor<131x1xf32>
  deepseek.weight @tall_b_q from "tall.b_q" : tensor<128x128xf8E4M3FN, #w>
  deepseek.weight @tall_b_s from "tall.b_s" : tensor<1x1xf32>
  deepseek.weight @tall_y from "tall.y" : tensor<131x128xf32>

  func.func @tall() {
    %a = deepseek.get_weight @tall_a : tensor<131x128xf32>
    %a_q = deepseek.get_weight @tall_a_q : tensor<131x128xf8E4M3FN, #x>
    %a_s = deepseek.get_weight @tall_a_s : tensor<131x1xf32>
    %b_q = deepseek.get_weight @tall_b_q : tensor<128x128xf8E4M3FN, #w>
    %b_s = deepseek.get_weight @tall_b_s : tensor<1x1xf32>
    %y = deepseek.get_weight @tall_y : tensor<131x128xf32>
    %q, %s = deepseek.quantize %a : (tensor<131x128xf32>) -> (tensor<131x128xf8E4M3FN, #x>, tensor<131x1xf32>)
    check.expect_eq %q, %a_q : tensor<131x128xf8E4M3FN, #x>
    check.expect_eq %s, %a_s : tensor<131x1xf32>
    %product = deepseek.scaled_linear %q, %s, %b_q, %b_s
        : (tensor<131x128xf8E4M3FN, #x>, tensor<131x1xf32>, tensor<128x128xf8E4M3FN, #w>, tensor<1x1xf32>) -> tensor<131x128xf32>
    check.expect_close %product, %y {atol = 9.3e-5 : f64} : tensor<131x128xf32>
    // Both operands' scales in the other layout: the same bits.
    %xg, %xgs = deepseek.quantize %a : (tensor<131x128xf32>) -> (tensor<131x128xf8E4M3FN, #xg>, tensor<1x131xf32>)
    %wg, %wgs = deepseek.requantize %b_q, %b_s : (tensor<128x128xf8E4M3FN, #w>, tensor<1x1xf32>) -> (tensor<128x128xf8E4M3FN, #wg>, tensor<1x1xf32>)
    %group_major = deepseek.scaled_linear %xg, %xgs, %wg, %wgs
        : (tensor<131x128xf8E4M3FN, #xg>, tensor<1x131xf32>, tensor<128x128xf8E4M3FN, #wg>, tensor<1x1xf32>) -> tensor<131x128xf32>
    check.expect_close %group_major, %y {atol = 9.3e-5 : f64} : tensor<131x128xf32>
    return
  }

  deepseek.weight @wide_a from "wide.a" : tensor<1x640xf32>
  deepseek.weight @wide_a_q from "wide.a_q" : tensor<1x640xf8E4M3FN, #x>
  deepseek.weight @wide_a_s from "wide.a_s" : tensor<1x5xf32>
  deepseek.weight @wide_b_q from "wide.b_q" : tensor<640x640xf8E4M3FN, #w>
  deepseek.weight @wide_b_s from "wide.b_s" : tensor<5x5xf32>
  deepseek.weight @wide_y from "wide.y" : tensor<1x640xf32>

  func.func @wide() {
    %a = deepseek.get_weight @wide_a : tensor<1x640xf32>
    %a_q = deepseek.get_weight @wide_a_q : tensor<1x640xf8E4M3FN, #x>
    %a_s = deepseek.get_weight @wide_a_s : tensor<1x5xf32>
    %b_q = deepseek.get_weight @wide_b_q : tensor<640x640xf8E4M3FN, #w>
    %b_s = deepseek.get_weight @wide_b_s : tensor<5x5xf32>
    %y = deepseek.get_weight @wide_y : tensor<1x640xf32>
    %q, %s = deepseek.quantize %a : (tensor<1x640xf32>) -> (tensor<1x640xf8E4M3FN, #x>, tensor<1x5xf32>)
    check.expect_eq %q, %a_q : tensor<1x640xf8E4M3FN, #x>
    check.expect_eq %s, %a_s : tensor<1x5xf32>
    %product = deepseek.scaled_linear %q, %s, %b_q, %b_s
        : (tensor<1x640xf8E4M3FN, #x>, tensor<1x5xf32>, tensor<640x640xf8E4M3FN, #w>, tensor<5x5xf32>) -> tensor<1x640xf32>
    check.expect_close %product, %y {atol = 6.6e-6 : f64} : tensor<1x640xf32>
    // Both operands' scales in the other layout: the same bits.
    %xg, %xgs = deepseek.quantize %a : (tensor<1x640xf32>) -> (tensor<1x640xf8E4M3FN, #xg>, tensor<5x1xf32>)
    %wg, %wgs = deepseek.requantize %b_q, %b_s : (tensor<640x640xf8E4M3FN, #w>, tensor<5x5xf32>) -> (tensor<640x640xf8E4M3FN, #wg>, tensor<5x5xf32>)
    %group_major = deepseek.scaled_linear %xg, %xgs, %wg, %wgs
        : (tensor<1x640xf8E4M3FN, #xg>, tensor<5x1xf32>, tensor<640x640xf8E4M3FN, #wg>, tensor<5x5xf32>) -> tensor<1x640xf32>
    check.expect_close %group_major, %y {atol = 6.6e-6 : f64} : tensor<1x640xf32>
    return
  }
}
