// RUN: ds-opt %s --ds-form-kernels --convert-deepseek-to-dsrt --ds-report-kernels=cached-tokens=100 -o %t.mlir 2>&1 | FileCheck %s
// RUN: ds-opt %t.mlir --ds-report-kernels=cached-tokens=100 -o /dev/null 2>&1 | FileCheck %s --check-prefix=PLACELESS
// RUN: not ds-opt %s --ds-report-kernels=cached-tokens=0 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: cached-tokens expected to be at least 1, got 0

// Worked out by hand, for one token with 99 before it. bf16 is 2 bytes, f32 and i32 4.
//
// Outside of layers:
//   embedding    weights: one row of 8 bf16                                     16
//                activations: the token 4, the row 16                           20
// Layer 0:
//   linear       weights: 6x8 codes of FP8 48, 1x1 scale 4                      52
//                activations: in 16, out 12                                     28
//   cache_append activations: latent 4 of 6 bf16 8, rope 2 of 6 bf16 4, slot 4  16
//                cache: one row of 6 bf16                                       12
//   latent_attention  activations: q_latent 2x4 bf16 16, q_rope 2x2 bf16 8,
//                block table of 2 pages 8, two prefix sums of 2 i32 16, out 16  64
//                cache: 100 rows of 6 bf16                                    1200
//   head_linear  weights: the last 3 of 5 rows of each of 2 heads, 4 bf16       48
//                activations: in 16, out 2x3 bf16 12                            28
// Layers 1 and 2, each:
//   route        activations: 4 logits 16, out 2 scores 8 and 2 indices 8       32
//   moe_dispatch activations: x 16, indices 8, out 2 rows 32, 5 offsets 20,
//                2 sources 8                                                    84
//   grouped_linear  weights: 2 of 4 experts of 8x8 bf16                        256
//                activations: rows 32, offsets 20, out 32                       84
//   moe_combine  activations: rows 32, sources 8, scores 8, out 16              64
//   addf (layer 2 only, so that the layers differ)  activations: 2 x 16, 16     48

// CHECK:      decode: one token, 100 cached
// CHECK-NEXT: bytes moved               launches   weights  activations  cache
// CHECK-NEXT: layer 0 (dense)                  4       100          136   1,212
// CHECK-NEXT: layer 1 (MoE)                    4       256          264       0
// CHECK-NEXT: layer 2 (MoE)                    5       256          312       0
// CHECK-NEXT: outside of layers                1        16           20       0
// CHECK-NEXT: all                             14       628          732   1,212
// CHECK-NEXT: 11 kernels

// PLACELESS:      decode: one token, 100 cached
// PLACELESS-NEXT: bytes moved
// PLACELESS-NEXT: outside of layers 14 628 732 1,212
// PLACELESS-NEXT: all 14 628 732 1,212

!fp8 = tensor<6x8xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!pages = tensor<?x64x6xbf16, #deepseek.latent_cache<latent = 4, rope = 2>>

deepseek.weight @table from "embed_tokens.weight" : tensor<10x8xbf16>
deepseek.weight @qr from "layers.0.qr.weight" : !fp8
deepseek.weight @qr_scale from "layers.0.qr.weight_scale_inv" : tensor<1x1xf32>
deepseek.weight @kv_b from "layers.0.kv_b.weight" : tensor<2x5x4xbf16>
deepseek.weight @stack from "layers.1.experts.*.weight" : tensor<4x8x8xbf16>

func.func @decode(%tokens: tensor<?xi32> {deepseek.dims = ["tokens"]}, %slots: tensor<?xi32> {deepseek.dims = ["tokens"]},
    %table: tensor<?x?xi32> {deepseek.dims = ["sequences", "pages"]}, %cu_q: tensor<?xi32> {deepseek.dims = ["sequences+1"]},
    %cu_kv: tensor<?xi32> {deepseek.dims = ["sequences+1"]}, %latent: tensor<?x4xbf16> {deepseek.dims = ["tokens", ""]},
    %rope: tensor<?x2xbf16> {deepseek.dims = ["tokens", ""]}, %q: tensor<?x2x4xbf16> {deepseek.dims = ["tokens", "", ""]},
    %q_rope: tensor<?x2x2xbf16> {deepseek.dims = ["tokens", "", ""]}, %logits: tensor<?x4xf32> {deepseek.dims = ["tokens", ""]},
    %cache: !pages {deepseek.dims = ["", "", ""]})
    -> (tensor<?x6xbf16>, tensor<?x2x3xbf16>, tensor<?x8xbf16>, !pages) {
  %w = deepseek.get_weight @table : tensor<10x8xbf16>
  %x = deepseek.embedding %tokens, %w : (tensor<?xi32>, tensor<10x8xbf16>) -> tensor<?x8xbf16> loc("model.embed_tokens")

  %codes = deepseek.get_weight @qr : !fp8
  %scale = deepseek.get_weight @qr_scale : tensor<1x1xf32>
  %qr = deepseek.dequantize %codes, %scale : (!fp8, tensor<1x1xf32>) -> tensor<6x8xbf16>
  %y = deepseek.linear %x, %qr : (tensor<?x8xbf16>, tensor<6x8xbf16>) -> tensor<?x6xbf16> loc("model.layers.0.qr")
  %new = deepseek.cache_append %cache, %latent, %rope, %slots
      : (!pages, tensor<?x4xbf16>, tensor<?x2xbf16>, tensor<?xi32>) -> !pages loc("model.layers.0")
  %attended = deepseek.latent_attention %q, %q_rope, %new, %table, %cu_q, %cu_kv {scale = 0.5}
      : (tensor<?x2x4xbf16>, tensor<?x2x2xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x4xbf16>
      loc("model.layers.0.attention")
  %kv_b = deepseek.get_weight @kv_b : tensor<2x5x4xbf16>
  %values = tensor.extract_slice %kv_b[0, 2, 0] [2, 3, 4] [1, 1, 1] : tensor<2x5x4xbf16> to tensor<2x3x4xbf16>
  %heads = deepseek.head_linear %attended, %values : (tensor<?x2x4xbf16>, tensor<2x3x4xbf16>) -> tensor<?x2x3xbf16>
      loc("model.layers.0.attention")

  %stack = deepseek.get_weight @stack : tensor<4x8x8xbf16>
  %s1, %i1 = deepseek.route %logits {scoring = #deepseek.scoring<sigmoid>, top_k = 2}
      : (tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>) loc("model.layers.1.router")
  %r1, %o1, %from1 = deepseek.moe_dispatch %x, %i1 {num_experts = 4}
      : (tensor<?x8xbf16>, tensor<?x2xi32>) -> (tensor<?x8xbf16>, tensor<5xi32>, tensor<?xi32>) loc("model.layers.1.experts")
  %g1 = deepseek.grouped_linear %r1, %stack, %o1
      : (tensor<?x8xbf16>, tensor<4x8x8xbf16>, tensor<5xi32>) -> tensor<?x8xbf16> loc("model.layers.1.experts")
  %x1 = deepseek.moe_combine %g1, %from1, %s1
      : (tensor<?x8xbf16>, tensor<?xi32>, tensor<?x2xf32>) -> tensor<?x8xbf16> loc("model.layers.1.experts")

  %s2, %i2 = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 2}
      : (tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>) loc("model.layers.2.router")
  %r2, %o2, %from2 = deepseek.moe_dispatch %x1, %i2 {num_experts = 4}
      : (tensor<?x8xbf16>, tensor<?x2xi32>) -> (tensor<?x8xbf16>, tensor<5xi32>, tensor<?xi32>) loc("model.layers.2.experts")
  %g2 = deepseek.grouped_linear %r2, %stack, %o2
      : (tensor<?x8xbf16>, tensor<4x8x8xbf16>, tensor<5xi32>) -> tensor<?x8xbf16> loc("model.layers.2.experts")
  %x2 = deepseek.moe_combine %g2, %from2, %s2
      : (tensor<?x8xbf16>, tensor<?xi32>, tensor<?x2xf32>) -> tensor<?x8xbf16> loc("model.layers.2.experts")
  %sum = arith.addf %x2, %x1 : tensor<?x8xbf16> loc("model.layers.2")
  return %y, %heads, %sum, %new : tensor<?x6xbf16>, tensor<?x2x3xbf16>, tensor<?x8xbf16>, !pages
}
