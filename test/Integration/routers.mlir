// RUN: split-file %s %t && mkdir -p %t/weights
// RUN: ds-eval %t/values.mlir --weights=seed:1 --entry=values -o %t/weights/model.safetensors
// RUN: ds-eval %t/checks.mlir --weights=%t/weights
// RUN: ds-opt %t/checks.mlir --ds-compile=target=host | ds-translate --emit=shared -o %t/host.so && ds-run %t/host.so check --model=%t/weights
// RUN: %nvptx-run %t/checks.mlir %t/device check --model=%t/weights

// The routers of four families, what they choose sorted by expert, and the way back,
// against the reference, whose values are the weights of the checks. Scores may differ by
// the rounding of exp; everything else is equal bit for bit.

//--- values.mlir
#row = #deepseek.block_scaled<[1, 128]>

module attributes {deepseek.source = ""} {
  deepseek.weight @v3_logits from "v3.logits" : tensor<65x256xf32>
  deepseek.weight @v3_x from "v3.x" : tensor<65x256xbf16>
  deepseek.weight @v3_bias from "v3.bias" : tensor<256xf32>
  deepseek.weight @v2_logits from "v2.logits" : tensor<33x160xf32>
  deepseek.weight @v2_x from "v2.x" : tensor<33x256xbf16>
  deepseek.weight @v2_lite_logits from "v2_lite.logits" : tensor<130x64xf32>
  deepseek.weight @v2_lite_x from "v2_lite.x" : tensor<130x256xbf16>
  deepseek.weight @k2_logits from "k2.logits" : tensor<1x384xf32>
  deepseek.weight @k2_x from "k2.x" : tensor<1x256xbf16>
  deepseek.weight @k2_bias from "k2.bias" : tensor<384xf32>

  func.func @values() -> (tensor<65x256xf32> {deepseek.name = "v3.logits"}, tensor<65x256xbf16> {deepseek.name = "v3.x"}, tensor<65x8xf32> {deepseek.name = "v3.scores"}, tensor<65x8xi32> {deepseek.name = "v3.experts"}, tensor<585x256xbf16> {deepseek.name = "v3.rows"}, tensor<258xi32> {deepseek.name = "v3.offsets"}, tensor<585xi32> {deepseek.name = "v3.source"}, tensor<65x256xbf16> {deepseek.name = "v3.sum"}, tensor<65x256xf8E4M3FN, #row> {deepseek.name = "v3.q"}, tensor<65x2xf32> {deepseek.name = "v3.s"}, tensor<585x256xf8E4M3FN, #row> {deepseek.name = "v3.codes"}, tensor<585x2xf32> {deepseek.name = "v3.scales"}, tensor<256xf32> {deepseek.name = "v3.bias"}, tensor<33x160xf32> {deepseek.name = "v2.logits"}, tensor<33x256xbf16> {deepseek.name = "v2.x"}, tensor<33x6xf32> {deepseek.name = "v2.scores"}, tensor<33x6xi32> {deepseek.name = "v2.experts"}, tensor<198x256xbf16> {deepseek.name = "v2.rows"}, tensor<161xi32> {deepseek.name = "v2.offsets"}, tensor<198xi32> {deepseek.name = "v2.source"}, tensor<33x256xbf16> {deepseek.name = "v2.sum"}, tensor<33x256xf8E4M3FN, #row> {deepseek.name = "v2.q"}, tensor<33x2xf32> {deepseek.name = "v2.s"}, tensor<198x256xf8E4M3FN, #row> {deepseek.name = "v2.codes"}, tensor<198x2xf32> {deepseek.name = "v2.scales"}, tensor<130x64xf32> {deepseek.name = "v2_lite.logits"}, tensor<130x256xbf16> {deepseek.name = "v2_lite.x"}, tensor<130x6xf32> {deepseek.name = "v2_lite.scores"}, tensor<130x6xi32> {deepseek.name = "v2_lite.experts"}, tensor<780x256xbf16> {deepseek.name = "v2_lite.rows"}, tensor<65xi32> {deepseek.name = "v2_lite.offsets"}, tensor<780xi32> {deepseek.name = "v2_lite.source"}, tensor<130x256xbf16> {deepseek.name = "v2_lite.sum"}, tensor<130x256xf8E4M3FN, #row> {deepseek.name = "v2_lite.q"}, tensor<130x2xf32> {deepseek.name = "v2_lite.s"}, tensor<780x256xf8E4M3FN, #row> {deepseek.name = "v2_lite.codes"}, tensor<780x2xf32> {deepseek.name = "v2_lite.scales"}, tensor<1x384xf32> {deepseek.name = "k2.logits"}, tensor<1x256xbf16> {deepseek.name = "k2.x"}, tensor<1x8xf32> {deepseek.name = "k2.scores"}, tensor<1x8xi32> {deepseek.name = "k2.experts"}, tensor<9x256xbf16> {deepseek.name = "k2.rows"}, tensor<386xi32> {deepseek.name = "k2.offsets"}, tensor<9xi32> {deepseek.name = "k2.source"}, tensor<1x256xbf16> {deepseek.name = "k2.sum"}, tensor<1x256xf8E4M3FN, #row> {deepseek.name = "k2.q"}, tensor<1x2xf32> {deepseek.name = "k2.s"}, tensor<9x256xf8E4M3FN, #row> {deepseek.name = "k2.codes"}, tensor<9x2xf32> {deepseek.name = "k2.scales"}, tensor<384xf32> {deepseek.name = "k2.bias"}) {
    %v3_logits = deepseek.get_weight @v3_logits : tensor<65x256xf32>
    %v3_x = deepseek.get_weight @v3_x : tensor<65x256xbf16>
    %v3_bias = deepseek.get_weight @v3_bias : tensor<256xf32>
    %v3_q, %v3_s = deepseek.quantize %v3_x : (tensor<65x256xbf16>) -> (tensor<65x256xf8E4M3FN, #row>, tensor<65x2xf32>)
    %v3_scores, %v3_experts = deepseek.route %v3_logits, %v3_bias {scoring = #deepseek.scoring<sigmoid>, top_k = 8 : i64, groups = 8 : i64, top_groups = 4 : i64, normalize, scale = 2.5 : f64}
        : (tensor<65x256xf32>, tensor<256xf32>) -> (tensor<65x8xf32>, tensor<65x8xi32>)
    %v3_rows, %v3_offsets, %v3_source = deepseek.moe_dispatch %v3_x, %v3_experts {num_experts = 257 : i64, shared_group}
        : (tensor<65x256xbf16>, tensor<65x8xi32>) -> (tensor<585x256xbf16>, tensor<258xi32>, tensor<585xi32>)
    %v3_codes, %v3_o, %v3_f, %v3_scales = deepseek.moe_dispatch %v3_q, %v3_experts, %v3_s {num_experts = 257 : i64, shared_group}
        : (tensor<65x256xf8E4M3FN, #row>, tensor<65x8xi32>, tensor<65x2xf32>) -> (tensor<585x256xf8E4M3FN, #row>, tensor<258xi32>, tensor<585xi32>, tensor<585x2xf32>)
    %v3_sum = deepseek.moe_combine %v3_rows, %v3_source, %v3_scores {shared_group}
        : (tensor<585x256xbf16>, tensor<585xi32>, tensor<65x8xf32>) -> tensor<65x256xbf16>

    %v2_logits = deepseek.get_weight @v2_logits : tensor<33x160xf32>
    %v2_x = deepseek.get_weight @v2_x : tensor<33x256xbf16>
    %v2_q, %v2_s = deepseek.quantize %v2_x : (tensor<33x256xbf16>) -> (tensor<33x256xf8E4M3FN, #row>, tensor<33x2xf32>)
    %v2_scores, %v2_experts = deepseek.route %v2_logits {scoring = #deepseek.scoring<softmax>, top_k = 6 : i64, groups = 8 : i64, top_groups = 3 : i64, scale = 16.0 : f64}
        : (tensor<33x160xf32>) -> (tensor<33x6xf32>, tensor<33x6xi32>)
    %v2_rows, %v2_offsets, %v2_source = deepseek.moe_dispatch %v2_x, %v2_experts {num_experts = 160 : i64}
        : (tensor<33x256xbf16>, tensor<33x6xi32>) -> (tensor<198x256xbf16>, tensor<161xi32>, tensor<198xi32>)
    %v2_codes, %v2_o, %v2_f, %v2_scales = deepseek.moe_dispatch %v2_q, %v2_experts, %v2_s {num_experts = 160 : i64}
        : (tensor<33x256xf8E4M3FN, #row>, tensor<33x6xi32>, tensor<33x2xf32>) -> (tensor<198x256xf8E4M3FN, #row>, tensor<161xi32>, tensor<198xi32>, tensor<198x2xf32>)
    %v2_sum = deepseek.moe_combine %v2_rows, %v2_source, %v2_scores
        : (tensor<198x256xbf16>, tensor<198xi32>, tensor<33x6xf32>) -> tensor<33x256xbf16>

    %v2_lite_logits = deepseek.get_weight @v2_lite_logits : tensor<130x64xf32>
    %v2_lite_x = deepseek.get_weight @v2_lite_x : tensor<130x256xbf16>
    %v2_lite_q, %v2_lite_s = deepseek.quantize %v2_lite_x : (tensor<130x256xbf16>) -> (tensor<130x256xf8E4M3FN, #row>, tensor<130x2xf32>)
    %v2_lite_scores, %v2_lite_experts = deepseek.route %v2_lite_logits {scoring = #deepseek.scoring<softmax>, top_k = 6 : i64, scale = 1.0 : f64}
        : (tensor<130x64xf32>) -> (tensor<130x6xf32>, tensor<130x6xi32>)
    %v2_lite_rows, %v2_lite_offsets, %v2_lite_source = deepseek.moe_dispatch %v2_lite_x, %v2_lite_experts {num_experts = 64 : i64}
        : (tensor<130x256xbf16>, tensor<130x6xi32>) -> (tensor<780x256xbf16>, tensor<65xi32>, tensor<780xi32>)
    %v2_lite_codes, %v2_lite_o, %v2_lite_f, %v2_lite_scales = deepseek.moe_dispatch %v2_lite_q, %v2_lite_experts, %v2_lite_s {num_experts = 64 : i64}
        : (tensor<130x256xf8E4M3FN, #row>, tensor<130x6xi32>, tensor<130x2xf32>) -> (tensor<780x256xf8E4M3FN, #row>, tensor<65xi32>, tensor<780xi32>, tensor<780x2xf32>)
    %v2_lite_sum = deepseek.moe_combine %v2_lite_rows, %v2_lite_source, %v2_lite_scores
        : (tensor<780x256xbf16>, tensor<780xi32>, tensor<130x6xf32>) -> tensor<130x256xbf16>

    %k2_logits = deepseek.get_weight @k2_logits : tensor<1x384xf32>
    %k2_x = deepseek.get_weight @k2_x : tensor<1x256xbf16>
    %k2_bias = deepseek.get_weight @k2_bias : tensor<384xf32>
    %k2_q, %k2_s = deepseek.quantize %k2_x : (tensor<1x256xbf16>) -> (tensor<1x256xf8E4M3FN, #row>, tensor<1x2xf32>)
    %k2_scores, %k2_experts = deepseek.route %k2_logits, %k2_bias {scoring = #deepseek.scoring<sigmoid>, top_k = 8 : i64, normalize, scale = 2.827 : f64}
        : (tensor<1x384xf32>, tensor<384xf32>) -> (tensor<1x8xf32>, tensor<1x8xi32>)
    %k2_rows, %k2_offsets, %k2_source = deepseek.moe_dispatch %k2_x, %k2_experts {num_experts = 385 : i64, shared_group}
        : (tensor<1x256xbf16>, tensor<1x8xi32>) -> (tensor<9x256xbf16>, tensor<386xi32>, tensor<9xi32>)
    %k2_codes, %k2_o, %k2_f, %k2_scales = deepseek.moe_dispatch %k2_q, %k2_experts, %k2_s {num_experts = 385 : i64, shared_group}
        : (tensor<1x256xf8E4M3FN, #row>, tensor<1x8xi32>, tensor<1x2xf32>) -> (tensor<9x256xf8E4M3FN, #row>, tensor<386xi32>, tensor<9xi32>, tensor<9x2xf32>)
    %k2_sum = deepseek.moe_combine %k2_rows, %k2_source, %k2_scores {shared_group}
        : (tensor<9x256xbf16>, tensor<9xi32>, tensor<1x8xf32>) -> tensor<1x256xbf16>

    return %v3_logits, %v3_x, %v3_scores, %v3_experts, %v3_rows, %v3_offsets, %v3_source, %v3_sum, %v3_q, %v3_s, %v3_codes, %v3_scales, %v3_bias, %v2_logits, %v2_x, %v2_scores, %v2_experts, %v2_rows, %v2_offsets, %v2_source, %v2_sum, %v2_q, %v2_s, %v2_codes, %v2_scales, %v2_lite_logits, %v2_lite_x, %v2_lite_scores, %v2_lite_experts, %v2_lite_rows, %v2_lite_offsets, %v2_lite_source, %v2_lite_sum, %v2_lite_q, %v2_lite_s, %v2_lite_codes, %v2_lite_scales, %k2_logits, %k2_x, %k2_scores, %k2_experts, %k2_rows, %k2_offsets, %k2_source, %k2_sum, %k2_q, %k2_s, %k2_codes, %k2_scales, %k2_bias : tensor<65x256xf32>, tensor<65x256xbf16>, tensor<65x8xf32>, tensor<65x8xi32>, tensor<585x256xbf16>, tensor<258xi32>, tensor<585xi32>, tensor<65x256xbf16>, tensor<65x256xf8E4M3FN, #row>, tensor<65x2xf32>, tensor<585x256xf8E4M3FN, #row>, tensor<585x2xf32>, tensor<256xf32>, tensor<33x160xf32>, tensor<33x256xbf16>, tensor<33x6xf32>, tensor<33x6xi32>, tensor<198x256xbf16>, tensor<161xi32>, tensor<198xi32>, tensor<33x256xbf16>, tensor<33x256xf8E4M3FN, #row>, tensor<33x2xf32>, tensor<198x256xf8E4M3FN, #row>, tensor<198x2xf32>, tensor<130x64xf32>, tensor<130x256xbf16>, tensor<130x6xf32>, tensor<130x6xi32>, tensor<780x256xbf16>, tensor<65xi32>, tensor<780xi32>, tensor<130x256xbf16>, tensor<130x256xf8E4M3FN, #row>, tensor<130x2xf32>, tensor<780x256xf8E4M3FN, #row>, tensor<780x2xf32>, tensor<1x384xf32>, tensor<1x256xbf16>, tensor<1x8xf32>, tensor<1x8xi32>, tensor<9x256xbf16>, tensor<386xi32>, tensor<9xi32>, tensor<1x256xbf16>, tensor<1x256xf8E4M3FN, #row>, tensor<1x2xf32>, tensor<9x256xf8E4M3FN, #row>, tensor<9x2xf32>, tensor<384xf32>
  }
}

//--- checks.mlir
#row = #deepseek.block_scaled<[1, 128]>

module attributes {deepseek.source = ""} {
  deepseek.weight @v3_logits from "v3.logits" : tensor<65x256xf32>
  deepseek.weight @v3_x from "v3.x" : tensor<65x256xbf16>
  deepseek.weight @v3_scores from "v3.scores" : tensor<65x8xf32>
  deepseek.weight @v3_experts from "v3.experts" : tensor<65x8xi32>
  deepseek.weight @v3_rows from "v3.rows" : tensor<585x256xbf16>
  deepseek.weight @v3_offsets from "v3.offsets" : tensor<258xi32>
  deepseek.weight @v3_source from "v3.source" : tensor<585xi32>
  deepseek.weight @v3_sum from "v3.sum" : tensor<65x256xbf16>
  deepseek.weight @v3_q from "v3.q" : tensor<65x256xf8E4M3FN, #row>
  deepseek.weight @v3_s from "v3.s" : tensor<65x2xf32>
  deepseek.weight @v3_codes from "v3.codes" : tensor<585x256xf8E4M3FN, #row>
  deepseek.weight @v3_scales from "v3.scales" : tensor<585x2xf32>
  deepseek.weight @v3_bias from "v3.bias" : tensor<256xf32>
  deepseek.weight @v2_logits from "v2.logits" : tensor<33x160xf32>
  deepseek.weight @v2_x from "v2.x" : tensor<33x256xbf16>
  deepseek.weight @v2_scores from "v2.scores" : tensor<33x6xf32>
  deepseek.weight @v2_experts from "v2.experts" : tensor<33x6xi32>
  deepseek.weight @v2_rows from "v2.rows" : tensor<198x256xbf16>
  deepseek.weight @v2_offsets from "v2.offsets" : tensor<161xi32>
  deepseek.weight @v2_source from "v2.source" : tensor<198xi32>
  deepseek.weight @v2_sum from "v2.sum" : tensor<33x256xbf16>
  deepseek.weight @v2_q from "v2.q" : tensor<33x256xf8E4M3FN, #row>
  deepseek.weight @v2_s from "v2.s" : tensor<33x2xf32>
  deepseek.weight @v2_codes from "v2.codes" : tensor<198x256xf8E4M3FN, #row>
  deepseek.weight @v2_scales from "v2.scales" : tensor<198x2xf32>
  deepseek.weight @v2_lite_logits from "v2_lite.logits" : tensor<130x64xf32>
  deepseek.weight @v2_lite_x from "v2_lite.x" : tensor<130x256xbf16>
  deepseek.weight @v2_lite_scores from "v2_lite.scores" : tensor<130x6xf32>
  deepseek.weight @v2_lite_experts from "v2_lite.experts" : tensor<130x6xi32>
  deepseek.weight @v2_lite_rows from "v2_lite.rows" : tensor<780x256xbf16>
  deepseek.weight @v2_lite_offsets from "v2_lite.offsets" : tensor<65xi32>
  deepseek.weight @v2_lite_source from "v2_lite.source" : tensor<780xi32>
  deepseek.weight @v2_lite_sum from "v2_lite.sum" : tensor<130x256xbf16>
  deepseek.weight @v2_lite_q from "v2_lite.q" : tensor<130x256xf8E4M3FN, #row>
  deepseek.weight @v2_lite_s from "v2_lite.s" : tensor<130x2xf32>
  deepseek.weight @v2_lite_codes from "v2_lite.codes" : tensor<780x256xf8E4M3FN, #row>
  deepseek.weight @v2_lite_scales from "v2_lite.scales" : tensor<780x2xf32>
  deepseek.weight @k2_logits from "k2.logits" : tensor<1x384xf32>
  deepseek.weight @k2_x from "k2.x" : tensor<1x256xbf16>
  deepseek.weight @k2_scores from "k2.scores" : tensor<1x8xf32>
  deepseek.weight @k2_experts from "k2.experts" : tensor<1x8xi32>
  deepseek.weight @k2_rows from "k2.rows" : tensor<9x256xbf16>
  deepseek.weight @k2_offsets from "k2.offsets" : tensor<386xi32>
  deepseek.weight @k2_source from "k2.source" : tensor<9xi32>
  deepseek.weight @k2_sum from "k2.sum" : tensor<1x256xbf16>
  deepseek.weight @k2_q from "k2.q" : tensor<1x256xf8E4M3FN, #row>
  deepseek.weight @k2_s from "k2.s" : tensor<1x2xf32>
  deepseek.weight @k2_codes from "k2.codes" : tensor<9x256xf8E4M3FN, #row>
  deepseek.weight @k2_scales from "k2.scales" : tensor<9x2xf32>
  deepseek.weight @k2_bias from "k2.bias" : tensor<384xf32>

  func.func @route_v3() {
    %logits = deepseek.get_weight @v3_logits : tensor<65x256xf32>
    %x = deepseek.get_weight @v3_x : tensor<65x256xbf16>
    %scores = deepseek.get_weight @v3_scores : tensor<65x8xf32>
    %experts = deepseek.get_weight @v3_experts : tensor<65x8xi32>
    %rows = deepseek.get_weight @v3_rows : tensor<585x256xbf16>
    %offsets = deepseek.get_weight @v3_offsets : tensor<258xi32>
    %source = deepseek.get_weight @v3_source : tensor<585xi32>
    %sum = deepseek.get_weight @v3_sum : tensor<65x256xbf16>
    %q = deepseek.get_weight @v3_q : tensor<65x256xf8E4M3FN, #row>
    %s = deepseek.get_weight @v3_s : tensor<65x2xf32>
    %codes = deepseek.get_weight @v3_codes : tensor<585x256xf8E4M3FN, #row>
    %scales = deepseek.get_weight @v3_scales : tensor<585x2xf32>
    %bias = deepseek.get_weight @v3_bias : tensor<256xf32>
    %actual_scores, %actual_experts = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>, top_k = 8 : i64, groups = 8 : i64, top_groups = 4 : i64, normalize, scale = 2.5 : f64}
        : (tensor<65x256xf32>, tensor<256xf32>) -> (tensor<65x8xf32>, tensor<65x8xi32>)
    %actual_rows, %actual_offsets, %actual_source = deepseek.moe_dispatch %x, %actual_experts {num_experts = 257 : i64, shared_group}
        : (tensor<65x256xbf16>, tensor<65x8xi32>) -> (tensor<585x256xbf16>, tensor<258xi32>, tensor<585xi32>)
    %actual_codes, %actual_o, %actual_f, %actual_scales = deepseek.moe_dispatch %q, %experts, %s {num_experts = 257 : i64, shared_group}
        : (tensor<65x256xf8E4M3FN, #row>, tensor<65x8xi32>, tensor<65x2xf32>) -> (tensor<585x256xf8E4M3FN, #row>, tensor<258xi32>, tensor<585xi32>, tensor<585x2xf32>)
    %actual_sum = deepseek.moe_combine %rows, %source, %scores {shared_group}
        : (tensor<585x256xbf16>, tensor<585xi32>, tensor<65x8xf32>) -> tensor<65x256xbf16>
    check.expect_eq %actual_experts, %experts : tensor<65x8xi32>
    check.expect_eq %actual_rows, %rows : tensor<585x256xbf16>
    check.expect_eq %actual_offsets, %offsets : tensor<258xi32>
    check.expect_eq %actual_source, %source : tensor<585xi32>
    check.expect_eq %actual_codes, %codes : tensor<585x256xf8E4M3FN, #row>
    check.expect_eq %actual_scales, %scales : tensor<585x2xf32>
    check.expect_eq %actual_sum, %sum : tensor<65x256xbf16>
    check.expect_close %actual_scores, %scores {rtol = 1.0e-6 : f64} : tensor<65x8xf32>
    return
  }

  func.func @route_v2() {
    %logits = deepseek.get_weight @v2_logits : tensor<33x160xf32>
    %x = deepseek.get_weight @v2_x : tensor<33x256xbf16>
    %scores = deepseek.get_weight @v2_scores : tensor<33x6xf32>
    %experts = deepseek.get_weight @v2_experts : tensor<33x6xi32>
    %rows = deepseek.get_weight @v2_rows : tensor<198x256xbf16>
    %offsets = deepseek.get_weight @v2_offsets : tensor<161xi32>
    %source = deepseek.get_weight @v2_source : tensor<198xi32>
    %sum = deepseek.get_weight @v2_sum : tensor<33x256xbf16>
    %q = deepseek.get_weight @v2_q : tensor<33x256xf8E4M3FN, #row>
    %s = deepseek.get_weight @v2_s : tensor<33x2xf32>
    %codes = deepseek.get_weight @v2_codes : tensor<198x256xf8E4M3FN, #row>
    %scales = deepseek.get_weight @v2_scales : tensor<198x2xf32>
    %actual_scores, %actual_experts = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 6 : i64, groups = 8 : i64, top_groups = 3 : i64, scale = 16.0 : f64}
        : (tensor<33x160xf32>) -> (tensor<33x6xf32>, tensor<33x6xi32>)
    %actual_rows, %actual_offsets, %actual_source = deepseek.moe_dispatch %x, %actual_experts {num_experts = 160 : i64}
        : (tensor<33x256xbf16>, tensor<33x6xi32>) -> (tensor<198x256xbf16>, tensor<161xi32>, tensor<198xi32>)
    %actual_codes, %actual_o, %actual_f, %actual_scales = deepseek.moe_dispatch %q, %experts, %s {num_experts = 160 : i64}
        : (tensor<33x256xf8E4M3FN, #row>, tensor<33x6xi32>, tensor<33x2xf32>) -> (tensor<198x256xf8E4M3FN, #row>, tensor<161xi32>, tensor<198xi32>, tensor<198x2xf32>)
    %actual_sum = deepseek.moe_combine %rows, %source, %scores
        : (tensor<198x256xbf16>, tensor<198xi32>, tensor<33x6xf32>) -> tensor<33x256xbf16>
    check.expect_eq %actual_experts, %experts : tensor<33x6xi32>
    check.expect_eq %actual_rows, %rows : tensor<198x256xbf16>
    check.expect_eq %actual_offsets, %offsets : tensor<161xi32>
    check.expect_eq %actual_source, %source : tensor<198xi32>
    check.expect_eq %actual_codes, %codes : tensor<198x256xf8E4M3FN, #row>
    check.expect_eq %actual_scales, %scales : tensor<198x2xf32>
    check.expect_eq %actual_sum, %sum : tensor<33x256xbf16>
    check.expect_close %actual_scores, %scores {rtol = 1.0e-6 : f64} : tensor<33x6xf32>
    return
  }

  func.func @route_v2_lite() {
    %logits = deepseek.get_weight @v2_lite_logits : tensor<130x64xf32>
    %x = deepseek.get_weight @v2_lite_x : tensor<130x256xbf16>
    %scores = deepseek.get_weight @v2_lite_scores : tensor<130x6xf32>
    %experts = deepseek.get_weight @v2_lite_experts : tensor<130x6xi32>
    %rows = deepseek.get_weight @v2_lite_rows : tensor<780x256xbf16>
    %offsets = deepseek.get_weight @v2_lite_offsets : tensor<65xi32>
    %source = deepseek.get_weight @v2_lite_source : tensor<780xi32>
    %sum = deepseek.get_weight @v2_lite_sum : tensor<130x256xbf16>
    %q = deepseek.get_weight @v2_lite_q : tensor<130x256xf8E4M3FN, #row>
    %s = deepseek.get_weight @v2_lite_s : tensor<130x2xf32>
    %codes = deepseek.get_weight @v2_lite_codes : tensor<780x256xf8E4M3FN, #row>
    %scales = deepseek.get_weight @v2_lite_scales : tensor<780x2xf32>
    %actual_scores, %actual_experts = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 6 : i64, scale = 1.0 : f64}
        : (tensor<130x64xf32>) -> (tensor<130x6xf32>, tensor<130x6xi32>)
    %actual_rows, %actual_offsets, %actual_source = deepseek.moe_dispatch %x, %actual_experts {num_experts = 64 : i64}
        : (tensor<130x256xbf16>, tensor<130x6xi32>) -> (tensor<780x256xbf16>, tensor<65xi32>, tensor<780xi32>)
    %actual_codes, %actual_o, %actual_f, %actual_scales = deepseek.moe_dispatch %q, %experts, %s {num_experts = 64 : i64}
        : (tensor<130x256xf8E4M3FN, #row>, tensor<130x6xi32>, tensor<130x2xf32>) -> (tensor<780x256xf8E4M3FN, #row>, tensor<65xi32>, tensor<780xi32>, tensor<780x2xf32>)
    %actual_sum = deepseek.moe_combine %rows, %source, %scores
        : (tensor<780x256xbf16>, tensor<780xi32>, tensor<130x6xf32>) -> tensor<130x256xbf16>
    check.expect_eq %actual_experts, %experts : tensor<130x6xi32>
    check.expect_eq %actual_rows, %rows : tensor<780x256xbf16>
    check.expect_eq %actual_offsets, %offsets : tensor<65xi32>
    check.expect_eq %actual_source, %source : tensor<780xi32>
    check.expect_eq %actual_codes, %codes : tensor<780x256xf8E4M3FN, #row>
    check.expect_eq %actual_scales, %scales : tensor<780x2xf32>
    check.expect_eq %actual_sum, %sum : tensor<130x256xbf16>
    check.expect_close %actual_scores, %scores {rtol = 1.0e-6 : f64} : tensor<130x6xf32>
    return
  }

  func.func @route_k2() {
    %logits = deepseek.get_weight @k2_logits : tensor<1x384xf32>
    %x = deepseek.get_weight @k2_x : tensor<1x256xbf16>
    %scores = deepseek.get_weight @k2_scores : tensor<1x8xf32>
    %experts = deepseek.get_weight @k2_experts : tensor<1x8xi32>
    %rows = deepseek.get_weight @k2_rows : tensor<9x256xbf16>
    %offsets = deepseek.get_weight @k2_offsets : tensor<386xi32>
    %source = deepseek.get_weight @k2_source : tensor<9xi32>
    %sum = deepseek.get_weight @k2_sum : tensor<1x256xbf16>
    %q = deepseek.get_weight @k2_q : tensor<1x256xf8E4M3FN, #row>
    %s = deepseek.get_weight @k2_s : tensor<1x2xf32>
    %codes = deepseek.get_weight @k2_codes : tensor<9x256xf8E4M3FN, #row>
    %scales = deepseek.get_weight @k2_scales : tensor<9x2xf32>
    %bias = deepseek.get_weight @k2_bias : tensor<384xf32>
    %actual_scores, %actual_experts = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>, top_k = 8 : i64, normalize, scale = 2.827 : f64}
        : (tensor<1x384xf32>, tensor<384xf32>) -> (tensor<1x8xf32>, tensor<1x8xi32>)
    %actual_rows, %actual_offsets, %actual_source = deepseek.moe_dispatch %x, %actual_experts {num_experts = 385 : i64, shared_group}
        : (tensor<1x256xbf16>, tensor<1x8xi32>) -> (tensor<9x256xbf16>, tensor<386xi32>, tensor<9xi32>)
    %actual_codes, %actual_o, %actual_f, %actual_scales = deepseek.moe_dispatch %q, %experts, %s {num_experts = 385 : i64, shared_group}
        : (tensor<1x256xf8E4M3FN, #row>, tensor<1x8xi32>, tensor<1x2xf32>) -> (tensor<9x256xf8E4M3FN, #row>, tensor<386xi32>, tensor<9xi32>, tensor<9x2xf32>)
    %actual_sum = deepseek.moe_combine %rows, %source, %scores {shared_group}
        : (tensor<9x256xbf16>, tensor<9xi32>, tensor<1x8xf32>) -> tensor<1x256xbf16>
    check.expect_eq %actual_experts, %experts : tensor<1x8xi32>
    check.expect_eq %actual_rows, %rows : tensor<9x256xbf16>
    check.expect_eq %actual_offsets, %offsets : tensor<386xi32>
    check.expect_eq %actual_source, %source : tensor<9xi32>
    check.expect_eq %actual_codes, %codes : tensor<9x256xf8E4M3FN, #row>
    check.expect_eq %actual_scales, %scales : tensor<9x2xf32>
    check.expect_eq %actual_sum, %sum : tensor<1x256xbf16>
    check.expect_close %actual_scores, %scores {rtol = 1.0e-6 : f64} : tensor<1x8xf32>
    return
  }
}
