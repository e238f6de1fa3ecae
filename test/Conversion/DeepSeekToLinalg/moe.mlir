// RUN: ds-opt %s --pass-pipeline='builtin.module(func.func(convert-deepseek-to-linalg))' | FileCheck %s

// The bias chooses and does not weigh: weights are divided scores.
// CHECK-LABEL: func.func @route
// CHECK-SAME: %[[S:[a-z0-9]*]]: tensor<?x4xf32>, %[[I:[a-z0-9]*]]: tensor<?x4xi32>) ->
// CHECK: scf.forall {{.*}} shared_outs(%{{.*}} = %[[S]], %{{.*}} = %[[I]])
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: arith.cmpf ogt
// CHECK: arith.divf
// CHECK: arith.mulf
func.func @route(%logits: tensor<?x16xf32>, %bias: tensor<16xf32>, %s: tensor<?x4xf32>, %i: tensor<?x4xi32>) -> (tensor<?x4xf32>, tensor<?x4xi32>) {
  %scores, %indices = deepseek.route %logits, %bias
      {scoring = #deepseek.scoring<sigmoid>, top_k = 4 : i64, groups = 4 : i64, top_groups = 2 : i64, normalize, scale = 2.5 : f64}
      : (tensor<?x16xf32>, tensor<16xf32>) -> (tensor<?x4xf32>, tensor<?x4xi32>)
  return %scores, %indices : tensor<?x4xf32>, tensor<?x4xi32>
}

// Counted and sorted in order, then the rows are copied in parallel.
// CHECK-LABEL: func.func @moe_dispatch
// CHECK: linalg.fill
// CHECK: scf.for
// CHECK: scf.forall
// CHECK: arith.divui %{{.*}}, %c4
func.func @moe_dispatch(%x: tensor<?x64xbf16>, %indices: tensor<?x4xi32>, %o0: tensor<?x64xbf16>, %o1: tensor<17xi32>, %o2: tensor<?xi32>)
    -> (tensor<?x64xbf16>, tensor<17xi32>, tensor<?xi32>) {
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 16 : i64}
      : (tensor<?x64xbf16>, tensor<?x4xi32>) -> (tensor<?x64xbf16>, tensor<17xi32>, tensor<?xi32>)
  return %rows, %offsets, %source : tensor<?x64xbf16>, tensor<17xi32>, tensor<?xi32>
}

// A stacked weight is only ever used one expert at a time: it may be a table.
// CHECK-LABEL: func.func @grouped_linear
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<16x192x256xf8E4M3FN>, %[[SCALES:[a-z0-9]*]]: tensor<16x2x2xf32>
// CHECK: scf.forall (%[[O:.*]], %[[E:.*]]) = (0, 0) to (192, 16) step (64, 1)
// CHECK: tensor.extract_slice %[[Q]][%[[E]], 0, 0] [1, 192, 256] [1, 1, 1] : tensor<16x192x256xf8E4M3FN> to tensor<192x256xf8E4M3FN>
// CHECK: tensor.extract_slice %[[SCALES]][%[[E]], 0, 0] [1, 2, 2] [1, 1, 1] : tensor<16x2x2xf32> to tensor<2x2xf32>
// CHECK-NOT: %[[Q]]{{[^0-9]}}
// CHECK: return
func.func @grouped_linear(%x: tensor<?x256xbf16>, %q: tensor<16x192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %s: tensor<16x2x2xf32>,
                          %offsets: tensor<17xi32>, %out: tensor<?x192xbf16>) -> tensor<?x192xbf16> {
  %w = deepseek.dequantize %q, %s : (tensor<16x192x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<16x2x2xf32>) -> tensor<16x192x256xbf16>
  %y = deepseek.grouped_linear %x, %w, %offsets : (tensor<?x256xbf16>, tensor<16x192x256xbf16>, tensor<17xi32>) -> tensor<?x192xbf16>
  return %y : tensor<?x192xbf16>
}

// Rows are added in ascending order, then the shared expert, then one rounding.
// CHECK-LABEL: func.func @moe_combine
// CHECK: scf.forall
// CHECK: scf.if
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK-COUNT-1: arith.truncf
func.func @moe_combine(%rows: tensor<?x64xbf16>, %source: tensor<?xi32>, %scores: tensor<?x4xf32>, %shared: tensor<?x64xbf16>,
                       %out: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = deepseek.moe_combine %rows, %source, %scores, %shared
      : (tensor<?x64xbf16>, tensor<?xi32>, tensor<?x4xf32>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @expert_load
// CHECK: linalg.fill
// CHECK: scf.for
// CHECK: tensor.insert
func.func @expert_load(%indices: tensor<?x4xi32>, %out: tensor<16xi32>) -> tensor<16xi32> {
  %y = deepseek.expert_load %indices {num_experts = 16 : i64} : (tensor<?x4xi32>) -> tensor<16xi32>
  return %y : tensor<16xi32>
}

// The mean is compared in whole numbers.
// CHECK-LABEL: func.func @update_router_bias
// CHECK: arith.extsi %{{.*}} : i32 to i64
// CHECK: arith.cmpi sgt
// CHECK: arith.cmpi slt
func.func @update_router_bias(%bias: tensor<16xf32>, %load: tensor<16xi32>, %out: tensor<16xf32>) -> tensor<16xf32> {
  %y = deepseek.update_router_bias %bias, %load {speed = 1.0e-3 : f64} : (tensor<16xf32>, tensor<16xi32>) -> tensor<16xf32>
  return %y : tensor<16xf32>
}
