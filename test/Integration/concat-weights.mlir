// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// A product with weights one below the other has the bits of the products with each.
// 136, 24 and 256 rows: parts end within a scale block, and a tile is 8 rows. 20 rows of
// x take the path that dequantizes a tile first, 3 do not. Sizes of parts that are whole
// blocks for the scaled forms, whose scales are one below the other too.

!x = tensor<20x192xbf16>
!x8 = tensor<20x192xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!a8 = tensor<136x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!b8 = tensor<24x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!c8 = tensor<256x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!cb8 = tensor<280x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!e8 = tensor<5x128x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!ee8 = tensor<5x256x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : !x
  deepseek.weight @a from "a.weight" : !a8
  deepseek.weight @a_s from "a.weight_scale_inv" : tensor<2x2xf32>
  deepseek.weight @b from "b.weight" : !b8
  deepseek.weight @b_s from "b.weight_scale_inv" : tensor<1x2xf32>
  deepseek.weight @c from "c.weight" : !c8
  deepseek.weight @c_s from "c.weight_scale_inv" : tensor<2x2xf32>
  deepseek.weight @gate from "experts.*.gate.weight" then "shared.gate.weight" : !e8
  deepseek.weight @gate_s from "experts.*.gate.weight_scale_inv" then "shared.gate.weight_scale_inv" : tensor<5x1x2xf32>
  deepseek.weight @up from "experts.*.up.weight" then "shared.up.weight" : !e8
  deepseek.weight @up_s from "experts.*.up.weight_scale_inv" then "shared.up.weight_scale_inv" : tensor<5x1x2xf32>

  func.func @three_parts() {
    %x = deepseek.get_weight @x : !x
    %aq = deepseek.get_weight @a : !a8
    %as = deepseek.get_weight @a_s : tensor<2x2xf32>
    %bq = deepseek.get_weight @b : !b8
    %bs = deepseek.get_weight @b_s : tensor<1x2xf32>
    %cq = deepseek.get_weight @c : !c8
    %cs = deepseek.get_weight @c_s : tensor<2x2xf32>
    %a = deepseek.dequantize %aq, %as : (!a8, tensor<2x2xf32>) -> tensor<136x192xbf16>
    %b = deepseek.dequantize %bq, %bs : (!b8, tensor<1x2xf32>) -> tensor<24x192xbf16>
    %c = deepseek.dequantize %cq, %cs : (!c8, tensor<2x2xf32>) -> tensor<256x192xbf16>
    %w = tensor.concat dim(0) %a, %b, %c : (tensor<136x192xbf16>, tensor<24x192xbf16>, tensor<256x192xbf16>) -> tensor<416x192xbf16>
    %ya = deepseek.linear %x, %a : (!x, tensor<136x192xbf16>) -> tensor<20x136xbf16>
    %yb = deepseek.linear %x, %b : (!x, tensor<24x192xbf16>) -> tensor<20x24xbf16>
    %yc = deepseek.linear %x, %c : (!x, tensor<256x192xbf16>) -> tensor<20x256xbf16>
    %apart = tensor.concat dim(1) %ya, %yb, %yc : (tensor<20x136xbf16>, tensor<20x24xbf16>, tensor<20x256xbf16>) -> tensor<20x416xbf16>
    %y = deepseek.linear %x, %w : (!x, tensor<416x192xbf16>) -> tensor<20x416xbf16>
    check.expect_eq %y, %apart : tensor<20x416xbf16>

    %few = tensor.extract_slice %x[0, 0] [3, 192] [1, 1] : !x to tensor<3x192xbf16>
    %first = tensor.extract_slice %apart[0, 0] [3, 416] [1, 1] : tensor<20x416xbf16> to tensor<3x416xbf16>
    %z = deepseek.linear %few, %w : (tensor<3x192xbf16>, tensor<416x192xbf16>) -> tensor<3x416xbf16>
    check.expect_eq %z, %first : tensor<3x416xbf16>
    return
  }

  func.func @scaled() {
    %x = deepseek.get_weight @x : !x
    %cq = deepseek.get_weight @c : !c8
    %cs = deepseek.get_weight @c_s : tensor<2x2xf32>
    %bq = deepseek.get_weight @b : !b8
    %bs = deepseek.get_weight @b_s : tensor<1x2xf32>
    %xq, %xs = deepseek.quantize %x : (!x) -> (!x8, tensor<20x2xf32>)
    %q = tensor.concat dim(0) %cq, %bq : (!c8, !b8) -> !cb8
    %s = tensor.concat dim(0) %cs, %bs : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<3x2xf32>
    %y = deepseek.scaled_linear %xq, %xs, %q, %s : (!x8, tensor<20x2xf32>, !cb8, tensor<3x2xf32>) -> tensor<20x280xbf16>
    %yc = deepseek.scaled_linear %xq, %xs, %cq, %cs : (!x8, tensor<20x2xf32>, !c8, tensor<2x2xf32>) -> tensor<20x256xbf16>
    %yb = deepseek.scaled_linear %xq, %xs, %bq, %bs : (!x8, tensor<20x2xf32>, !b8, tensor<1x2xf32>) -> tensor<20x24xbf16>
    %apart = tensor.concat dim(1) %yc, %yb : (tensor<20x256xbf16>, tensor<20x24xbf16>) -> tensor<20x280xbf16>
    check.expect_eq %y, %apart : tensor<20x280xbf16>
    return
  }

  // Two tables of pointers in one kernel, and four with the scales.
  func.func @grouped() {
    %x = deepseek.get_weight @x : !x
    %offsets = arith.constant dense<[0, 1, 1, 12, 13, 20]> : tensor<6xi32>
    %gq = deepseek.get_weight @gate : !e8
    %gs = deepseek.get_weight @gate_s : tensor<5x1x2xf32>
    %uq = deepseek.get_weight @up : !e8
    %us = deepseek.get_weight @up_s : tensor<5x1x2xf32>
    %gate = deepseek.dequantize %gq, %gs : (!e8, tensor<5x1x2xf32>) -> tensor<5x128x192xbf16>
    %up = deepseek.dequantize %uq, %us : (!e8, tensor<5x1x2xf32>) -> tensor<5x128x192xbf16>
    %w = tensor.concat dim(1) %gate, %up : (tensor<5x128x192xbf16>, tensor<5x128x192xbf16>) -> tensor<5x256x192xbf16>
    %y = deepseek.grouped_linear %x, %w, %offsets : (!x, tensor<5x256x192xbf16>, tensor<6xi32>) -> tensor<20x256xbf16>
    %yg = deepseek.grouped_linear %x, %gate, %offsets : (!x, tensor<5x128x192xbf16>, tensor<6xi32>) -> tensor<20x128xbf16>
    %yu = deepseek.grouped_linear %x, %up, %offsets : (!x, tensor<5x128x192xbf16>, tensor<6xi32>) -> tensor<20x128xbf16>
    %apart = tensor.concat dim(1) %yg, %yu : (tensor<20x128xbf16>, tensor<20x128xbf16>) -> tensor<20x256xbf16>
    check.expect_eq %y, %apart : tensor<20x256xbf16>

    %xq, %xs = deepseek.quantize %x : (!x) -> (!x8, tensor<20x2xf32>)
    %q = tensor.concat dim(1) %gq, %uq : (!e8, !e8) -> !ee8
    %s = tensor.concat dim(1) %gs, %us : (tensor<5x1x2xf32>, tensor<5x1x2xf32>) -> tensor<5x2x2xf32>
    %z = deepseek.scaled_grouped_linear %xq, %xs, %q, %s, %offsets
        : (!x8, tensor<20x2xf32>, !ee8, tensor<5x2x2xf32>, tensor<6xi32>) -> tensor<20x256xbf16>
    %zg = deepseek.scaled_grouped_linear %xq, %xs, %gq, %gs, %offsets
        : (!x8, tensor<20x2xf32>, !e8, tensor<5x1x2xf32>, tensor<6xi32>) -> tensor<20x128xbf16>
    %zu = deepseek.scaled_grouped_linear %xq, %xs, %uq, %us, %offsets
        : (!x8, tensor<20x2xf32>, !e8, tensor<5x1x2xf32>, tensor<6xi32>) -> tensor<20x128xbf16>
    %zapart = tensor.concat dim(1) %zg, %zu : (tensor<20x128xbf16>, tensor<20x128xbf16>) -> tensor<20x256xbf16>
    check.expect_eq %z, %zapart : tensor<20x256xbf16>
    return
  }
}
