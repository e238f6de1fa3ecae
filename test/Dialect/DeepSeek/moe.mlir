// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

shard.grid @ranks(shape = 2)

// CHECK-LABEL: func @route
func.func @route(%logits: tensor<?x8xf32>, %bias: tensor<8xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>, tensor<?x3xf32>, tensor<?x3xi32>) {
  // CHECK: %scores, %experts = deepseek.route %{{.*}}, %{{.*}} {groups = 4 : i64, normalize, scale = 2.500000e+00 : f64, scoring = #deepseek.scoring<sigmoid>, top_groups = 2 : i64, top_k = 3 : i64} : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  %0:2 = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>, top_k = 3, groups = 4, top_groups = 2, normalize, scale = 2.5}
      : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  // CHECK: deepseek.route %{{.*}} {scoring = #deepseek.scoring<softmax>, top_k = 3 : i64} : (tensor<?x8xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  %1:2 = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 3} : (tensor<?x8xf32>) -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return %0#0, %0#1, %1#0, %1#1 : tensor<?x3xf32>, tensor<?x3xi32>, tensor<?x3xf32>, tensor<?x3xi32>
}

// CHECK-LABEL: func @experts
func.func @experts(%x: tensor<?x4xf32>, %scores: tensor<?x3xf32>, %indices: tensor<?x3xi32>, %gate: tensor<8x6x4xbf16>,
                   %up: tensor<8x6x4xbf16>, %down: tensor<8x4x6xbf16>, %shared: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  // CHECK: %experts = deepseek.experts %{{.*}} : (tensor<?x4xf32>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<8x6x4xbf16>, tensor<8x6x4xbf16>, tensor<8x4x6xbf16>) -> tensor<?x4xf32>
  %0 = deepseek.experts %x, %scores, %indices, %gate, %up, %down
      : (tensor<?x4xf32>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<8x6x4xbf16>, tensor<8x6x4xbf16>, tensor<8x4x6xbf16>) -> tensor<?x4xf32>
  // CHECK: deepseek.experts %{{.*}} : ({{.*}}, tensor<8x4x6xbf16>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = deepseek.experts %x, %scores, %indices, %gate, %up, %down, %shared
      : (tensor<?x4xf32>, tensor<?x3xf32>, tensor<?x3xi32>, tensor<8x6x4xbf16>, tensor<8x6x4xbf16>, tensor<8x4x6xbf16>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: func @lowered
func.func @lowered(%x: tensor<?x4xf32>, %scores: tensor<?x3xf32>, %indices: tensor<?x3xi32>, %w: tensor<8x4x4xbf16>) -> tensor<?x4xf32> {
  // CHECK: %rows, %offsets, %source = deepseek.moe_dispatch %{{.*}}, %{{.*}} {num_experts = 8 : i64} : (tensor<?x4xf32>, tensor<?x3xi32>) -> (tensor<?x4xf32>, tensor<9xi32>, tensor<?xi32>)
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 8}
      : (tensor<?x4xf32>, tensor<?x3xi32>) -> (tensor<?x4xf32>, tensor<9xi32>, tensor<?xi32>)
  // CHECK: %grouped_linear = deepseek.grouped_linear %rows, %{{.*}}, %offsets : (tensor<?x4xf32>, tensor<8x4x4xbf16>, tensor<9xi32>) -> tensor<?x4xf32>
  %0 = deepseek.grouped_linear %rows, %w, %offsets : (tensor<?x4xf32>, tensor<8x4x4xbf16>, tensor<9xi32>) -> tensor<?x4xf32>
  // CHECK: %combined = deepseek.moe_combine %grouped_linear, %source, %{{.*}} : (tensor<?x4xf32>, tensor<?xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
  %1 = deepseek.moe_combine %0, %source, %scores : (tensor<?x4xf32>, tensor<?xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
  // CHECK: deepseek.moe_combine %{{.*}} : (tensor<?x4xf32>, tensor<?xi32>, tensor<?x3xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = deepseek.moe_combine %0, %source, %scores, %1 : (tensor<?x4xf32>, tensor<?xi32>, tensor<?x3xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}

// The shared expert as the last group; rows in FP8 with their scales.
// CHECK-LABEL: func @shared_group
func.func @shared_group(%x: tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, %scale: tensor<?x2xf32>, %scores: tensor<?x3xf32>, %indices: tensor<?x3xi32>, %out: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: %rows, %offsets, %source, %rows_scale = deepseek.moe_dispatch %{{.*}}, %{{.*}}, %{{.*}} {num_experts = 9 : i64, shared_group} : (tensor<?x256xf8E4M3FN, #block_scaled>, tensor<?x3xi32>, tensor<?x2xf32>) -> (tensor<?x256xf8E4M3FN, #block_scaled>, tensor<10xi32>, tensor<?xi32>, tensor<?x2xf32>)
  %rows, %offsets, %source, %rows_scale = deepseek.moe_dispatch %x, %indices, %scale {num_experts = 9, shared_group}
      : (tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<?x3xi32>, tensor<?x2xf32>)
      -> (tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<10xi32>, tensor<?xi32>, tensor<?x2xf32>)
  // CHECK: %combined = deepseek.moe_combine %{{.*}}, %source, %{{.*}} {shared_group} : (tensor<?x4xf32>, tensor<?xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
  %0 = deepseek.moe_combine %out, %source, %scores {shared_group} : (tensor<?x4xf32>, tensor<?xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// CHECK-LABEL: func @balance
func.func @balance(%indices: tensor<?x3xi32>, %bias: tensor<8xf32>) -> tensor<8xf32> {
  // CHECK: %load = deepseek.expert_load %{{.*}} {num_experts = 8 : i64} : (tensor<?x3xi32>) -> tensor<8xi32>
  %0 = deepseek.expert_load %indices {num_experts = 8} : (tensor<?x3xi32>) -> tensor<8xi32>
  // CHECK: %bias = deepseek.update_router_bias %{{.*}}, %load {speed = 1.000000e-03 : f64} : (tensor<8xf32>, tensor<8xi32>) -> tensor<8xf32>
  %1 = deepseek.update_router_bias %bias, %0 {speed = 1.0e-3} : (tensor<8xf32>, tensor<8xi32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// CHECK-LABEL: func @expert_parallel
func.func @expert_parallel(%x: tensor<?x4xf32>, %x_offsets: tensor<9xi32>) -> tensor<?x4xf32> {
  // CHECK: %rows, %offsets, %handle = deepseek.ep_dispatch %{{.*}} {capacity = 64 : i64, grid = @ranks, grid_axes = array<i16: 0>} : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<5xi32>, tensor<?xi32>)
  %rows, %offsets, %handle = deepseek.ep_dispatch %x, %x_offsets {grid = @ranks, grid_axes = array<i16: 0>, capacity = 64}
      : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<5xi32>, tensor<?xi32>)
  // CHECK: deepseek.ep_combine %rows, %handle {grid = @ranks, grid_axes = array<i16: 0>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  %0 = deepseek.ep_combine %rows, %handle {grid = @ranks, grid_axes = array<i16: 0>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
