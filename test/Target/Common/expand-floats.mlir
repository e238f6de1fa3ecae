// RUN: ds-opt %s --expand-floats | FileCheck %s

// No cast to or from FP8 or BF16 and no function is left to LLVM or a library;
// test/Integration/casts.mlir checks the values of all codes.
// CHECK-NOT: arith.extf {{.*}} f8E4M3FN
// CHECK-NOT: arith.truncf
// CHECK-NOT: math.exp
// CHECK-NOT: math.rsqrt
// CHECK-LABEL: func.func @casts
// CHECK: arith.bitcast %{{.*}} : vector<16xf8E4M3FN> to vector<16xi8>
// CHECK: arith.uitofp
func.func @casts(%w: vector<16xf8E4M3FN>, %x: vector<16xf32>) -> (vector<16xf32>, vector<16xf8E4M3FN>, vector<16xbf16>) {
  %0 = arith.extf %w : vector<16xf8E4M3FN> to vector<16xf32>
  %1 = arith.truncf %x : vector<16xf32> to vector<16xf8E4M3FN>
  %2 = arith.truncf %x : vector<16xf32> to vector<16xbf16>
  return %0, %1, %2 : vector<16xf32>, vector<16xf8E4M3FN>, vector<16xbf16>
}

// CHECK-LABEL: func.func @functions
// CHECK: math.sqrt
// CHECK: arith.divf
func.func @functions(%x: f32) -> (f32, f32) {
  %0 = math.exp %x : f32
  %1 = math.rsqrt %x : f32
  return %0, %1 : f32, f32
}
