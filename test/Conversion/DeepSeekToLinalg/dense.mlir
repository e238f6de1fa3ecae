// RUN: ds-opt %s --pass-pipeline='builtin.module(func.func(convert-deepseek-to-linalg))' | FileCheck %s

// CHECK: #[[SCALE:.*]] = affine_map<(d0, d1, d2) -> (d2 floordiv 128)>

// One parallel loop over tokens; the result is written into the out argument.
// CHECK-LABEL: func.func @embedding
// CHECK-SAME: %[[TOKENS:.*]]: tensor<?xi32>, %[[TABLE:.*]]: tensor<100x64xbf16>, %[[OUT:.*]]: tensor<?x64xbf16>
// CHECK: scf.forall (%[[T:.*]]) in (%{{.*}}) shared_outs(%{{.*}} = %[[OUT]])
// CHECK: %[[TOKEN:.*]] = tensor.extract %[[TOKENS]][%[[T]]]
// CHECK: %[[ROW:.*]] = arith.index_cast %[[TOKEN]]
// CHECK: tensor.extract_slice %[[TABLE]][%[[ROW]], 0] [1, 64] [1, 1]
func.func @embedding(%tokens: tensor<?xi32>, %table: tensor<100x64xbf16>, %out: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = deepseek.embedding %tokens, %table : (tensor<?xi32>, tensor<100x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// The sum of squares is f32, the row is rounded once.
// CHECK-LABEL: func.func @rms_norm
// CHECK: scf.forall
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction"]
// CHECK: math.fma
// CHECK: math.sqrt
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel"]
// CHECK-COUNT-1: arith.truncf
// CHECK: scf.forall.in_parallel
func.func @rms_norm(%x: tensor<?x64xbf16>, %gamma: tensor<64xbf16>, %out: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6 : f64} : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// Parallel over tiles of outputs, all tokens inside. Few tokens: blocks of 4, then
// single ones; the FP8 weight is dequantized in the product, rounded to what
// dequantize gives. From 8 tokens on: 16 outputs of the weight are dequantized once,
// and blocks of 6 tokens, of which the last one may begin within the one before.
// CHECK-LABEL: func.func @linear
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<192x256xf8E4M3FN>
// CHECK-NOT: tensor<192x256xbf16>
// CHECK: scf.forall (%[[O:.*]]) = (0) to (192) step (64)
// CHECK: tensor.extract_slice %[[Q]][%[[O]], 0] [64, 256] [1, 1]
// CHECK: %[[BLOCK:.*]] = arith.divui %[[O]], %c128
// CHECK: tensor.extract_slice %{{.*}}[%[[BLOCK]], 0] [1, 2] [1, 1] : tensor<2x2xf32> to tensor<2xf32>
// CHECK: %[[FEW:.*]] = arith.cmpi slt, %[[TOKENS:.*]], %c8
// CHECK: scf.if %[[FEW]]
// CHECK: scf.for {{.*}} step %c4
// CHECK: linalg.generic {{.*}}#[[SCALE]]{{.*}}iterator_types = ["parallel", "parallel", "reduction"]
// CHECK-SAME: tensor<4x256xbf16>, tensor<64x256xf8E4M3FN>, tensor<2xf32>) outs({{.*}}tensor<4x64xf32>)
// CHECK: %[[W:.*]] = arith.extf %{{.*}} : f8E4M3FN to f32
// CHECK: %[[P:.*]] = arith.mulf %[[W]]
// CHECK: %[[R:.*]] = arith.truncf %[[P]] : f32 to bf16
// CHECK: %[[F:.*]] = arith.extf %[[R]] : bf16 to f32
// CHECK: math.fma %{{.*}}, %[[F]], %{{.*}}
// CHECK: scf.for {{.*}} step %c1
// CHECK: math.fma
// CHECK: } else {
// CHECK: %[[LAST:.*]] = arith.subi %[[TOKENS]], %c6
// CHECK: scf.for {{.*}} step %c16
// CHECK: %[[DENSE:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins({{.*}}tensor<16x256xf8E4M3FN>, tensor<2xf32>) outs({{.*}}tensor<16x256xbf16>)
// CHECK: scf.for %[[T:.*]] = {{.*}} to %[[TOKENS]] step %c6
// CHECK: arith.minsi %[[T]], %[[LAST]]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK-SAME: %[[DENSE]] : tensor<6x256xbf16>, tensor<16x256xbf16>) outs({{.*}}tensor<6x16xf32>)
func.func @linear(%x: tensor<?x256xbf16>, %q: tensor<192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>,
                  %s: tensor<2x2xf32>, %out: tensor<?x192xbf16>) -> tensor<?x192xbf16> {
  %w = deepseek.dequantize %q, %s : (tensor<192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> tensor<192x256xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x256xbf16>, tensor<192x256xbf16>) -> tensor<?x192xbf16>
  return %y : tensor<?x192xbf16>
}

// A product of f32 needs no rounding of the weight.
// CHECK-LABEL: func.func @linear_f32
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @linear_f32(%x: tensor<?x256xf32>, %q: tensor<192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>,
                      %s: tensor<2x2xf32>, %out: tensor<?x192xf32>) -> tensor<?x192xf32> {
  %w = deepseek.dequantize %q, %s : (tensor<192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> tensor<192x256xf32>
  %y = deepseek.linear %x, %w : (tensor<?x256xf32>, tensor<192x256xf32>) -> tensor<?x192xf32>
  return %y : tensor<?x192xf32>
}

// The tile divides the outputs: 40 = 5 * 8.
// CHECK-LABEL: func.func @linear_small
// CHECK: scf.forall {{.*}} = (0) to (40) step (8)
func.func @linear_small(%x: tensor<?x256xbf16>, %w: tensor<40x256xbf16>, %out: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %y = deepseek.linear %x, %w : (tensor<?x256xbf16>, tensor<40x256xbf16>) -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}

// The rows of a head are found in the matrix of all heads: n * 192 + 64 + o.
// CHECK-LABEL: func.func @head_linear
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<768x64xf8E4M3FN>
// CHECK: scf.forall (%[[N:.*]], %[[O:.*]]) = (0, 0) to (4, 128) step (1, 64)
// CHECK: %[[HEAD:.*]] = arith.muli %[[N]], %c192
// CHECK: %[[FIRST:.*]] = arith.addi %[[HEAD]], %c64
// CHECK: %[[ROW:.*]] = arith.addi %[[FIRST]], %[[O]]
// CHECK: tensor.extract_slice %[[Q]][%[[ROW]], 0] [64, 64] [1, 1]
func.func @head_linear(%x: tensor<?x4x64xbf16>, %q: tensor<768x64xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>,
                       %s: tensor<6x1xf32>, %out: tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16> {
  %w = deepseek.dequantize %q, %s : (tensor<768x64xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<6x1xf32>) -> tensor<768x64xbf16>
  %heads = tensor.expand_shape %w [[0, 1], [2]] output_shape [4, 192, 64] : tensor<768x64xbf16> into tensor<4x192x64xbf16>
  %values = tensor.extract_slice %heads[0, 64, 0] [4, 128, 64] [1, 1, 1] : tensor<4x192x64xbf16> to tensor<4x128x64xbf16>
  %y = deepseek.head_linear %x, %values : (tensor<?x4x64xbf16>, tensor<4x128x64xbf16>) -> tensor<?x4x128xbf16>
  return %y : tensor<?x4x128xbf16>
}

// Transposed: inputs are added one by one, outputs lie side by side.
// CHECK-LABEL: func.func @head_linear_transposed
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction", "parallel"]
func.func @head_linear_transposed(%x: tensor<?x4x64xbf16>, %w: tensor<4x64x128xbf16>, %out: tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16> {
  %y = deepseek.head_linear %x, %w {transposed} : (tensor<?x4x64xbf16>, tensor<4x64x128xbf16>) -> tensor<?x4x128xbf16>
  return %y : tensor<?x4x128xbf16>
}

// CHECK-LABEL: func.func @swiglu
// CHECK: scf.forall
// CHECK: math.exp
// CHECK: arith.divf
func.func @swiglu(%gate: tensor<?x64xbf16>, %up: tensor<?x64xbf16>, %out: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = deepseek.swiglu %gate, %up : (tensor<?x64xbf16>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// Frequencies are constants: theta^0 and theta^(-1/2). Pairs are interleaved.
// CHECK-LABEL: func.func @rope
// CHECK: dense<[1.000000e+00, 0.00999999977]>
// CHECK: scf.forall
// CHECK: arith.sitofp
// CHECK: math.cos
// CHECK: math.sin
// CHECK: tensor.extract_slice %{{.*}}[0, 0] [2, 2] [1, 2] : tensor<2x4xf32> to tensor<2x2xf32>
// CHECK: tensor.extract_slice %{{.*}}[0, 1] [2, 2] [1, 2] : tensor<2x4xf32> to tensor<2x2xf32>
// CHECK: arith.subf
// CHECK: arith.addf
func.func @rope(%x: tensor<?x2x4xf32>, %positions: tensor<?xi32>, %out: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
  %y = deepseek.rope %x, %positions {theta = 10000.0 : f64} : (tensor<?x2x4xf32>, tensor<?xi32>) -> tensor<?x2x4xf32>
  return %y : tensor<?x2x4xf32>
}

// Strictly greater, so that the lowest index wins a tie.
// CHECK-LABEL: func.func @argmax
// CHECK: scf.forall
// CHECK: scf.for
// CHECK: arith.cmpf ogt
func.func @argmax(%logits: tensor<?x100xf32>, %out: tensor<?xi32>) -> tensor<?xi32> {
  %y = deepseek.argmax %logits : (tensor<?x100xf32>) -> tensor<?xi32>
  return %y : tensor<?xi32>
}

// Weights one below the other: each tile is of one of them, read in place.
// CHECK-LABEL: func.func @linear_concat
// CHECK-SAME: %[[A:[a-z0-9]*]]: tensor<192x256xf8E4M3FN>, %[[AS:[a-z0-9]*]]: tensor<2x2xf32>, %[[B:[a-z0-9]*]]: tensor<160x256xf8E4M3FN>, %[[BS:[a-z0-9]*]]: tensor<2x2xf32>
// CHECK: scf.forall (%[[O:.*]]) = (0) to (352) step (32)
// CHECK: %[[FIRST:.*]] = arith.cmpi slt, %[[O]], %c192
// CHECK: %[[TILE:.*]]:2 = scf.if %[[FIRST]]
// CHECK: tensor.extract_slice %[[A]][%[[O]], 0] [32, 256] [1, 1]
// CHECK: tensor.extract_slice %[[AS]]
// CHECK: } else {
// CHECK: %[[ROW:.*]] = arith.subi %[[O]], %c192
// CHECK: tensor.extract_slice %[[B]][%[[ROW]], 0] [32, 256] [1, 1]
// CHECK: tensor.extract_slice %[[BS]]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[TILE]]#0, %[[TILE]]#1
// CHECK-NOT: tensor.concat
// CHECK: return
func.func @linear_concat(%x: tensor<?x256xbf16>, %a: tensor<192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %as: tensor<2x2xf32>,
                         %b: tensor<160x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %bs: tensor<2x2xf32>, %out: tensor<?x352xbf16>) -> tensor<?x352xbf16> {
  %wa = deepseek.dequantize %a, %as : (tensor<192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> tensor<192x256xbf16>
  %wb = deepseek.dequantize %b, %bs : (tensor<160x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> tensor<160x256xbf16>
  %w = tensor.concat dim(0) %wa, %wb : (tensor<192x256xbf16>, tensor<160x256xbf16>) -> tensor<352x256xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x256xbf16>, tensor<352x256xbf16>) -> tensor<?x352xbf16>
  return %y : tensor<?x352xbf16>
}
