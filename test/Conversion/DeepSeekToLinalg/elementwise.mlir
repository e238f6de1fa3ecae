// RUN: ds-opt %s --pass-pipeline='builtin.module(func.func(convert-deepseek-to-linalg))' | FileCheck %s

// A tree of elementwise ops is one loop: no tensor between them. BF16 is computed
// with in f32 and rounded after each op.
// CHECK-LABEL: func.func @residual
// CHECK-SAME: %[[OUT:[a-z0-9]*]]: tensor<?x64xf32>) ->
// CHECK-NOT: tensor.empty
// CHECK: scf.forall {{.*}} shared_outs(%{{.*}} = %[[OUT]])
// CHECK-COUNT-1: linalg.generic
// CHECK: arith.addf %{{.*}} : f32
// CHECK: %[[SUM:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK: %[[WIDE:.*]] = arith.extf %[[SUM]] : bf16 to f32
// CHECK: arith.mulf %[[WIDE]], %[[WIDE]]
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @residual(%a: tensor<?x64xbf16>, %b: tensor<?x64xbf16>, %out: tensor<?x64xf32>) -> tensor<?x64xf32> {

  %sum = arith.addf %a, %b : tensor<?x64xbf16>
  %wide = arith.extf %sum : tensor<?x64xbf16> to tensor<?x64xf32>
  %two = arith.mulf %wide, %wide : tensor<?x64xf32>
  return %two : tensor<?x64xf32>
}
