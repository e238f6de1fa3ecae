// RUN: ds-opt %s --ds-report-kernels=cached-tokens=10 --split-input-file --verify-diagnostics -o /dev/null 2>&1 | FileCheck %s

// One kernel of several ops: what one gives and another takes is not moved. The cache
// is written (one row of 6 bf16) and read (10 rows); of x, both halves; the dispatched
// rows and offsets stay inside, of 8 experts 3 are read, the shared one among them.
//   activations: x 16, y 8; latent 8, rope 4, slot 4, q 8, q_rope 4, table 4, sums 8, out 8;
//                rows 8, choices 8, out 3 rows 24
//   weights: 3 of 8 experts of 4x4 bf16
// CHECK:      decode: one token, 10 cached
// CHECK:      layer 4 (dense) 3 96 112 132
// CHECK-NEXT: all 3 96 112 132
// CHECK-NEXT: 3 kernels
!pages = tensor<?x64x6xbf16, #deepseek.latent_cache<latent = 4, rope = 2>>
deepseek.weight @stack from "experts.*.weight" : tensor<8x4x4xbf16>
func.func @decode(%x: tensor<?x8xbf16> {deepseek.dims = ["tokens", ""]}, %slots: tensor<?xi32> {deepseek.dims = ["tokens"]},
    %table: tensor<?x?xi32> {deepseek.dims = ["sequences", "pages"]}, %cu: tensor<?xi32> {deepseek.dims = ["sequences+1"]},
    %latent: tensor<?x4xbf16> {deepseek.dims = ["tokens", ""]}, %rope: tensor<?x2xbf16> {deepseek.dims = ["tokens", ""]},
    %q: tensor<?x1x4xbf16> {deepseek.dims = ["tokens", "", ""]}, %q_rope: tensor<?x1x2xbf16> {deepseek.dims = ["tokens", "", ""]},
    %choices: tensor<?x2xi32> {deepseek.dims = ["tokens", ""]}, %cache: !pages {deepseek.dims = ["", "", ""]})
    -> (tensor<?x4xbf16>, !pages, tensor<?x1x4xbf16>, tensor<?x4xbf16>) {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %t = tensor.dim %x, %c0 : tensor<?x8xbf16>
  %rows = arith.muli %t, %c3 : index
  %e0 = tensor.empty(%t) : tensor<?x4xbf16>
  %y = dsrt.dispatch @kernels::@gate ins(%x : tensor<?x8xbf16>) outs(%e0 : tensor<?x4xbf16>) -> tensor<?x4xbf16> loc("model.layers.4.mlp")
  %e1 = tensor.empty(%t) : tensor<?x1x4xbf16>
  %new, %out = dsrt.dispatch @kernels::@attend
      ins(%latent, %rope, %slots, %q, %q_rope, %table, %cu : tensor<?x4xbf16>, tensor<?x2xbf16>, tensor<?xi32>, tensor<?x1x4xbf16>, tensor<?x1x2xbf16>, tensor<?x?xi32>, tensor<?xi32>)
      outs(%cache, %e1 : !pages, tensor<?x1x4xbf16>) -> !pages, tensor<?x1x4xbf16> loc(fused["model.layers.4", "model.layers.5"])
  %w = dsrt.get_weight @stack : tensor<8x4x4xbf16>
  %e2 = tensor.empty(%rows) : tensor<?x4xbf16>
  %z = dsrt.dispatch @kernels::@experts ins(%latent, %choices, %w : tensor<?x4xbf16>, tensor<?x2xi32>, tensor<8x4x4xbf16>)
      outs(%e2 : tensor<?x4xbf16>) -> tensor<?x4xbf16> loc("model.layers.4.experts")
  return %y, %new, %out, %z : tensor<?x4xbf16>, !pages, tensor<?x1x4xbf16>, tensor<?x4xbf16>
}
module @kernels {
  func.func @gate(%x: tensor<?x8xbf16>, %out: tensor<?x4xbf16>) -> tensor<?x4xbf16> {
    %c0 = arith.constant 0 : index
    %t = tensor.dim %x, %c0 : tensor<?x8xbf16>
    %a = tensor.extract_slice %x[0, 0] [%t, 4] [1, 1] : tensor<?x8xbf16> to tensor<?x4xbf16>
    %b = tensor.extract_slice %x[0, 4] [%t, 4] [1, 1] : tensor<?x8xbf16> to tensor<?x4xbf16>
    %y = deepseek.swiglu %a, %b : (tensor<?x4xbf16>, tensor<?x4xbf16>) -> tensor<?x4xbf16>
    return %y : tensor<?x4xbf16>
  }
  func.func @attend(%latent: tensor<?x4xbf16>, %rope: tensor<?x2xbf16>, %slots: tensor<?xi32>, %q: tensor<?x1x4xbf16>,
      %q_rope: tensor<?x1x2xbf16>, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %cache: !pages, %out: tensor<?x1x4xbf16>)
      -> (!pages, tensor<?x1x4xbf16>) {
    %new = deepseek.cache_append %cache, %latent, %rope, %slots : (!pages, tensor<?x4xbf16>, tensor<?x2xbf16>, tensor<?xi32>) -> !pages
    %y = deepseek.latent_attention %q, %q_rope, %new, %table, %cu, %cu {scale = 0.5}
        : (tensor<?x1x4xbf16>, tensor<?x1x2xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x1x4xbf16>
    return %new, %y : !pages, tensor<?x1x4xbf16>
  }
  func.func @experts(%x: tensor<?x4xbf16>, %choices: tensor<?x2xi32>, %w: tensor<8x4x4xbf16> {dsrt.stacked}, %out: tensor<?x4xbf16>) -> tensor<?x4xbf16> {
    %rows, %offsets, %source = deepseek.moe_dispatch %x, %choices {num_experts = 8, shared_group}
        : (tensor<?x4xbf16>, tensor<?x2xi32>) -> (tensor<?x4xbf16>, tensor<9xi32>, tensor<?xi32>)
    %y = deepseek.grouped_linear %rows, %w, %offsets : (tensor<?x4xbf16>, tensor<8x4x4xbf16>, tensor<9xi32>) -> tensor<?x4xbf16>
    return %y : tensor<?x4xbf16>
  }
}

// -----

func.func @unknown_size(%x: tensor<?x8xbf16> {deepseek.dims = ["tokens", ""]}, %y: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %y, %c0 : tensor<?x8xbf16>
  %e = tensor.empty(%t) : tensor<?x8xbf16>
  // expected-error @+1 {{needs a bound of dimension 0 of argument 1 of 'unknown_size'}}
  %z = dsrt.dispatch @kernels::@k ins(%x : tensor<?x8xbf16>) outs(%e : tensor<?x8xbf16>) -> tensor<?x8xbf16>
  return %z : tensor<?x8xbf16>
}
module @kernels {
  func.func @k(%x: tensor<?x8xbf16>, %out: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
    return %x : tensor<?x8xbf16>
  }
}

// -----

func.func @no_body(%x: tensor<?x8xbf16> {deepseek.dims = ["tokens", ""]}) -> tensor<?x8xbf16> {
  // expected-error @+1 {{expected a kernel with a body, as after stage 'kernels'}}
  %z = dsrt.dispatch @kernels::@k ins(%x : tensor<?x8xbf16>) outs(%x : tensor<?x8xbf16>) -> tensor<?x8xbf16>
  return %z : tensor<?x8xbf16>
}
module @kernels { func.func private @k(tensor<?x8xbf16>, tensor<?x8xbf16>) -> tensor<?x8xbf16> }
