// RUN: ds-opt %s --pass-pipeline='builtin.module(func.func(convert-deepseek-to-linalg))' | FileCheck %s

!pages = tensor<?x64x96xbf16, #deepseek.latent_cache<latent = 64, rope = 32>>

// The cache is written in place, one row after the other; a negative slot is skipped.
// The encoding leaves the signature.
// CHECK-LABEL: func.func @cache_append
// CHECK-SAME: %[[CACHE:[a-z0-9]*]]: tensor<?x64x96xbf16>) -> tensor<?x64x96xbf16>
// CHECK: scf.for {{.*}} iter_args(%[[C:.*]] = %[[CACHE]])
// CHECK: %[[SKIP:.*]] = arith.cmpi slt
// CHECK: scf.if %[[SKIP]]
// CHECK-NEXT: scf.yield %[[C]]
// CHECK: arith.divui %{{.*}}, %c64
// CHECK: arith.remui %{{.*}}, %c64
// CHECK: tensor.insert_slice %{{.*}}[%{{.*}}, %{{.*}}, 0] [1, 1, 64]
// CHECK: tensor.insert_slice %{{.*}}[%{{.*}}, %{{.*}}, 64] [1, 1, 32]
func.func @cache_append(%latent: tensor<?x64xbf16>, %rope: tensor<?x32xbf16>, %slots: tensor<?xi32>, %cache: !pages) -> !pages {
  %y = deepseek.cache_append %cache, %latent, %rope, %slots : (!pages, tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>) -> !pages
  return %y : !pages
}

// CHECK-LABEL: func.func @cache_gather
// CHECK: scf.forall
// CHECK: scf.for
// CHECK: tensor.extract_slice %{{.*}}[%{{.*}}, %{{.*}}, 0] [1, 1, 96] [1, 1, 1] : tensor<?x64x96xbf16> to tensor<96xbf16>
func.func @cache_gather(%cache: !pages, %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index, %out: tensor<?x96xbf16>) -> tensor<?x96xbf16> {
  %y = deepseek.cache_gather %cache, %table, %cu, %total : (!pages, tensor<?x?xi32>, tensor<?xi32>, index) -> tensor<?x96xbf16>
  return %y : tensor<?x96xbf16>
}

// Blocks of 64 keys counted from the sequence's first; maximum, sum and values are
// carried from block to block.
// CHECK-LABEL: func.func @attention
// CHECK: scf.forall (%[[T:.*]], %[[N:.*]]) in
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %cst{{.*}}, %{{.*}} = %cst{{.*}}, %{{.*}} = %{{.*}}) -> (f32, f32, tensor<64xf32>)
// CHECK: arith.minsi %{{.*}}, %c64
// CHECK: tensor.extract_slice %{{.*}}[%{{.*}}, %[[N]], 0] [%{{.*}}, 1, 64]
// CHECK: tensor.extract_slice %{{.*}}[%{{.*}}, %[[N]], 64] [%{{.*}}, 1, 64]
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]
// CHECK: arith.divf
func.func @attention(%q_nope: tensor<?x4x64xbf16>, %q_rope: tensor<?x4x32xbf16>, %kv: tensor<?x4x128xbf16>, %k_rope: tensor<?x32xbf16>,
                     %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x4x64xbf16>) -> tensor<?x4x64xbf16> {
  %y = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu_q, %cu_kv {scale = 0.1 : f64}
      : (tensor<?x4x64xbf16>, tensor<?x4x32xbf16>, tensor<?x4x128xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x4x64xbf16>
  return %y : tensor<?x4x64xbf16>
}

// A block is a page, read in place: keys are all of a row, values its latent part.
// CHECK-LABEL: func.func @latent_attention
// CHECK: scf.forall
// CHECK: scf.for
// CHECK: %[[C:.*]] = tensor.extract_slice %{{.*}}[%[[PAGE:.*]], 0, 0] [1, %{{.*}}, 64]
// CHECK: %[[R:.*]] = tensor.extract_slice %{{.*}}[%[[PAGE]], 0, 64] [1, %{{.*}}, 32]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[C]] :
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[R]] :
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[C]] :
func.func @latent_attention(%q_latent: tensor<?x4x64xbf16>, %q_rope: tensor<?x4x32xbf16>, %cache: !pages, %table: tensor<?x?xi32>,
                            %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x4x64xbf16>) -> tensor<?x4x64xbf16> {
  %y = deepseek.latent_attention %q_latent, %q_rope, %cache, %table, %cu_q, %cu_kv {scale = 0.1 : f64}
      : (tensor<?x4x64xbf16>, tensor<?x4x32xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x4x64xbf16>
  return %y : tensor<?x4x64xbf16>
}
