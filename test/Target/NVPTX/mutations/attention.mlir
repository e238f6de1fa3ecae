// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_89" | ds-translate --emit=shared -o %t.so
// RUN: ds-test-mutations %S/attention.mutations %t.so env DSRT_SIMULATOR_RACES=2 ds-run %t.so check --device=simulator | FileCheck %s

// CHECK-NOT: MISSED
// CHECK: [[N:[0-9]+]] of [[N]] faults found

// Latent attention and attention in BF16 against those of f32, which no fast kernel
// takes. One query sees 300 rows in two chunks, four see the end of 70. Tables are
// sums and the cache has been appended to: kernels get them as arguments.

!pages = tensor<8x64x160xbf16, #deepseek.latent_cache<latent = 128, rope = 32>>
!wide = tensor<8x64x160xf32, #deepseek.latent_cache<latent = 128, rope = 32>>

module attributes {deepseek.source = "seed:1"} {
  deepseek.weight @q from "q" : tensor<5x4x128xf32>
  deepseek.weight @r from "r" : tensor<5x4x32xf32>
  deepseek.weight @rows from "rows" : tensor<8x64x160xf32>
  deepseek.weight @kv from "kv" : tensor<370x4x128xf32>
  deepseek.weight @k_rope from "k_rope" : tensor<370x32xf32>
  deepseek.weight @q_nope from "q_nope" : tensor<5x4x64xf32>
  deepseek.weight @zeros from "zeros" : tensor<2x5xf32>

  func.func @latent() {
    %big = arith.constant dense<40.0> : tensor<5x4x128xf32>
    %q0 = deepseek.get_weight @q : tensor<5x4x128xf32>
    %q1 = arith.mulf %q0, %big : tensor<5x4x128xf32>
    %q = arith.truncf %q1 : tensor<5x4x128xf32> to tensor<5x4x128xbf16>
    %r1 = deepseek.get_weight @r : tensor<5x4x32xf32>
    %r = arith.truncf %r1 : tensor<5x4x32xf32> to tensor<5x4x32xbf16>
    %rows1 = deepseek.get_weight @rows : tensor<8x64x160xf32>
    %rows = arith.truncf %rows1 : tensor<8x64x160xf32> to tensor<8x64x160xbf16>
    %pages0 = tensor.cast %rows : tensor<8x64x160xbf16> to !pages
    %latent = tensor.extract_slice %q[0, 0, 0] [1, 1, 128] [1, 1, 1] : tensor<5x4x128xbf16> to tensor<1x128xbf16>
    %rope = tensor.extract_slice %r[0, 0, 0] [1, 1, 32] [1, 1, 1] : tensor<5x4x32xbf16> to tensor<1x32xbf16>
    %nowhere = arith.constant dense<[-1]> : tensor<1xi32>
    %cache = deepseek.cache_append %pages0, %latent, %rope, %nowhere : (!pages, tensor<1x128xbf16>, tensor<1x32xbf16>, tensor<1xi32>) -> !pages
    %z = deepseek.get_weight @zeros : tensor<2x5xf32>
    %none = arith.fptosi %z : tensor<2x5xf32> to tensor<2x5xi32>
    %pages = arith.constant dense<[[2, 0, 5, 7, 1], [3, 4, 0, 0, 0]]> : tensor<2x5xi32>
    %table = arith.addi %pages, %none : tensor<2x5xi32>
    %none3 = tensor.extract_slice %none[0, 0] [1, 3] [1, 1] : tensor<2x5xi32> to tensor<3xi32>
    %cu_q3 = arith.constant dense<[0, 1, 5]> : tensor<3xi32>
    %cu_q = arith.addi %cu_q3, %none3 : tensor<3xi32>
    %cu_kv3 = arith.constant dense<[0, 300, 370]> : tensor<3xi32>
    %cu_kv = arith.addi %cu_kv3, %none3 : tensor<3xi32>
    %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.125 : f64}
        : (tensor<5x4x128xbf16>, tensor<5x4x32xbf16>, !pages, tensor<2x5xi32>, tensor<3xi32>, tensor<3xi32>) -> tensor<5x4x128xbf16>
    %qf = arith.extf %q : tensor<5x4x128xbf16> to tensor<5x4x128xf32>
    %rf = arith.extf %r : tensor<5x4x32xbf16> to tensor<5x4x32xf32>
    %rowsf = arith.extf %rows : tensor<8x64x160xbf16> to tensor<8x64x160xf32>
    %cachef = tensor.cast %rowsf : tensor<8x64x160xf32> to !wide
    %t = deepseek.latent_attention %qf, %rf, %cachef, %table, %cu_q, %cu_kv {scale = 0.125 : f64}
        : (tensor<5x4x128xf32>, tensor<5x4x32xf32>, !wide, tensor<2x5xi32>, tensor<3xi32>, tensor<3xi32>) -> tensor<5x4x128xf32>
    %yf = arith.extf %y : tensor<5x4x128xbf16> to tensor<5x4x128xf32>
    check.expect_close %yf, %t {atol = 1.0e-4 : f64, rtol = 0.01 : f64} : tensor<5x4x128xf32>
    return
  }

  func.func @expanded() {
    %big = arith.constant dense<40.0> : tensor<5x4x64xf32>
    %q0 = deepseek.get_weight @q_nope : tensor<5x4x64xf32>
    %q1 = arith.mulf %q0, %big : tensor<5x4x64xf32>
    %q = arith.truncf %q1 : tensor<5x4x64xf32> to tensor<5x4x64xbf16>
    %r1 = deepseek.get_weight @r : tensor<5x4x32xf32>
    %r = arith.truncf %r1 : tensor<5x4x32xf32> to tensor<5x4x32xbf16>
    %kv1 = deepseek.get_weight @kv : tensor<370x4x128xf32>
    %kv = arith.truncf %kv1 : tensor<370x4x128xf32> to tensor<370x4x128xbf16>
    %k1 = deepseek.get_weight @k_rope : tensor<370x32xf32>
    %k = arith.truncf %k1 : tensor<370x32xf32> to tensor<370x32xbf16>
    %z = deepseek.get_weight @zeros : tensor<2x5xf32>
    %none = arith.fptosi %z : tensor<2x5xf32> to tensor<2x5xi32>
    %none3 = tensor.extract_slice %none[0, 0] [1, 3] [1, 1] : tensor<2x5xi32> to tensor<3xi32>
    %cu_q3 = arith.constant dense<[0, 1, 5]> : tensor<3xi32>
    %cu_q = arith.addi %cu_q3, %none3 : tensor<3xi32>
    %cu_kv3 = arith.constant dense<[0, 300, 370]> : tensor<3xi32>
    %cu_kv = arith.addi %cu_kv3, %none3 : tensor<3xi32>
    %y = deepseek.attention %q, %r, %kv, %k, %cu_q, %cu_kv {scale = 0.125 : f64}
        : (tensor<5x4x64xbf16>, tensor<5x4x32xbf16>, tensor<370x4x128xbf16>, tensor<370x32xbf16>, tensor<3xi32>, tensor<3xi32>) -> tensor<5x4x64xbf16>
    %qf = arith.extf %q : tensor<5x4x64xbf16> to tensor<5x4x64xf32>
    %rf = arith.extf %r : tensor<5x4x32xbf16> to tensor<5x4x32xf32>
    %kvf = arith.extf %kv : tensor<370x4x128xbf16> to tensor<370x4x128xf32>
    %kf = arith.extf %k : tensor<370x32xbf16> to tensor<370x32xf32>
    %t = deepseek.attention %qf, %rf, %kvf, %kf, %cu_q, %cu_kv {scale = 0.125 : f64}
        : (tensor<5x4x64xf32>, tensor<5x4x32xf32>, tensor<370x4x128xf32>, tensor<370x32xf32>, tensor<3xi32>, tensor<3xi32>) -> tensor<5x4x64xf32>
    %yf = arith.extf %y : tensor<5x4x64xbf16> to tensor<5x4x64xf32>
    check.expect_close %yf, %t {atol = 1.0e-4 : f64, rtol = 0.01 : f64} : tensor<5x4x64xf32>
    return
  }
}
