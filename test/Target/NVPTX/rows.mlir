// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a,sm_80 start-after=buffers stop-after=device" --remarks-filter=kernel -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: grep -o 'chip = "sm_90a".*' %t.mlir | sed 's/\\0A/\n/g;s/\\09/ /g' > %t.ptx
// RUN: FileCheck %s --check-prefix=NORM --input-file=%t.ptx
// RUN: FileCheck %s --check-prefix=SHORT --input-file=%t.ptx
// RUN: FileCheck %s --check-prefix=SM80 --input-file=%t.ptx
// RUN: FileCheck %s --check-prefix=ROPE --input-file=%t.ptx

// One launch of what a chain of ops does to a row: a CTA for a wide row, a warp for
// a short one. Each value is read once and written once, 16 bytes a thread.

#row = #deepseek.block_scaled<[1, 128]>
!pages = tensor<?x64x160xbf16, #deepseek.latent_cache<latent = 128, rope = 32>>

module attributes {deepseek.model = "rows"} {
  module @kernels {
    // 896 pieces of 8 elements by 224 threads: four each, the last one too, so
    // nothing is guarded. Two operands and gamma: 12 loads; sum, norm: 4 stores each.
    // REMARK: sm_90a: any_rows: memory bound: 64736 bytes a row{{.*}}896 pieces of 8 elements by 224 threads, 1 rows a CTA
    // NORM: .entry add_norm_quantize(
    // NORM: .maxntid 224
    // NORM: griddepcontrol.launch_dependents
    // NORM: griddepcontrol.wait
    // NORM-NOT: st.global
    // NORM-COUNT-12: ld.global.v4.b32
    // NORM-NOT: ld.global
    // NORM-COUNT-4: st.global.v4.b32
    // NORM-COUNT-2: bar
    // NORM: sqrt.rn.f32
    // NORM: rcp.rn.f32
    // NORM-COUNT-4: st.global.v4.b32
    // NORM: shfl.sync.bfly
    // NORM: div.rn.f32
    // NORM: cvt.rn.satfinite.e4m3x2.f32
    // NORM-COUNT-4: st.global.v2.b32
    // NORM: ret;
    // NORM: .target sm_80
    func.func @add_norm_quantize(%x: tensor<?x7168xbf16>, %y: tensor<?x7168xbf16>, %gamma: tensor<7168xbf16>,
                                 %sum: tensor<?x7168xbf16>, %norm: tensor<?x7168xbf16>,
                                 %codes: tensor<?x7168xf8E4M3FN, #row>, %scales: tensor<?x56xf32>)
        -> (tensor<?x7168xbf16>, tensor<?x7168xbf16>, tensor<?x7168xf8E4M3FN, #row>, tensor<?x56xf32>) {
      %0 = arith.addf %x, %y : tensor<?x7168xbf16>
      %1 = deepseek.rms_norm %0, %gamma {epsilon = 1.0e-6 : f64} : (tensor<?x7168xbf16>, tensor<7168xbf16>) -> tensor<?x7168xbf16>
      %q, %s = deepseek.quantize %1 : (tensor<?x7168xbf16>) -> (tensor<?x7168xf8E4M3FN, #row>, tensor<?x56xf32>)
      return %0, %1, %q, %s : tensor<?x7168xbf16>, tensor<?x7168xbf16>, tensor<?x7168xf8E4M3FN, #row>, tensor<?x56xf32>
    }

    // A row of 192 elements is 24 lanes of a warp: no shared memory, no barrier.
    // REMARK: sm_90a: any_rows: {{.*}}24 pieces of 8 elements by 32 threads, 4 rows a CTA
    // SHORT: .entry short(
    // SHORT: .maxntid 128
    // SHORT-NOT: bar.sync
    // SHORT: ret;
    // SM80: .target sm_80
    // SM80: .entry short(
    // SM80-NOT: griddepcontrol
    // SM80-NOT: e4m3x2
    // SM80: ret;
    func.func @short(%x: tensor<?x192xbf16>, %gamma: tensor<192xbf16>,
                     %codes: tensor<?x192xf8E4M3FN, #row>, %scales: tensor<?x2xf32>)
        -> (tensor<?x192xf8E4M3FN, #row>, tensor<?x2xf32>) {
      %0 = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6 : f64} : (tensor<?x192xbf16>, tensor<192xbf16>) -> tensor<?x192xbf16>
      %q, %s = deepseek.quantize %0 : (tensor<?x192xbf16>) -> (tensor<?x192xf8E4M3FN, #row>, tensor<?x2xf32>)
      return %q, %s : tensor<?x192xf8E4M3FN, #row>, tensor<?x2xf32>
    }

    // Slices are other addresses, and the cache's row is found by its slot. Angles in
    // f64, once for all heads.
    // ROPE: .entry rope_and_cache(
    // ROPE: cvt.f64.f32
    // ROPE: setp.lt.s32
    // ROPE: ret;
    func.func @rope_and_cache(%x: tensor<?x352xbf16>, %positions: tensor<?xi32>, %slots: tensor<?xi32>,
                              %gamma: tensor<128xbf16>, %latent: tensor<?x128xbf16>, %cache: !pages) -> (tensor<?x128xbf16>, !pages) {
      %c0 = arith.constant 0 : index
      %rows = tensor.dim %x, %c0 : tensor<?x352xbf16>
      %0 = tensor.extract_slice %x[0, 192] [%rows, 160] [1, 1] : tensor<?x352xbf16> to tensor<?x160xbf16>
      %1 = tensor.extract_slice %0[0, 0] [%rows, 128] [1, 1] : tensor<?x160xbf16> to tensor<?x128xbf16>
      %2 = tensor.extract_slice %0[0, 128] [%rows, 32] [1, 1] : tensor<?x160xbf16> to tensor<?x32xbf16>
      %3 = deepseek.rms_norm %1, %gamma {epsilon = 1.0e-6 : f64} : (tensor<?x128xbf16>, tensor<128xbf16>) -> tensor<?x128xbf16>
      %4 = deepseek.rope %2, %positions {theta = 1.0e4 : f64} : (tensor<?x32xbf16>, tensor<?xi32>) -> tensor<?x32xbf16>
      %5 = deepseek.cache_append %cache, %3, %4, %slots : (!pages, tensor<?x128xbf16>, tensor<?x32xbf16>, tensor<?xi32>) -> !pages
      return %3, %5 : tensor<?x128xbf16>, !pages
    }
  }
}
