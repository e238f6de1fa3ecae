// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

// CHECK-LABEL: func @embedding
func.func @embedding(%tokens: tensor<?xi32>, %table: tensor<100x8xbf16>) -> tensor<?x8xf32> {
  // CHECK: %embedding = deepseek.embedding %{{.*}}, %{{.*}} : (tensor<?xi32>, tensor<100x8xbf16>) -> tensor<?x8xf32>
  %0 = deepseek.embedding %tokens, %table : (tensor<?xi32>, tensor<100x8xbf16>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func @rms_norm
func.func @rms_norm(%x: tensor<?x4x8xf32>, %gamma: tensor<8xbf16>) -> tensor<?x4x8xf32> {
  // CHECK: %norm = deepseek.rms_norm %{{.*}}, %{{.*}} {epsilon = 9.9999999999999995E-7 : f64} : (tensor<?x4x8xf32>, tensor<8xbf16>) -> tensor<?x4x8xf32>
  %0 = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6} : (tensor<?x4x8xf32>, tensor<8xbf16>) -> tensor<?x4x8xf32>
  return %0 : tensor<?x4x8xf32>
}

// CHECK-LABEL: func @linear
func.func @linear(%x: tensor<?x8xf32>, %w: tensor<6x8xbf16>) -> tensor<?x6xf32> {
  // CHECK: %linear = deepseek.linear %{{.*}}, %{{.*}} : (tensor<?x8xf32>, tensor<6x8xbf16>) -> tensor<?x6xf32>
  %0 = deepseek.linear %x, %w : (tensor<?x8xf32>, tensor<6x8xbf16>) -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}

// CHECK-LABEL: func @head_linear
func.func @head_linear(%x: tensor<?x2x8xf32>, %w: tensor<2x6x8xf32>) -> tensor<?x2x8xf32> {
  // CHECK: %head_linear = deepseek.head_linear %{{.*}}, %{{.*}} : (tensor<?x2x8xf32>, tensor<2x6x8xf32>) -> tensor<?x2x6xf32>
  %0 = deepseek.head_linear %x, %w : (tensor<?x2x8xf32>, tensor<2x6x8xf32>) -> tensor<?x2x6xf32>
  // CHECK: deepseek.head_linear %head_linear, %{{.*}} {transposed} : (tensor<?x2x6xf32>, tensor<2x6x8xf32>) -> tensor<?x2x8xf32>
  %1 = deepseek.head_linear %0, %w {transposed} : (tensor<?x2x6xf32>, tensor<2x6x8xf32>) -> tensor<?x2x8xf32>
  return %1 : tensor<?x2x8xf32>
}

// CHECK-LABEL: func @swiglu
func.func @swiglu(%gate: tensor<?x6xf32>, %up: tensor<?x6xf32>) -> tensor<?x6xbf16> {
  // CHECK: %swiglu = deepseek.swiglu %{{.*}}, %{{.*}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xbf16>
  %0 = deepseek.swiglu %gate, %up : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xbf16>
  return %0 : tensor<?x6xbf16>
}

// CHECK-LABEL: func @rope
func.func @rope(%x: tensor<?x2x4xf32>, %positions: tensor<?xi32>) -> tensor<?x2x4xf32> {
  // CHECK: %rope = deepseek.rope %{{.*}}, %{{.*}} {theta = 1.000000e+04 : f64} : (tensor<?x2x4xf32>, tensor<?xi32>) -> tensor<?x2x4xf32>
  %0 = deepseek.rope %x, %positions {theta = 1.0e4} : (tensor<?x2x4xf32>, tensor<?xi32>) -> tensor<?x2x4xf32>
  // CHECK: yarn = #deepseek.yarn<factor = 4.000000e+01 : f64, original_length = 4096, beta_fast = 3.200000e+01 : f64, beta_slow = 1.000000e+00 : f64>
  %1 = deepseek.rope %0, %positions {theta = 1.0e4, yarn = #deepseek.yarn<factor = 40.0 : f64, original_length = 4096, beta_fast = 32.0 : f64, beta_slow = 1.0 : f64>}
      : (tensor<?x2x4xf32>, tensor<?xi32>) -> tensor<?x2x4xf32>
  return %1 : tensor<?x2x4xf32>
}

// CHECK-LABEL: func @argmax
func.func @argmax(%logits: tensor<?x100xf32>) -> tensor<?xi32> {
  // CHECK: %argmax = deepseek.argmax %{{.*}} : (tensor<?x100xf32>) -> tensor<?xi32>
  %0 = deepseek.argmax %logits : (tensor<?x100xf32>) -> tensor<?xi32>
  return %0 : tensor<?xi32>
}

// A static size and a dynamic one fit.
// CHECK-LABEL: func @dynamic
func.func @dynamic(%x: tensor<3x?xf32>, %w: tensor<?x8xf32>) -> tensor<?x6xf32> {
  // CHECK: deepseek.linear
  %0 = deepseek.linear %x, %w : (tensor<3x?xf32>, tensor<?x8xf32>) -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}
