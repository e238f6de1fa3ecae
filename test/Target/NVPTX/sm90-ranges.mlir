// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a stop-after=kernels" | sed -e '/func.func @scaled_linear_128x2048_f8_1/s/ {$/ attributes {nvptx.configuration = {sm_90a = {emitter = "sm90_fp8_linear", range = 2 : i64, sharers = 1 : i64, stages = array<i64: 3>, token_tiles = array<i64: 128>}}} {/' -e '/func.func @scaled_grouped_linear_5x200x192_f8_1/s/ {$/ attributes {nvptx.configuration = {sm_90a = {emitter = "sm90_fp8_grouped_linear", range = 2 : i64, sharers = 2 : i64, stages = array<i64: 1>, token_tiles = array<i64: 128>}}} {/' > %t.mlir
// RUN: ds-opt %t.mlir --ds-compile="target=nvptx chip=sm_90a start-after=kernels stop-after=device" -o %t.device.mlir && FileCheck %s < %t.device.mlir
// RUN: ds-opt %t.device.mlir --ds-compile="target=nvptx chip=sm_90a start-after=device" | ds-translate --emit=shared -o %t.so && ds-run %t.so --device=simulator

// Kernels beside the same of one row less, which somebody has configured in another
// way; rows have the same bits. 8 ranges of K are made by the CTAs of a cluster, or by
// one CTA. Rows of experts come in tiles of 32, or in tiles of 128 that pairs of CTAs
// share, with a ring of one stage.

// CHECK-DAG: cluster = array<i64: 8, 1, 1>, configuration = {{[{][^{}]*[}]}}, dependent = 1{{[^{}]*}} name = "scaled_linear_128x2048_f8_n64"
// CHECK-DAG: cluster = array<i64: 1, 1, 1>, configuration = {{[{][^{}]*[}]}}, dependent = 1{{[^{}]*}} name = "scaled_linear_128x2048_f8_1_n128"
// CHECK-DAG: cluster = array<i64: 1, 1, 1>, configuration = {{[{][^{}]*[}]}}, dependent = 1{{[^{}]*}} name = "scaled_grouped_linear_5x200x192_f8_n32"
// CHECK-DAG: cluster = array<i64: 2, 1, 1>, configuration = {{[{][^{}]*[}]}}, dependent = 1{{[^{}]*}} name = "scaled_grouped_linear_5x200x192_f8_1_n128"

#x = #deepseek.block_scaled<[1, 128]>
!r8 = tensor<128x2048xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!e8 = tensor<5x200x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<70x2048xbf16>
  deepseek.weight @r from "r.weight" : !r8
  deepseek.weight @r_s from "r.weight_scale_inv" : tensor<1x16xf32>
  deepseek.weight @rows from "rows" : tensor<70x192xbf16>
  deepseek.weight @e from "e.*.weight" : !e8
  deepseek.weight @e_s from "e.*.weight_scale_inv" : tensor<5x2x2xf32>

  func.func @ranges() {
    %x = deepseek.get_weight @x : tensor<70x2048xbf16>
    %less = tensor.extract_slice %x[0, 0] [69, 2048] [1, 1] : tensor<70x2048xbf16> to tensor<69x2048xbf16>
    %r = deepseek.get_weight @r : !r8
    %r_s = deepseek.get_weight @r_s : tensor<1x16xf32>
    %q, %s = deepseek.quantize %x : (tensor<70x2048xbf16>) -> (tensor<70x2048xf8E4M3FN, #x>, tensor<70x16xf32>)
    %q_less, %s_less = deepseek.quantize %less : (tensor<69x2048xbf16>) -> (tensor<69x2048xf8E4M3FN, #x>, tensor<69x16xf32>)
    %cluster = deepseek.scaled_linear %q, %s, %r, %r_s : (tensor<70x2048xf8E4M3FN, #x>, tensor<70x16xf32>, !r8, tensor<1x16xf32>) -> tensor<70x128xf32>
    %alone = deepseek.scaled_linear %q_less, %s_less, %r, %r_s : (tensor<69x2048xf8E4M3FN, #x>, tensor<69x16xf32>, !r8, tensor<1x16xf32>) -> tensor<69x128xf32>
    %same = tensor.extract_slice %cluster[0, 0] [69, 128] [1, 1] : tensor<70x128xf32> to tensor<69x128xf32>
    check.expect_eq %alone, %same : tensor<69x128xf32>
    return
  }

  func.func @experts() {
    %x = deepseek.get_weight @rows : tensor<70x192xbf16>
    %less = tensor.extract_slice %x[0, 0] [69, 192] [1, 1] : tensor<70x192xbf16> to tensor<69x192xbf16>
    %e = deepseek.get_weight @e : !e8
    %e_s = deepseek.get_weight @e_s : tensor<5x2x2xf32>
    %offsets = arith.constant dense<[0, 5, 5, 6, 60, 70]> : tensor<6xi32>
    %offsets_less = arith.constant dense<[0, 5, 5, 6, 60, 69]> : tensor<6xi32>
    %q, %s = deepseek.quantize %x : (tensor<70x192xbf16>) -> (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>)
    %q_less, %s_less = deepseek.quantize %less : (tensor<69x192xbf16>) -> (tensor<69x192xf8E4M3FN, #x>, tensor<69x2xf32>)
    %few = deepseek.scaled_grouped_linear %q, %s, %e, %e_s, %offsets : (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>, !e8, tensor<5x2x2xf32>, tensor<6xi32>) -> tensor<70x200xf32>
    %many = deepseek.scaled_grouped_linear %q_less, %s_less, %e, %e_s, %offsets_less : (tensor<69x192xf8E4M3FN, #x>, tensor<69x2xf32>, !e8, tensor<5x2x2xf32>, tensor<6xi32>) -> tensor<69x200xf32>
    %same = tensor.extract_slice %few[0, 0] [69, 200] [1, 1] : tensor<70x200xf32> to tensor<69x200xf32>
    check.expect_eq %many, %same : tensor<69x200xf32>
    return
  }
}
