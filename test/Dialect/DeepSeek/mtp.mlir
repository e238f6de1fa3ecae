// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

// CHECK-LABEL: func @mtp_project
func.func @mtp_project(%hidden: tensor<?x4xf32>, %embedding: tensor<?x4xf32>, %hnorm: tensor<4xbf16>, %enorm: tensor<4xbf16>,
                       %w: tensor<4x8xbf16>) -> tensor<?x4xf32> {
  // CHECK: %projected = deepseek.mtp_project %{{.*}} {epsilon = 9.9999999999999995E-7 : f64} : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<4xbf16>, tensor<4xbf16>, tensor<4x8xbf16>) -> tensor<?x4xf32>
  %0 = deepseek.mtp_project %hidden, %embedding, %hnorm, %enorm, %w {epsilon = 1.0e-6}
      : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<4xbf16>, tensor<4xbf16>, tensor<4x8xbf16>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// CHECK-LABEL: func @mtp_verify
func.func @mtp_verify(%draft: tensor<?x2xi32>, %choice: tensor<?x3xi32>) -> (tensor<?xi32>, tensor<?xi32>) {
  // CHECK: %accepted, %next = deepseek.mtp_verify %{{.*}}, %{{.*}} : (tensor<?x2xi32>, tensor<?x3xi32>) -> (tensor<?xi32>, tensor<?xi32>)
  %0:2 = deepseek.mtp_verify %draft, %choice : (tensor<?x2xi32>, tensor<?x3xi32>) -> (tensor<?xi32>, tensor<?xi32>)
  return %0#0, %0#1 : tensor<?xi32>, tensor<?xi32>
}
