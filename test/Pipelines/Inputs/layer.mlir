// One MoE layer of a small model, as ds-import writes it: prefill and decode.
!pages = tensor<?x64x24xbf16, #deepseek.latent_cache<latent = 16, rope = 8>>
!fp8 = tensor<128x32xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
module attributes {deepseek.model = "deepseek_v3", deepseek.source = "seed:1", deepseek.context = 512 : i64} {
  deepseek.weight @embed from "model.embed_tokens.weight" : tensor<100x32xbf16>
  deepseek.weight @norm from "model.layers.0.input_layernorm.weight" : tensor<32xbf16>
  deepseek.weight @q from "model.layers.0.self_attn.q_proj.weight" : tensor<128x32xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
  deepseek.weight @q_scale from "model.layers.0.self_attn.q_proj.weight_scale_inv" : tensor<1x1xf32>
  deepseek.weight @kv_a from "model.layers.0.self_attn.kv_a_proj_with_mqa.weight" : tensor<24x32xbf16>
  deepseek.weight @kv_norm from "model.layers.0.self_attn.kv_a_layernorm.weight" : tensor<16xbf16>
  deepseek.weight @kv_b from "model.layers.0.self_attn.kv_b_proj.weight" : tensor<128x16xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
  deepseek.weight @kv_b_scale from "model.layers.0.self_attn.kv_b_proj.weight_scale_inv" : tensor<1x1xf32>
  deepseek.weight @o from "model.layers.0.self_attn.o_proj.weight" : tensor<32x32xbf16>
  deepseek.weight @router from "model.layers.0.mlp.gate.weight" : tensor<4x32xf32>
  deepseek.weight @gate from "model.layers.0.mlp.experts.*.gate_proj.weight" : tensor<4x48x32xbf16>
  deepseek.weight @up from "model.layers.0.mlp.experts.*.up_proj.weight" : tensor<4x48x32xbf16>
  deepseek.weight @down from "model.layers.0.mlp.experts.*.down_proj.weight" : tensor<4x32x48xbf16>
  deepseek.weight @head from "lm_head.weight" : tensor<100x32xbf16>
  func.func @prefill(%tokens: tensor<?xi32> {deepseek.name = "tokens", deepseek.dims = ["tokens"]},
      %positions: tensor<?xi32> {deepseek.name = "positions", deepseek.dims = ["tokens"]},
      %slots: tensor<?xi32> {deepseek.name = "slots", deepseek.dims = ["tokens"]},
      %table: tensor<?x?xi32> {deepseek.name = "block_table", deepseek.dims = ["sequences", "pages"]},
      %cu_q: tensor<?xi32> {deepseek.name = "cu_q_lens", deepseek.dims = ["sequences+1"]},
      %cu_kv: tensor<?xi32> {deepseek.name = "cu_kv_lens", deepseek.dims = ["sequences+1"]},
      %kv_total: index {deepseek.name = "kv_total", deepseek.dims = ["kv_tokens"]},
      %rows: tensor<?xi32> {deepseek.name = "logit_rows", deepseek.dims = ["rows"]},
      %cache: !pages {deepseek.name = "cache.0", deepseek.dims = ["cache_pages", "", ""]})
      -> (tensor<?x100xf32> {deepseek.name = "logits"}, tensor<?x32xbf16> {deepseek.name = "hidden"}, !pages {deepseek.name = "cache.0"})
      attributes {deepseek.entry} {
    %c0 = arith.constant 0 : index
    %t = tensor.dim %tokens, %c0 : tensor<?xi32>
    %embed = deepseek.get_weight @embed : tensor<100x32xbf16>
    %h = deepseek.embedding %tokens, %embed : (tensor<?xi32>, tensor<100x32xbf16>) -> tensor<?x32xbf16>
    %gamma = deepseek.get_weight @norm : tensor<32xbf16>
    %x = deepseek.rms_norm %h, %gamma {epsilon = 1.0e-6} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
    %wq8 = deepseek.get_weight @q : !fp8
    %wqs = deepseek.get_weight @q_scale : tensor<1x1xf32>
    %wq = deepseek.dequantize %wq8, %wqs : (!fp8, tensor<1x1xf32>) -> tensor<128x32xbf16>
    %q = deepseek.linear %x, %wq : (tensor<?x32xbf16>, tensor<128x32xbf16>) -> tensor<?x128xbf16>
    %qh = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 4, 32] : tensor<?x128xbf16> into tensor<?x4x32xbf16>
    %qn = tensor.extract_slice %qh[0, 0, 0] [%t, 4, 24] [1, 1, 1] : tensor<?x4x32xbf16> to tensor<?x4x24xbf16>
    %qr0 = tensor.extract_slice %qh[0, 0, 24] [%t, 4, 8] [1, 1, 1] : tensor<?x4x32xbf16> to tensor<?x4x8xbf16>
    %qr = deepseek.rope %qr0, %positions {theta = 1.0e4} : (tensor<?x4x8xbf16>, tensor<?xi32>) -> tensor<?x4x8xbf16>
    %wkva = deepseek.get_weight @kv_a : tensor<24x32xbf16>
    %u = deepseek.linear %x, %wkva : (tensor<?x32xbf16>, tensor<24x32xbf16>) -> tensor<?x24xbf16>
    %c = tensor.extract_slice %u[0, 0] [%t, 16] [1, 1] : tensor<?x24xbf16> to tensor<?x16xbf16>
    %kr0 = tensor.extract_slice %u[0, 16] [%t, 8] [1, 1] : tensor<?x24xbf16> to tensor<?x8xbf16>
    %gkv = deepseek.get_weight @kv_norm : tensor<16xbf16>
    %cn = deepseek.rms_norm %c, %gkv {epsilon = 1.0e-6} : (tensor<?x16xbf16>, tensor<16xbf16>) -> tensor<?x16xbf16>
    %kr = deepseek.rope %kr0, %positions {theta = 1.0e4} : (tensor<?x8xbf16>, tensor<?xi32>) -> tensor<?x8xbf16>
    %cache1 = deepseek.cache_append %cache, %cn, %kr, %slots : (!pages, tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?xi32>) -> !pages
    %kvb8 = deepseek.get_weight @kv_b : tensor<128x16xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
    %kvbs = deepseek.get_weight @kv_b_scale : tensor<1x1xf32>
    %kvb2 = deepseek.dequantize %kvb8, %kvbs : (tensor<128x16xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<1x1xf32>) -> tensor<128x16xbf16>
    %kvb = tensor.expand_shape %kvb2 [[0, 1], [2]] output_shape [4, 32, 16] : tensor<128x16xbf16> into tensor<4x32x16xbf16>
    %a = deepseek.mla %qn, %qr, %cache1, %table, %cu_q, %cu_kv, %kv_total, %kvb {scale = 0.17677669529663687}
        : (tensor<?x4x24xbf16>, tensor<?x4x8xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<4x32x16xbf16>) -> tensor<?x4x8xbf16>
    %flat = tensor.collapse_shape %a [[0], [1, 2]] : tensor<?x4x8xbf16> into tensor<?x32xbf16>
    %wo = deepseek.get_weight @o : tensor<32x32xbf16>
    %o = deepseek.linear %flat, %wo : (tensor<?x32xbf16>, tensor<32x32xbf16>) -> tensor<?x32xbf16>
    %h1 = arith.addf %h, %o : tensor<?x32xbf16>
    %x1 = deepseek.rms_norm %h1, %gamma {epsilon = 1.0e-6} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
    %wr = deepseek.get_weight @router : tensor<4x32xf32>
    %rl = deepseek.linear %x1, %wr : (tensor<?x32xbf16>, tensor<4x32xf32>) -> tensor<?x4xf32>
    %s, %e = deepseek.route %rl {scoring = #deepseek.scoring<sigmoid>, top_k = 2 : i64, normalize} : (tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
    %wg = deepseek.get_weight @gate : tensor<4x48x32xbf16>
    %wu = deepseek.get_weight @up : tensor<4x48x32xbf16>
    %wd = deepseek.get_weight @down : tensor<4x32x48xbf16>
    %m = deepseek.experts %x1, %s, %e, %wg, %wu, %wd : (tensor<?x32xbf16>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x48x32xbf16>, tensor<4x48x32xbf16>, tensor<4x32x48xbf16>) -> tensor<?x32xbf16>
    %h2 = arith.addf %h1, %m : tensor<?x32xbf16>
    %hn = deepseek.rms_norm %h2, %gamma {epsilon = 1.0e-6} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
    %wanted = deepseek.embedding %rows, %hn : (tensor<?xi32>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %wh = deepseek.get_weight @head : tensor<100x32xbf16>
    %logits = deepseek.linear %wanted, %wh : (tensor<?x32xbf16>, tensor<100x32xbf16>) -> tensor<?x100xf32>
    return %logits, %hn, %cache1 : tensor<?x100xf32>, tensor<?x32xbf16>, !pages
  }
  func.func @decode(%tokens: tensor<?xi32> {deepseek.name = "tokens", deepseek.dims = ["tokens"]},
      %positions: tensor<?xi32> {deepseek.name = "positions", deepseek.dims = ["tokens"]},
      %slots: tensor<?xi32> {deepseek.name = "slots", deepseek.dims = ["tokens"]},
      %table: tensor<?x?xi32> {deepseek.name = "block_table", deepseek.dims = ["sequences", "pages"]},
      %cu_q: tensor<?xi32> {deepseek.name = "cu_q_lens", deepseek.dims = ["sequences+1"]},
      %cu_kv: tensor<?xi32> {deepseek.name = "cu_kv_lens", deepseek.dims = ["sequences+1"]},
      %kv_total: index {deepseek.name = "kv_total", deepseek.dims = ["kv_tokens"]},
      %rows: tensor<?xi32> {deepseek.name = "logit_rows", deepseek.dims = ["rows"]},
      %cache: !pages {deepseek.name = "cache.0", deepseek.dims = ["cache_pages", "", ""]})
      -> (tensor<?x100xf32> {deepseek.name = "logits"}, tensor<?x32xbf16> {deepseek.name = "hidden"}, !pages {deepseek.name = "cache.0"})
      attributes {deepseek.entry} {
    %c0 = arith.constant 0 : index
    %t = tensor.dim %tokens, %c0 : tensor<?xi32>
    %embed = deepseek.get_weight @embed : tensor<100x32xbf16>
    %h = deepseek.embedding %tokens, %embed : (tensor<?xi32>, tensor<100x32xbf16>) -> tensor<?x32xbf16>
    %gamma = deepseek.get_weight @norm : tensor<32xbf16>
    %x = deepseek.rms_norm %h, %gamma {epsilon = 1.0e-6} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
    %wq8 = deepseek.get_weight @q : !fp8
    %wqs = deepseek.get_weight @q_scale : tensor<1x1xf32>
    %wq = deepseek.dequantize %wq8, %wqs : (!fp8, tensor<1x1xf32>) -> tensor<128x32xbf16>
    %q = deepseek.linear %x, %wq : (tensor<?x32xbf16>, tensor<128x32xbf16>) -> tensor<?x128xbf16>
    %qh = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 4, 32] : tensor<?x128xbf16> into tensor<?x4x32xbf16>
    %qn = tensor.extract_slice %qh[0, 0, 0] [%t, 4, 24] [1, 1, 1] : tensor<?x4x32xbf16> to tensor<?x4x24xbf16>
    %qr0 = tensor.extract_slice %qh[0, 0, 24] [%t, 4, 8] [1, 1, 1] : tensor<?x4x32xbf16> to tensor<?x4x8xbf16>
    %qr = deepseek.rope %qr0, %positions {theta = 1.0e4} : (tensor<?x4x8xbf16>, tensor<?xi32>) -> tensor<?x4x8xbf16>
    %wkva = deepseek.get_weight @kv_a : tensor<24x32xbf16>
    %u = deepseek.linear %x, %wkva : (tensor<?x32xbf16>, tensor<24x32xbf16>) -> tensor<?x24xbf16>
    %c = tensor.extract_slice %u[0, 0] [%t, 16] [1, 1] : tensor<?x24xbf16> to tensor<?x16xbf16>
    %kr0 = tensor.extract_slice %u[0, 16] [%t, 8] [1, 1] : tensor<?x24xbf16> to tensor<?x8xbf16>
    %gkv = deepseek.get_weight @kv_norm : tensor<16xbf16>
    %cn = deepseek.rms_norm %c, %gkv {epsilon = 1.0e-6} : (tensor<?x16xbf16>, tensor<16xbf16>) -> tensor<?x16xbf16>
    %kr = deepseek.rope %kr0, %positions {theta = 1.0e4} : (tensor<?x8xbf16>, tensor<?xi32>) -> tensor<?x8xbf16>
    %cache1 = deepseek.cache_append %cache, %cn, %kr, %slots : (!pages, tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?xi32>) -> !pages
    %kvb8 = deepseek.get_weight @kv_b : tensor<128x16xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
    %kvbs = deepseek.get_weight @kv_b_scale : tensor<1x1xf32>
    %kvb2 = deepseek.dequantize %kvb8, %kvbs : (tensor<128x16xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<1x1xf32>) -> tensor<128x16xbf16>
    %kvb = tensor.expand_shape %kvb2 [[0, 1], [2]] output_shape [4, 32, 16] : tensor<128x16xbf16> into tensor<4x32x16xbf16>
    %a = deepseek.mla %qn, %qr, %cache1, %table, %cu_q, %cu_kv, %kv_total, %kvb {scale = 0.17677669529663687}
        : (tensor<?x4x24xbf16>, tensor<?x4x8xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<4x32x16xbf16>) -> tensor<?x4x8xbf16>
    %flat = tensor.collapse_shape %a [[0], [1, 2]] : tensor<?x4x8xbf16> into tensor<?x32xbf16>
    %wo = deepseek.get_weight @o : tensor<32x32xbf16>
    %o = deepseek.linear %flat, %wo : (tensor<?x32xbf16>, tensor<32x32xbf16>) -> tensor<?x32xbf16>
    %h1 = arith.addf %h, %o : tensor<?x32xbf16>
    %x1 = deepseek.rms_norm %h1, %gamma {epsilon = 1.0e-6} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
    %wr = deepseek.get_weight @router : tensor<4x32xf32>
    %rl = deepseek.linear %x1, %wr : (tensor<?x32xbf16>, tensor<4x32xf32>) -> tensor<?x4xf32>
    %s, %e = deepseek.route %rl {scoring = #deepseek.scoring<sigmoid>, top_k = 2 : i64, normalize} : (tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
    %wg = deepseek.get_weight @gate : tensor<4x48x32xbf16>
    %wu = deepseek.get_weight @up : tensor<4x48x32xbf16>
    %wd = deepseek.get_weight @down : tensor<4x32x48xbf16>
    %m = deepseek.experts %x1, %s, %e, %wg, %wu, %wd : (tensor<?x32xbf16>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<4x48x32xbf16>, tensor<4x48x32xbf16>, tensor<4x32x48xbf16>) -> tensor<?x32xbf16>
    %h2 = arith.addf %h1, %m : tensor<?x32xbf16>
    %hn = deepseek.rms_norm %h2, %gamma {epsilon = 1.0e-6} : (tensor<?x32xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
    %wanted = deepseek.embedding %rows, %hn : (tensor<?xi32>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
    %wh = deepseek.get_weight @head : tensor<100x32xbf16>
    %logits = deepseek.linear %wanted, %wh : (tensor<?x32xbf16>, tensor<100x32xbf16>) -> tensor<?x100xf32>
    return %logits, %hn, %cache1 : tensor<?x100xf32>, tensor<?x32xbf16>, !pages
  }
}
