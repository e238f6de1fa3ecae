// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a" | ds-translate --emit=shared -o %t.so && ds-run %t.so --device=simulator

// Products by wgmma against the same of plain f32, which another emitter writes, and
// rows alone against the same rows in company: 1, 7, 64 and 130 tokens are met by
// different device functions, and must get the same bits. 448 inputs are three blocks
// and a half; 200 outputs are one tile of weight rows and a ragged one. 2048 inputs of
// 128 outputs are made in 8 ranges by a cluster. Groups are of 5, 0, 1, 54 and 10 rows.

#w = #deepseek.block_scaled<[128, 128]>
#x = #deepseek.block_scaled<[1, 128]>
!w8 = tensor<200x448xf8E4M3FN, #w>
!r8 = tensor<128x2048xf8E4M3FN, #w>
!g8 = tensor<256x448xf8E4M3FN, #w>
!e8 = tensor<5x200x192xf8E4M3FN, #w>
!f8 = tensor<5x256x192xf8E4M3FN, #w>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<130x448xbf16>
  deepseek.weight @x_long from "x_long" : tensor<70x2048xbf16>
  deepseek.weight @rows from "rows" : tensor<70x192xbf16>
  deepseek.weight @w from "w.weight" : !w8
  deepseek.weight @w_s from "w.weight_scale_inv" : tensor<2x4xf32>
  deepseek.weight @r from "r.weight" : !r8
  deepseek.weight @r_s from "r.weight_scale_inv" : tensor<1x16xf32>
  deepseek.weight @g from "g.weight" : !g8
  deepseek.weight @g_s from "g.weight_scale_inv" : tensor<2x4xf32>
  deepseek.weight @e from "e.*.weight" : !e8
  deepseek.weight @e_s from "e.*.weight_scale_inv" : tensor<5x2x2xf32>
  deepseek.weight @f from "f.*.weight" : !f8
  deepseek.weight @f_s from "f.*.weight_scale_inv" : tensor<5x2x2xf32>
  deepseek.weight @b from "b" : tensor<200x448xbf16>

  func.func @fp8() {
    %x = deepseek.get_weight @x : tensor<130x448xbf16>
    %w = deepseek.get_weight @w : !w8
    %w_s = deepseek.get_weight @w_s : tensor<2x4xf32>
    %q, %s = deepseek.quantize %x : (tensor<130x448xbf16>) -> (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>)
    %y = deepseek.scaled_linear %q, %s, %w, %w_s : (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>, !w8, tensor<2x4xf32>) -> tensor<130x200xf32>
    %x_plain = deepseek.dequantize %q, %s : (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>) -> tensor<130x448xf32>
    %w_plain = deepseek.dequantize %w, %w_s : (!w8, tensor<2x4xf32>) -> tensor<200x448xf32>
    %plain = deepseek.linear %x_plain, %w_plain : (tensor<130x448xf32>, tensor<200x448xf32>) -> tensor<130x200xf32>
    check.expect_close %y, %plain {atol = 1.0e-7 : f64, rtol = 1.0e-4 : f64} : tensor<130x200xf32>
    %x1 = tensor.extract_slice %x[129, 0] [1, 448] [1, 1] : tensor<130x448xbf16> to tensor<1x448xbf16>
    %q1, %s1 = deepseek.quantize %x1 : (tensor<1x448xbf16>) -> (tensor<1x448xf8E4M3FN, #x>, tensor<1x4xf32>)
    %y1 = deepseek.scaled_linear %q1, %s1, %w, %w_s : (tensor<1x448xf8E4M3FN, #x>, tensor<1x4xf32>, !w8, tensor<2x4xf32>) -> tensor<1x200xf32>
    %of_y1 = tensor.extract_slice %y[129, 0] [1, 200] [1, 1] : tensor<130x200xf32> to tensor<1x200xf32>
    check.expect_eq %y1, %of_y1 : tensor<1x200xf32>
    %x7 = tensor.extract_slice %x[60, 0] [7, 448] [1, 1] : tensor<130x448xbf16> to tensor<7x448xbf16>
    %q7, %s7 = deepseek.quantize %x7 : (tensor<7x448xbf16>) -> (tensor<7x448xf8E4M3FN, #x>, tensor<7x4xf32>)
    %y7 = deepseek.scaled_linear %q7, %s7, %w, %w_s : (tensor<7x448xf8E4M3FN, #x>, tensor<7x4xf32>, !w8, tensor<2x4xf32>) -> tensor<7x200xf32>
    %of_y7 = tensor.extract_slice %y[60, 0] [7, 200] [1, 1] : tensor<130x200xf32> to tensor<7x200xf32>
    check.expect_eq %y7, %of_y7 : tensor<7x200xf32>
    %x64 = tensor.extract_slice %x[30, 0] [64, 448] [1, 1] : tensor<130x448xbf16> to tensor<64x448xbf16>
    %q64, %s64 = deepseek.quantize %x64 : (tensor<64x448xbf16>) -> (tensor<64x448xf8E4M3FN, #x>, tensor<64x4xf32>)
    %y64 = deepseek.scaled_linear %q64, %s64, %w, %w_s : (tensor<64x448xf8E4M3FN, #x>, tensor<64x4xf32>, !w8, tensor<2x4xf32>) -> tensor<64x200xf32>
    %of_y64 = tensor.extract_slice %y[30, 0] [64, 200] [1, 1] : tensor<130x200xf32> to tensor<64x200xf32>
    check.expect_eq %y64, %of_y64 : tensor<64x200xf32>
    return
  }

  func.func @ranges() {
    %x = deepseek.get_weight @x_long : tensor<70x2048xbf16>
    %w = deepseek.get_weight @r : !r8
    %w_s = deepseek.get_weight @r_s : tensor<1x16xf32>
    %q, %s = deepseek.quantize %x : (tensor<70x2048xbf16>) -> (tensor<70x2048xf8E4M3FN, #x>, tensor<70x16xf32>)
    %y = deepseek.scaled_linear %q, %s, %w, %w_s : (tensor<70x2048xf8E4M3FN, #x>, tensor<70x16xf32>, !r8, tensor<1x16xf32>) -> tensor<70x128xf32>
    %x_plain = deepseek.dequantize %q, %s : (tensor<70x2048xf8E4M3FN, #x>, tensor<70x16xf32>) -> tensor<70x2048xf32>
    %w_plain = deepseek.dequantize %w, %w_s : (!r8, tensor<1x16xf32>) -> tensor<128x2048xf32>
    %plain = deepseek.linear %x_plain, %w_plain : (tensor<70x2048xf32>, tensor<128x2048xf32>) -> tensor<70x128xf32>
    check.expect_close %y, %plain {atol = 1.0e-7 : f64, rtol = 1.0e-4 : f64} : tensor<70x128xf32>
    %x1 = tensor.extract_slice %x[69, 0] [1, 2048] [1, 1] : tensor<70x2048xbf16> to tensor<1x2048xbf16>
    %q1, %s1 = deepseek.quantize %x1 : (tensor<1x2048xbf16>) -> (tensor<1x2048xf8E4M3FN, #x>, tensor<1x16xf32>)
    %y1 = deepseek.scaled_linear %q1, %s1, %w, %w_s : (tensor<1x2048xf8E4M3FN, #x>, tensor<1x16xf32>, !r8, tensor<1x16xf32>) -> tensor<1x128xf32>
    %of_y1 = tensor.extract_slice %y[69, 0] [1, 128] [1, 1] : tensor<70x128xf32> to tensor<1x128xf32>
    check.expect_eq %y1, %of_y1 : tensor<1x128xf32>
    %x20 = tensor.extract_slice %x[3, 0] [20, 2048] [1, 1] : tensor<70x2048xbf16> to tensor<20x2048xbf16>
    %q20, %s20 = deepseek.quantize %x20 : (tensor<20x2048xbf16>) -> (tensor<20x2048xf8E4M3FN, #x>, tensor<20x16xf32>)
    %y20 = deepseek.scaled_linear %q20, %s20, %w, %w_s : (tensor<20x2048xf8E4M3FN, #x>, tensor<20x16xf32>, !r8, tensor<1x16xf32>) -> tensor<20x128xf32>
    %of_y20 = tensor.extract_slice %y[3, 0] [20, 128] [1, 1] : tensor<70x128xf32> to tensor<20x128xf32>
    check.expect_eq %y20, %of_y20 : tensor<20x128xf32>
    return
  }

  func.func @bf16() {
    %x = deepseek.get_weight @x : tensor<130x448xbf16>
    %w = deepseek.get_weight @b : tensor<200x448xbf16>
    %y = deepseek.linear %x, %w : (tensor<130x448xbf16>, tensor<200x448xbf16>) -> tensor<130x200xf32>
    %x_plain = arith.extf %x : tensor<130x448xbf16> to tensor<130x448xf32>
    %w_plain = arith.extf %w : tensor<200x448xbf16> to tensor<200x448xf32>
    %plain = deepseek.linear %x_plain, %w_plain : (tensor<130x448xf32>, tensor<200x448xf32>) -> tensor<130x200xf32>
    check.expect_close %y, %plain {atol = 1.0e-7 : f64, rtol = 1.0e-4 : f64} : tensor<130x200xf32>
    %x1 = tensor.extract_slice %x[129, 0] [1, 448] [1, 1] : tensor<130x448xbf16> to tensor<1x448xbf16>
    %y1 = deepseek.linear %x1, %w : (tensor<1x448xbf16>, tensor<200x448xbf16>) -> tensor<1x200xf32>
    %of_y1 = tensor.extract_slice %y[129, 0] [1, 200] [1, 1] : tensor<130x200xf32> to tensor<1x200xf32>
    check.expect_eq %y1, %of_y1 : tensor<1x200xf32>
    %x7 = tensor.extract_slice %x[60, 0] [7, 448] [1, 1] : tensor<130x448xbf16> to tensor<7x448xbf16>
    %y7 = deepseek.linear %x7, %w : (tensor<7x448xbf16>, tensor<200x448xbf16>) -> tensor<7x200xf32>
    %of_y7 = tensor.extract_slice %y[60, 0] [7, 200] [1, 1] : tensor<130x200xf32> to tensor<7x200xf32>
    check.expect_eq %y7, %of_y7 : tensor<7x200xf32>
    return
  }

  // Two weights one below the other: each has tiles of its own.
  func.func @pieces() {
    %x = deepseek.get_weight @x : tensor<130x448xbf16>
    %g = deepseek.get_weight @g : !g8
    %g_s = deepseek.get_weight @g_s : tensor<2x4xf32>
    %w = deepseek.get_weight @w : !w8
    %w_s = deepseek.get_weight @w_s : tensor<2x4xf32>
    %g_cast = tensor.cast %g : !g8 to tensor<256x448xf8E4M3FN>
    %w_cast = tensor.cast %w : !w8 to tensor<200x448xf8E4M3FN>
    %concat = tensor.concat dim(0) %g_cast, %w_cast : (tensor<256x448xf8E4M3FN>, tensor<200x448xf8E4M3FN>) -> tensor<456x448xf8E4M3FN>
    %both = tensor.cast %concat : tensor<456x448xf8E4M3FN> to tensor<456x448xf8E4M3FN, #w>
    %both_s = tensor.concat dim(0) %g_s, %w_s : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
    %q, %s = deepseek.quantize %x : (tensor<130x448xbf16>) -> (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>)
    %y = deepseek.scaled_linear %q, %s, %both, %both_s : (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>, tensor<456x448xf8E4M3FN, #w>, tensor<4x4xf32>) -> tensor<130x456xf32>
    %x7 = tensor.extract_slice %x[60, 0] [7, 448] [1, 1] : tensor<130x448xbf16> to tensor<7x448xbf16>
    %q7, %s7 = deepseek.quantize %x7 : (tensor<7x448xbf16>) -> (tensor<7x448xf8E4M3FN, #x>, tensor<7x4xf32>)
    %y_g = deepseek.scaled_linear %q7, %s7, %g, %g_s : (tensor<7x448xf8E4M3FN, #x>, tensor<7x4xf32>, !g8, tensor<2x4xf32>) -> tensor<7x256xf32>
    %y_w = deepseek.scaled_linear %q7, %s7, %w, %w_s : (tensor<7x448xf8E4M3FN, #x>, tensor<7x4xf32>, !w8, tensor<2x4xf32>) -> tensor<7x200xf32>
    %of_g = tensor.extract_slice %y[60, 0] [7, 256] [1, 1] : tensor<130x456xf32> to tensor<7x256xf32>
    %of_w = tensor.extract_slice %y[60, 256] [7, 200] [1, 1] : tensor<130x456xf32> to tensor<7x200xf32>
    check.expect_eq %y_g, %of_g : tensor<7x256xf32>
    check.expect_eq %y_w, %of_w : tensor<7x200xf32>
    return
  }

  // A group alone: the others are empty.
  func.func @grouped() {
    %x = deepseek.get_weight @rows : tensor<70x192xbf16>
    %w = deepseek.get_weight @e : !e8
    %w_s = deepseek.get_weight @e_s : tensor<5x2x2xf32>
    %offsets = arith.constant dense<[0, 5, 5, 6, 60, 70]> : tensor<6xi32>
    %alone = arith.constant dense<[0, 0, 0, 0, 54, 54]> : tensor<6xi32>
    %q, %s = deepseek.quantize %x : (tensor<70x192xbf16>) -> (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>)
    %y = deepseek.scaled_grouped_linear %q, %s, %w, %w_s, %offsets : (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>, !e8, tensor<5x2x2xf32>, tensor<6xi32>) -> tensor<70x200xf32>
    %x_plain = deepseek.dequantize %q, %s : (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>) -> tensor<70x192xf32>
    %w_plain = deepseek.dequantize %w, %w_s : (!e8, tensor<5x2x2xf32>) -> tensor<5x200x192xf32>
    %plain = deepseek.grouped_linear %x_plain, %w_plain, %offsets : (tensor<70x192xf32>, tensor<5x200x192xf32>, tensor<6xi32>) -> tensor<70x200xf32>
    check.expect_close %y, %plain {atol = 1.0e-7 : f64, rtol = 1.0e-4 : f64} : tensor<70x200xf32>
    %x54 = tensor.extract_slice %x[6, 0] [54, 192] [1, 1] : tensor<70x192xbf16> to tensor<54x192xbf16>
    %q54, %s54 = deepseek.quantize %x54 : (tensor<54x192xbf16>) -> (tensor<54x192xf8E4M3FN, #x>, tensor<54x2xf32>)
    %y54 = deepseek.scaled_grouped_linear %q54, %s54, %w, %w_s, %alone : (tensor<54x192xf8E4M3FN, #x>, tensor<54x2xf32>, !e8, tensor<5x2x2xf32>, tensor<6xi32>) -> tensor<54x200xf32>
    %of_y54 = tensor.extract_slice %y[6, 0] [54, 200] [1, 1] : tensor<70x200xf32> to tensor<54x200xf32>
    check.expect_eq %y54, %of_y54 : tensor<54x200xf32>
    return
  }

  // The products before swiglu and quantize have no reader but these, so both are in one
  // kernel. A code may be the next one where the sums' last bits differ.
  func.func @gated() {
    %x = deepseek.get_weight @x : tensor<130x448xbf16>
    %w = deepseek.get_weight @g : !g8
    %w_s = deepseek.get_weight @g_s : tensor<2x4xf32>
    %q, %s = deepseek.quantize %x : (tensor<130x448xbf16>) -> (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>)
    %y = deepseek.scaled_linear %q, %s, %w, %w_s : (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>, !g8, tensor<2x4xf32>) -> tensor<130x256xbf16>
    %gate = tensor.extract_slice %y[0, 0] [130, 128] [1, 1] : tensor<130x256xbf16> to tensor<130x128xbf16>
    %up = tensor.extract_slice %y[0, 128] [130, 128] [1, 1] : tensor<130x256xbf16> to tensor<130x128xbf16>
    %z = deepseek.swiglu %gate, %up : (tensor<130x128xbf16>, tensor<130x128xbf16>) -> tensor<130x128xbf16>
    %c, %a = deepseek.quantize %z : (tensor<130x128xbf16>) -> (tensor<130x128xf8E4M3FN, #x>, tensor<130x1xf32>)
    %d = deepseek.dequantize %c, %a : (tensor<130x128xf8E4M3FN, #x>, tensor<130x1xf32>) -> tensor<130x128xf32>
    %x_plain = deepseek.dequantize %q, %s : (tensor<130x448xf8E4M3FN, #x>, tensor<130x4xf32>) -> tensor<130x448xf32>
    %w_plain = deepseek.dequantize %w, %w_s : (!g8, tensor<2x4xf32>) -> tensor<256x448xf32>
    %plain = deepseek.linear %x_plain, %w_plain : (tensor<130x448xf32>, tensor<256x448xf32>) -> tensor<130x256xf32>
    %p_gate = tensor.extract_slice %plain[0, 0] [130, 128] [1, 1] : tensor<130x256xf32> to tensor<130x128xf32>
    %p_up = tensor.extract_slice %plain[0, 128] [130, 128] [1, 1] : tensor<130x256xf32> to tensor<130x128xf32>
    %p_z = deepseek.swiglu %p_gate, %p_up : (tensor<130x128xf32>, tensor<130x128xf32>) -> tensor<130x128xf32>
    check.expect_close %d, %p_z {atol = 1.0e-7 : f64, rtol = 0.08 : f64} : tensor<130x128xf32>
    %x1 = tensor.extract_slice %x[129, 0] [1, 448] [1, 1] : tensor<130x448xbf16> to tensor<1x448xbf16>
    %q1, %s1 = deepseek.quantize %x1 : (tensor<1x448xbf16>) -> (tensor<1x448xf8E4M3FN, #x>, tensor<1x4xf32>)
    %y1 = deepseek.scaled_linear %q1, %s1, %w, %w_s : (tensor<1x448xf8E4M3FN, #x>, tensor<1x4xf32>, !g8, tensor<2x4xf32>) -> tensor<1x256xbf16>
    %gate1 = tensor.extract_slice %y1[0, 0] [1, 128] [1, 1] : tensor<1x256xbf16> to tensor<1x128xbf16>
    %up1 = tensor.extract_slice %y1[0, 128] [1, 128] [1, 1] : tensor<1x256xbf16> to tensor<1x128xbf16>
    %z1 = deepseek.swiglu %gate1, %up1 : (tensor<1x128xbf16>, tensor<1x128xbf16>) -> tensor<1x128xbf16>
    %c1, %a1 = deepseek.quantize %z1 : (tensor<1x128xbf16>) -> (tensor<1x128xf8E4M3FN, #x>, tensor<1x1xf32>)
    %d1 = deepseek.dequantize %c1, %a1 : (tensor<1x128xf8E4M3FN, #x>, tensor<1x1xf32>) -> tensor<1x128xf32>
    %of_a1 = tensor.extract_slice %a[129, 0] [1, 1] [1, 1] : tensor<130x1xf32> to tensor<1x1xf32>
    check.expect_eq %a1, %of_a1 : tensor<1x1xf32>
    %of_d1 = tensor.extract_slice %d[129, 0] [1, 128] [1, 1] : tensor<130x128xf32> to tensor<1x128xf32>
    check.expect_eq %d1, %of_d1 : tensor<1x128xf32>
    %x7 = tensor.extract_slice %x[60, 0] [7, 448] [1, 1] : tensor<130x448xbf16> to tensor<7x448xbf16>
    %q7, %s7 = deepseek.quantize %x7 : (tensor<7x448xbf16>) -> (tensor<7x448xf8E4M3FN, #x>, tensor<7x4xf32>)
    %y7 = deepseek.scaled_linear %q7, %s7, %w, %w_s : (tensor<7x448xf8E4M3FN, #x>, tensor<7x4xf32>, !g8, tensor<2x4xf32>) -> tensor<7x256xbf16>
    %gate7 = tensor.extract_slice %y7[0, 0] [7, 128] [1, 1] : tensor<7x256xbf16> to tensor<7x128xbf16>
    %up7 = tensor.extract_slice %y7[0, 128] [7, 128] [1, 1] : tensor<7x256xbf16> to tensor<7x128xbf16>
    %z7 = deepseek.swiglu %gate7, %up7 : (tensor<7x128xbf16>, tensor<7x128xbf16>) -> tensor<7x128xbf16>
    %c7, %a7 = deepseek.quantize %z7 : (tensor<7x128xbf16>) -> (tensor<7x128xf8E4M3FN, #x>, tensor<7x1xf32>)
    %d7 = deepseek.dequantize %c7, %a7 : (tensor<7x128xf8E4M3FN, #x>, tensor<7x1xf32>) -> tensor<7x128xf32>
    %of_a7 = tensor.extract_slice %a[60, 0] [7, 1] [1, 1] : tensor<130x1xf32> to tensor<7x1xf32>
    check.expect_eq %a7, %of_a7 : tensor<7x1xf32>
    %of_d7 = tensor.extract_slice %d[60, 0] [7, 128] [1, 1] : tensor<130x128xf32> to tensor<7x128xf32>
    check.expect_eq %d7, %of_d7 : tensor<7x128xf32>
    %x64 = tensor.extract_slice %x[30, 0] [64, 448] [1, 1] : tensor<130x448xbf16> to tensor<64x448xbf16>
    %q64, %s64 = deepseek.quantize %x64 : (tensor<64x448xbf16>) -> (tensor<64x448xf8E4M3FN, #x>, tensor<64x4xf32>)
    %y64 = deepseek.scaled_linear %q64, %s64, %w, %w_s : (tensor<64x448xf8E4M3FN, #x>, tensor<64x4xf32>, !g8, tensor<2x4xf32>) -> tensor<64x256xbf16>
    %gate64 = tensor.extract_slice %y64[0, 0] [64, 128] [1, 1] : tensor<64x256xbf16> to tensor<64x128xbf16>
    %up64 = tensor.extract_slice %y64[0, 128] [64, 128] [1, 1] : tensor<64x256xbf16> to tensor<64x128xbf16>
    %z64 = deepseek.swiglu %gate64, %up64 : (tensor<64x128xbf16>, tensor<64x128xbf16>) -> tensor<64x128xbf16>
    %c64, %a64 = deepseek.quantize %z64 : (tensor<64x128xbf16>) -> (tensor<64x128xf8E4M3FN, #x>, tensor<64x1xf32>)
    %d64 = deepseek.dequantize %c64, %a64 : (tensor<64x128xf8E4M3FN, #x>, tensor<64x1xf32>) -> tensor<64x128xf32>
    %of_a64 = tensor.extract_slice %a[30, 0] [64, 1] [1, 1] : tensor<130x1xf32> to tensor<64x1xf32>
    check.expect_eq %a64, %of_a64 : tensor<64x1xf32>
    %of_d64 = tensor.extract_slice %d[30, 0] [64, 128] [1, 1] : tensor<130x128xf32> to tensor<64x128xf32>
    check.expect_eq %d64, %of_d64 : tensor<64x128xf32>
    return
  }

  func.func @gated_experts() {
    %x = deepseek.get_weight @rows : tensor<70x192xbf16>
    %w = deepseek.get_weight @f : !f8
    %w_s = deepseek.get_weight @f_s : tensor<5x2x2xf32>
    %offsets = arith.constant dense<[0, 5, 5, 6, 60, 70]> : tensor<6xi32>
    %alone = arith.constant dense<[0, 0, 0, 0, 54, 54]> : tensor<6xi32>
    %q, %s = deepseek.quantize %x : (tensor<70x192xbf16>) -> (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>)
    %y = deepseek.scaled_grouped_linear %q, %s, %w, %w_s, %offsets : (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>, !f8, tensor<5x2x2xf32>, tensor<6xi32>) -> tensor<70x256xbf16>
    %gate = tensor.extract_slice %y[0, 0] [70, 128] [1, 1] : tensor<70x256xbf16> to tensor<70x128xbf16>
    %up = tensor.extract_slice %y[0, 128] [70, 128] [1, 1] : tensor<70x256xbf16> to tensor<70x128xbf16>
    %z = deepseek.swiglu %gate, %up : (tensor<70x128xbf16>, tensor<70x128xbf16>) -> tensor<70x128xbf16>
    %c, %a = deepseek.quantize %z : (tensor<70x128xbf16>) -> (tensor<70x128xf8E4M3FN, #x>, tensor<70x1xf32>)
    %d = deepseek.dequantize %c, %a : (tensor<70x128xf8E4M3FN, #x>, tensor<70x1xf32>) -> tensor<70x128xf32>
    %x_plain = deepseek.dequantize %q, %s : (tensor<70x192xf8E4M3FN, #x>, tensor<70x2xf32>) -> tensor<70x192xf32>
    %w_plain = deepseek.dequantize %w, %w_s : (!f8, tensor<5x2x2xf32>) -> tensor<5x256x192xf32>
    %plain = deepseek.grouped_linear %x_plain, %w_plain, %offsets : (tensor<70x192xf32>, tensor<5x256x192xf32>, tensor<6xi32>) -> tensor<70x256xf32>
    %p_gate = tensor.extract_slice %plain[0, 0] [70, 128] [1, 1] : tensor<70x256xf32> to tensor<70x128xf32>
    %p_up = tensor.extract_slice %plain[0, 128] [70, 128] [1, 1] : tensor<70x256xf32> to tensor<70x128xf32>
    %p_z = deepseek.swiglu %p_gate, %p_up : (tensor<70x128xf32>, tensor<70x128xf32>) -> tensor<70x128xf32>
    check.expect_close %d, %p_z {atol = 1.0e-7 : f64, rtol = 0.08 : f64} : tensor<70x128xf32>
    %x54 = tensor.extract_slice %x[6, 0] [54, 192] [1, 1] : tensor<70x192xbf16> to tensor<54x192xbf16>
    %q54, %s54 = deepseek.quantize %x54 : (tensor<54x192xbf16>) -> (tensor<54x192xf8E4M3FN, #x>, tensor<54x2xf32>)
    %y54 = deepseek.scaled_grouped_linear %q54, %s54, %w, %w_s, %alone : (tensor<54x192xf8E4M3FN, #x>, tensor<54x2xf32>, !f8, tensor<5x2x2xf32>, tensor<6xi32>) -> tensor<54x256xbf16>
    %gate54 = tensor.extract_slice %y54[0, 0] [54, 128] [1, 1] : tensor<54x256xbf16> to tensor<54x128xbf16>
    %up54 = tensor.extract_slice %y54[0, 128] [54, 128] [1, 1] : tensor<54x256xbf16> to tensor<54x128xbf16>
    %z54 = deepseek.swiglu %gate54, %up54 : (tensor<54x128xbf16>, tensor<54x128xbf16>) -> tensor<54x128xbf16>
    %c54, %a54 = deepseek.quantize %z54 : (tensor<54x128xbf16>) -> (tensor<54x128xf8E4M3FN, #x>, tensor<54x1xf32>)
    %d54 = deepseek.dequantize %c54, %a54 : (tensor<54x128xf8E4M3FN, #x>, tensor<54x1xf32>) -> tensor<54x128xf32>
    %of_a54 = tensor.extract_slice %a[6, 0] [54, 1] [1, 1] : tensor<70x1xf32> to tensor<54x1xf32>
    check.expect_eq %a54, %of_a54 : tensor<54x1xf32>
    %of_d54 = tensor.extract_slice %d[6, 0] [54, 128] [1, 1] : tensor<70x128xf32> to tensor<54x128xf32>
    check.expect_eq %d54, %of_d54 : tensor<54x128xf32>
    return
  }

}
