// RUN: ds-opt %s --ds-merge-entries | FileCheck %s --implicit-check-not=@first --implicit-check-not=@same
// RUN: ds-opt %s --ds-merge-entries --convert-dsrt-to-llvm | FileCheck %s --check-prefix=LLVM

// Locations and the names of values are no difference; the code, an argument's name and
// the type are.

// CHECK: func.func @other_code(%{{.*}}) {
// CHECK: func.func @other_name(%{{.*}}) {
// CHECK: func.func @other_type(%{{.*}}) {
// CHECK: func.func @again(%{{.*}}: memref<?xf32> {deepseek.name = "x"}) attributes {dsrt.aliases = ["same", "first"]}

// One function, three entries.
// LLVM-NOT: llvm.func internal @same(
// LLVM: llvm.func internal @again(
// LLVM: llvm.mlir.global internal constant @name_again("again\00")
// LLVM: llvm.mlir.global internal constant @name_same("same\00")
// LLVM: llvm.mlir.global internal constant @name_first("first\00")
// LLVM: @entries()
// LLVM: llvm.mlir.addressof @other_type
// LLVM-COUNT-3: llvm.mlir.addressof @again
func.func @first(%x: memref<?xf32> {deepseek.name = "x"}) {
  dsrt.dispatch @kernels::@k ins(%x : memref<?xf32>) outs() loc("here")
  return
}
func.func @same(%y: memref<?xf32> {deepseek.name = "x"}) {
  dsrt.dispatch @kernels::@k ins(%y : memref<?xf32>) outs() loc("there")
  return
}
func.func @other_code(%x: memref<?xf32> {deepseek.name = "x"}) {
  dsrt.dispatch @kernels::@l ins(%x : memref<?xf32>) outs()
  return
}
func.func @other_name(%x: memref<?xf32> {deepseek.name = "z"}) {
  dsrt.dispatch @kernels::@k ins(%x : memref<?xf32>) outs()
  return
}
func.func @other_type(%x: memref<8xf32> {deepseek.name = "x"}) {
  dsrt.dispatch @kernels::@m ins(%x : memref<8xf32>) outs()
  return
}
func.func @again(%x: memref<?xf32> {deepseek.name = "x"}) {
  dsrt.dispatch @kernels::@k ins(%x : memref<?xf32>) outs()
  return
}
module @kernels {
  llvm.func @k(!llvm.ptr, !llvm.ptr, i64) -> i32
  llvm.func @l(!llvm.ptr, !llvm.ptr, i64) -> i32
  llvm.func @m(!llvm.ptr, !llvm.ptr) -> i32
}
