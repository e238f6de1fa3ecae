// RUN: ds-opt %s --ds-lower-mla --verify-diagnostics --split-input-file
// RUN: not ds-opt %s --ds-lower-mla=form=folded 2>&1 | FileCheck %s --check-prefix=FORM

// FORM: folded

!pages = tensor<?x64x24xbf16, #deepseek.latent_cache<latent = 16, rope = 8>>

func.func @dynamic_heads(%qn: tensor<?x?x24xbf16>, %qr: tensor<?x?x8xbf16>, %cache: !pages, %table: tensor<?x?xi32>,
                         %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %total: index, %w: tensor<?x32x16xbf16>) -> tensor<?x?x8xbf16> {
  // expected-error @+1 {{expected static sizes but for tokens}}
  %y = deepseek.mla %qn, %qr, %cache, %table, %cu_q, %cu_kv, %total, %w {scale = 0.25}
      : (tensor<?x?x24xbf16>, tensor<?x?x8xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<?x32x16xbf16>) -> tensor<?x?x8xbf16>
  return %y : tensor<?x?x8xbf16>
}
