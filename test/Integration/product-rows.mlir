// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_80 activations=bf16" | ds-translate --emit=shared -o %t.80.so && ds-run %t.80.so --device=simulator
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_89 activations=bf16" | ds-translate --emit=shared -o %t.89.so && ds-run %t.89.so --device=simulator
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a activations=bf16" | ds-translate --emit=shared -o %t.90.so && ds-run %t.90.so --device=simulator

// A row's product has the same bits among 1, 5, 13, 29, 60 and 150 rows: on a GPU
// these are tiles of 8 to 128 rows, whole and ragged, of which some add ranges of the
// inner dimension by different warps and others by one. And it has the right value:
// against the same product in f32, which no fast kernel takes.

!w8 = tensor<40x1024xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!u8 = tensor<24x1024xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!b8 = tensor<256x128xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @x from "x" : tensor<150x1024xbf16>
  deepseek.weight @w from "w.weight" : !w8
  deepseek.weight @w_s from "w.weight_scale_inv" : tensor<1x8xf32>
  deepseek.weight @u from "u.weight" : !u8
  deepseek.weight @u_s from "u.weight_scale_inv" : tensor<1x8xf32>
  deepseek.weight @ragged from "ragged" : tensor<150x200xbf16>
  deepseek.weight @q from "q" : tensor<60x192xbf16>
  deepseek.weight @kv_b from "kv_b.weight" : !b8
  deepseek.weight @kv_b_s from "kv_b.weight_scale_inv" : tensor<2x1xf32>
  deepseek.weight @v from "v.weight" : tensor<100x200xbf16>

  // FP8 rows and weights; two weights of one input become one kernel.
  func.func @scaled() {
    %x = deepseek.get_weight @x : tensor<150x1024xbf16>
    %w = deepseek.get_weight @w : !w8
    %w_s = deepseek.get_weight @w_s : tensor<1x8xf32>
    %u = deepseek.get_weight @u : !u8
    %u_s = deepseek.get_weight @u_s : tensor<1x8xf32>
    %q150, %s150 = deepseek.quantize %x : (tensor<150x1024xbf16>) -> (tensor<150x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<150x8xf32>)
    %w150 = deepseek.scaled_linear %q150, %s150, %w, %w_s : (tensor<150x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<150x8xf32>, !w8, tensor<1x8xf32>) -> tensor<150x40xf32>
    %u150 = deepseek.scaled_linear %q150, %s150, %u, %u_s : (tensor<150x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<150x8xf32>, !u8, tensor<1x8xf32>) -> tensor<150x24xf32>
    %x60 = tensor.extract_slice %x[0, 0] [60, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<60x1024xbf16>
    %q60, %s60 = deepseek.quantize %x60 : (tensor<60x1024xbf16>) -> (tensor<60x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<60x8xf32>)
    %w60 = deepseek.scaled_linear %q60, %s60, %w, %w_s : (tensor<60x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<60x8xf32>, !w8, tensor<1x8xf32>) -> tensor<60x40xf32>
    %u60 = deepseek.scaled_linear %q60, %s60, %u, %u_s : (tensor<60x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<60x8xf32>, !u8, tensor<1x8xf32>) -> tensor<60x24xf32>
    %w60_all = tensor.extract_slice %w150[0, 0] [60, 40] [1, 1] : tensor<150x40xf32> to tensor<60x40xf32>
    check.expect_eq %w60, %w60_all : tensor<60x40xf32>
    %u60_all = tensor.extract_slice %u150[0, 0] [60, 24] [1, 1] : tensor<150x24xf32> to tensor<60x24xf32>
    check.expect_eq %u60, %u60_all : tensor<60x24xf32>
    %x29 = tensor.extract_slice %x[0, 0] [29, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<29x1024xbf16>
    %q29, %s29 = deepseek.quantize %x29 : (tensor<29x1024xbf16>) -> (tensor<29x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<29x8xf32>)
    %w29 = deepseek.scaled_linear %q29, %s29, %w, %w_s : (tensor<29x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<29x8xf32>, !w8, tensor<1x8xf32>) -> tensor<29x40xf32>
    %u29 = deepseek.scaled_linear %q29, %s29, %u, %u_s : (tensor<29x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<29x8xf32>, !u8, tensor<1x8xf32>) -> tensor<29x24xf32>
    %w29_all = tensor.extract_slice %w150[0, 0] [29, 40] [1, 1] : tensor<150x40xf32> to tensor<29x40xf32>
    check.expect_eq %w29, %w29_all : tensor<29x40xf32>
    %u29_all = tensor.extract_slice %u150[0, 0] [29, 24] [1, 1] : tensor<150x24xf32> to tensor<29x24xf32>
    check.expect_eq %u29, %u29_all : tensor<29x24xf32>
    %x13 = tensor.extract_slice %x[0, 0] [13, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<13x1024xbf16>
    %q13, %s13 = deepseek.quantize %x13 : (tensor<13x1024xbf16>) -> (tensor<13x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<13x8xf32>)
    %w13 = deepseek.scaled_linear %q13, %s13, %w, %w_s : (tensor<13x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<13x8xf32>, !w8, tensor<1x8xf32>) -> tensor<13x40xf32>
    %u13 = deepseek.scaled_linear %q13, %s13, %u, %u_s : (tensor<13x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<13x8xf32>, !u8, tensor<1x8xf32>) -> tensor<13x24xf32>
    %w13_all = tensor.extract_slice %w150[0, 0] [13, 40] [1, 1] : tensor<150x40xf32> to tensor<13x40xf32>
    check.expect_eq %w13, %w13_all : tensor<13x40xf32>
    %u13_all = tensor.extract_slice %u150[0, 0] [13, 24] [1, 1] : tensor<150x24xf32> to tensor<13x24xf32>
    check.expect_eq %u13, %u13_all : tensor<13x24xf32>
    %x5 = tensor.extract_slice %x[0, 0] [5, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<5x1024xbf16>
    %q5, %s5 = deepseek.quantize %x5 : (tensor<5x1024xbf16>) -> (tensor<5x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<5x8xf32>)
    %w5 = deepseek.scaled_linear %q5, %s5, %w, %w_s : (tensor<5x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<5x8xf32>, !w8, tensor<1x8xf32>) -> tensor<5x40xf32>
    %u5 = deepseek.scaled_linear %q5, %s5, %u, %u_s : (tensor<5x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<5x8xf32>, !u8, tensor<1x8xf32>) -> tensor<5x24xf32>
    %w5_all = tensor.extract_slice %w150[0, 0] [5, 40] [1, 1] : tensor<150x40xf32> to tensor<5x40xf32>
    check.expect_eq %w5, %w5_all : tensor<5x40xf32>
    %u5_all = tensor.extract_slice %u150[0, 0] [5, 24] [1, 1] : tensor<150x24xf32> to tensor<5x24xf32>
    check.expect_eq %u5, %u5_all : tensor<5x24xf32>
    %x1 = tensor.extract_slice %x[0, 0] [1, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<1x1024xbf16>
    %q1, %s1 = deepseek.quantize %x1 : (tensor<1x1024xbf16>) -> (tensor<1x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<1x8xf32>)
    %w1 = deepseek.scaled_linear %q1, %s1, %w, %w_s : (tensor<1x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<1x8xf32>, !w8, tensor<1x8xf32>) -> tensor<1x40xf32>
    %u1 = deepseek.scaled_linear %q1, %s1, %u, %u_s : (tensor<1x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<1x8xf32>, !u8, tensor<1x8xf32>) -> tensor<1x24xf32>
    %w1_all = tensor.extract_slice %w150[0, 0] [1, 40] [1, 1] : tensor<150x40xf32> to tensor<1x40xf32>
    check.expect_eq %w1, %w1_all : tensor<1x40xf32>
    %u1_all = tensor.extract_slice %u150[0, 0] [1, 24] [1, 1] : tensor<150x24xf32> to tensor<1x24xf32>
    check.expect_eq %u1, %u1_all : tensor<1x24xf32>
    // Sums of 1024 terms.
    %xd = deepseek.dequantize %q5, %s5 : (tensor<5x1024xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<5x8xf32>) -> tensor<5x1024xf32>
    %wd = deepseek.dequantize %w, %w_s : (!w8, tensor<1x8xf32>) -> tensor<40x1024xf32>
    %wt = deepseek.linear %xd, %wd : (tensor<5x1024xf32>, tensor<40x1024xf32>) -> tensor<5x40xf32>
    check.expect_close %w5, %wt {atol = 1.0e-5 : f64, rtol = 1.0e-4 : f64} : tensor<5x40xf32>
    %ud = deepseek.dequantize %u, %u_s : (!u8, tensor<1x8xf32>) -> tensor<24x1024xf32>
    %ut = deepseek.linear %xd, %ud : (tensor<5x1024xf32>, tensor<24x1024xf32>) -> tensor<5x24xf32>
    check.expect_close %u5, %ut {atol = 1.0e-5 : f64, rtol = 1.0e-4 : f64} : tensor<5x24xf32>
    return
  }

  // BF16 rows, FP8 weights: the weights are widened.
  func.func @widened() {
    %x = deepseek.get_weight @x : tensor<150x1024xbf16>
    %q = deepseek.get_weight @w : !w8
    %s = deepseek.get_weight @w_s : tensor<1x8xf32>
    %w = deepseek.dequantize %q, %s : (!w8, tensor<1x8xf32>) -> tensor<40x1024xbf16>
    %y150 = deepseek.linear %x, %w : (tensor<150x1024xbf16>, tensor<40x1024xbf16>) -> tensor<150x40xf32>
    %x60 = tensor.extract_slice %x[0, 0] [60, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<60x1024xbf16>
    %y60 = deepseek.linear %x60, %w : (tensor<60x1024xbf16>, tensor<40x1024xbf16>) -> tensor<60x40xf32>
    %y60_all = tensor.extract_slice %y150[0, 0] [60, 40] [1, 1] : tensor<150x40xf32> to tensor<60x40xf32>
    check.expect_eq %y60, %y60_all : tensor<60x40xf32>
    %x29 = tensor.extract_slice %x[0, 0] [29, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<29x1024xbf16>
    %y29 = deepseek.linear %x29, %w : (tensor<29x1024xbf16>, tensor<40x1024xbf16>) -> tensor<29x40xf32>
    %y29_all = tensor.extract_slice %y150[0, 0] [29, 40] [1, 1] : tensor<150x40xf32> to tensor<29x40xf32>
    check.expect_eq %y29, %y29_all : tensor<29x40xf32>
    %x13 = tensor.extract_slice %x[0, 0] [13, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<13x1024xbf16>
    %y13 = deepseek.linear %x13, %w : (tensor<13x1024xbf16>, tensor<40x1024xbf16>) -> tensor<13x40xf32>
    %y13_all = tensor.extract_slice %y150[0, 0] [13, 40] [1, 1] : tensor<150x40xf32> to tensor<13x40xf32>
    check.expect_eq %y13, %y13_all : tensor<13x40xf32>
    %x5 = tensor.extract_slice %x[0, 0] [5, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<5x1024xbf16>
    %y5 = deepseek.linear %x5, %w : (tensor<5x1024xbf16>, tensor<40x1024xbf16>) -> tensor<5x40xf32>
    %y5_all = tensor.extract_slice %y150[0, 0] [5, 40] [1, 1] : tensor<150x40xf32> to tensor<5x40xf32>
    check.expect_eq %y5, %y5_all : tensor<5x40xf32>
    %x1 = tensor.extract_slice %x[0, 0] [1, 1024] [1, 1] : tensor<150x1024xbf16> to tensor<1x1024xbf16>
    %y1 = deepseek.linear %x1, %w : (tensor<1x1024xbf16>, tensor<40x1024xbf16>) -> tensor<1x40xf32>
    %y1_all = tensor.extract_slice %y150[0, 0] [1, 40] [1, 1] : tensor<150x40xf32> to tensor<1x40xf32>
    check.expect_eq %y1, %y1_all : tensor<1x40xf32>
    // The reference rounds the weight to bf16 first; relative to the sum of 1024
    // terms of either sign.
    %xf = arith.extf %x5 : tensor<5x1024xbf16> to tensor<5x1024xf32>
    %wf = deepseek.dequantize %q, %s : (!w8, tensor<1x8xf32>) -> tensor<40x1024xf32>
    %t = deepseek.linear %xf, %wf : (tensor<5x1024xf32>, tensor<40x1024xf32>) -> tensor<5x40xf32>
    check.expect_close %y5, %t {atol = 5.0e-4 : f64, rtol = 0.00390625 : f64} : tensor<5x40xf32>
    return
  }

  // BF16, 200 inputs: three chunks of 64 and one of 8; 100 outputs.
  func.func @plain() {
    %x = deepseek.get_weight @ragged : tensor<150x200xbf16>
    %w = deepseek.get_weight @v : tensor<100x200xbf16>
    %y150 = deepseek.linear %x, %w : (tensor<150x200xbf16>, tensor<100x200xbf16>) -> tensor<150x100xf32>
    %x60 = tensor.extract_slice %x[0, 0] [60, 200] [1, 1] : tensor<150x200xbf16> to tensor<60x200xbf16>
    %y60 = deepseek.linear %x60, %w : (tensor<60x200xbf16>, tensor<100x200xbf16>) -> tensor<60x100xf32>
    %y60_all = tensor.extract_slice %y150[0, 0] [60, 100] [1, 1] : tensor<150x100xf32> to tensor<60x100xf32>
    check.expect_eq %y60, %y60_all : tensor<60x100xf32>
    %x29 = tensor.extract_slice %x[0, 0] [29, 200] [1, 1] : tensor<150x200xbf16> to tensor<29x200xbf16>
    %y29 = deepseek.linear %x29, %w : (tensor<29x200xbf16>, tensor<100x200xbf16>) -> tensor<29x100xf32>
    %y29_all = tensor.extract_slice %y150[0, 0] [29, 100] [1, 1] : tensor<150x100xf32> to tensor<29x100xf32>
    check.expect_eq %y29, %y29_all : tensor<29x100xf32>
    %x13 = tensor.extract_slice %x[0, 0] [13, 200] [1, 1] : tensor<150x200xbf16> to tensor<13x200xbf16>
    %y13 = deepseek.linear %x13, %w : (tensor<13x200xbf16>, tensor<100x200xbf16>) -> tensor<13x100xf32>
    %y13_all = tensor.extract_slice %y150[0, 0] [13, 100] [1, 1] : tensor<150x100xf32> to tensor<13x100xf32>
    check.expect_eq %y13, %y13_all : tensor<13x100xf32>
    %x5 = tensor.extract_slice %x[0, 0] [5, 200] [1, 1] : tensor<150x200xbf16> to tensor<5x200xbf16>
    %y5 = deepseek.linear %x5, %w : (tensor<5x200xbf16>, tensor<100x200xbf16>) -> tensor<5x100xf32>
    %y5_all = tensor.extract_slice %y150[0, 0] [5, 100] [1, 1] : tensor<150x100xf32> to tensor<5x100xf32>
    check.expect_eq %y5, %y5_all : tensor<5x100xf32>
    %x1 = tensor.extract_slice %x[0, 0] [1, 200] [1, 1] : tensor<150x200xbf16> to tensor<1x200xbf16>
    %y1 = deepseek.linear %x1, %w : (tensor<1x200xbf16>, tensor<100x200xbf16>) -> tensor<1x100xf32>
    %y1_all = tensor.extract_slice %y150[0, 0] [1, 100] [1, 1] : tensor<150x100xf32> to tensor<1x100xf32>
    check.expect_eq %y1, %y1_all : tensor<1x100xf32>
    %xf = arith.extf %x5 : tensor<5x200xbf16> to tensor<5x200xf32>
    %wf = arith.extf %w : tensor<100x200xbf16> to tensor<100x200xf32>
    %t = deepseek.linear %xf, %wf : (tensor<5x200xf32>, tensor<100x200xf32>) -> tensor<5x100xf32>
    check.expect_close %y5, %t {atol = 1.0e-4 : f64, rtol = 1.0e-5 : f64} : tensor<5x100xf32>
    return
  }
  // Each head has 64 rows of a weight for its queries, transposed, and 64 for its
  // values; queries are 64 of the 96 columns of a head.
  func.func @heads() {
    %q = deepseek.get_weight @q : tensor<60x192xbf16>
    %kv_b = deepseek.get_weight @kv_b : !b8
    %s = deepseek.get_weight @kv_b_s : tensor<2x1xf32>
    %d = deepseek.dequantize %kv_b, %s : (!b8, tensor<2x1xf32>) -> tensor<256x128xbf16>
    %w = tensor.expand_shape %d [[0, 1], [2]] output_shape [2, 128, 128] : tensor<256x128xbf16> into tensor<2x128x128xbf16>
    %w_k = tensor.extract_slice %w[0, 0, 0] [2, 64, 128] [1, 1, 1] : tensor<2x128x128xbf16> to tensor<2x64x128xbf16>
    %w_v = tensor.extract_slice %w[0, 64, 0] [2, 64, 128] [1, 1, 1] : tensor<2x128x128xbf16> to tensor<2x64x128xbf16>
    %h60 = tensor.expand_shape %q [[0], [1, 2]] output_shape [60, 2, 96] : tensor<60x192xbf16> into tensor<60x2x96xbf16>
    %x60 = tensor.extract_slice %h60[0, 0, 0] [60, 2, 64] [1, 1, 1] : tensor<60x2x96xbf16> to tensor<60x2x64xbf16>
    %a60 = deepseek.head_linear %x60, %w_k {transposed} : (tensor<60x2x64xbf16>, tensor<2x64x128xbf16>) -> tensor<60x2x128xbf16>
    %b60 = deepseek.head_linear %a60, %w_v : (tensor<60x2x128xbf16>, tensor<2x64x128xbf16>) -> tensor<60x2x64xf32>
    %q29 = tensor.extract_slice %q[0, 0] [29, 192] [1, 1] : tensor<60x192xbf16> to tensor<29x192xbf16>
    %h29 = tensor.expand_shape %q29 [[0], [1, 2]] output_shape [29, 2, 96] : tensor<29x192xbf16> into tensor<29x2x96xbf16>
    %x29 = tensor.extract_slice %h29[0, 0, 0] [29, 2, 64] [1, 1, 1] : tensor<29x2x96xbf16> to tensor<29x2x64xbf16>
    %a29 = deepseek.head_linear %x29, %w_k {transposed} : (tensor<29x2x64xbf16>, tensor<2x64x128xbf16>) -> tensor<29x2x128xbf16>
    %b29 = deepseek.head_linear %a29, %w_v : (tensor<29x2x128xbf16>, tensor<2x64x128xbf16>) -> tensor<29x2x64xf32>
    %a29_all = tensor.extract_slice %a60[0, 0, 0] [29, 2, 128] [1, 1, 1] : tensor<60x2x128xbf16> to tensor<29x2x128xbf16>
    check.expect_eq %a29, %a29_all : tensor<29x2x128xbf16>
    %b29_all = tensor.extract_slice %b60[0, 0, 0] [29, 2, 64] [1, 1, 1] : tensor<60x2x64xf32> to tensor<29x2x64xf32>
    check.expect_eq %b29, %b29_all : tensor<29x2x64xf32>
    %q5 = tensor.extract_slice %q[0, 0] [5, 192] [1, 1] : tensor<60x192xbf16> to tensor<5x192xbf16>
    %h5 = tensor.expand_shape %q5 [[0], [1, 2]] output_shape [5, 2, 96] : tensor<5x192xbf16> into tensor<5x2x96xbf16>
    %x5 = tensor.extract_slice %h5[0, 0, 0] [5, 2, 64] [1, 1, 1] : tensor<5x2x96xbf16> to tensor<5x2x64xbf16>
    %a5 = deepseek.head_linear %x5, %w_k {transposed} : (tensor<5x2x64xbf16>, tensor<2x64x128xbf16>) -> tensor<5x2x128xbf16>
    %b5 = deepseek.head_linear %a5, %w_v : (tensor<5x2x128xbf16>, tensor<2x64x128xbf16>) -> tensor<5x2x64xf32>
    %a5_all = tensor.extract_slice %a60[0, 0, 0] [5, 2, 128] [1, 1, 1] : tensor<60x2x128xbf16> to tensor<5x2x128xbf16>
    check.expect_eq %a5, %a5_all : tensor<5x2x128xbf16>
    %b5_all = tensor.extract_slice %b60[0, 0, 0] [5, 2, 64] [1, 1, 1] : tensor<60x2x64xf32> to tensor<5x2x64xf32>
    check.expect_eq %b5, %b5_all : tensor<5x2x64xf32>
    // In f32; the reference rounds the weight to bf16 first.
    %df = deepseek.dequantize %kv_b, %s : (!b8, tensor<2x1xf32>) -> tensor<256x128xf32>
    %wf = tensor.expand_shape %df [[0, 1], [2]] output_shape [2, 128, 128] : tensor<256x128xf32> into tensor<2x128x128xf32>
    %wf_k = tensor.extract_slice %wf[0, 0, 0] [2, 64, 128] [1, 1, 1] : tensor<2x128x128xf32> to tensor<2x64x128xf32>
    %wf_v = tensor.extract_slice %wf[0, 64, 0] [2, 64, 128] [1, 1, 1] : tensor<2x128x128xf32> to tensor<2x64x128xf32>
    %xf = arith.extf %x5 : tensor<5x2x64xbf16> to tensor<5x2x64xf32>
    %af = arith.extf %a5 : tensor<5x2x128xbf16> to tensor<5x2x128xf32>
    %a_f32 = deepseek.head_linear %xf, %wf_k {transposed} : (tensor<5x2x64xf32>, tensor<2x64x128xf32>) -> tensor<5x2x128xf32>
    %b_f32 = deepseek.head_linear %af, %wf_v : (tensor<5x2x128xf32>, tensor<2x64x128xf32>) -> tensor<5x2x64xf32>
    check.expect_close %af, %a_f32 {atol = 1.0e-4 : f64, rtol = 0.0078125 : f64} : tensor<5x2x128xf32>
    check.expect_close %b5, %b_f32 {atol = 1.0e-4 : f64, rtol = 0.0078125 : f64} : tensor<5x2x64xf32>
    return
  }
}
