// RUN: ds-opt %s -verify-diagnostics -split-input-file

func.func @route_c1(%logits: tensor<?x8xf32>) {
  // expected-error @below {{expected a number of experts divisible by groups = 3, got 8}}
  %0:2 = deepseek.route %logits {scoring = #deepseek.scoring<sigmoid>, top_k = 2, groups = 3, top_groups = 2} : (tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @route_c1(%logits: tensor<?x8xf32>) {
  // expected-error @below {{expected 0 < top_groups <= groups, got top_groups = 3 and groups = 2}}
  %0:2 = deepseek.route %logits {scoring = #deepseek.scoring<sigmoid>, top_k = 2, groups = 2, top_groups = 3} : (tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @route_c1(%logits: tensor<?x8xf32>) {
  // expected-error @below {{expected 0 < top_groups <= groups, got top_groups = 0 and groups = 0}}
  %0:2 = deepseek.route %logits {scoring = #deepseek.scoring<sigmoid>, top_k = 2, groups = 0, top_groups = 0} : (tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @route_c2(%logits: tensor<?x8xf32>) {
  // expected-error @below {{expected top_k of at most 4, the experts of top_groups groups, got 5}}
  %0:2 = deepseek.route %logits {scoring = #deepseek.scoring<sigmoid>, top_k = 5, groups = 4, top_groups = 2} : (tensor<?x8xf32>) -> (tensor<?x5xf32>, tensor<?x5xi32>)
  return
}

// -----

func.func @route_c2(%logits: tensor<?x8xf32>) {
  // expected-error @below {{expected a positive top_k, got 0}}
  %0:2 = deepseek.route %logits {scoring = #deepseek.scoring<sigmoid>, top_k = 0} : (tensor<?x8xf32>) -> (tensor<?x0xf32>, tensor<?x0xi32>)
  return
}

// -----

func.func @route_c3(%logits: tensor<?x8xf32>) {
  // expected-error @below {{expected shape(indices) = [T, top_k] with top_k = 2, got [?, 3]}}
  %0:2 = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 2} : (tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x3xi32>)
  return
}

// -----

func.func @route_c4(%logits: tensor<?x8xf32>, %bias: tensor<7xf32>) {
  // expected-error @below {{expected shape(bias) = [E] with E = 8, got [7]}}
  %0:2 = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>, top_k = 2} : (tensor<?x8xf32>, tensor<7xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @route_c5(%logits: tensor<?x8xf32>, %bias: tensor<8xf32>) {
  // expected-error @below {{expected at least two experts to a group, got 1}}
  %0:2 = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>, top_k = 2, groups = 8, top_groups = 2} : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @route_c6(%logits: tensor<?x8xf32>) {
  // expected-error @below {{expected a finite scale, got NaN}}
  %0:2 = deepseek.route %logits {scoring = #deepseek.scoring<softmax>, top_k = 2, scale = 0x7FF8000000000000 : f64} : (tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}

// -----

func.func @experts_c1(%x: tensor<?x4xf32>, %scores: tensor<?x2xf32>, %indices: tensor<?x3xi32>, %gate: tensor<8x6x4xf32>, %down: tensor<8x4x6xf32>) {
  // expected-error @below {{expected shape(indices) = [T, K] with K = 2, got [?, 3]}}
  %0 = deepseek.experts %x, %scores, %indices, %gate, %gate, %down
      : (tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x3xi32>, tensor<8x6x4xf32>, tensor<8x6x4xf32>, tensor<8x4x6xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @experts_c2(%x: tensor<?x4xf32>, %scores: tensor<?x2xf32>, %indices: tensor<?x2xi32>, %gate: tensor<8x6x4xf32>) {
  // expected-error @below {{expected shape(down) = [E, H, I] with H = 4, got [8, 6, 4]}}
  %0 = deepseek.experts %x, %scores, %indices, %gate, %gate, %gate
      : (tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<8x6x4xf32>, tensor<8x6x4xf32>, tensor<8x6x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @experts_c3(%x: tensor<?x4xf32>, %scores: tensor<?x2xf32>, %indices: tensor<?x2xi32>, %gate: tensor<8x6x4xf32>, %down: tensor<8x4x6xf32>, %shared: tensor<?x5xf32>) {
  // expected-error @below {{expected shape(shared) = [T, H] with H = 4, got [?, 5]}}
  %0 = deepseek.experts %x, %scores, %indices, %gate, %gate, %down, %shared
      : (tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<8x6x4xf32>, tensor<8x6x4xf32>, tensor<8x4x6xf32>, tensor<?x5xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @experts_c4(%x: tensor<?x4xf32>, %scores: tensor<?x2xf32>, %indices: tensor<?x2xi32>, %gate: tensor<8x6x4xf32>, %down: tensor<8x4x6xf32>) {
  // expected-error @below {{expected shape(result) = [T, H] with H = 4, got [?, 6]}}
  %0 = deepseek.experts %x, %scores, %indices, %gate, %gate, %down
      : (tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<8x6x4xf32>, tensor<8x6x4xf32>, tensor<8x4x6xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @moe_dispatch_c1(%x: tensor<3x4xf32>, %indices: tensor<4x2xi32>) {
  // expected-error @below {{expected shape(indices) = [T, K] with T = 3, got [4, 2]}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 8} : (tensor<3x4xf32>, tensor<4x2xi32>) -> (tensor<?x4xf32>, tensor<9xi32>, tensor<?xi32>)
  return
}

// -----

func.func @moe_dispatch_c2(%x: tensor<3x4xf32>, %indices: tensor<3x2xi32>) {
  // expected-error @below {{expected shape(rows) = [T * K, H] with T * K = 6, got [3, 4]}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 8} : (tensor<3x4xf32>, tensor<3x2xi32>) -> (tensor<3x4xf32>, tensor<9xi32>, tensor<6xi32>)
  return
}

// -----

func.func @moe_dispatch_c2(%x: tensor<?x4xf32>, %indices: tensor<?x2xi32>) {
  // expected-error @below {{expected shape(rows) = [T * K, H], got [5, 4]}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 8} : (tensor<?x4xf32>, tensor<?x2xi32>) -> (tensor<5x4xf32>, tensor<9xi32>, tensor<?xi32>)
  return
}

// -----

func.func @moe_dispatch_c2(%x: tensor<?x4xf32>, %indices: tensor<?x2xi32>) {
  // expected-error @below {{expected rows with the element type and encoding of x, 'tensor<?x4xf32>', got 'tensor<?x4xbf16>'}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 8} : (tensor<?x4xf32>, tensor<?x2xi32>) -> (tensor<?x4xbf16>, tensor<9xi32>, tensor<?xi32>)
  return
}

// -----

func.func @moe_dispatch_c3(%x: tensor<?x4xf32>, %indices: tensor<?x2xi32>) {
  // expected-error @below {{expected shape(offsets) = [num_experts + 1] with num_experts + 1 = 9, got [8]}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 8} : (tensor<?x4xf32>, tensor<?x2xi32>) -> (tensor<?x4xf32>, tensor<8xi32>, tensor<?xi32>)
  return
}

// -----

func.func @moe_dispatch_c4(%x: tensor<?x4xf32>, %indices: tensor<?x2xi32>) {
  // expected-error @below {{expected a positive num_experts below 2^31 - 1, got 9223372036854775807}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 9223372036854775807} : (tensor<?x4xf32>, tensor<?x2xi32>) -> (tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>)
  return
}

// -----

func.func @moe_dispatch_c2(%x: tensor<3x4xf32>, %indices: tensor<3x2xi32>) {
  // expected-error @below {{expected shape(rows) = [T * (K + 1), H] with T * (K + 1) = 9, got [6, 4]}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 9, shared_group} : (tensor<3x4xf32>, tensor<3x2xi32>) -> (tensor<6x4xf32>, tensor<10xi32>, tensor<6xi32>)
  return
}

// -----

func.func @moe_dispatch_c4(%x: tensor<?x4xf32>, %indices: tensor<?x2xi32>) {
  // expected-error @below {{expected at least two experts of which the last is the shared one, got 1}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 1, shared_group} : (tensor<?x4xf32>, tensor<?x2xi32>) -> (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>)
  return
}

// -----

!x = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
func.func @moe_dispatch_c5(%x: !x, %indices: tensor<?x2xi32>, %scale: tensor<?x2xf32>) {
  // expected-error @below {{expected both x_scale and rows_scale or neither, got only x_scale}}
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices, %scale {num_experts = 8} : (!x, tensor<?x2xi32>, tensor<?x2xf32>) -> (!x, tensor<9xi32>, tensor<?xi32>)
  return
}

// -----

!x = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @moe_dispatch_c5(%x: !x, %indices: tensor<?x2xi32>, %scale: tensor<?x2xf32>) {
  // expected-error @below {{expected x with a #deepseek.block_scaled encoding of one row to a block, row-major scales and no packing, got 'tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>'}}
  %rows, %offsets, %source, %rows_scale = deepseek.moe_dispatch %x, %indices, %scale {num_experts = 8} : (!x, tensor<?x2xi32>, tensor<?x2xf32>) -> (!x, tensor<9xi32>, tensor<?xi32>, tensor<?x2xf32>)
  return
}

// -----

!x = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
func.func @moe_dispatch_c6(%x: !x, %indices: tensor<?x2xi32>, %scale: tensor<?x2xf32>) {
  // expected-error @below {{expected shape(rows_scale) = [?, 2], got [?, 3]}}
  %rows, %offsets, %source, %rows_scale = deepseek.moe_dispatch %x, %indices, %scale {num_experts = 8} : (!x, tensor<?x2xi32>, tensor<?x2xf32>) -> (!x, tensor<9xi32>, tensor<?xi32>, tensor<?x3xf32>)
  return
}

// -----

!x = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128], power_of_two>>
func.func @moe_dispatch_c6(%x: !x, %indices: tensor<?x2xi32>, %scale: tensor<?x2xf32>) {
  // expected-error @below {{expected rows_scale with the element type and encoding of x_scale, 'tensor<?x2xf32>', got 'tensor<?x2xf8E8M0FNU>'}}
  %rows, %offsets, %source, %rows_scale = deepseek.moe_dispatch %x, %indices, %scale {num_experts = 8} : (!x, tensor<?x2xi32>, tensor<?x2xf32>) -> (!x, tensor<9xi32>, tensor<?xi32>, tensor<?x2xf8E8M0FNU>)
  return
}

// -----

func.func @grouped_linear_c1(%x: tensor<?x4xf32>, %w: tensor<8x6x4xf32>, %offsets: tensor<8xi32>) {
  // expected-error @below {{expected shape(offsets) = [E + 1] with E + 1 = 9, got [8]}}
  %0 = deepseek.grouped_linear %x, %w, %offsets : (tensor<?x4xf32>, tensor<8x6x4xf32>, tensor<8xi32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @grouped_linear_c2(%x: tensor<?x4xf32>, %w: tensor<8x6x4xf32>, %offsets: tensor<9xi32>) {
  // expected-error @below {{expected shape(result) = [M, O] with O = 6, got [?, 4]}}
  %0 = deepseek.grouped_linear %x, %w, %offsets : (tensor<?x4xf32>, tensor<8x6x4xf32>, tensor<9xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @moe_combine_c1(%rows: tensor<6x4xf32>, %source: tensor<7xi32>, %scores: tensor<?x2xf32>) {
  // expected-error @below {{expected shape(source) = [T * K] with T * K = 6, got [7]}}
  %0 = deepseek.moe_combine %rows, %source, %scores : (tensor<6x4xf32>, tensor<7xi32>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @moe_combine_c1(%rows: tensor<6x4xf32>, %source: tensor<6xi32>, %scores: tensor<3x2xf32>) {
  // expected-error @below {{expected shape(rows) = [T * (K + 1), H] with T * (K + 1) = 9, got [6, 4]}}
  %0 = deepseek.moe_combine %rows, %source, %scores {shared_group} : (tensor<6x4xf32>, tensor<6xi32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @moe_combine_c2(%rows: tensor<?x4xf32>, %source: tensor<?xi32>, %scores: tensor<3x2xf32>, %shared: tensor<2x4xf32>) {
  // expected-error @below {{expected shape(shared) = [T, H] with T = 3, got [2, 4]}}
  %0 = deepseek.moe_combine %rows, %source, %scores, %shared : (tensor<?x4xf32>, tensor<?xi32>, tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @moe_combine_c3(%rows: tensor<6x4xf32>, %source: tensor<6xi32>, %scores: tensor<?x2xf32>) {
  // expected-error @below {{expected shape(result) = [T, H] with T = 3, got [6, 4]}}
  %0 = deepseek.moe_combine %rows, %source, %scores : (tensor<6x4xf32>, tensor<6xi32>, tensor<?x2xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @expert_load_c1(%indices: tensor<?x2xi32>) {
  // expected-error @below {{expected shape(result) = [num_experts] with num_experts = 8, got [9]}}
  %0 = deepseek.expert_load %indices {num_experts = 8} : (tensor<?x2xi32>) -> tensor<9xi32>
  return
}

// -----

func.func @expert_load_c2(%indices: tensor<?x2xi32>) {
  // expected-error @below {{expected a positive num_experts below 2^31 - 1, got 0}}
  %0 = deepseek.expert_load %indices {num_experts = 0} : (tensor<?x2xi32>) -> tensor<0xi32>
  return
}

// -----

func.func @update_router_bias_c1(%bias: tensor<8xf32>, %load: tensor<7xi32>) {
  // expected-error @below {{expected shape(load) = [E] with E = 8, got [7]}}
  %0 = deepseek.update_router_bias %bias, %load {speed = 1.0e-3} : (tensor<8xf32>, tensor<7xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @update_router_bias_c2(%bias: tensor<8xf32>, %load: tensor<8xi32>) {
  // expected-error @below {{expected a finite, not negative speed, got -1}}
  %0 = deepseek.update_router_bias %bias, %load {speed = -1.0} : (tensor<8xf32>, tensor<8xi32>) -> tensor<8xf32>
  return
}

// -----

shard.grid @ranks(shape = 2)
func.func @ep_dispatch_c1(%x: tensor<?x4xf32>, %offsets: tensor<9xi32>) {
  // expected-error @below {{expected shape(rows) = [_, H] with H = 4, got [?, 5]}}
  %0:3 = deepseek.ep_dispatch %x, %offsets {grid = @ranks, grid_axes = array<i16: 0>, capacity = 64} : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x5xf32>, tensor<5xi32>, tensor<?xi32>)
  return
}

// -----

shard.grid @ranks(shape = 2)
func.func @ep_dispatch_c2(%x: tensor<?x4xf32>, %offsets: tensor<9xi32>) {
  // expected-error @below {{expected a number of experts divisible by that of the local ones, got 8 and 3}}
  %0:3 = deepseek.ep_dispatch %x, %offsets {grid = @ranks, grid_axes = array<i16: 0>, capacity = 64} : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<4xi32>, tensor<?xi32>)
  return
}

// -----

shard.grid @ranks(shape = 2)
func.func @ep_dispatch_c2(%x: tensor<?x4xf32>, %offsets: tensor<9xi32>) {
  // expected-error @below {{expected at least two offsets, got one}}
  %0:3 = deepseek.ep_dispatch %x, %offsets {grid = @ranks, grid_axes = array<i16: 0>, capacity = 64} : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<1xi32>, tensor<?xi32>)
  return
}

// -----

shard.grid @ranks(shape = 2)
func.func @ep_dispatch_c3(%x: tensor<?x4xf32>, %offsets: tensor<9xi32>) {
  // expected-error @below {{expected at least one grid axis, got none}}
  %0:3 = deepseek.ep_dispatch %x, %offsets {grid = @ranks, grid_axes = array<i16>, capacity = 64} : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<5xi32>, tensor<?xi32>)
  return
}

// -----

shard.grid @ranks(shape = 2)
func.func @ep_dispatch_c4(%x: tensor<?x4xf32>, %offsets: tensor<9xi32>) {
  // expected-error @below {{expected a positive capacity, got 0}}
  %0:3 = deepseek.ep_dispatch %x, %offsets {grid = @ranks, grid_axes = array<i16: 0>, capacity = 0} : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<5xi32>, tensor<?xi32>)
  return
}

// -----

func.func @ep_dispatch_c5(%x: tensor<?x4xf32>, %offsets: tensor<9xi32>) {
  // expected-error @below {{expected a grid that is declared, got @ranks}}
  %0:3 = deepseek.ep_dispatch %x, %offsets {grid = @ranks, grid_axes = array<i16: 0>, capacity = 64} : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<5xi32>, tensor<?xi32>)
  return
}

// -----

shard.grid @ranks(shape = 2)
func.func @ep_combine_c1(%rows: tensor<?x4xf32>, %handle: tensor<?xi32>) {
  // expected-error @below {{expected result with the element type and encoding of rows, 'tensor<?x4xf32>', got 'tensor<?x4xbf16>'}}
  %0 = deepseek.ep_combine %rows, %handle {grid = @ranks, grid_axes = array<i16: 0>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xbf16>
  return
}

// -----

shard.grid @ranks(shape = 2)
func.func @ep_combine_c2(%rows: tensor<?x4xf32>, %handle: tensor<?xi32>) {
  // expected-error @below {{expected distinct grid axes that are not negative, got [0, 0]}}
  %0 = deepseek.ep_combine %rows, %handle {grid = @ranks, grid_axes = array<i16: 0, 0>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @ep_combine_c3(%rows: tensor<?x4xf32>, %handle: tensor<?xi32>) {
  // expected-error @below {{expected a grid that is declared, got @ranks}}
  %0 = deepseek.ep_combine %rows, %handle {grid = @ranks, grid_axes = array<i16: 0>} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return
}
