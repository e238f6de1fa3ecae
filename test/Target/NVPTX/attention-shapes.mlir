// REQUIRES: ptxas
// RUN: rm -rf %t && mkdir %t
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_80,sm_89,sm_90a,sm_100a,sm_120a start-after=kernels stop-after=device" -o %t/device
// RUN: for chip in sm_80 sm_89 sm_90a sm_100a sm_120a; do \
// RUN:   grep -o "chip = \"$chip\", ptx = \"[^\"]*" %t/device | sed 's/.*ptx = "//; s/\\0A/\n/g; s/\\09/\t/g; s/\\22/"/g; s/\\00$//' > %t/$chip.ptx && \
// RUN:   echo "chip $chip" && ptxas -arch=$chip -v %t/$chip.ptx -o %t/$chip.cubin 2>&1 || exit 1; done > %t/log
// RUN: FileCheck %s --input-file=%t/log --implicit-check-not=C75 --implicit-check-not="{{[1-9][0-9]*}} bytes spill"

// Attention of DeepSeek-V3, Kimi-K2, V2-Lite and the bundled model on all chips:
// ptxas finds registers for all values and has nothing to warn of.

// CHECK-LABEL: chip sm_80
// CHECK-DAG: Compiling entry function 'v3_latent'
// CHECK-DAG: Compiling entry function 'v3_expanded'
// CHECK-LABEL: chip sm_89
// CHECK-DAG: Compiling entry function 'v3_latent'
// CHECK-DAG: Compiling entry function 'v3_expanded'
// CHECK-LABEL: chip sm_90a
// CHECK-DAG: Compiling entry function 'v3_latent'
// CHECK-DAG: Compiling entry function 'v3_expanded'
// CHECK-LABEL: chip sm_100a
// CHECK-DAG: Compiling entry function 'v3_latent'
// CHECK-DAG: Compiling entry function 'v3_expanded'
// CHECK-LABEL: chip sm_120a
// CHECK-DAG: Compiling entry function 'v3_latent'
// CHECK-DAG: Compiling entry function 'v3_expanded'

!pages = tensor<?x64x576xbf16, #deepseek.latent_cache<latent = 512, rope = 64>>
!small = tensor<?x64x160xbf16, #deepseek.latent_cache<latent = 128, rope = 32>>
module {
  module @kernels {
    func.func @v3_latent(%q: tensor<?x128x512xbf16>, %r: tensor<?x128x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x512xbf16>) -> tensor<?x128x512xbf16> {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x128x512xbf16>, tensor<?x128x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x512xbf16>
      return %y : tensor<?x128x512xbf16>
    }
    func.func @kimi_k2_latent(%q: tensor<?x64x512xbf16>, %r: tensor<?x64x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x64x512xbf16>) -> tensor<?x64x512xbf16> {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x64x512xbf16>, tensor<?x64x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x64x512xbf16>
      return %y : tensor<?x64x512xbf16>
    }
    func.func @v2_lite_latent(%q: tensor<?x16x512xbf16>, %r: tensor<?x16x64xbf16>, %cache: !pages, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x16x512xbf16>) -> tensor<?x16x512xbf16> {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x16x512xbf16>, tensor<?x16x64xbf16>, !pages, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x16x512xbf16>
      return %y : tensor<?x16x512xbf16>
    }
    func.func @small_latent(%q: tensor<?x4x128xbf16>, %r: tensor<?x4x32xbf16>, %cache: !small, %table: tensor<?x?xi32>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16> {
      %y = deepseek.latent_attention %q, %r, %cache, %table, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x4x128xbf16>, tensor<?x4x32xbf16>, !small, tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x4x128xbf16>
      return %y : tensor<?x4x128xbf16>
    }
    func.func @v3_expanded(%q: tensor<?x24576xbf16>, %r: tensor<?x128x64xbf16>, %flat: tensor<?x32768xbf16>, %rows: tensor<?x576xbf16>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x128x128xbf16>) -> tensor<?x128x128xbf16> {
      %c0 = arith.constant 0 : index
      %t = tensor.dim %q, %c0 : tensor<?x24576xbf16>
      %s = tensor.dim %flat, %c0 : tensor<?x32768xbf16>
      %heads = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 128, 192] : tensor<?x24576xbf16> into tensor<?x128x192xbf16>
      %nope = tensor.extract_slice %heads[0, 0, 0] [%t, 128, 128] [1, 1, 1] : tensor<?x128x192xbf16> to tensor<?x128x128xbf16>
      %kv = tensor.expand_shape %flat [[0], [1, 2]] output_shape [%s, 128, 256] : tensor<?x32768xbf16> into tensor<?x128x256xbf16>
      %rope = tensor.extract_slice %rows[0, 512] [%s, 64] [1, 1] : tensor<?x576xbf16> to tensor<?x64xbf16>
      %y = deepseek.attention %nope, %r, %kv, %rope, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x128x128xbf16>, tensor<?x128x64xbf16>, tensor<?x128x256xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x128xbf16>
      return %y : tensor<?x128x128xbf16>
    }
    func.func @kimi_k2_expanded(%q: tensor<?x12288xbf16>, %r: tensor<?x64x64xbf16>, %flat: tensor<?x16384xbf16>, %rows: tensor<?x576xbf16>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x64x128xbf16>) -> tensor<?x64x128xbf16> {
      %c0 = arith.constant 0 : index
      %t = tensor.dim %q, %c0 : tensor<?x12288xbf16>
      %s = tensor.dim %flat, %c0 : tensor<?x16384xbf16>
      %heads = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 64, 192] : tensor<?x12288xbf16> into tensor<?x64x192xbf16>
      %nope = tensor.extract_slice %heads[0, 0, 0] [%t, 64, 128] [1, 1, 1] : tensor<?x64x192xbf16> to tensor<?x64x128xbf16>
      %kv = tensor.expand_shape %flat [[0], [1, 2]] output_shape [%s, 64, 256] : tensor<?x16384xbf16> into tensor<?x64x256xbf16>
      %rope = tensor.extract_slice %rows[0, 512] [%s, 64] [1, 1] : tensor<?x576xbf16> to tensor<?x64xbf16>
      %y = deepseek.attention %nope, %r, %kv, %rope, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x64x128xbf16>, tensor<?x64x64xbf16>, tensor<?x64x256xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x64x128xbf16>
      return %y : tensor<?x64x128xbf16>
    }
    func.func @v2_lite_expanded(%q: tensor<?x3072xbf16>, %r: tensor<?x16x64xbf16>, %flat: tensor<?x4096xbf16>, %rows: tensor<?x576xbf16>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x16x128xbf16>) -> tensor<?x16x128xbf16> {
      %c0 = arith.constant 0 : index
      %t = tensor.dim %q, %c0 : tensor<?x3072xbf16>
      %s = tensor.dim %flat, %c0 : tensor<?x4096xbf16>
      %heads = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 16, 192] : tensor<?x3072xbf16> into tensor<?x16x192xbf16>
      %nope = tensor.extract_slice %heads[0, 0, 0] [%t, 16, 128] [1, 1, 1] : tensor<?x16x192xbf16> to tensor<?x16x128xbf16>
      %kv = tensor.expand_shape %flat [[0], [1, 2]] output_shape [%s, 16, 256] : tensor<?x4096xbf16> into tensor<?x16x256xbf16>
      %rope = tensor.extract_slice %rows[0, 512] [%s, 64] [1, 1] : tensor<?x576xbf16> to tensor<?x64xbf16>
      %y = deepseek.attention %nope, %r, %kv, %rope, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x16x128xbf16>, tensor<?x16x64xbf16>, tensor<?x16x256xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x16x128xbf16>
      return %y : tensor<?x16x128xbf16>
    }
    func.func @small_expanded(%q: tensor<?x384xbf16>, %r: tensor<?x4x32xbf16>, %flat: tensor<?x512xbf16>, %rows: tensor<?x160xbf16>, %cu_q: tensor<?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x4x64xbf16>) -> tensor<?x4x64xbf16> {
      %c0 = arith.constant 0 : index
      %t = tensor.dim %q, %c0 : tensor<?x384xbf16>
      %s = tensor.dim %flat, %c0 : tensor<?x512xbf16>
      %heads = tensor.expand_shape %q [[0], [1, 2]] output_shape [%t, 4, 96] : tensor<?x384xbf16> into tensor<?x4x96xbf16>
      %nope = tensor.extract_slice %heads[0, 0, 0] [%t, 4, 64] [1, 1, 1] : tensor<?x4x96xbf16> to tensor<?x4x64xbf16>
      %kv = tensor.expand_shape %flat [[0], [1, 2]] output_shape [%s, 4, 128] : tensor<?x512xbf16> into tensor<?x4x128xbf16>
      %rope = tensor.extract_slice %rows[0, 128] [%s, 32] [1, 1] : tensor<?x160xbf16> to tensor<?x32xbf16>
      %y = deepseek.attention %nope, %r, %kv, %rope, %cu_q, %cu_kv {scale = 0.1352337788608801 : f64} : (tensor<?x4x64xbf16>, tensor<?x4x32xbf16>, tensor<?x4x128xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x4x64xbf16>
      return %y : tensor<?x4x64xbf16>
    }
    func.func @v3_gather(%cache: !pages, %table: tensor<?x?xi32>, %cu_kv: tensor<?xi32>, %out: tensor<?x576xbf16>) -> tensor<?x576xbf16> {
      %c0 = arith.constant 0 : index
      %s = tensor.dim %out, %c0 : tensor<?x576xbf16>
      %y = deepseek.cache_gather %cache, %table, %cu_kv, %s : (!pages, tensor<?x?xi32>, tensor<?xi32>, index) -> tensor<?x576xbf16>
      return %y : tensor<?x576xbf16>
    }
  }
}
