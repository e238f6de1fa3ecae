// RUN: ds-opt %s --convert-dsrt-to-llvm | FileCheck %s

// A copy moves the bytes of all elements; an index has eight.

// CHECK-LABEL: llvm.func internal @copy
// CHECK: %[[COUNT:.*]] = llvm.mul
// CHECK-NEXT: %[[BYTES:.*]] = llvm.mlir.constant(8 : i64)
// CHECK-NEXT: %[[SIZE:.*]] = llvm.mul %[[COUNT]], %[[BYTES]]
// CHECK: "llvm.intr.memmove"(%{{.*}}, %{{.*}}, %[[SIZE]])
func.func @copy(%from: memref<?xindex>, %to: memref<?xindex>) {
  memref.copy %from, %to : memref<?xindex> to memref<?xindex>
  return
}
