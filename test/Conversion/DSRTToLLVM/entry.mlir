// RUN: ds-opt %s --convert-dsrt-to-llvm | FileCheck %s

// An entry takes (call, args, results); sizes come from the argument's record, the
// buffer from the workspace, the weight from the table; a status that is not 0 ends
// it; the kernel moves up and is private; one symbol is left to the outside.

// CHECK: llvm.func @dsrt_weights(!llvm.ptr) -> !llvm.ptr
// CHECK: llvm.func @dsrt_workspace(!llvm.ptr) -> !llvm.ptr
// CHECK: llvm.func internal @twice(%[[CALL:.*]]: !llvm.ptr, %[[ARGS:.*]]: !llvm.ptr, %[[RESULTS:.*]]: !llvm.ptr) -> i32
// CHECK-SAME: passthrough = ["noinline", "optnone", "nounwind"]
// CHECK: %[[WEIGHTS:.*]] = llvm.call @dsrt_weights(%[[CALL]])
// CHECK: %[[SPACE:.*]] = llvm.call @dsrt_workspace(%[[CALL]])
// CHECK: %[[X:.*]] = llvm.load %[[ARGS]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[N:.*]] = llvm.load {{.*}} : !llvm.ptr -> i64
// CHECK: %[[W:.*]] = llvm.load %[[WEIGHTS]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[OFFSET:.*]] = llvm.mlir.constant(128 : i64)
// CHECK: %[[Y:.*]] = llvm.getelementptr %[[SPACE]][%[[OFFSET]]]
// CHECK: %[[STATUS:.*]] = llvm.call @scale(%[[CALL]], %[[X]], %[[N]], %[[W]], %[[Y]], %[[N]])
// CHECK: %[[GOOD:.*]] = llvm.icmp "eq" %[[STATUS]]
// CHECK: llvm.cond_br %[[GOOD]], ^[[NEXT:.*]], ^[[FAIL:.*]](%[[STATUS]] : i32)
// CHECK: ^[[FAIL]](%[[S:.*]]: i32):
// CHECK: llvm.return %[[S]] : i32
// CHECK: ^[[NEXT]]:
// The result is where the buffer is.
// CHECK: %[[END:.*]] = llvm.getelementptr %[[SPACE]]
// CHECK: llvm.store %[[END]], %[[RESULTS]]
// CHECK: llvm.func internal @scale(

// Rows: key, dtype, rank, 4 sizes, stacked, scale_of, power_of_two, last_key, derived,
// readers. The scales name their weight, and say that they must be powers of two because
// its type does. Only @w is read, by the first entry.
// CHECK: llvm.mlir.global internal constant @strings("gamma\00e.*.x.weight\00s.x.weight\00e.*.x.weight_scale_inv\00s.x.weight_scale_inv\00x\00y\00scale\00\00")
// CHECK: llvm.mlir.global internal constant @weights(dense<[0, 0, 1, 8, 1, 1, 1, 0, -1, 0, -1, 0, 1, 6, 3, 3, 4, 128, 256, 1, 1, -1, 0, 19, 0, 0, 30, 0, 3, 4, 1, 2, 1, 1, 1, 1, 53, 0, 0]>
// CHECK: llvm.mlir.global internal constant @cpu_features("\00")
// CHECK: llvm.mlir.global internal constant @module_record
// CHECK: llvm.func @dsrt_module_query(%{{.*}}: i32) -> !llvm.ptr

module attributes {deepseek.model = "test", deepseek.source = "seed:1", deepseek.eos = array<i64: 1, 7>} {
  deepseek.weight @w from "gamma" : tensor<8xf32>
  deepseek.weight @x from "e.*.x.weight" then "s.x.weight" : tensor<4x128x256xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
  deepseek.weight @xs from "e.*.x.weight_scale_inv" then "s.x.weight_scale_inv" : tensor<4x1x2xf32>
  func.func @twice(%x: memref<?x8xf32> {deepseek.name = "x", dsrt.bounds = array<i64: 512, 8>})
      -> (memref<?x8xf32> {deepseek.name = "y"}) attributes {dsrt.workspace_bytes = 16512 : i64} {
    %c0 = arith.constant 0 : index
    %n = memref.dim %x, %c0 : memref<?x8xf32>
    %w = dsrt.get_weight @w : memref<8xf32>
    %y = dsrt.workspace 128(%n) : memref<?x8xf32>
    dsrt.dispatch @kernels::@scale ins(%x, %w : memref<?x8xf32>, memref<8xf32>) outs(%y : memref<?x8xf32>)
    return %y : memref<?x8xf32>
  }
  module @kernels {
    llvm.func @scale(%call: !llvm.ptr, %x: !llvm.ptr, %n: i64, %w: !llvm.ptr, %y: !llvm.ptr, %m: i64) -> i32 {
      %zero = llvm.mlir.constant(0 : i32) : i32
      llvm.return %zero : i32
    }
  }
}
