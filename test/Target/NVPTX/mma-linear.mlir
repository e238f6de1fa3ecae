// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_80,sm_89}))" --remarks-filter=kernel 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: ds-opt %s --ds-stage-device="target=nvptx chip=sm_89" -o %t.89.mlir && FileCheck %s --check-prefix=LAUNCH --input-file=%t.89.mlir
// RUN: grep -o 'ptx = "[^"]*' %t.89.mlir | sed 's/\\0A/\n/g; s/\\09/ /g' | FileCheck %s --check-prefix=FP8
// RUN: ds-opt %s --ds-stage-device="target=nvptx chip=sm_80" | grep -o 'ptx = "[^"]*' | sed 's/\\0A/\n/g; s/\\09/ /g' | FileCheck %s --check-prefix=F16 --implicit-check-not=.e4m3

// Products of V3: the merged projection of one kernel for two weights, an expert's
// gate and up with swiglu and quantize, the query's side of kv_b.

!x8 = tensor<?x7168xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!q8 = tensor<1536x7168xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!kv8 = tensor<576x7168xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!w8 = tensor<2112x7168xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!e8 = tensor<257x2048x7168xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!g8 = tensor<257x4096x7168xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
!y8 = tensor<?x2048xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!b8 = tensor<32768x512xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>

// REMARK: sm_80: any_mma_linear: 15.1 MB of weights, {{.*}} 66 CTAs of 32 outputs in 1 wave, 2 ranges, 4 stages; memory bound below 78 rows a weight

module attributes {deepseek.target = "nvptx"} {
  module @kernels {
    // CHECK: @projection
    // CHECK-SAME: sm_80 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 32 : i64, ranges = 2 : i64, stages = 4 : i64, tokens = array<i64: 8, 16, 32, 64>}
    func.func @projection(%x: !x8, %s: tensor<?x56xf32>, %q: !q8, %kv: !kv8, %q_s: tensor<12x56xf32>, %kv_s: tensor<5x56xf32>, %out: tensor<?x2112xbf16>) -> tensor<?x2112xbf16> {
      %a = tensor.cast %q : !q8 to tensor<1536x7168xf8E4M3FN>
      %b = tensor.cast %kv : !kv8 to tensor<576x7168xf8E4M3FN>
      %c = tensor.concat dim(0) %a, %b : (tensor<1536x7168xf8E4M3FN>, tensor<576x7168xf8E4M3FN>) -> tensor<2112x7168xf8E4M3FN>
      %w = tensor.cast %c : tensor<2112x7168xf8E4M3FN> to !w8
      %w_s = tensor.concat dim(0) %q_s, %kv_s : (tensor<12x56xf32>, tensor<5x56xf32>) -> tensor<17x56xf32>
      %y = deepseek.scaled_linear %x, %s, %w, %w_s : (!x8, tensor<?x56xf32>, !w8, tensor<17x56xf32>) -> tensor<?x2112xbf16>
      return %y : tensor<?x2112xbf16>
    }
    // Blocks of 128 results, gate and up.
    // CHECK: @experts
    // CHECK-SAME: sm_80 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 256 : i64, ranges = 1 : i64, stages = 4 : i64, tokens = array<i64: 8, 16, 32>}
    func.func @experts(%x: !x8, %s: tensor<?x56xf32>, %gate: !e8 {dsrt.stacked}, %up: !e8 {dsrt.stacked}, %gate_s: tensor<257x16x56xf32> {dsrt.stacked}, %up_s: tensor<257x16x56xf32> {dsrt.stacked}, %offsets: tensor<258xi32>, %out: !y8, %out_s: tensor<?x16xf32>) -> (!y8, tensor<?x16xf32>) {
      %a = tensor.cast %gate : !e8 to tensor<257x2048x7168xf8E4M3FN>
      %b = tensor.cast %up : !e8 to tensor<257x2048x7168xf8E4M3FN>
      %c = tensor.concat dim(1) %a, %b : (tensor<257x2048x7168xf8E4M3FN>, tensor<257x2048x7168xf8E4M3FN>) -> tensor<257x4096x7168xf8E4M3FN>
      %w = tensor.cast %c : tensor<257x4096x7168xf8E4M3FN> to !g8
      %w_s = tensor.concat dim(1) %gate_s, %up_s : (tensor<257x16x56xf32>, tensor<257x16x56xf32>) -> tensor<257x32x56xf32>
      %y = deepseek.scaled_grouped_linear %x, %s, %w, %w_s, %offsets : (!x8, tensor<?x56xf32>, !g8, tensor<257x32x56xf32>, tensor<258xi32>) -> tensor<?x4096xbf16>
      %c0 = arith.constant 0 : index
      %rows = tensor.dim %y, %c0 : tensor<?x4096xbf16>
      %y_gate = tensor.extract_slice %y[0, 0] [%rows, 2048] [1, 1] : tensor<?x4096xbf16> to tensor<?x2048xbf16>
      %y_up = tensor.extract_slice %y[0, 2048] [%rows, 2048] [1, 1] : tensor<?x4096xbf16> to tensor<?x2048xbf16>
      %z = deepseek.swiglu %y_gate, %y_up : (tensor<?x2048xbf16>, tensor<?x2048xbf16>) -> tensor<?x2048xbf16>
      %r, %r_s = deepseek.quantize %z : (tensor<?x2048xbf16>) -> (!y8, tensor<?x16xf32>)
      return %r, %r_s : !y8, tensor<?x16xf32>
    }
    // CHECK: @absorb
    // CHECK-SAME: sm_80 = {emitter = "any_mma_linear", matvec_rows = 0 : i64, outputs = 128 : i64, ranges = 1 : i64, stages = 4 : i64, tokens = array<i64: 8, 16, 32, 64>}
    func.func @absorb(%q: tensor<?x24576xbf16>, %kv_b: !b8, %s: tensor<256x4xf32>, %out: tensor<?x128x512xbf16>) -> tensor<?x128x512xbf16> {
      %c0 = arith.constant 0 : index
      %rows = tensor.dim %q, %c0 : tensor<?x24576xbf16>
      %heads = tensor.expand_shape %q [[0], [1, 2]] output_shape [%rows, 128, 192] : tensor<?x24576xbf16> into tensor<?x128x192xbf16>
      %x = tensor.extract_slice %heads[0, 0, 0] [%rows, 128, 128] [1, 1, 1] : tensor<?x128x192xbf16> to tensor<?x128x128xbf16>
      %d = deepseek.dequantize %kv_b, %s : (!b8, tensor<256x4xf32>) -> tensor<32768x512xbf16>
      %e = tensor.expand_shape %d [[0, 1], [2]] output_shape [128, 256, 512] : tensor<32768x512xbf16> into tensor<128x256x512xbf16>
      %w = tensor.extract_slice %e[0, 0, 0] [128, 128, 512] [1, 1, 1] : tensor<128x256x512xbf16> to tensor<128x128x512xbf16>
      %y = deepseek.head_linear %x, %w {transposed} : (tensor<?x128x128xbf16>, tensor<128x128x512xbf16>) -> tensor<?x128x512xbf16>
      return %y : tensor<?x128x512xbf16>
    }
  }
}

// LAUNCH: name = "projection_t8"
// LAUNCH: llvm.func @projection(
// LAUNCH-COUNT-4: llvm.call @dsrt_launch

// FP8: .visible .entry projection_t8(
// FP8: cp.async.cg.shared.global
// FP8: cp.async.wait_group
// FP8: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// FP8: mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32
// FP8: .visible .entry experts_t8(
// FP8: shfl.sync.idx
// FP8: mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32
// FP8: cvt.rn.satfinite.e4m3x2.f32
// FP8: .visible .entry absorb_t8(
// FP8: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// FP8: fma.rn.bf16x2
// FP8: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32

// F16: .visible .entry projection_t8(
// F16: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
