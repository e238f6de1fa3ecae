// RUN: ds-opt %s | ds-opt | FileCheck %s

// A DeepSeek-V3 MoE layer at the graph stage, for one rank and from an FP8
// checkpoint, in the sizes of the model: what an import looks like.

!hidden = tensor<?x7168xbf16>
#w8 = #deepseek.block_scaled<[128, 128]>
!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>

deepseek.weight @l3_attn_norm from "model.layers.3.input_layernorm.weight" : tensor<7168xbf16>
deepseek.weight @l3_q_a from "model.layers.3.self_attn.q_a_proj.weight" : tensor<1536x7168xf8E4M3FN, #w8>
deepseek.weight @l3_q_a_scale from "model.layers.3.self_attn.q_a_proj.weight_scale_inv" : tensor<12x56xf32>
deepseek.weight @l3_kv_a from "model.layers.3.self_attn.kv_a_proj_with_mqa.weight" : tensor<576x7168xf8E4M3FN, #w8>
deepseek.weight @l3_kv_a_scale from "model.layers.3.self_attn.kv_a_proj_with_mqa.weight_scale_inv" : tensor<5x56xf32>
deepseek.weight @l3_kv_norm from "model.layers.3.self_attn.kv_a_layernorm.weight" : tensor<512xbf16>
deepseek.weight @l3_kv_b from "model.layers.3.self_attn.kv_b_proj.weight" : tensor<32768x512xf8E4M3FN, #w8>
deepseek.weight @l3_kv_b_scale from "model.layers.3.self_attn.kv_b_proj.weight_scale_inv" : tensor<256x4xf32>
deepseek.weight @l3_gate_bias from "model.layers.3.mlp.gate.e_score_correction_bias" : tensor<256xf32>
deepseek.weight @l3_up from "model.layers.3.mlp.experts.*.up_proj.weight" : tensor<256x2048x7168xf8E4M3FN, #w8>
deepseek.weight @l3_up_scale from "model.layers.3.mlp.experts.*.up_proj.weight_scale_inv" : tensor<256x16x56xf32>

// CHECK-LABEL: func @query
func.func @query(%x: !hidden) -> tensor<?x1536xbf16> {
  // CHECK: %norm = deepseek.rms_norm %{{.*}}, %l3_attn_norm
  %norm = deepseek.get_weight @l3_attn_norm : tensor<7168xbf16>
  %h = deepseek.rms_norm %x, %norm {epsilon = 1.0e-6} : (!hidden, tensor<7168xbf16>) -> !hidden
  // CHECK: %w = deepseek.dequantize %l3_q_a, %l3_q_a_scale
  %qa = deepseek.get_weight @l3_q_a : tensor<1536x7168xf8E4M3FN, #w8>
  %qs = deepseek.get_weight @l3_q_a_scale : tensor<12x56xf32>
  %wq = deepseek.dequantize %qa, %qs : (tensor<1536x7168xf8E4M3FN, #w8>, tensor<12x56xf32>) -> tensor<1536x7168xbf16>
  // CHECK: %linear = deepseek.linear %norm, %w
  %q = deepseek.linear %h, %wq : (!hidden, tensor<1536x7168xbf16>) -> tensor<?x1536xbf16>
  return %q : tensor<?x1536xbf16>
}

// CHECK-LABEL: func @attention
func.func @attention(%h: !hidden, %q_nope: tensor<?x128x128xbf16>, %q_rope: tensor<?x128x64xbf16>, %positions: tensor<?xi32>,
                     %slots: tensor<?xi32>, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>,
                     %kv_total: index, %cache: !pages) -> (tensor<?x128x128xbf16>, !pages) {
  %c0 = arith.constant 0 : index
  %tokens = tensor.dim %h, %c0 : !hidden
  %kva = deepseek.get_weight @l3_kv_a : tensor<576x7168xf8E4M3FN, #w8>
  %kvs = deepseek.get_weight @l3_kv_a_scale : tensor<5x56xf32>
  // The rows of 576 end in a ragged block.
  %wkv = deepseek.dequantize %kva, %kvs : (tensor<576x7168xf8E4M3FN, #w8>, tensor<5x56xf32>) -> tensor<576x7168xbf16>
  %kv = deepseek.linear %h, %wkv : (!hidden, tensor<576x7168xbf16>) -> tensor<?x576xbf16>
  %latent = tensor.extract_slice %kv[0, 0] [%tokens, 512] [1, 1] : tensor<?x576xbf16> to tensor<?x512xbf16>
  %rope = tensor.extract_slice %kv[0, 512] [%tokens, 64] [1, 1] : tensor<?x576xbf16> to tensor<?x64xbf16>
  %gamma = deepseek.get_weight @l3_kv_norm : tensor<512xbf16>
  %c = deepseek.rms_norm %latent, %gamma {epsilon = 1.0e-6} : (tensor<?x512xbf16>, tensor<512xbf16>) -> tensor<?x512xbf16>
  // CHECK: deepseek.rope
  %k_rope = deepseek.rope %rope, %positions {theta = 1.0e4, yarn = #deepseek.yarn<factor = 40.0 : f64, original_length = 4096, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64>}
      : (tensor<?x64xbf16>, tensor<?xi32>) -> tensor<?x64xbf16>
  // CHECK: %cache = deepseek.cache_append
  %cache1 = deepseek.cache_append %cache, %c, %k_rope, %slots : (!pages, tensor<?x512xbf16>, tensor<?x64xbf16>, tensor<?xi32>) -> !pages
  %kv_b8 = deepseek.get_weight @l3_kv_b : tensor<32768x512xf8E4M3FN, #w8>
  %kv_bs = deepseek.get_weight @l3_kv_b_scale : tensor<256x4xf32>
  %kv_b2 = deepseek.dequantize %kv_b8, %kv_bs : (tensor<32768x512xf8E4M3FN, #w8>, tensor<256x4xf32>) -> tensor<32768x512xbf16>
  %kv_b = tensor.expand_shape %kv_b2 [[0, 1], [2]] output_shape [128, 256, 512] : tensor<32768x512xbf16> into tensor<128x256x512xbf16>
  // CHECK: %attention = deepseek.mla %{{.*}}, %cache, %{{.*}} {scale = 0.13523378
  %y = deepseek.mla %q_nope, %q_rope, %cache1, %table, %cu_q, %cu_kv, %kv_total, %kv_b {scale = 0.13523378}
      : (tensor<?x128x128xbf16>, tensor<?x128x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<128x256x512xbf16>)
      -> tensor<?x128x128xbf16>
  return %y, %cache1 : tensor<?x128x128xbf16>, !pages
}

// CHECK-LABEL: func @mixture_of_experts
func.func @mixture_of_experts(%h: !hidden, %logits: tensor<?x256xf32>, %gate: tensor<256x2048x7168xbf16>,
                              %down: tensor<256x7168x2048xbf16>, %shared: !hidden) -> !hidden {
  %bias = deepseek.get_weight @l3_gate_bias : tensor<256xf32>
  // CHECK: %scores, %experts = deepseek.route %{{.*}}, %l3_gate_bias
  %scores, %experts = deepseek.route %logits, %bias
      {scoring = #deepseek.scoring<sigmoid>, top_k = 8, groups = 8, top_groups = 4, normalize, scale = 2.5}
      : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x8xf32>, tensor<?x8xi32>)
  %u8 = deepseek.get_weight @l3_up : tensor<256x2048x7168xf8E4M3FN, #w8>
  %us = deepseek.get_weight @l3_up_scale : tensor<256x16x56xf32>
  %up = deepseek.dequantize %u8, %us
      : (tensor<256x2048x7168xf8E4M3FN, #w8>, tensor<256x16x56xf32>) -> tensor<256x2048x7168xbf16>
  // CHECK: deepseek.experts %{{.*}}, %scores, %experts
  %y = deepseek.experts %h, %scores, %experts, %gate, %up, %down, %shared
      : (!hidden, tensor<?x8xf32>, tensor<?x8xi32>, tensor<256x2048x7168xbf16>, tensor<256x2048x7168xbf16>, tensor<256x7168x2048xbf16>, !hidden) -> !hidden
  %r = arith.addf %h, %y : !hidden
  return %r : !hidden
}
