// RUN: ds-opt %s --pass-pipeline="builtin.module(builtin.module(nvptx-configure-kernels{chips=sm_90a}))" --remarks-filter=kernel -o %t.mlir 2> %t.remarks && FileCheck %s < %t.mlir && FileCheck %s --check-prefix=REASON < %t.remarks
// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a start-after=kernels stop-after=device" | grep -o 'ptx = "[^"]*"' | sed -e 's/^ptx = "//; s/"$//; s/\\0A/\n/g; s/\\09/\t/g; s/\\22/"/g' > %t.ptx
// RUN: FileCheck %s --check-prefix=PTX < %t.ptx
// RUN: %if ptxas %{ ptxas -arch=sm_90a -v %t.ptx -o %t.cubin 2>&1 | FileCheck %s --check-prefix=PTXAS --implicit-check-not=C75 --implicit-check-not="{{[1-9][0-9]*}} bytes spill" %}

// Products of DeepSeek-V3, Kimi-K2, V2-Lite and the bundled model: what is chosen, and
// that ptxas has nothing to say against it.

// One token: a cluster of 8, weights requested before the kernel before is waited for,
// then x; sums of other CTAs. 128 tokens: registers moved, x into both CTAs of a pair.
// PTX: .entry v3_q_a_n8(
// PTX: .reqnctapercluster 8, 1, 1
// PTX: griddepcontrol.launch_dependents
// PTX: cp.async.bulk.tensor.3d.shared::cta.global
// PTX: griddepcontrol.wait
// PTX: cp.async.bulk.tensor.2d.shared::cta.global
// PTX: wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3
// PTX: ld.shared::cluster.v4
// PTX: .entry v3_q_a_n128(
// PTX: .reqnctapercluster 2, 1, 1
// PTX-DAG: setmaxnreg.dec.sync.aligned.u32 40
// PTX-DAG: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster
// PTX-DAG: setmaxnreg.inc.sync.aligned.u32 232
// PTX-DAG: wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3
// PTX: .entry v3_router_n8(
// PTX: wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16
// PTXAS: Compiling entry function 'v3_q_a_n8'

#w = #deepseek.block_scaled<[128, 128]>
#x = #deepseek.block_scaled<[1, 128]>

module {
  module @kernels {
    // 12 tiles of weight rows are too few for 132 multiprocessors: K in 8 ranges.
    // REASON: v3_q_a
    // REASON-SAME: sm90_fp8_linear: memory bound up to 295 tokens; 12 tiles of 128 weight rows, K in 8 ranges by clusters: 96 CTAs a tile of tokens, 4.3 us at 3.35 TB/s
    // CHECK: @v3_q_a
    // CHECK-SAME: emitter = "sm90_fp8_linear", range = 7 : i64, sharers = 2 : i64, stages = array<i64: 6, 5, 4, 6>, token_tiles = array<i64: 8, 32, 64, 128>
    func.func @v3_q_a(%x: tensor<?x7168xf8E4M3FN, #x>, %xs: tensor<?x56xf32>, %w: tensor<1536x7168xf8E4M3FN, #w>, %ws: tensor<12x56xf32>, %out: tensor<?x1536xbf16>) -> tensor<?x1536xbf16> {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x7168xf8E4M3FN, #x>, tensor<?x56xf32>, tensor<1536x7168xf8E4M3FN, #w>, tensor<12x56xf32>) -> tensor<?x1536xbf16>
      return %y : tensor<?x1536xbf16>
    }
    // CHECK: @v3_q_b
    // CHECK-SAME: emitter = "sm90_fp8_linear", range = 12 : i64
    func.func @v3_q_b(%x: tensor<?x1536xf8E4M3FN, #x>, %xs: tensor<?x12xf32>, %w: tensor<24576x1536xf8E4M3FN, #w>, %ws: tensor<192x12xf32>, %out: tensor<?x24576xbf16>) -> tensor<?x24576xbf16> {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x1536xf8E4M3FN, #x>, tensor<?x12xf32>, tensor<24576x1536xf8E4M3FN, #w>, tensor<192x12xf32>) -> tensor<?x24576xbf16>
      return %y : tensor<?x24576xbf16>
    }
    // CHECK: @v3_o
    // CHECK-SAME: range = 64 : i64
    func.func @v3_o(%x: tensor<?x16384xf8E4M3FN, #x>, %xs: tensor<?x128xf32>, %w: tensor<7168x16384xf8E4M3FN, #w>, %ws: tensor<56x128xf32>, %out: tensor<?x7168xbf16>) -> tensor<?x7168xbf16> {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x16384xf8E4M3FN, #x>, tensor<?x128xf32>, tensor<7168x16384xf8E4M3FN, #w>, tensor<56x128xf32>) -> tensor<?x7168xbf16>
      return %y : tensor<?x7168xbf16>
    }
    // CHECK: @v3_gate_up
    // CHECK-SAME: emitter = "sm90_fp8_linear", range = 56 : i64, sharers = 1 : i64, stages = array<i64: 3, 3, 5>, token_tiles = array<i64: 8, 32, 64>
    func.func @v3_gate_up(%x: tensor<?x7168xf8E4M3FN, #x>, %xs: tensor<?x56xf32>, %gate: tensor<18432x7168xf8E4M3FN, #w>, %up: tensor<18432x7168xf8E4M3FN, #w>, %gate_s: tensor<144x56xf32>, %up_s: tensor<144x56xf32>, %out: tensor<?x18432xf8E4M3FN, #x>, %out_s: tensor<?x144xf32>) -> (tensor<?x18432xf8E4M3FN, #x>, tensor<?x144xf32>) {
      %g = tensor.cast %gate : tensor<18432x7168xf8E4M3FN, #w> to tensor<18432x7168xf8E4M3FN>
      %u = tensor.cast %up : tensor<18432x7168xf8E4M3FN, #w> to tensor<18432x7168xf8E4M3FN>
      %gu = tensor.concat dim(0) %g, %u : (tensor<18432x7168xf8E4M3FN>, tensor<18432x7168xf8E4M3FN>) -> tensor<36864x7168xf8E4M3FN>
      %w = tensor.cast %gu : tensor<36864x7168xf8E4M3FN> to tensor<36864x7168xf8E4M3FN, #w>
      %s = tensor.concat dim(0) %gate_s, %up_s : (tensor<144x56xf32>, tensor<144x56xf32>) -> tensor<288x56xf32>
      %y = deepseek.scaled_linear %x, %xs, %w, %s : (tensor<?x7168xf8E4M3FN, #x>, tensor<?x56xf32>, tensor<36864x7168xf8E4M3FN, #w>, tensor<288x56xf32>) -> tensor<?x36864xbf16>
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %y, %c0 : tensor<?x36864xbf16>
      %y_gate = tensor.extract_slice %y[0, 0] [%dim, 18432] [1, 1] : tensor<?x36864xbf16> to tensor<?x18432xbf16>
      %y_up = tensor.extract_slice %y[0, 18432] [%dim, 18432] [1, 1] : tensor<?x36864xbf16> to tensor<?x18432xbf16>
      %z = deepseek.swiglu %y_gate, %y_up : (tensor<?x18432xbf16>, tensor<?x18432xbf16>) -> tensor<?x18432xbf16>
      %q, %qs = deepseek.quantize %z : (tensor<?x18432xbf16>) -> (tensor<?x18432xf8E4M3FN, #x>, tensor<?x144xf32>)
      return %q, %qs : tensor<?x18432xf8E4M3FN, #x>, tensor<?x144xf32>
    }
    // REASON: v3_experts
    // REASON-SAME: sm90_fp8_grouped_linear: memory bound up to 295 tokens an expert; 16 tiles of 256 weight rows an expert
    // CHECK: @v3_experts
    // CHECK-SAME: emitter = "sm90_fp8_grouped_linear"
    func.func @v3_experts(%x: tensor<?x7168xf8E4M3FN, #x>, %xs: tensor<?x56xf32>, %gate: tensor<257x2048x7168xf8E4M3FN, #w> {dsrt.stacked}, %up: tensor<257x2048x7168xf8E4M3FN, #w> {dsrt.stacked}, %gate_s: tensor<257x16x56xf32> {dsrt.stacked}, %up_s: tensor<257x16x56xf32> {dsrt.stacked}, %offsets: tensor<258xi32>, %out: tensor<?x2048xf8E4M3FN, #x>, %out_s: tensor<?x16xf32>) -> (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>) {
      %g = tensor.cast %gate : tensor<257x2048x7168xf8E4M3FN, #w> to tensor<257x2048x7168xf8E4M3FN>
      %u = tensor.cast %up : tensor<257x2048x7168xf8E4M3FN, #w> to tensor<257x2048x7168xf8E4M3FN>
      %gu = tensor.concat dim(1) %g, %u : (tensor<257x2048x7168xf8E4M3FN>, tensor<257x2048x7168xf8E4M3FN>) -> tensor<257x4096x7168xf8E4M3FN>
      %w = tensor.cast %gu : tensor<257x4096x7168xf8E4M3FN> to tensor<257x4096x7168xf8E4M3FN, #w>
      %s = tensor.concat dim(1) %gate_s, %up_s : (tensor<257x16x56xf32>, tensor<257x16x56xf32>) -> tensor<257x32x56xf32>
      %y = deepseek.scaled_grouped_linear %x, %xs, %w, %s, %offsets : (tensor<?x7168xf8E4M3FN, #x>, tensor<?x56xf32>, tensor<257x4096x7168xf8E4M3FN, #w>, tensor<257x32x56xf32>, tensor<258xi32>) -> tensor<?x4096xbf16>
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %y, %c0 : tensor<?x4096xbf16>
      %y_gate = tensor.extract_slice %y[0, 0] [%dim, 2048] [1, 1] : tensor<?x4096xbf16> to tensor<?x2048xbf16>
      %y_up = tensor.extract_slice %y[0, 2048] [%dim, 2048] [1, 1] : tensor<?x4096xbf16> to tensor<?x2048xbf16>
      %z = deepseek.swiglu %y_gate, %y_up : (tensor<?x2048xbf16>, tensor<?x2048xbf16>) -> tensor<?x2048xbf16>
      %q, %qs = deepseek.quantize %z : (tensor<?x2048xbf16>) -> (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>)
      return %q, %qs : tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>
    }
    func.func @v3_experts_down(%x: tensor<?x2048xf8E4M3FN, #x>, %xs: tensor<?x16xf32>, %w: tensor<257x7168x2048xf8E4M3FN, #w> {dsrt.stacked}, %ws: tensor<257x56x16xf32> {dsrt.stacked}, %offsets: tensor<258xi32>, %out: tensor<?x7168xbf16>) -> tensor<?x7168xbf16> {
      %y = deepseek.scaled_grouped_linear %x, %xs, %w, %ws, %offsets : (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>, tensor<257x7168x2048xf8E4M3FN, #w>, tensor<257x56x16xf32>, tensor<258xi32>) -> tensor<?x7168xbf16>
      return %y : tensor<?x7168xbf16>
    }
    func.func @v3_router(%x: tensor<?x7168xbf16>, %w: tensor<256x7168xbf16>, %out: tensor<?x256xf32>) -> tensor<?x256xf32> {
      %y = deepseek.linear %x, %w : (tensor<?x7168xbf16>, tensor<256x7168xbf16>) -> tensor<?x256xf32>
      return %y : tensor<?x256xf32>
    }
    // CHECK: @v3_head
    // CHECK-SAME: emitter = "sm90_bf16_linear"
    func.func @v3_head(%x: tensor<?x7168xbf16>, %w: tensor<129280x7168xbf16>, %out: tensor<?x129280xf32>) -> tensor<?x129280xf32> {
      %y = deepseek.linear %x, %w : (tensor<?x7168xbf16>, tensor<129280x7168xbf16>) -> tensor<?x129280xf32>
      return %y : tensor<?x129280xf32>
    }
    func.func @kimi_experts(%x: tensor<?x7168xf8E4M3FN, #x>, %xs: tensor<?x56xf32>, %gate: tensor<385x2048x7168xf8E4M3FN, #w> {dsrt.stacked}, %up: tensor<385x2048x7168xf8E4M3FN, #w> {dsrt.stacked}, %gate_s: tensor<385x16x56xf32> {dsrt.stacked}, %up_s: tensor<385x16x56xf32> {dsrt.stacked}, %offsets: tensor<386xi32>, %out: tensor<?x2048xf8E4M3FN, #x>, %out_s: tensor<?x16xf32>) -> (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>) {
      %g = tensor.cast %gate : tensor<385x2048x7168xf8E4M3FN, #w> to tensor<385x2048x7168xf8E4M3FN>
      %u = tensor.cast %up : tensor<385x2048x7168xf8E4M3FN, #w> to tensor<385x2048x7168xf8E4M3FN>
      %gu = tensor.concat dim(1) %g, %u : (tensor<385x2048x7168xf8E4M3FN>, tensor<385x2048x7168xf8E4M3FN>) -> tensor<385x4096x7168xf8E4M3FN>
      %w = tensor.cast %gu : tensor<385x4096x7168xf8E4M3FN> to tensor<385x4096x7168xf8E4M3FN, #w>
      %s = tensor.concat dim(1) %gate_s, %up_s : (tensor<385x16x56xf32>, tensor<385x16x56xf32>) -> tensor<385x32x56xf32>
      %y = deepseek.scaled_grouped_linear %x, %xs, %w, %s, %offsets : (tensor<?x7168xf8E4M3FN, #x>, tensor<?x56xf32>, tensor<385x4096x7168xf8E4M3FN, #w>, tensor<385x32x56xf32>, tensor<386xi32>) -> tensor<?x4096xbf16>
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %y, %c0 : tensor<?x4096xbf16>
      %y_gate = tensor.extract_slice %y[0, 0] [%dim, 2048] [1, 1] : tensor<?x4096xbf16> to tensor<?x2048xbf16>
      %y_up = tensor.extract_slice %y[0, 2048] [%dim, 2048] [1, 1] : tensor<?x4096xbf16> to tensor<?x2048xbf16>
      %z = deepseek.swiglu %y_gate, %y_up : (tensor<?x2048xbf16>, tensor<?x2048xbf16>) -> tensor<?x2048xbf16>
      %q, %qs = deepseek.quantize %z : (tensor<?x2048xbf16>) -> (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>)
      return %q, %qs : tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>
    }
    func.func @lite_q(%x: tensor<?x2048xf8E4M3FN, #x>, %xs: tensor<?x16xf32>, %w: tensor<3072x2048xf8E4M3FN, #w>, %ws: tensor<24x16xf32>, %out: tensor<?x3072xbf16>) -> tensor<?x3072xbf16> {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>, tensor<3072x2048xf8E4M3FN, #w>, tensor<24x16xf32>) -> tensor<?x3072xbf16>
      return %y : tensor<?x3072xbf16>
    }
    func.func @lite_down(%x: tensor<?x10944xf8E4M3FN, #x>, %xs: tensor<?x86xf32>, %w: tensor<2048x10944xf8E4M3FN, #w>, %ws: tensor<16x86xf32>, %out: tensor<?x2048xbf16>) -> tensor<?x2048xbf16> {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x10944xf8E4M3FN, #x>, tensor<?x86xf32>, tensor<2048x10944xf8E4M3FN, #w>, tensor<16x86xf32>) -> tensor<?x2048xbf16>
      return %y : tensor<?x2048xbf16>
    }
    func.func @lite_experts(%x: tensor<?x2048xf8E4M3FN, #x>, %xs: tensor<?x16xf32>, %gate: tensor<66x1408x2048xf8E4M3FN, #w> {dsrt.stacked}, %up: tensor<66x1408x2048xf8E4M3FN, #w> {dsrt.stacked}, %gate_s: tensor<66x11x16xf32> {dsrt.stacked}, %up_s: tensor<66x11x16xf32> {dsrt.stacked}, %offsets: tensor<67xi32>, %out: tensor<?x1408xf8E4M3FN, #x>, %out_s: tensor<?x11xf32>) -> (tensor<?x1408xf8E4M3FN, #x>, tensor<?x11xf32>) {
      %g = tensor.cast %gate : tensor<66x1408x2048xf8E4M3FN, #w> to tensor<66x1408x2048xf8E4M3FN>
      %u = tensor.cast %up : tensor<66x1408x2048xf8E4M3FN, #w> to tensor<66x1408x2048xf8E4M3FN>
      %gu = tensor.concat dim(1) %g, %u : (tensor<66x1408x2048xf8E4M3FN>, tensor<66x1408x2048xf8E4M3FN>) -> tensor<66x2816x2048xf8E4M3FN>
      %w = tensor.cast %gu : tensor<66x2816x2048xf8E4M3FN> to tensor<66x2816x2048xf8E4M3FN, #w>
      %s = tensor.concat dim(1) %gate_s, %up_s : (tensor<66x11x16xf32>, tensor<66x11x16xf32>) -> tensor<66x22x16xf32>
      %y = deepseek.scaled_grouped_linear %x, %xs, %w, %s, %offsets : (tensor<?x2048xf8E4M3FN, #x>, tensor<?x16xf32>, tensor<66x2816x2048xf8E4M3FN, #w>, tensor<66x22x16xf32>, tensor<67xi32>) -> tensor<?x2816xbf16>
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %y, %c0 : tensor<?x2816xbf16>
      %y_gate = tensor.extract_slice %y[0, 0] [%dim, 1408] [1, 1] : tensor<?x2816xbf16> to tensor<?x1408xbf16>
      %y_up = tensor.extract_slice %y[0, 1408] [%dim, 1408] [1, 1] : tensor<?x2816xbf16> to tensor<?x1408xbf16>
      %z = deepseek.swiglu %y_gate, %y_up : (tensor<?x1408xbf16>, tensor<?x1408xbf16>) -> tensor<?x1408xbf16>
      %q, %qs = deepseek.quantize %z : (tensor<?x1408xbf16>) -> (tensor<?x1408xf8E4M3FN, #x>, tensor<?x11xf32>)
      return %q, %qs : tensor<?x1408xf8E4M3FN, #x>, tensor<?x11xf32>
    }
    func.func @lite_experts_down(%x: tensor<?x1408xf8E4M3FN, #x>, %xs: tensor<?x11xf32>, %w: tensor<66x2048x1408xf8E4M3FN, #w> {dsrt.stacked}, %ws: tensor<66x16x11xf32> {dsrt.stacked}, %offsets: tensor<67xi32>, %out: tensor<?x2048xbf16>) -> tensor<?x2048xbf16> {
      %y = deepseek.scaled_grouped_linear %x, %xs, %w, %ws, %offsets : (tensor<?x1408xf8E4M3FN, #x>, tensor<?x11xf32>, tensor<66x2048x1408xf8E4M3FN, #w>, tensor<66x16x11xf32>, tensor<67xi32>) -> tensor<?x2048xbf16>
      return %y : tensor<?x2048xbf16>
    }
    func.func @bundled_q_b(%x: tensor<?x192xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %w: tensor<384x192xf8E4M3FN, #w>, %ws: tensor<3x2xf32>, %out: tensor<?x384xbf16>) -> tensor<?x384xbf16> {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x192xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<384x192xf8E4M3FN, #w>, tensor<3x2xf32>) -> tensor<?x384xbf16>
      return %y : tensor<?x384xbf16>
    }
    func.func @bundled_gate_up(%x: tensor<?x256xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %gate: tensor<640x256xf8E4M3FN, #w>, %up: tensor<640x256xf8E4M3FN, #w>, %gate_s: tensor<5x2xf32>, %up_s: tensor<5x2xf32>, %out: tensor<?x640xf8E4M3FN, #x>, %out_s: tensor<?x5xf32>) -> (tensor<?x640xf8E4M3FN, #x>, tensor<?x5xf32>) {
      %g = tensor.cast %gate : tensor<640x256xf8E4M3FN, #w> to tensor<640x256xf8E4M3FN>
      %u = tensor.cast %up : tensor<640x256xf8E4M3FN, #w> to tensor<640x256xf8E4M3FN>
      %gu = tensor.concat dim(0) %g, %u : (tensor<640x256xf8E4M3FN>, tensor<640x256xf8E4M3FN>) -> tensor<1280x256xf8E4M3FN>
      %w = tensor.cast %gu : tensor<1280x256xf8E4M3FN> to tensor<1280x256xf8E4M3FN, #w>
      %s = tensor.concat dim(0) %gate_s, %up_s : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<10x2xf32>
      %y = deepseek.scaled_linear %x, %xs, %w, %s : (tensor<?x256xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<1280x256xf8E4M3FN, #w>, tensor<10x2xf32>) -> tensor<?x1280xbf16>
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %y, %c0 : tensor<?x1280xbf16>
      %y_gate = tensor.extract_slice %y[0, 0] [%dim, 640] [1, 1] : tensor<?x1280xbf16> to tensor<?x640xbf16>
      %y_up = tensor.extract_slice %y[0, 640] [%dim, 640] [1, 1] : tensor<?x1280xbf16> to tensor<?x640xbf16>
      %z = deepseek.swiglu %y_gate, %y_up : (tensor<?x640xbf16>, tensor<?x640xbf16>) -> tensor<?x640xbf16>
      %q, %qs = deepseek.quantize %z : (tensor<?x640xbf16>) -> (tensor<?x640xf8E4M3FN, #x>, tensor<?x5xf32>)
      return %q, %qs : tensor<?x640xf8E4M3FN, #x>, tensor<?x5xf32>
    }
    func.func @bundled_experts(%x: tensor<?x256xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %gate: tensor<17x128x256xf8E4M3FN, #w> {dsrt.stacked}, %up: tensor<17x128x256xf8E4M3FN, #w> {dsrt.stacked}, %gate_s: tensor<17x1x2xf32> {dsrt.stacked}, %up_s: tensor<17x1x2xf32> {dsrt.stacked}, %offsets: tensor<18xi32>, %out: tensor<?x128xf8E4M3FN, #x>, %out_s: tensor<?x1xf32>) -> (tensor<?x128xf8E4M3FN, #x>, tensor<?x1xf32>) {
      %g = tensor.cast %gate : tensor<17x128x256xf8E4M3FN, #w> to tensor<17x128x256xf8E4M3FN>
      %u = tensor.cast %up : tensor<17x128x256xf8E4M3FN, #w> to tensor<17x128x256xf8E4M3FN>
      %gu = tensor.concat dim(1) %g, %u : (tensor<17x128x256xf8E4M3FN>, tensor<17x128x256xf8E4M3FN>) -> tensor<17x256x256xf8E4M3FN>
      %w = tensor.cast %gu : tensor<17x256x256xf8E4M3FN> to tensor<17x256x256xf8E4M3FN, #w>
      %s = tensor.concat dim(1) %gate_s, %up_s : (tensor<17x1x2xf32>, tensor<17x1x2xf32>) -> tensor<17x2x2xf32>
      %y = deepseek.scaled_grouped_linear %x, %xs, %w, %s, %offsets : (tensor<?x256xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<17x256x256xf8E4M3FN, #w>, tensor<17x2x2xf32>, tensor<18xi32>) -> tensor<?x256xbf16>
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %y, %c0 : tensor<?x256xbf16>
      %y_gate = tensor.extract_slice %y[0, 0] [%dim, 128] [1, 1] : tensor<?x256xbf16> to tensor<?x128xbf16>
      %y_up = tensor.extract_slice %y[0, 128] [%dim, 128] [1, 1] : tensor<?x256xbf16> to tensor<?x128xbf16>
      %z = deepseek.swiglu %y_gate, %y_up : (tensor<?x128xbf16>, tensor<?x128xbf16>) -> tensor<?x128xbf16>
      %q, %qs = deepseek.quantize %z : (tensor<?x128xbf16>) -> (tensor<?x128xf8E4M3FN, #x>, tensor<?x1xf32>)
      return %q, %qs : tensor<?x128xf8E4M3FN, #x>, tensor<?x1xf32>
    }
    // TMA addresses rows of a multiple of 16 bytes only.
    // CHECK: @narrow_rows
    // CHECK-NOT: emitter = "sm90
    func.func @narrow_rows(%x: tensor<?x200xf8E4M3FN, #x>, %xs: tensor<?x2xf32>, %w: tensor<152x200xf8E4M3FN, #w>, %ws: tensor<2x2xf32>, %out: tensor<?x152xbf16>) -> tensor<?x152xbf16> {
      %y = deepseek.scaled_linear %x, %xs, %w, %ws : (tensor<?x200xf8E4M3FN, #x>, tensor<?x2xf32>, tensor<152x200xf8E4M3FN, #w>, tensor<2x2xf32>) -> tensor<?x152xbf16>
      return %y : tensor<?x152xbf16>
    }
  }
}
