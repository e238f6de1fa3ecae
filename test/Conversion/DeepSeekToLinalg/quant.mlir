// RUN: ds-opt %s --pass-pipeline='builtin.module(func.func(convert-deepseek-to-linalg))' | FileCheck %s

!x = tensor<?x192xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!x2 = tensor<?x192xf8E4M3FN, #deepseek.block_scaled<[1, 128], power_of_two>>
!w = tensor<64x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!stack = tensor<16x64x192xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// The last block is 64 wide. A power of two comes out of the exponent bits.
// CHECK-LABEL: func.func @quantize
// CHECK: scf.forall (%[[T:.*]], %[[B:.*]]) in (%{{.*}}, 2)
// CHECK: arith.minsi %{{.*}}, %c128
// CHECK: math.absf
// CHECK: arith.divf %{{.*}}, %cst{{.*}} : f32
// CHECK: arith.bitcast
// CHECK: arith.shrui
// CHECK: arith.divf
// CHECK: arith.truncf %{{.*}} : f32 to f8E4M3FN
func.func @quantize(%x: tensor<?x192xbf16>, %o0: !x2, %o1: tensor<?x2xf32>) -> (!x2, tensor<?x2xf32>) {
  %q, %s = deepseek.quantize %x : (tensor<?x192xbf16>) -> (!x2, tensor<?x2xf32>)
  return %q, %s : !x2, tensor<?x2xf32>
}

// By itself, dequantize writes its result.
// CHECK-LABEL: func.func @dequantize
// CHECK: scf.forall
// CHECK: arith.extf %{{.*}} : f8E4M3FN to f32
// CHECK: arith.mulf
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func @dequantize(%q: !x, %s: tensor<?x2xf32>, %out: tensor<?x192xbf16>) -> tensor<?x192xbf16> {
  %y = deepseek.dequantize %q, %s : (!x, tensor<?x2xf32>) -> tensor<?x192xbf16>
  return %y : tensor<?x192xbf16>
}

// CHECK-LABEL: func.func @scaled_linear
// Few rows: widened once, then the whole block of 128 inputs and the ragged one of 64.
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins({{.*}}tensor<4x1x128xbf16>, tensor<64x1x128xf8E4M3FN>, tensor<4x1xf32>, tensor<1xf32>)
// CHECK: %[[PRODUCT:.*]] = arith.mulf
// CHECK: %[[SCALE:.*]] = arith.mulf
// CHECK: math.fma %[[PRODUCT]], %[[SCALE]]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins({{.*}}tensor<4x1x64xbf16>, tensor<64x1x64xf8E4M3FN>, tensor<4x1xf32>, tensor<1xf32>)
func.func @scaled_linear(%x: !x, %xs: tensor<?x2xf32>, %w: !w, %ws: tensor<1x2xf32>, %out: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = deepseek.scaled_linear %x, %xs, %w, %ws : (!x, tensor<?x2xf32>, !w, tensor<1x2xf32>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @scaled_grouped_linear
// CHECK: scf.forall (%[[O:.*]], %[[E:.*]]) = (0, 0) to (64, 16) step (64, 1)
// CHECK: tensor.extract_slice %{{.*}}[%[[E]], 0, 0] [1, 64, 192]
func.func @scaled_grouped_linear(%x: !x, %xs: tensor<?x2xf32>, %w: !stack, %ws: tensor<16x1x2xf32>, %offsets: tensor<17xi32>,
                                 %out: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = deepseek.scaled_grouped_linear %x, %xs, %w, %ws, %offsets
      : (!x, tensor<?x2xf32>, !stack, tensor<16x1x2xf32>, tensor<17xi32>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// A block of 128 x 128 takes one scale of 128 rows of the old ones, per 128 inputs.
!rows = tensor<256x192xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
!blocks = tensor<256x192xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
// CHECK-LABEL: func.func @requantize
// CHECK: scf.forall (%[[R:.*]], %[[C:.*]]) in (2, 2)
// CHECK: tensor.extract_slice %arg1[%{{.*}}, %{{.*}}] [%{{.*}}, 128] [1, 1] : tensor<2x256xf32> to tensor<?x128xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "reduction"]
// CHECK: arith.mulf
// CHECK: math.absf
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
// CHECK: arith.truncf %{{.*}} : f32 to f8E4M3FN
func.func @requantize(%q: !rows, %s: tensor<2x256xf32>, %o0: !blocks, %o1: tensor<2x2xf32>) -> (!blocks, tensor<2x2xf32>) {
  %q2, %s2 = deepseek.requantize %q, %s : (!rows, tensor<2x256xf32>) -> (!blocks, tensor<2x2xf32>)
  return %q2, %s2 : !blocks, tensor<2x2xf32>
}
