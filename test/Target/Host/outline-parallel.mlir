// RUN: ds-opt %s --host-outline-parallel | FileCheck %s

// The lowered ABI: the call, then each argument's address and dynamic sizes. The
// parallel loop is a function over a range of the linear iteration space.
// CHECK: llvm.func @dsrt_parallel(!llvm.ptr, !llvm.ptr, !llvm.ptr, i64, i64) -> i32
// CHECK: func.func private @scale_range_0(%[[CTX:.*]]: !llvm.ptr, %[[BEGIN:.*]]: i64, %[[END:.*]]: i64)
// CHECK: scf.for
// CHECK: arith.remui
// CHECK: arith.divui
// CHECK: memref.store
// CHECK: func.func @scale(%[[CALL:.*]]: !llvm.ptr, %[[X:.*]]: !llvm.ptr, %[[N:.*]]: i64) -> i32
// CHECK: llvm.call @dsrt_parallel(%[[CALL]],
// CHECK: return %{{.*}} : i32
func.func @scale(%x: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %two = arith.constant 2.0 : f32
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  scf.forall (%i, %j) in (%n, 8) {
    %v = memref.load %x[%i, %j] : memref<?x8xf32>
    %y = arith.mulf %v, %two : f32
    memref.store %y, %x[%i, %j] : memref<?x8xf32>
  }
  return
}
