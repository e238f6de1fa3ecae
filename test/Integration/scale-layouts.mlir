// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: ds-opt %s --ds-compile="target=host chip=x86-64-v2" | ds-translate --chip=x86-64-v2 --emit=shared -o %t.v2.so && ds-run %t.v2.so
// RUN: env EMITTERS=any_fallback %nvptx-run %s %t

// Where scales lie changes no bit: each product is computed with row-major and with
// group-major scales. Stacked weights, as experts have them, are requantized and
// quantized from where they lie. Blocks are ragged in both dimensions.

!x8 = tensor<7x160xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!xg8 = tensor<7x160xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
!w8 = tensor<136x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!wg8 = tensor<136x160xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>
!e8 = tensor<3x136x160xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!eg8 = tensor<3x136x160xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>
!ep8 = tensor<3x136x160xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two layout = group_major>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<7x160xf32>
  deepseek.weight @many from "many" : tensor<33x160xf32>
  deepseek.weight @q from "proj.weight" : !w8
  deepseek.weight @s from "proj.weight_scale_inv" : tensor<2x2xf32>
  deepseek.weight @eq from "experts.*.weight" : !e8
  deepseek.weight @es from "experts.*.weight_scale_inv" : tensor<3x2x2xf32>
  deepseek.weight @wide from "experts.*.wide" : tensor<3x136x160xbf16>

  // The second expert gets no rows.
  func.func @scaled_grouped_linear() {
    %x = deepseek.get_weight @x : tensor<7x160xf32>
    %eq = deepseek.get_weight @eq : !e8
    %es = deepseek.get_weight @es : tensor<3x2x2xf32>
    %offsets = arith.constant dense<[0, 2, 2, 7]> : tensor<4xi32>
    %xq, %xs = deepseek.quantize %x : (tensor<7x160xf32>) -> (!x8, tensor<7x2xf32>)
    %a = deepseek.scaled_grouped_linear %xq, %xs, %eq, %es, %offsets
        : (!x8, tensor<7x2xf32>, !e8, tensor<3x2x2xf32>, tensor<4xi32>) -> tensor<7x136xf32>
    %xg, %xgs = deepseek.quantize %x : (tensor<7x160xf32>) -> (!xg8, tensor<2x7xf32>)
    %eg, %egs = deepseek.requantize %eq, %es : (!e8, tensor<3x2x2xf32>) -> (!eg8, tensor<3x2x2xf32>)
    %b = deepseek.scaled_grouped_linear %xg, %xgs, %eg, %egs, %offsets
        : (!xg8, tensor<2x7xf32>, !eg8, tensor<3x2x2xf32>, tensor<4xi32>) -> tensor<7x136xf32>
    check.expect_eq %b, %a : tensor<7x136xf32>
    return
  }

  // W8A16: few rows, and so many that weights are dequantized beforehand.
  func.func @linear() {
    %x = deepseek.get_weight @x : tensor<7x160xf32>
    %many = deepseek.get_weight @many : tensor<33x160xf32>
    %q = deepseek.get_weight @q : !w8
    %s = deepseek.get_weight @s : tensor<2x2xf32>
    %g, %gs = deepseek.requantize %q, %s : (!w8, tensor<2x2xf32>) -> (!wg8, tensor<2x2xf32>)
    %w = deepseek.dequantize %q, %s : (!w8, tensor<2x2xf32>) -> tensor<136x160xbf16>
    %wg = deepseek.dequantize %g, %gs : (!wg8, tensor<2x2xf32>) -> tensor<136x160xbf16>
    %a = deepseek.linear %x, %w : (tensor<7x160xf32>, tensor<136x160xbf16>) -> tensor<7x136xf32>
    %b = deepseek.linear %x, %wg : (tensor<7x160xf32>, tensor<136x160xbf16>) -> tensor<7x136xf32>
    check.expect_eq %b, %a : tensor<7x136xf32>
    %c = deepseek.linear %many, %w : (tensor<33x160xf32>, tensor<136x160xbf16>) -> tensor<33x136xf32>
    %d = deepseek.linear %many, %wg : (tensor<33x160xf32>, tensor<136x160xbf16>) -> tensor<33x136xf32>
    check.expect_eq %d, %c : tensor<33x136xf32>
    return
  }

  // A stack of BF16 weights is quantized where it lies, to what its values give.
  func.func @stack() {
    %wide = deepseek.get_weight @wide : tensor<3x136x160xbf16>
    %q, %s = deepseek.quantize %wide : (tensor<3x136x160xbf16>) -> (!e8, tensor<3x2x2xf32>)
    %last = tensor.extract_slice %wide[2, 0, 0] [1, 136, 160] [1, 1, 1] : tensor<3x136x160xbf16> to tensor<136x160xbf16>
    %lq, %ls = deepseek.quantize %last : (tensor<136x160xbf16>) -> (!w8, tensor<2x2xf32>)
    %scales = tensor.extract_slice %s[2, 0, 0] [1, 2, 2] [1, 1, 1] : tensor<3x2x2xf32> to tensor<2x2xf32>
    check.expect_eq %scales, %ls : tensor<2x2xf32>
    %codes = tensor.extract_slice %q[2, 0, 0] [1, 136, 160] [1, 1, 1] : !e8 to !w8
    check.expect_eq %codes, %lq : !w8
    return
  }

  // To powers of two, in the other layout: as by way of f32.
  func.func @requantize_stack() {
    %eq = deepseek.get_weight @eq : !e8
    %es = deepseek.get_weight @es : tensor<3x2x2xf32>
    %q, %s = deepseek.requantize %eq, %es : (!e8, tensor<3x2x2xf32>) -> (!ep8, tensor<3x2x2xf8E8M0FNU>)
    %f32 = deepseek.dequantize %eq, %es : (!e8, tensor<3x2x2xf32>) -> tensor<3x136x160xf32>
    %p, %t = deepseek.quantize %f32 : (tensor<3x136x160xf32>) -> (!ep8, tensor<3x2x2xf8E8M0FNU>)
    check.expect_eq %q, %p : !ep8
    check.expect_eq %s, %t : tensor<3x2x2xf8E8M0FNU>
    return
  }
}
