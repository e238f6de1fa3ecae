// RUN: ds-opt %s --host-vectorize-linalg --cse -split-input-file | FileCheck %s

// A sum has 16 lanes, a masked tail that leaves the other lanes alone, and a
// fixed tree; the scale is read once per block of 128.
// CHECK-LABEL: func.func @dot
// CHECK-SAME: %[[X:.*]]: memref<200xf32>, %[[W:.*]]: memref<200xbf16>, %[[S:.*]]: memref<2xf32>
// CHECK: %[[ACC:.*]] = scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[A:.*]] = %{{.*}}) -> (vector<16xf32>)
// CHECK: vector.load %[[X]][%[[K]]] : memref<200xf32>, vector<16xf32>
// CHECK: vector.load %[[W]][%[[K]]] : memref<200xbf16>, vector<16xbf16>
// CHECK: memref.load %[[S]]
// CHECK: vector.broadcast
// CHECK: math.fma {{.*}}, %[[A]] : vector<16xf32>
// CHECK: scf.if
// CHECK: vector.create_mask
// CHECK: vector.maskedload
// CHECK: arith.select {{.*}} : vector<16xi1>, vector<16xf32>
// CHECK: vector.shuffle {{.*}} [0, 1, 2, 3, 4, 5, 6, 7]
// CHECK: vector.shuffle {{.*}} [8, 9, 10, 11, 12, 13, 14, 15]
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: arith.addf {{.*}} : vector<1xf32>
// CHECK: memref.store
func.func @dot(%x: memref<200xf32>, %w: memref<200xbf16>, %s: memref<2xf32>, %y: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> (k)>,
                                   affine_map<(k) -> (k floordiv 128)>, affine_map<(k) -> ()>],
                  iterator_types = ["reduction"]}
      ins(%x, %w, %s : memref<200xf32>, memref<200xbf16>, memref<2xf32>) outs(%y : memref<f32>) {
  ^bb0(%a: f32, %b: bf16, %c: f32, %acc: f32):
    %wide = arith.extf %b : bf16 to f32
    %scaled = arith.mulf %wide, %c : f32
    %sum = math.fma %a, %scaled, %acc : f32
    linalg.yield %sum : f32
  }
  return
}

// -----

// Where the inner parallel loop is contiguous the outputs are the lanes, and the
// reduction runs in program order.
// CHECK-LABEL: func.func @axpy
// CHECK: scf.for
// CHECK: vector.load %{{.*}} : memref<512xf32>, vector<16xf32>
// CHECK: scf.for {{.*}} iter_args
// CHECK: math.fma
// CHECK: vector.store
func.func @axpy(%p: memref<?xf32>, %v: memref<?x512xf32>, %y: memref<512xf32>) {
  linalg.generic {indexing_maps = [affine_map<(s, c) -> (s)>, affine_map<(s, c) -> (s, c)>,
                                   affine_map<(s, c) -> (c)>],
                  iterator_types = ["reduction", "parallel"]}
      ins(%p, %v : memref<?xf32>, memref<?x512xf32>) outs(%y : memref<512xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %sum = math.fma %a, %b, %acc : f32
    linalg.yield %sum : f32
  }
  return
}

// -----

// No loop fits 16 lanes: the op's own order.
// CHECK-LABEL: func.func @transpose
// CHECK-NOT: vector
// CHECK: memref.load
// CHECK: memref.store
func.func @transpose(%x: memref<8x4xf32>, %y: memref<4x8xf32, strided<[1, 4]>>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<8x4xf32>) outs(%y : memref<4x8xf32, strided<[1, 4]>>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// Six rows times four outputs at once: each row and each weight is read once for
// 24 sums.
// CHECK-LABEL: func.func @six_rows
// CHECK: scf.for {{.*}} step %c6
// CHECK: scf.for {{.*}} step %c4
// CHECK-COUNT-10: vector.load
// CHECK-NOT: vector.load
// CHECK: scf.yield
func.func @six_rows(%x: memref<6x64xf32>, %w: memref<16x64xf32>, %y: memref<6x16xf32>) {
  linalg.generic {indexing_maps = [affine_map<(t, o, k) -> (t, k)>, affine_map<(t, o, k) -> (o, k)>,
                                   affine_map<(t, o, k) -> (t, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<6x64xf32>, memref<16x64xf32>) outs(%y : memref<6x16xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %sum = math.fma %a, %b, %acc : f32
    linalg.yield %sum : f32
  }
  return
}

// -----

// Few rows: the next four rows of the weight are fetched while four are used, unless
// a step is less than half a cache line.
// CHECK-LABEL: func.func @prefetch
// CHECK-SAME: %[[X:.*]]: memref<64xbf16>, %[[W:.*]]: memref<16x64xbf16>
// CHECK: scf.for %[[O:.*]] = {{.*}} step %c4
// CHECK: scf.for {{.*}} step %c16
// CHECK: %[[NEXT:.*]] = arith.addi %[[O]], %c4
// CHECK: memref.prefetch %[[W]][%[[NEXT]], %{{.*}}], read, locality<2>, data
// CHECK-COUNT-3: memref.prefetch %[[W]]
// CHECK-NOT: memref.prefetch
// CHECK: return
func.func @prefetch(%x: memref<64xbf16>, %w: memref<16x64xbf16>, %v: memref<16x64xf8E4M3FN>, %y: memref<16xf32>) {
  linalg.generic {indexing_maps = [affine_map<(o, k) -> (k)>, affine_map<(o, k) -> (o, k)>, affine_map<(o, k) -> (o)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<64xbf16>, memref<16x64xbf16>) outs(%y : memref<16xf32>) {
  ^bb0(%a: bf16, %b: bf16, %acc: f32):
    %wa = arith.extf %a : bf16 to f32
    %wb = arith.extf %b : bf16 to f32
    %sum = math.fma %wa, %wb, %acc : f32
    linalg.yield %sum : f32
  }
  linalg.generic {indexing_maps = [affine_map<(o, k) -> (k)>, affine_map<(o, k) -> (o, k)>, affine_map<(o, k) -> (o)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x, %v : memref<64xbf16>, memref<16x64xf8E4M3FN>) outs(%y : memref<16xf32>) {
  ^bb0(%a: bf16, %b: f8E4M3FN, %acc: f32):
    %wa = arith.extf %a : bf16 to f32
    %wb = arith.extf %b : f8E4M3FN to f32
    %sum = math.fma %wa, %wb, %acc : f32
    linalg.yield %sum : f32
  }
  return
}

// -----

// A chip with AVX-512 VBMI looks scaled weights up, 64 at a time, in tables of what
// each code times each scale is, rounded.
// CHECK-LABEL: func.func @table
// CHECK-SAME: %[[X:.*]]: memref<256xf32>, %[[W:.*]]: memref<256xf8E4M3FN>, %[[S:.*]]: memref<2xf32>
// CHECK: %[[TABLES:.*]] = memref.alloca() {{.*}}: memref<2x256xi8>
// CHECK: scf.for %[[BLOCK:.*]] =
// CHECK: memref.load %[[S]][%[[BLOCK]]]
// CHECK-COUNT-16: vector.store %{{.*}}, %[[TABLES]][%[[BLOCK]]
// CHECK: scf.for {{.*}} step %c64 iter_args
// CHECK: vector.load %[[W]][{{.*}}vector<64xf8E4M3FN>
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.qi.512"
// CHECK-NOT: arith.truncf
// CHECK-COUNT-4: math.fma
// CHECK: scf.yield
module attributes {deepseek.target = "host:znver4"} {
  func.func @table(%x: memref<256xf32>, %w: memref<256xf8E4M3FN>, %s: memref<2xf32>, %y: memref<f32>) {
    linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> (k)>,
                                     affine_map<(k) -> (k floordiv 128)>, affine_map<(k) -> ()>],
                    iterator_types = ["reduction"]}
        ins(%x, %w, %s : memref<256xf32>, memref<256xf8E4M3FN>, memref<2xf32>) outs(%y : memref<f32>) {
    ^bb0(%a: f32, %b: f8E4M3FN, %c: f32, %acc: f32):
      %wide = arith.extf %b : f8E4M3FN to f32
      %scaled = arith.mulf %wide, %c : f32
      %rounded = arith.truncf %scaled : f32 to bf16
      %weight = arith.extf %rounded : bf16 to f32
      %sum = math.fma %a, %weight, %acc : f32
      linalg.yield %sum : f32
    }
    return
  }
}

// -----

// A sum of scaled blocks: products are added in the lanes of a block alone, whose sum is
// then scaled and added once.
// CHECK-LABEL: func.func @scaled_blocks
// CHECK-SAME: %[[X:.*]]: memref<3x128xbf16>, %[[W:.*]]: memref<3x128xbf16>, %[[S:.*]]: memref<3xf32>
// CHECK: scf.for %[[G:.*]] = %{{.*}} iter_args(%[[TOTAL:.*]] = %{{.*}}) -> (vector<16xf32>)
// CHECK: %[[SUM:.*]] = scf.for %{{.*}} iter_args(%[[A:.*]] = %{{.*}}) -> (vector<16xf32>)
// CHECK-NOT: arith.mulf
// CHECK: math.fma %{{.*}}, %{{.*}}, %[[A]] : vector<16xf32>
// CHECK: %[[SCALE:.*]] = memref.load %[[S]][%[[G]]]
// CHECK: %[[SCALES:.*]] = vector.broadcast %[[SCALE]]
// CHECK: math.fma %[[SUM]], %[[SCALES]], %[[TOTAL]] : vector<16xf32>
// CHECK: vector.shuffle
func.func @scaled_blocks(%x: memref<3x128xbf16>, %w: memref<3x128xbf16>, %s: memref<3xf32>, %y: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(g, k) -> (g, k)>, affine_map<(g, k) -> (g, k)>,
                                   affine_map<(g, k) -> (g)>, affine_map<(g, k) -> ()>],
                  iterator_types = ["reduction", "reduction"]}
      ins(%x, %w, %s : memref<3x128xbf16>, memref<3x128xbf16>, memref<3xf32>) outs(%y : memref<f32>) {
  ^bb0(%a: bf16, %b: bf16, %c: f32, %acc: f32):
    %wa = arith.extf %a : bf16 to f32
    %wb = arith.extf %b : bf16 to f32
    %product = arith.mulf %wa, %wb : f32
    %sum = math.fma %product, %c, %acc : f32
    linalg.yield %sum : f32
  }
  return
}

// -----

// Weights without a scale are looked up in a constant table; the activations are not.
module attributes {deepseek.target = "host:znver4"} {
  // CHECK-LABEL: func.func @plain_weights
  // CHECK-SAME: %[[X:.*]]: memref<128xbf16>, %[[W:.*]]: memref<128xf8E4M3FN>
  // CHECK-NOT: memref.alloca
  // CHECK: vector.load %[[W]]{{.*}}, vector<64xf8E4M3FN>
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.qi.512"
  // CHECK: %[[FIRST:.*]] = vector.bitcast %{{.*}} : vector<32xi16> to vector<16xf32>
  // CHECK: %[[LOADED:.*]] = vector.load %[[X]]{{.*}}, vector<16xbf16>
  // CHECK: %[[WIDE:.*]] = arith.extf %[[LOADED]]
  // CHECK: math.fma %[[WIDE]], %[[FIRST]]
  // CHECK-COUNT-3: math.fma
  func.func @plain_weights(%x: memref<128xbf16>, %w: memref<128xf8E4M3FN>, %y: memref<f32>) {
    linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> (k)>, affine_map<(k) -> ()>],
                    iterator_types = ["reduction"]}
        ins(%x, %w : memref<128xbf16>, memref<128xf8E4M3FN>) outs(%y : memref<f32>) {
    ^bb0(%a: bf16, %b: f8E4M3FN, %acc: f32):
      %wa = arith.extf %a : bf16 to f32
      %wb = arith.extf %b : f8E4M3FN to f32
      %sum = math.fma %wa, %wb, %acc : f32
      linalg.yield %sum : f32
    }
    return
  }

  // Where outputs are the lanes, each step of the sum meets other weights: no look-up.
  // CHECK-LABEL: func.func @transposed_plain_weights
  // CHECK-NOT: vpermi2var
  // CHECK: scf.for
  // CHECK: vector.load %{{.*}} : memref<8x128xf8E4M3FN>, vector<16xf8E4M3FN>
  // CHECK: math.fma
  // CHECK-NOT: vpermi2var
  // CHECK: return
  func.func @transposed_plain_weights(%x: memref<8xbf16>, %w: memref<8x128xf8E4M3FN>, %y: memref<128xf32>) {
    linalg.generic {indexing_maps = [affine_map<(i, o) -> (i)>, affine_map<(i, o) -> (i, o)>, affine_map<(i, o) -> (o)>],
                    iterator_types = ["reduction", "parallel"]}
        ins(%x, %w : memref<8xbf16>, memref<8x128xf8E4M3FN>) outs(%y : memref<128xf32>) {
    ^bb0(%a: bf16, %b: f8E4M3FN, %acc: f32):
      %wa = arith.extf %a : bf16 to f32
      %wb = arith.extf %b : f8E4M3FN to f32
      %sum = math.fma %wa, %wb, %acc : f32
      linalg.yield %sum : f32
    }
    return
  }
}
