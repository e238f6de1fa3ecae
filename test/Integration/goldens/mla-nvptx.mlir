// RUN: rm -rf %t.weights && mkdir %t.weights && cp %models/shakespeare-v3/golden/ops/mla.safetensors %t.weights/model.safetensors
// RUN: ds-eval %s --weights=%t.weights
// RUN: for chip in sm_80 sm_89 sm_90a; do ds-opt %s --ds-compile="target=nvptx chip=$chip activations=bf16" | ds-translate --emit=shared -o %t.so && ds-run %t.so check --model=%t.weights --device=simulator || exit 1; done
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_89 activations=bf16 stop-after=device" | FileCheck %s

// The heads' outputs of latent attention against the golden values, by both forms:
// queries, cached rows and results of the attention are rounded to bf16, the rest is
// f32. The bound is what rounding these costs the reference.

// CHECK-DAG: name = "latent_attention_{{[a-z0-9_]*}}bf16"
// CHECK-DAG: name = "attention_{{[a-z0-9_]*}}bf16"

!pages = tensor<3x64x160xbf16, #deepseek.latent_cache<latent = 128, rope = 32>>
!kv8 = tensor<512x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

module attributes {deepseek.source = ""} {
  deepseek.weight @q_nope from "q_nope" : tensor<33x4x64xf32>
  deepseek.weight @q_rope from "q_pe" : tensor<33x4x32xf32>
  deepseek.weight @latent from "c_kv" : tensor<33x128xf32>
  deepseek.weight @k_rope from "k_pe" : tensor<33x32xf32>
  deepseek.weight @heads from "heads_out" : tensor<33x256xf32>
  deepseek.weight @kv_b from "w.kv_b_proj.weight" : !kv8
  deepseek.weight @kv_b_scale from "w.kv_b_proj.weight_scale_inv" : tensor<4x1xf32>

  func.func @forms() {
    %q_nope = deepseek.get_weight @q_nope : tensor<33x4x64xf32>
    %q_rope32 = deepseek.get_weight @q_rope : tensor<33x4x32xf32>
    %latent32 = deepseek.get_weight @latent : tensor<33x128xf32>
    %k_rope32 = deepseek.get_weight @k_rope : tensor<33x32xf32>
    %heads = deepseek.get_weight @heads : tensor<33x256xf32>
    %codes = deepseek.get_weight @kv_b : !kv8
    %scales = deepseek.get_weight @kv_b_scale : tensor<4x1xf32>
    %w = deepseek.dequantize %codes, %scales : (!kv8, tensor<4x1xf32>) -> tensor<512x128xf32>
    %kv_b = tensor.expand_shape %w [[0, 1], [2]] output_shape [4, 128, 128] : tensor<512x128xf32> into tensor<4x128x128xf32>
    %w_uk = tensor.extract_slice %kv_b[0, 0, 0] [4, 64, 128] [1, 1, 1] : tensor<4x128x128xf32> to tensor<4x64x128xf32>
    %w_uv = tensor.extract_slice %kv_b[0, 64, 0] [4, 64, 128] [1, 1, 1] : tensor<4x128x128xf32> to tensor<4x64x128xf32>
    %q_rope = arith.truncf %q_rope32 : tensor<33x4x32xf32> to tensor<33x4x32xbf16>
    %latent = arith.truncf %latent32 : tensor<33x128xf32> to tensor<33x128xbf16>
    %k_rope = arith.truncf %k_rope32 : tensor<33x32xf32> to tensor<33x32xbf16>
    %cu = arith.constant dense<[0, 33]> : tensor<2xi32>

    // Absorbed: the rows are on page 2.
    %zeros = arith.constant dense<0.0> : tensor<3x64x160xbf16>
    %empty = tensor.cast %zeros : tensor<3x64x160xbf16> to !pages
    %slots = arith.constant dense<[128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144,
        145, 146, 147, 148, 149, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160]> : tensor<33xi32>
    %cache = deepseek.cache_append %empty, %latent, %k_rope, %slots : (!pages, tensor<33x128xbf16>, tensor<33x32xbf16>, tensor<33xi32>) -> !pages
    %table = arith.constant dense<[[2, 0]]> : tensor<1x2xi32>
    %q_latent32 = deepseek.head_linear %q_nope, %w_uk {transposed} : (tensor<33x4x64xf32>, tensor<4x64x128xf32>) -> tensor<33x4x128xf32>
    %q_latent = arith.truncf %q_latent32 : tensor<33x4x128xf32> to tensor<33x4x128xbf16>
    %mixed = deepseek.latent_attention %q_latent, %q_rope, %cache, %table, %cu, %cu {scale = 0.13232112898211337 : f64}
        : (tensor<33x4x128xbf16>, tensor<33x4x32xbf16>, !pages, tensor<1x2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<33x4x128xbf16>
    %mixed32 = arith.extf %mixed : tensor<33x4x128xbf16> to tensor<33x4x128xf32>
    %absorbed = deepseek.head_linear %mixed32, %w_uv : (tensor<33x4x128xf32>, tensor<4x64x128xf32>) -> tensor<33x4x64xf32>
    %flat_absorbed = tensor.collapse_shape %absorbed [[0], [1, 2]] : tensor<33x4x64xf32> into tensor<33x256xf32>
    check.expect_close %flat_absorbed, %heads {atol = 0.02 : f64, rtol = 0.0 : f64} : tensor<33x256xf32>

    // Expanded.
    %q = arith.truncf %q_nope : tensor<33x4x64xf32> to tensor<33x4x64xbf16>
    %kv32 = deepseek.linear %latent32, %w : (tensor<33x128xf32>, tensor<512x128xf32>) -> tensor<33x512xf32>
    %kv_flat = arith.truncf %kv32 : tensor<33x512xf32> to tensor<33x512xbf16>
    %kv = tensor.expand_shape %kv_flat [[0], [1, 2]] output_shape [33, 4, 128] : tensor<33x512xbf16> into tensor<33x4x128xbf16>
    %y = deepseek.attention %q, %q_rope, %kv, %k_rope, %cu, %cu {scale = 0.13232112898211337 : f64}
        : (tensor<33x4x64xbf16>, tensor<33x4x32xbf16>, tensor<33x4x128xbf16>, tensor<33x32xbf16>, tensor<2xi32>, tensor<2xi32>) -> tensor<33x4x64xbf16>
    %y32 = arith.extf %y : tensor<33x4x64xbf16> to tensor<33x4x64xf32>
    %expanded = tensor.collapse_shape %y32 [[0], [1, 2]] : tensor<33x4x64xf32> into tensor<33x256xf32>
    check.expect_close %expanded, %heads {atol = 0.02 : f64, rtol = 0.0 : f64} : tensor<33x256xf32>
    return
  }
}
