// RUN: ds-opt %s --ds-lower-experts --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: @experts
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x32xbf16>, %[[SCORES:[^:]+]]: tensor<?x2xf32>, %[[INDICES:[^:]+]]: tensor<?x2xi32>, %[[GATE:[^:]+]]: {{[^,]+}}, %[[UP:[^:]+]]: {{[^,]+}}, %[[DOWN:[^:]+]]: {{[^,]+}}, %[[SHARED:[^:]+]]:
// CHECK: %[[ROWS:.*]], %[[OFFSETS:.*]], %[[SOURCE:.*]] = deepseek.moe_dispatch %[[X]], %[[INDICES]] {num_experts = 4 : i64} : {{.*}} -> (tensor<?x32xbf16>, tensor<5xi32>, tensor<?xi32>)
// CHECK: %[[G:.*]] = deepseek.grouped_linear %[[ROWS]], %[[GATE]], %[[OFFSETS]] : {{.*}} -> tensor<?x48xbf16>
// CHECK: %[[U:.*]] = deepseek.grouped_linear %[[ROWS]], %[[UP]], %[[OFFSETS]]
// CHECK: %[[A:.*]] = deepseek.swiglu %[[G]], %[[U]]
// CHECK: %[[D:.*]] = deepseek.grouped_linear %[[A]], %[[DOWN]], %[[OFFSETS]] : {{.*}} -> tensor<?x32xbf16>
// CHECK: deepseek.moe_combine %[[D]], %[[SOURCE]], %[[SCORES]], %[[SHARED]]
// CHECK-NOT: deepseek.experts
func.func @experts(%x: tensor<?x32xbf16>, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>, %g: tensor<4x48x32xbf16>,
                   %u: tensor<4x48x32xbf16>, %d: tensor<4x32x48xbf16>, %shared: tensor<?x32xbf16>) -> tensor<?x32xbf16> {
  %y = deepseek.experts %x, %s, %i, %g, %u, %d, %shared : (tensor<?x32xbf16>, tensor<?x2xf32>, tensor<?x2xi32>,
      tensor<4x48x32xbf16>, tensor<4x48x32xbf16>, tensor<4x32x48xbf16>, tensor<?x32xbf16>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// Known sizes stay known.
// CHECK-LABEL: @static_rows
// CHECK: deepseek.moe_dispatch {{.*}} -> (tensor<6x32xbf16>, tensor<5xi32>, tensor<6xi32>)
func.func @static_rows(%x: tensor<3x32xbf16>, %s: tensor<3x2xf32>, %i: tensor<3x2xi32>, %g: tensor<4x48x32xbf16>,
                       %u: tensor<4x48x32xbf16>, %d: tensor<4x32x48xbf16>) -> tensor<3x32xbf16> {
  %y = deepseek.experts %x, %s, %i, %g, %u, %d : (tensor<3x32xbf16>, tensor<3x2xf32>, tensor<3x2xi32>,
      tensor<4x48x32xbf16>, tensor<4x48x32xbf16>, tensor<4x32x48xbf16>) -> tensor<3x32xbf16>
  return %y : tensor<3x32xbf16>
}

// -----

func.func @dynamic_experts(%x: tensor<?x32xbf16>, %s: tensor<?x2xf32>, %i: tensor<?x2xi32>, %g: tensor<?x48x32xbf16>,
                           %u: tensor<?x48x32xbf16>, %d: tensor<?x32x48xbf16>) -> tensor<?x32xbf16> {
  // expected-error @+1 {{expected a static number of experts}}
  %y = deepseek.experts %x, %s, %i, %g, %u, %d : (tensor<?x32xbf16>, tensor<?x2xf32>, tensor<?x2xi32>,
      tensor<?x48x32xbf16>, tensor<?x48x32xbf16>, tensor<?x32x48xbf16>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
