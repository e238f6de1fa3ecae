// RUN: ds-opt %s | ds-opt | FileCheck %s
// RUN: ds-opt %s --mlir-print-op-generic | ds-opt | FileCheck %s
// RUN: ds-opt %s --emit-bytecode | ds-opt | FileCheck %s

!pages = tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>

// CHECK-LABEL: func @cache
func.func @cache(%cache: !pages, %latent: tensor<?x8xf32>, %rope: tensor<?x4xf32>, %slots: tensor<?xi32>,
                 %table: tensor<?x?xi32>, %cu_kv: tensor<?xi32>, %total: index) -> (!pages, tensor<?x12xf32>) {
  // CHECK: %cache = deepseek.cache_append %{{.*}} : (tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x64x12xf32, #deepseek.latent_cache<latent = 8, rope = 4>>
  %0 = deepseek.cache_append %cache, %latent, %rope, %slots
      : (!pages, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>) -> !pages
  // CHECK: %rows = deepseek.cache_gather %cache, %{{.*}} -> tensor<?x12xf32>
  %1 = deepseek.cache_gather %0, %table, %cu_kv, %total : (!pages, tensor<?x?xi32>, tensor<?xi32>, index) -> tensor<?x12xf32>
  return %0, %1 : !pages, tensor<?x12xf32>
}

// CHECK-LABEL: func @mla
func.func @mla(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>,
               %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %total: index, %kv_b: tensor<2x11x8xf32>) -> tensor<?x2x5xf32> {
  // CHECK: %attention = deepseek.mla %{{.*}} {scale = 5.000000e-01 : f64} : ({{.*}}, index, tensor<2x11x8xf32>) -> tensor<?x2x5xf32>
  %0 = deepseek.mla %q_nope, %q_rope, %cache, %table, %cu_q, %cu_kv, %total, %kv_b {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<2x11x8xf32>)
      -> tensor<?x2x5xf32>
  return %0 : tensor<?x2x5xf32>
}

// CHECK-LABEL: func @attention
func.func @attention(%q_nope: tensor<?x2x6xf32>, %q_rope: tensor<?x2x4xf32>, %kv: tensor<?x2x11xf32>, %k_rope: tensor<?x4xf32>,
                     %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>) -> tensor<?x2x5xf32> {
  // CHECK: %attention = deepseek.attention %{{.*}} {scale = 5.000000e-01 : f64} : ({{.*}}) -> tensor<?x2x5xf32>
  %0 = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu_q, %cu_kv {scale = 0.5}
      : (tensor<?x2x6xf32>, tensor<?x2x4xf32>, tensor<?x2x11xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x5xf32>
  return %0 : tensor<?x2x5xf32>
}

// CHECK-LABEL: func @latent_attention
func.func @latent_attention(%q: tensor<?x2x8xf32>, %q_rope: tensor<?x2x4xf32>, %cache: !pages, %table: tensor<?x?xi32>,
                            %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>) -> tensor<?x2x8xf32> {
  // CHECK: %attention = deepseek.latent_attention %{{.*}} {scale = 5.000000e-01 : f64} : ({{.*}}) -> tensor<?x2x8xf32>
  %0 = deepseek.latent_attention %q, %q_rope, %cache, %table, %cu_q, %cu_kv {scale = 0.5}
      : (tensor<?x2x8xf32>, tensor<?x2x4xf32>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x2x8xf32>
  return %0 : tensor<?x2x8xf32>
}
