// RUN: ds-opt %s --pass-pipeline='builtin.module(func.func(convert-deepseek-to-linalg))' | FileCheck %s

// The embedding meets columns 0 to 63 of the weight, the hidden state 64 to 127.
// CHECK-LABEL: func.func @mtp_project
// CHECK-SAME: %[[H:[a-z0-9]*]]: tensor<?x64xbf16>, %[[E:[a-z0-9]*]]: tensor<?x64xbf16>
// CHECK: scf.forall
// CHECK: tensor.extract_slice %[[E]]
// CHECK: tensor.extract_slice %[[H]]
// CHECK: math.sqrt
// CHECK: scf.for %[[K:.*]] = %c0
// CHECK: tensor.extract_slice %{{.*}}[0, %[[K]]] [64, 64]
// CHECK: math.sqrt
// CHECK: scf.for
// CHECK: %[[COLUMN:.*]] = arith.addi %{{.*}}, %c64
// CHECK: tensor.extract_slice %{{.*}}[0, %[[COLUMN]]] [64, 64]
func.func @mtp_project(%hidden: tensor<?x64xbf16>, %embedding: tensor<?x64xbf16>, %hg: tensor<64xbf16>, %eg: tensor<64xbf16>,
                       %w: tensor<64x128xbf16>, %out: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = deepseek.mtp_project %hidden, %embedding, %hg, %eg, %w {epsilon = 1.0e-6 : f64}
      : (tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<64xbf16>, tensor<64xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @mtp_verify
// CHECK: scf.forall
// CHECK: scf.for {{.*}} -> (index, i1)
func.func @mtp_verify(%draft: tensor<?x1xi32>, %choice: tensor<?x2xi32>, %o0: tensor<?xi32>, %o1: tensor<?xi32>) -> (tensor<?xi32>, tensor<?xi32>) {
  %accepted, %next = deepseek.mtp_verify %draft, %choice : (tensor<?x1xi32>, tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?xi32>)
  return %accepted, %next : tensor<?xi32>, tensor<?xi32>
}
