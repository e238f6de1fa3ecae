// RUN: ds-opt %s --convert-dsrt-to-llvm | FileCheck %s

// Where the kernels have images, buffers are memory of a GPU: a copy and a constant are
// the runtime's, kernels are launchers that use its functions, and the tables say what a
// launch needs. An index that the entry does not read has the bound 0.

// CHECK: llvm.func @dsrt_copy(!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> i32
// CHECK: llvm.func @dsrt_constant(!llvm.ptr, !llvm.ptr, i64, !llvm.ptr) -> i32

// CHECK: llvm.func internal @entry(%[[CALL:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr) -> i32
// CHECK: %[[HOST:.*]] = llvm.mlir.addressof @constant_two
// CHECK: %[[SLOT:.*]] = llvm.alloca
// CHECK: %[[BYTES:.*]] = llvm.mlir.constant(16 : i64)
// CHECK: %[[STATUS:.*]] = llvm.call @dsrt_constant(%[[CALL]], %[[HOST]], %[[BYTES]], %[[SLOT]])
// CHECK: %[[GOOD:.*]] = llvm.icmp "eq" %[[STATUS]]
// CHECK: llvm.cond_br %[[GOOD]]
// CHECK: %[[TWO:.*]] = llvm.load %[[SLOT]] : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.call @dsrt_copy(%[[CALL]], %{{.*}}, %[[TWO]], %{{.*}})
// CHECK-NOT: memmove
// CHECK: llvm.call @launcher(%[[CALL]]

// Launchers come with declarations of what they call.
// CHECK: llvm.func @dsrt_launch(!llvm.ptr, i64, !llvm.ptr, !llvm.ptr) -> i32
// CHECK: llvm.func internal @launcher

// CHECK: llvm.mlir.global internal constant @args_entry(dense<[{{[0-9]+}}, 9, 0, 1, 1, 1, 1, 0, 1, 1, 1, {{[0-9]+}}, 9, 0, 1, 1, 1, 1, 64, 1, 1, 1, {{[0-9]+}}, 0, 1, 4, 1, 1, 1, 4, 1, 1, 1]>
// CHECK: llvm.mlir.global internal constant @images()
// CHECK: llvm.mlir.addressof @chip_sm_90a
// CHECK: llvm.mlir.addressof @ptx_sm_90a
// CHECK: llvm.mlir.constant(14 : i64)
// CHECK: llvm.mlir.addressof @cubin_sm_90a
// CHECK: llvm.mlir.constant(3 : i64)
// CHECK: llvm.mlir.addressof @ptx_sm_80
// CHECK: llvm.mlir.constant(13 : i64)
// CHECK: llvm.mlir.zero : !llvm.ptr
// CHECK: llvm.mlir.constant(0 : i64)
// Rows: name, location, image, block, cluster, dynamic shared memory, dependent.
// CHECK: llvm.mlir.global internal constant @device_kernels(dense<[0, 12, 0, 128, 2, 1, 2, 1, 1, 4096, 1, 0, 12, 1, 64, 1, 1, 1, 1, 1, 0, 0]>
// The bytes of scratch, two images, two device kernels.
// CHECK: llvm.mlir.global internal constant @module_record
// CHECK: llvm.mlir.constant(256 : i64)
// CHECK: llvm.mlir.addressof @images
// CHECK: llvm.mlir.addressof @device_kernels
// CHECK: llvm.mlir.constant(2 : i64)
// CHECK: llvm.mlir.constant(2 : i64)

module attributes {deepseek.target = "nvptx:sm_90a,sm_80"} {
  memref.global "private" constant @two : memref<4xf32> = dense<2.0>
  func.func @entry(%unread: index {dsrt.bounds = array<i64: 64>},
                   %read: index {dsrt.bounds = array<i64: 64>}, %x: memref<4xf32>) {
    %n = arith.addi %read, %read : index
    %two = memref.get_global @two : memref<4xf32>
    memref.copy %two, %x : memref<4xf32> to memref<4xf32>
    dsrt.dispatch @kernels::@launcher ins(%two : memref<4xf32>) outs(%x : memref<4xf32>)
    return
  }
  module @kernels attributes {
      dsrt.scratch_bytes = 256 : i64,
      dsrt.images = [{chip = "sm_90a", ptx = "// of sm_90a\0A", cubin = "\7FEL"}, {chip = "sm_80", ptx = "// of sm_80\0A"}],
      dsrt.device_kernels = [
        {name = "scale_4_f32", location = "m.mlir:3:7 deepseek.scale", image = 0 : i64, block = array<i64: 128, 2, 1>,
         cluster = array<i64: 2, 1, 1>, shared_bytes = 4096 : i64, dependent = 1 : i64},
        {name = "scale_4_f32", location = "m.mlir:3:7 deepseek.scale", image = 1 : i64, block = array<i64: 64, 1, 1>}]} {
    llvm.func @dsrt_launch(!llvm.ptr, i64, !llvm.ptr, !llvm.ptr) -> i32
    llvm.func @launcher(%call: !llvm.ptr, %from: !llvm.ptr, %to: !llvm.ptr) -> i32 {
      %row = llvm.mlir.constant(0 : i64) : i64
      %status = llvm.call @dsrt_launch(%call, %row, %from, %to) : (!llvm.ptr, i64, !llvm.ptr, !llvm.ptr) -> i32
      llvm.return %status : i32
    }
  }
}
