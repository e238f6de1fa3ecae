// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

deepseek.weight @gamma from "model.norm.weight" : tensor<4xbf16>

module @kernels {
  func.func @norm_4(%x: tensor<?x4xf32>, %gamma: tensor<4xbf16>, %out: tensor<?x4xf32>) -> tensor<?x4xf32> {
    return %out : tensor<?x4xf32>
  }
  llvm.func @lowered_4(!llvm.ptr) -> i32
}

// CHECK-LABEL: func @dispatch
func.func @dispatch(%x: tensor<?x4xf32>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: %gamma = dsrt.get_weight @gamma : tensor<4xbf16>
  %0 = dsrt.get_weight @gamma : tensor<4xbf16>
  // CHECK: %norm_4 = dsrt.dispatch @kernels::@norm_4 ins(%{{.*}}, %gamma : tensor<?x4xf32>, tensor<4xbf16>) outs(%{{.*}} : tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = dsrt.dispatch @kernels::@norm_4 ins(%x, %0 : tensor<?x4xf32>, tensor<4xbf16>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// Host functions are bufferized before kernels are, and kernels are lowered before
// host functions are.
// CHECK-LABEL: func @buffers
func.func @buffers(%x: memref<?x4xf32>, %tokens: index, %n: i32) {
  // CHECK: %gamma = dsrt.get_weight @gamma : memref<4xbf16>
  %0 = dsrt.get_weight @gamma : memref<4xbf16>
  // CHECK: %workspace = dsrt.workspace 4096(%{{.*}}) : memref<?x4xf32>
  %1 = dsrt.workspace 4096 (%tokens) : memref<?x4xf32>
  // CHECK: %[[STATIC:.*]] = dsrt.workspace 0 : memref<4xf32>
  %2 = dsrt.workspace 0 : memref<4xf32>
  // CHECK: dsrt.dispatch @kernels::@norm_4 ins(%{{.*}}, %gamma : memref<?x4xf32>, memref<4xbf16>) outs(%workspace : memref<?x4xf32>){{$}}
  dsrt.dispatch @kernels::@norm_4 ins(%x, %0 : memref<?x4xf32>, memref<4xbf16>) outs(%1 : memref<?x4xf32>)
  // CHECK: dsrt.dispatch @kernels::@lowered_4 ins(%{{.*}} : i32) outs(%[[STATIC]] : memref<4xf32>)
  dsrt.dispatch @kernels::@lowered_4 ins(%n : i32) outs(%2 : memref<4xf32>)
  // CHECK: dsrt.expect %workspace, %{{.*}} {atol = 1.000000e-03 : f64, rtol = 0.000000e+00 : f64} : memref<?x4xf32>, memref<?x4xf32>
  dsrt.expect %1, %x {atol = 1.0e-3, rtol = 0.0} : memref<?x4xf32>, memref<?x4xf32>
  // CHECK: dsrt.expect %{{.*}} {atol = 0.000000e+00 : f64, exact, rtol = 0.000000e+00 : f64}
  dsrt.expect %1, %x {atol = 0.0, rtol = 0.0, exact} : memref<?x4xf32>, memref<?x4xf32>
  return
}

// CHECK-LABEL: func @collectives
func.func @collectives(%x: tensor<8x4xf32>, %part: tensor<4x4xf32>, %offsets: tensor<9xi32>, %local: tensor<5xi32>, %handle: tensor<16xi32>) -> tensor<8x4xf32> {
  // CHECK: dsrt.all_reduce group 0 ins(%{{.*}} : tensor<8x4xf32>) outs(%{{.*}} : tensor<8x4xf32>) -> tensor<8x4xf32>
  %0 = dsrt.all_reduce group 0 ins(%x : tensor<8x4xf32>) outs(%x : tensor<8x4xf32>) -> tensor<8x4xf32>
  // CHECK: dsrt.reduce_scatter group 0 ins(%{{.*}} : tensor<8x4xf32>) outs(%{{.*}} : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = dsrt.reduce_scatter group 0 ins(%0 : tensor<8x4xf32>) outs(%part : tensor<4x4xf32>) -> tensor<4x4xf32>
  // CHECK: dsrt.all_gather group 0 ins(%{{.*}} : tensor<4x4xf32>) outs(%{{.*}} : tensor<8x4xf32>) -> tensor<8x4xf32>
  %2 = dsrt.all_gather group 0 ins(%1 : tensor<4x4xf32>) outs(%x : tensor<8x4xf32>) -> tensor<8x4xf32>
  // CHECK: dsrt.ep_dispatch group 1 ins(%{{.*}}, %{{.*}} : tensor<8x4xf32>, tensor<9xi32>) outs({{.*}}) -> tensor<8x4xf32>, tensor<5xi32>, tensor<16xi32>
  %3:3 = dsrt.ep_dispatch group 1 ins(%2, %offsets : tensor<8x4xf32>, tensor<9xi32>)
      outs(%x, %local, %handle : tensor<8x4xf32>, tensor<5xi32>, tensor<16xi32>) -> tensor<8x4xf32>, tensor<5xi32>, tensor<16xi32>
  // CHECK: dsrt.ep_combine group 1 ins(%{{.*}}, %{{.*}} : tensor<8x4xf32>, tensor<16xi32>) outs(%{{.*}} : tensor<8x4xf32>) -> tensor<8x4xf32>
  %4 = dsrt.ep_combine group 1 ins(%3#0, %3#2 : tensor<8x4xf32>, tensor<16xi32>) outs(%x : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %4 : tensor<8x4xf32>
}
