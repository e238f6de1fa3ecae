// RUN: ds-opt %s --ds-lower-mla=form=expanded | FileCheck %s --check-prefix=EXPANDED
// RUN: ds-opt %s --ds-lower-mla | FileCheck %s --check-prefix=ABSORBED
// RUN: ds-opt %s --ds-lower-mla=form=auto | FileCheck %s --check-prefix=AUTO

!pages = tensor<?x64x24xbf16, #deepseek.latent_cache<latent = 16, rope = 8>>

// EXPANDED-LABEL: @prefill
// EXPANDED-SAME: %[[QN:[^:]+]]: tensor<?x4x24xbf16>, %[[QR:[^:]+]]: tensor<?x4x8xbf16>, %[[CACHE:[^:]+]]: {{.*}}, %[[TABLE:[^:]+]]: tensor<?x?xi32>, %[[CUQ:[^:]+]]: tensor<?xi32>, %[[CUKV:[^:]+]]: tensor<?xi32>, %[[TOTAL:[^:]+]]: index, %[[FLAT:[^:]+]]: tensor<128x16xbf16>
// The weight's reshape to heads and back folds away; all rows are rebuilt at once.
// EXPANDED: %[[ROWS:.*]] = deepseek.cache_gather %[[CACHE]], %[[TABLE]], %[[CUKV]], %[[TOTAL]] : {{.*}} -> tensor<?x24xbf16>
// EXPANDED: %[[LATENT:.*]] = tensor.extract_slice %[[ROWS]][0, 0] {{.*}} to tensor<?x16xbf16>
// EXPANDED: %[[ROPE:.*]] = tensor.extract_slice %[[ROWS]][0, 16] {{.*}} to tensor<?x8xbf16>
// EXPANDED: %[[KV:.*]] = deepseek.linear %[[LATENT]], %[[FLAT]]
// EXPANDED: %[[HEADS:.*]] = tensor.expand_shape %[[KV]] {{.*}} into tensor<?x4x32xbf16>
// EXPANDED: deepseek.attention %[[QN]], %[[QR]], %[[HEADS]], %[[ROPE]], %[[CUQ]], %[[CUKV]] {scale = 2.500000e-01 : f64}

// ABSORBED-LABEL: @prefill
// ABSORBED-SAME: %[[QN:[^:]+]]: tensor<?x4x24xbf16>, %[[QR:[^:]+]]: tensor<?x4x8xbf16>, %[[CACHE:[^:]+]]: {{.*}}, %[[TABLE:[^:]+]]: tensor<?x?xi32>, %[[CUQ:[^:]+]]: tensor<?xi32>, %[[CUKV:[^:]+]]: tensor<?xi32>, %{{.*}}: index
// ABSORBED: %[[W:.*]] = tensor.expand_shape
// ABSORBED: %[[UK:.*]] = tensor.extract_slice %[[W]][0, 0, 0] [4, 24, 16]
// ABSORBED: %[[UV:.*]] = tensor.extract_slice %[[W]][0, 24, 0] [4, 8, 16]
// ABSORBED: %[[Q:.*]] = deepseek.head_linear %[[QN]], %[[UK]] {transposed} : {{.*}} -> tensor<?x4x16xbf16>
// ABSORBED: %[[Y:.*]] = deepseek.latent_attention %[[Q]], %[[QR]], %[[CACHE]], %[[TABLE]], %[[CUQ]], %[[CUKV]] {scale = 2.500000e-01 : f64}
// ABSORBED: deepseek.head_linear %[[Y]], %[[UV]] : {{.*}} -> tensor<?x4x8xbf16>

// AUTO-LABEL: @prefill
// AUTO: deepseek.attention
// AUTO-LABEL: @decode
// AUTO: deepseek.latent_attention
// AUTO-NOT: deepseek.mla
func.func @prefill(%qn: tensor<?x4x24xbf16>, %qr: tensor<?x4x8xbf16>, %cache: !pages, %table: tensor<?x?xi32>,
                   %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %total: index, %flat: tensor<128x16xbf16>) -> tensor<?x4x8xbf16> {
  %w = tensor.expand_shape %flat [[0, 1], [2]] output_shape [4, 32, 16] : tensor<128x16xbf16> into tensor<4x32x16xbf16>
  %y = deepseek.mla %qn, %qr, %cache, %table, %cu_q, %cu_kv, %total, %w {scale = 0.25}
      : (tensor<?x4x24xbf16>, tensor<?x4x8xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<4x32x16xbf16>) -> tensor<?x4x8xbf16>
  return %y : tensor<?x4x8xbf16>
}

func.func @decode(%qn: tensor<?x4x24xbf16>, %qr: tensor<?x4x8xbf16>, %cache: !pages, %table: tensor<?x?xi32>,
                  %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %total: index, %w: tensor<4x32x16xbf16>) -> tensor<?x4x8xbf16> {
  %y = deepseek.mla %qn, %qr, %cache, %table, %cu_q, %cu_kv, %total, %w {scale = 0.25}
      : (tensor<?x4x24xbf16>, tensor<?x4x8xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<4x32x16xbf16>) -> tensor<?x4x8xbf16>
  return %y : tensor<?x4x8xbf16>
}
