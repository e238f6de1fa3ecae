// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: ds-opt %s --ds-compile="target=host mla=absorbed" | ds-translate --emit=shared -o %t.absorbed.so && ds-run %t.absorbed.so
// RUN: ds-opt %s --ds-compile="target=host mla=expanded" | ds-translate --emit=shared -o %t.expanded.so && ds-run %t.expanded.so
// RUN: %nvptx-run %s %t

// Latent attention in its two forms: keys and values rebuilt for each head
// (expanded), and queries brought to the latent space (absorbed). Two sequences, the
// second one with 70 cached rows on two pages and a step of two tokens, so that the
// causal mask, a page boundary and a chunk in the middle of a sequence all matter.
// The forms are equal but for roundings of f32.

!pages = tensor<4x64x80xf32, #deepseek.latent_cache<latent = 64, rope = 16>>
!kv8 = tensor<192x64xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @q_nope from "q_nope" : tensor<3x3x40xf32>
  deepseek.weight @q_rope from "q_rope" : tensor<3x3x16xf32>
  deepseek.weight @rows from "rows" : tensor<4x64x80xf32>
  deepseek.weight @kv_b from "kv_b_proj.weight" : !kv8
  deepseek.weight @kv_b_scale from "kv_b_proj.weight_scale_inv" : tensor<2x1xf32>

  func.func @forms() {
    %q_nope = deepseek.get_weight @q_nope : tensor<3x3x40xf32>
    %q_rope = deepseek.get_weight @q_rope : tensor<3x3x16xf32>
    %rows = deepseek.get_weight @rows : tensor<4x64x80xf32>
    %cache = tensor.cast %rows : tensor<4x64x80xf32> to !pages
    %q = deepseek.get_weight @kv_b : !kv8
    %s = deepseek.get_weight @kv_b_scale : tensor<2x1xf32>
    %w = deepseek.dequantize %q, %s : (!kv8, tensor<2x1xf32>) -> tensor<192x64xf32>
    // 3 heads of 40 key and 24 value rows.
    %kv_b = tensor.expand_shape %w [[0, 1], [2]] output_shape [3, 64, 64] : tensor<192x64xf32> into tensor<3x64x64xf32>
    %table = arith.constant dense<[[2, 0], [3, 1]]> : tensor<2x2xi32>
    %cu_q = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
    %cu_kv = arith.constant dense<[0, 5, 75]> : tensor<3xi32>
    %total = arith.constant 75 : index

    %y = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu_q, %cu_kv, %total, %kv_b {scale = 0.125 : f64}
        : (tensor<3x3x40xf32>, tensor<3x3x16xf32>, !pages, tensor<2x2xi32>, tensor<3xi32>, tensor<3xi32>, index, tensor<3x64x64xf32>) -> tensor<3x3x24xf32>

    // Expanded.
    %gathered = deepseek.cache_gather %cache, %table, %cu_kv, %total : (!pages, tensor<2x2xi32>, tensor<3xi32>, index) -> tensor<75x80xf32>
    %latent = tensor.extract_slice %gathered[0, 0] [75, 64] [1, 1] : tensor<75x80xf32> to tensor<75x64xf32>
    %k_rope = tensor.extract_slice %gathered[0, 64] [75, 16] [1, 1] : tensor<75x80xf32> to tensor<75x16xf32>
    %flat = deepseek.linear %latent, %w : (tensor<75x64xf32>, tensor<192x64xf32>) -> tensor<75x192xf32>
    %kv = tensor.expand_shape %flat [[0], [1, 2]] output_shape [75, 3, 64] : tensor<75x192xf32> into tensor<75x3x64xf32>
    %expanded = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu_q, %cu_kv {scale = 0.125 : f64}
        : (tensor<3x3x40xf32>, tensor<3x3x16xf32>, tensor<75x3x64xf32>, tensor<75x16xf32>, tensor<3xi32>, tensor<3xi32>) -> tensor<3x3x24xf32>
    check.expect_close %y, %expanded {atol = 2.0e-5 : f64, rtol = 2.0e-5 : f64} : tensor<3x3x24xf32>

    // Absorbed.
    %w_uk = tensor.extract_slice %kv_b[0, 0, 0] [3, 40, 64] [1, 1, 1] : tensor<3x64x64xf32> to tensor<3x40x64xf32>
    %w_uv = tensor.extract_slice %kv_b[0, 40, 0] [3, 24, 64] [1, 1, 1] : tensor<3x64x64xf32> to tensor<3x24x64xf32>
    %q_latent = deepseek.head_linear %q_nope, %w_uk {transposed} : (tensor<3x3x40xf32>, tensor<3x40x64xf32>) -> tensor<3x3x64xf32>
    %mixed = deepseek.latent_attention %q_latent, %q_rope, %cache, %table, %cu_q, %cu_kv {scale = 0.125 : f64}
        : (tensor<3x3x64xf32>, tensor<3x3x16xf32>, !pages, tensor<2x2xi32>, tensor<3xi32>, tensor<3xi32>) -> tensor<3x3x64xf32>
    %absorbed = deepseek.head_linear %mixed, %w_uv : (tensor<3x3x64xf32>, tensor<3x24x64xf32>) -> tensor<3x3x24xf32>
    check.expect_close %absorbed, %expanded {atol = 2.0e-5 : f64, rtol = 2.0e-5 : f64} : tensor<3x3x24xf32>
    return
  }
}
