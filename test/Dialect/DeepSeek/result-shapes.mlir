// RUN: ds-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize | FileCheck %s

// Where the sizes of results come from, when their types do not say.

// CHECK-LABEL: func @linear
// CHECK-SAME: (%[[X:.*]]: tensor<?x?xf32>, %[[W:.*]]: tensor<?x?xf32>)
func.func @linear(%x: tensor<?x?xf32>, %w: tensor<?x?xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = deepseek.linear %x, %w : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  // CHECK-DAG: %[[T:.*]] = tensor.dim %[[X]], %c0
  // CHECK-DAG: %[[O:.*]] = tensor.dim %[[W]], %c0
  %t = tensor.dim %0, %c0 : tensor<?x?xf32>
  %o = tensor.dim %0, %c1 : tensor<?x?xf32>
  // CHECK: return %[[T]], %[[O]]
  return %t, %o : index, index
}

// CHECK-LABEL: func @route
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>)
func.func @route(%x: tensor<?x8xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0:2 = deepseek.route %x {scoring = #deepseek.scoring<softmax>, top_k = 3} : (tensor<?x8xf32>) -> (tensor<?x?xf32>, tensor<?x?xi32>)
  // CHECK-DAG: %[[T:.*]] = tensor.dim %[[X]], %c0
  // CHECK-DAG: %[[K:.*]] = arith.constant 3
  %t = tensor.dim %0#0, %c0 : tensor<?x?xf32>
  %k = tensor.dim %0#1, %c1 : tensor<?x?xi32>
  // CHECK: return %[[T]], %[[K]]
  return %t, %k : index, index
}

// CHECK-LABEL: func @dispatch
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>, %[[I:.*]]: tensor<?x2xi32>)
func.func @dispatch(%x: tensor<?x4xf32>, %indices: tensor<?x2xi32>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %indices {num_experts = 8} : (tensor<?x4xf32>, tensor<?x2xi32>) -> (tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>)
  %load = deepseek.expert_load %indices {num_experts = 8} : (tensor<?x2xi32>) -> tensor<?xi32>
  // CHECK-DAG: %[[N:.*]] = arith.constant 9
  // CHECK-DAG: %[[E:.*]] = arith.constant 8
  // CHECK-DAG: %[[C2:.*]] = arith.constant 2
  // CHECK-DAG: %[[T:.*]] = tensor.dim %[[I]], %c0
  // CHECK: %[[M:.*]] = arith.muli %[[T]], %[[C2]]
  %m = tensor.dim %rows, %c0 : tensor<?x4xf32>
  %n = tensor.dim %offsets, %c0 : tensor<?xi32>
  %e = tensor.dim %load, %c0 : tensor<?xi32>
  // CHECK: return %[[M]], %[[N]], %[[E]]
  return %m, %n, %e : index, index, index
}

// The number of rows per expert in another rank is known only when it runs.
// CHECK-LABEL: func @ep_dispatch
shard.grid @ranks(shape = 2)
func.func @ep_dispatch(%x: tensor<?x4xf32>, %offsets: tensor<9xi32>) -> index {
  %c0 = arith.constant 0 : index
  // CHECK: %[[ROWS:.*]], %{{.*}}, %{{.*}} = deepseek.ep_dispatch
  %0:3 = deepseek.ep_dispatch %x, %offsets {grid = @ranks, grid_axes = array<i16: 0>, capacity = 64}
      : (tensor<?x4xf32>, tensor<9xi32>) -> (tensor<?x4xf32>, tensor<5xi32>, tensor<?xi32>)
  // CHECK: tensor.dim %[[ROWS]]
  %1 = tensor.dim %0#0, %c0 : tensor<?x4xf32>
  return %1 : index
}
