// RUN: ds-opt %s --ds-plan-memory="max-tokens=4 max-sequences=2 context=100 expanded-prefill" --split-input-file | FileCheck %s
// RUN: ds-opt %s --ds-plan-memory="max-tokens=4 max-sequences=2" --remarks-filter=memory --split-input-file 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// 4 tokens of 16 floats are 256 bytes. %a dies at the second dispatch, so the third
// buffer takes its place; the result lives to the end.
// CHECK: module attributes {deepseek.context = 100 : i64}
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: memref<?x16xf32> {deepseek.dims = ["tokens", ""], dsrt.bounds = array<i64: 4, 16>}) -> (memref<?x16xf32> {dsrt.bounds = array<i64: 4, 16>}) attributes {dsrt.workspace_bytes = 512 : i64}
// CHECK: dsrt.workspace 0(%{{.*}}) : memref<?x16xf32>
// CHECK: dsrt.workspace 256(%{{.*}}) : memref<?x16xf32>
// CHECK: dsrt.workspace 0(%{{.*}}) : memref<?x16xf32>
// CHECK-NOT: memref.alloc

// REMARK: buffer | Category:memory | Function=chain | bytes=256, offset=0
// REMARK: buffer | Category:memory | Function=chain | bytes=256, offset=256
// REMARK: buffer | Category:memory | Function=chain | bytes=256, offset=0
// REMARK: workspace | Category:memory | Function=chain | buffers=3, bytes=512, unshared_bytes=768
func.func @chain(%x: memref<?x16xf32> {deepseek.dims = ["tokens", ""]}) -> memref<?x16xf32> {
  %c0 = arith.constant 0 : index
  %t = memref.dim %x, %c0 : memref<?x16xf32>
  %a = memref.alloc(%t) : memref<?x16xf32>
  dsrt.dispatch @kernels::@k ins(%x : memref<?x16xf32>) outs(%a : memref<?x16xf32>)
  %b = memref.alloc(%t) : memref<?x16xf32>
  dsrt.dispatch @kernels::@k ins(%a : memref<?x16xf32>) outs(%b : memref<?x16xf32>)
  %c = memref.alloc(%t) : memref<?x16xf32>
  dsrt.dispatch @kernels::@k ins(%b : memref<?x16xf32>) outs(%c : memref<?x16xf32>)
  return %c : memref<?x16xf32>
}
module @kernels { func.func private @k(memref<?x16xf32>, memref<?x16xf32>) }

// -----

// The names of dimensions and their bounds; an expanded prefill only sees fresh sequences.
// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: array<i64: 4>
// CHECK-SAME: array<i64: 2, 2>
// CHECK-SAME: array<i64: 3>
// CHECK-SAME: array<i64: 4>
// CHECK-SAME: array<i64: -1, 64, 8>
// CHECK-SAME: dsrt.workspace_bytes = 128
// CHECK-LABEL: func.func @decode(
// CHECK-SAME: index {deepseek.dims = ["kv_tokens"], dsrt.bounds = array<i64: 200>}
// CHECK-SAME: dsrt.workspace_bytes = 3200
func.func @prefill(%tokens: memref<?xi32> {deepseek.dims = ["tokens"]}, %table: memref<?x?xi32> {deepseek.dims = ["sequences", "pages"]},
    %cu: memref<?xi32> {deepseek.dims = ["sequences+1"]}, %kv: index {deepseek.dims = ["kv_tokens"]},
    %cache: memref<?x64x8xbf16> {deepseek.dims = ["cache_pages", "", ""]}) -> memref<?x8xbf16> {
  %r = memref.alloc(%kv) : memref<?x8xbf16>
  %c2 = arith.constant 2 : index
  %n = arith.muli %kv, %c2 : index
  %unused = memref.alloc(%n) : memref<?xi32>
  return %r : memref<?x8xbf16>
}
func.func @decode(%kv: index {deepseek.dims = ["kv_tokens"]}) -> memref<?x8xbf16> {
  %r = memref.alloc(%kv) : memref<?x8xbf16>
  return %r : memref<?x8xbf16>
}

// -----

// The hole that fits best is taken: the last buffer goes where %small was, and
// leaves %large's place whole.
// CHECK-LABEL: @best_fit
// CHECK: dsrt.workspace 0 : memref<64xi32>
// CHECK: dsrt.workspace 256 : memref<16xi32>
// CHECK: dsrt.workspace 320 : memref<16xi32>
// CHECK: dsrt.workspace 384 : memref<16xi32>
// CHECK: dsrt.workspace 320 : memref<16xi32>
func.func @best_fit() -> (memref<16xi32>, memref<16xi32>, memref<16xi32>) {
  %large = memref.alloc() : memref<64xi32>
  %first = memref.alloc() : memref<16xi32>
  %small = memref.alloc() : memref<16xi32>
  %second = memref.alloc() : memref<16xi32>
  memref.copy %small, %first : memref<16xi32> to memref<16xi32>
  memref.copy %large, %large : memref<64xi32> to memref<64xi32>
  %third = memref.alloc() : memref<16xi32>
  return %first, %second, %third : memref<16xi32>, memref<16xi32>, memref<16xi32>
}
