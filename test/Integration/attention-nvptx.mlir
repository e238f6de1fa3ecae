// RUN: ds-eval %s
// RUN: for chip in sm_80 sm_89 sm_90a; do ds-opt %s --ds-compile="target=nvptx chip=$chip" | ds-translate --emit=shared -o %t.so && ds-run %t.so --device=simulator || exit 1; done
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_89 stop-after=device" | FileCheck %s

// Latent attention of bf16 on GPUs, against the same op of f32, which the fallback
// writes as plain loops. Five sequences: one row of its own; a decode step at the
// last row of a chunk of 256; three rows (MTP's) of which the last ones are in the
// next chunk; two rows with 1300 cached ones, six chunks; and a piece of 150 rows of a
// prompt. 157 rows go to one walk; few rows are split and combined: the bits are the
// same.

// Not by the fallback:
// CHECK-DAG: name = "latent_attention_36x64x160_bf16_split"
// CHECK-DAG: name = "latent_attention_36x64x160_bf16_combine"
// CHECK-DAG: name = "latent_attention_36x64x160_bf16"
// CHECK-DAG: name = "latent_attention_8x64x576_bf16_combine"
// CHECK-DAG: name = "cache_gather_36x64x160_bf16"
// CHECK-DAG: name = "attention_355x4x128_bf16"

!pages = tensor<36x64x160xbf16, #deepseek.latent_cache<latent = 128, rope = 32>>
!pages32 = tensor<36x64x160xf32, #deepseek.latent_cache<latent = 128, rope = 32>>
!wide = tensor<8x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
!wide32 = tensor<8x64x576xf32, #deepseek.latent_cache<latent = 512, rope = 64>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @q_latent from "q_latent" : tensor<157x4x128xbf16>
  deepseek.weight @q_rope from "q_rope" : tensor<157x4x32xbf16>
  deepseek.weight @rows from "rows" : tensor<36x64x160xbf16>
  deepseek.weight @wide_q from "wide_q" : tensor<70x40x512xbf16>
  deepseek.weight @wide_r from "wide_r" : tensor<70x40x64xbf16>
  deepseek.weight @wide_rows from "wide_rows" : tensor<8x64x576xbf16>
  deepseek.weight @q from "q" : tensor<154x4x96xbf16>
  deepseek.weight @kv from "kv" : tensor<355x4x128xbf16>

  func.func @latent() {
    %q = deepseek.get_weight @q_latent : tensor<157x4x128xbf16>
    %r = deepseek.get_weight @q_rope : tensor<157x4x32xbf16>
    %rows = deepseek.get_weight @rows : tensor<36x64x160xbf16>
    %cache = tensor.cast %rows : tensor<36x64x160xbf16> to !pages
    %table = arith.constant dense<[[24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [3, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [9, 4, 8, 5, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35],
        [20, 23, 21, 22, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]> : tensor<5x21xi32>
    %cu_q = arith.constant dense<[0, 1, 2, 5, 7, 157]> : tensor<6xi32>
    %cu_kv = arith.constant dense<[0, 1, 257, 515, 1815, 2095]> : tensor<6xi32>
    %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 32.0 : f64}
        : (tensor<157x4x128xbf16>, tensor<157x4x32xbf16>, !pages, tensor<5x21xi32>, tensor<6xi32>, tensor<6xi32>) -> tensor<157x4x128xbf16>

    %q32 = arith.extf %q : tensor<157x4x128xbf16> to tensor<157x4x128xf32>
    %r32 = arith.extf %r : tensor<157x4x32xbf16> to tensor<157x4x32xf32>
    %rows32 = arith.extf %rows : tensor<36x64x160xbf16> to tensor<36x64x160xf32>
    %cache32 = tensor.cast %rows32 : tensor<36x64x160xf32> to !pages32
    %expected = deepseek.latent_attention %q32, %r32, %cache32, %table, %cu_q, %cu_kv {scale = 32.0 : f64}
        : (tensor<157x4x128xf32>, tensor<157x4x32xf32>, !pages32, tensor<5x21xi32>, tensor<6xi32>, tensor<6xi32>) -> tensor<157x4x128xf32>
    %y32 = arith.extf %y : tensor<157x4x128xbf16> to tensor<157x4x128xf32>
    check.expect_close %y32, %expected {atol = 7.0e-4 : f64, rtol = 0.0 : f64} : tensor<157x4x128xf32>

    // The fourth sequence alone.
    %q_4 = tensor.extract_slice %q[5, 0, 0] [2, 4, 128] [1, 1, 1] : tensor<157x4x128xbf16> to tensor<2x4x128xbf16>
    %r_4 = tensor.extract_slice %r[5, 0, 0] [2, 4, 32] [1, 1, 1] : tensor<157x4x32xbf16> to tensor<2x4x32xbf16>
    %table_4 = tensor.extract_slice %table[3, 0] [1, 21] [1, 1] : tensor<5x21xi32> to tensor<1x21xi32>
    %cu_q_4 = arith.constant dense<[0, 2]> : tensor<2xi32>
    %cu_kv_4 = arith.constant dense<[0, 1300]> : tensor<2xi32>
    %y_4 = deepseek.latent_attention %q_4, %r_4, %cache, %table_4, %cu_q_4, %cu_kv_4 {scale = 32.0 : f64}
        : (tensor<2x4x128xbf16>, tensor<2x4x32xbf16>, !pages, tensor<1x21xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<2x4x128xbf16>
    %same_4 = tensor.extract_slice %y[5, 0, 0] [2, 4, 128] [1, 1, 1] : tensor<157x4x128xbf16> to tensor<2x4x128xbf16>
    check.expect_eq %y_4, %same_4 : tensor<2x4x128xbf16>

    // The last row of the last sequence as a decode step.
    %q_5 = tensor.extract_slice %q[156, 0, 0] [1, 4, 128] [1, 1, 1] : tensor<157x4x128xbf16> to tensor<1x4x128xbf16>
    %r_5 = tensor.extract_slice %r[156, 0, 0] [1, 4, 32] [1, 1, 1] : tensor<157x4x32xbf16> to tensor<1x4x32xbf16>
    %table_5 = tensor.extract_slice %table[4, 0] [1, 21] [1, 1] : tensor<5x21xi32> to tensor<1x21xi32>
    %cu_q_5 = arith.constant dense<[0, 1]> : tensor<2xi32>
    %cu_kv_5 = arith.constant dense<[0, 280]> : tensor<2xi32>
    %y_5 = deepseek.latent_attention %q_5, %r_5, %cache, %table_5, %cu_q_5, %cu_kv_5 {scale = 32.0 : f64}
        : (tensor<1x4x128xbf16>, tensor<1x4x32xbf16>, !pages, tensor<1x21xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<1x4x128xbf16>
    %same_5 = tensor.extract_slice %y[156, 0, 0] [1, 4, 128] [1, 1, 1] : tensor<157x4x128xbf16> to tensor<1x4x128xbf16>
    check.expect_eq %y_5, %same_5 : tensor<1x4x128xbf16>
    return
  }

  // 40 heads of V3's sizes: blocks of 32 heads, or of 16, the last one not full; and
  // tiles of 32 rows where memory is small. Three rows are split, 70 rows walked.
  func.func @wide() {
    %q = deepseek.get_weight @wide_q : tensor<70x40x512xbf16>
    %r = deepseek.get_weight @wide_r : tensor<70x40x64xbf16>
    %rows = deepseek.get_weight @wide_rows : tensor<8x64x576xbf16>
    %cache = tensor.cast %rows : tensor<8x64x576xbf16> to !wide
    %table = arith.constant dense<[[3, 0, 0, 0, 0], [7, 1, 6, 2, 4], [0, 5, 0, 0, 0]]> : tensor<3x5xi32>
    %cu_q = arith.constant dense<[0, 1, 3, 70]> : tensor<4xi32>
    %cu_kv = arith.constant dense<[0, 20, 320, 387]> : tensor<4xi32>
    %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 32.0 : f64}
        : (tensor<70x40x512xbf16>, tensor<70x40x64xbf16>, !wide, tensor<3x5xi32>, tensor<4xi32>, tensor<4xi32>) -> tensor<70x40x512xbf16>

    %q_3 = tensor.extract_slice %q[0, 0, 0] [3, 40, 512] [1, 1, 1] : tensor<70x40x512xbf16> to tensor<3x40x512xbf16>
    %r_3 = tensor.extract_slice %r[0, 0, 0] [3, 40, 64] [1, 1, 1] : tensor<70x40x64xbf16> to tensor<3x40x64xbf16>
    %table_3 = tensor.extract_slice %table[0, 0] [2, 5] [1, 1] : tensor<3x5xi32> to tensor<2x5xi32>
    %cu_q_3 = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
    %cu_kv_3 = arith.constant dense<[0, 20, 320]> : tensor<3xi32>
    %y_3 = deepseek.latent_attention %q_3, %r_3, %cache, %table_3, %cu_q_3, %cu_kv_3 {scale = 32.0 : f64}
        : (tensor<3x40x512xbf16>, tensor<3x40x64xbf16>, !wide, tensor<2x5xi32>, tensor<3xi32>, tensor<3xi32>) -> tensor<3x40x512xbf16>
    %same_3 = tensor.extract_slice %y[0, 0, 0] [3, 40, 512] [1, 1, 1] : tensor<70x40x512xbf16> to tensor<3x40x512xbf16>
    check.expect_eq %y_3, %same_3 : tensor<3x40x512xbf16>

    %q32 = arith.extf %q_3 : tensor<3x40x512xbf16> to tensor<3x40x512xf32>
    %r32 = arith.extf %r_3 : tensor<3x40x64xbf16> to tensor<3x40x64xf32>
    %rows32 = arith.extf %rows : tensor<8x64x576xbf16> to tensor<8x64x576xf32>
    %cache32 = tensor.cast %rows32 : tensor<8x64x576xf32> to !wide32
    %expected = deepseek.latent_attention %q32, %r32, %cache32, %table_3, %cu_q_3, %cu_kv_3 {scale = 32.0 : f64}
        : (tensor<3x40x512xf32>, tensor<3x40x64xf32>, !wide32, tensor<2x5xi32>, tensor<3xi32>, tensor<3xi32>) -> tensor<3x40x512xf32>
    %y32 = arith.extf %y_3 : tensor<3x40x512xbf16> to tensor<3x40x512xf32>
    check.expect_close %y32, %expected {atol = 4.0e-4 : f64, rtol = 0.0 : f64} : tensor<3x40x512xf32>
    return
  }

  // The expanded form: one row, three rows with 70 cached ones, 150 rows with 280.
  func.func @expanded() {
    %q = deepseek.get_weight @q : tensor<154x4x96xbf16>
    %nope = tensor.extract_slice %q[0, 0, 0] [154, 4, 64] [1, 1, 1] : tensor<154x4x96xbf16> to tensor<154x4x64xbf16>
    %r = tensor.extract_slice %q[0, 0, 64] [154, 4, 32] [1, 1, 1] : tensor<154x4x96xbf16> to tensor<154x4x32xbf16>
    %kv = deepseek.get_weight @kv : tensor<355x4x128xbf16>
    %rows = deepseek.get_weight @rows : tensor<36x64x160xbf16>
    %cache = tensor.cast %rows : tensor<36x64x160xbf16> to !pages
    %table = arith.constant dense<[[7, 0, 0, 0, 0], [2, 9, 0, 0, 0], [20, 3, 11, 24, 1]]> : tensor<3x5xi32>
    %cu_q = arith.constant dense<[0, 1, 4, 154]> : tensor<4xi32>
    %cu_kv = arith.constant dense<[0, 5, 75, 355]> : tensor<4xi32>
    %total = arith.constant 355 : index
    %gathered = deepseek.cache_gather %cache, %table, %cu_kv, %total : (!pages, tensor<3x5xi32>, tensor<4xi32>, index) -> tensor<355x160xbf16>
    // Row 6 of the second sequence's second page, and the last row of all.
    %row_75 = tensor.extract_slice %gathered[74, 0] [1, 160] [1, 1] : tensor<355x160xbf16> to tensor<1x160xbf16>
    %is_75 = tensor.extract_slice %rows[9, 5, 0] [1, 1, 160] [1, 1, 1] : tensor<36x64x160xbf16> to tensor<1x160xbf16>
    check.expect_eq %row_75, %is_75 : tensor<1x160xbf16>
    %row_355 = tensor.extract_slice %gathered[354, 0] [1, 160] [1, 1] : tensor<355x160xbf16> to tensor<1x160xbf16>
    %is_355 = tensor.extract_slice %rows[1, 23, 0] [1, 1, 160] [1, 1, 1] : tensor<36x64x160xbf16> to tensor<1x160xbf16>
    check.expect_eq %row_355, %is_355 : tensor<1x160xbf16>

    %k_rope = tensor.extract_slice %gathered[0, 128] [355, 32] [1, 1] : tensor<355x160xbf16> to tensor<355x32xbf16>
    %y = deepseek.attention %nope, %r, %kv, %k_rope, %cu_q, %cu_kv {scale = 20.0 : f64}
        : (tensor<154x4x64xbf16>, tensor<154x4x32xbf16>, tensor<355x4x128xbf16>, tensor<355x32xbf16>, tensor<4xi32>, tensor<4xi32>) -> tensor<154x4x64xbf16>
    %nope32 = arith.extf %nope : tensor<154x4x64xbf16> to tensor<154x4x64xf32>
    %r32 = arith.extf %r : tensor<154x4x32xbf16> to tensor<154x4x32xf32>
    %kv32 = arith.extf %kv : tensor<355x4x128xbf16> to tensor<355x4x128xf32>
    %k_rope32 = arith.extf %k_rope : tensor<355x32xbf16> to tensor<355x32xf32>
    %expected = deepseek.attention %nope32, %r32, %kv32, %k_rope32, %cu_q, %cu_kv {scale = 20.0 : f64}
        : (tensor<154x4x64xf32>, tensor<154x4x32xf32>, tensor<355x4x128xf32>, tensor<355x32xf32>, tensor<4xi32>, tensor<4xi32>) -> tensor<154x4x64xf32>
    %y32 = arith.extf %y : tensor<154x4x64xbf16> to tensor<154x4x64xf32>
    check.expect_close %y32, %expected {atol = 7.0e-4 : f64, rtol = 0.0 : f64} : tensor<154x4x64xf32>

    // Rows 100 to 139 of the last sequence as a step of their own.
    %nope_3 = tensor.extract_slice %nope[104, 0, 0] [40, 4, 64] [1, 1, 1] : tensor<154x4x64xbf16> to tensor<40x4x64xbf16>
    %r_3 = tensor.extract_slice %r[104, 0, 0] [40, 4, 32] [1, 1, 1] : tensor<154x4x32xbf16> to tensor<40x4x32xbf16>
    %kv_3 = tensor.extract_slice %kv[75, 0, 0] [270, 4, 128] [1, 1, 1] : tensor<355x4x128xbf16> to tensor<270x4x128xbf16>
    %k_rope_3 = tensor.extract_slice %k_rope[75, 0] [270, 32] [1, 1] : tensor<355x32xbf16> to tensor<270x32xbf16>
    %cu_q_3 = arith.constant dense<[0, 40]> : tensor<2xi32>
    %cu_kv_3 = arith.constant dense<[0, 270]> : tensor<2xi32>
    %y_3 = deepseek.attention %nope_3, %r_3, %kv_3, %k_rope_3, %cu_q_3, %cu_kv_3 {scale = 20.0 : f64}
        : (tensor<40x4x64xbf16>, tensor<40x4x32xbf16>, tensor<270x4x128xbf16>, tensor<270x32xbf16>, tensor<2xi32>, tensor<2xi32>) -> tensor<40x4x64xbf16>
    %same_3 = tensor.extract_slice %y[104, 0, 0] [40, 4, 64] [1, 1, 1] : tensor<154x4x64xbf16> to tensor<40x4x64xbf16>
    check.expect_eq %y_3, %same_3 : tensor<40x4x64xbf16>
    return
  }
}
