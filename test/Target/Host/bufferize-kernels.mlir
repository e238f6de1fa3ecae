// RUN: ds-opt %s --host-bufferize-kernels --cse --canonicalize -split-input-file -verify-diagnostics | FileCheck %s

// A kernel writes into its out and returns nothing; its temporary is on the stack.
// CHECK-LABEL: func.func @norms(
// CHECK-SAME: %[[X:.*]]: memref<?x64xf32>, %[[OUT:.*]]: memref<?xf32>) {
// CHECK: scf.forall
// CHECK: memref.alloca() {{.*}} : memref<f32>
// CHECK: linalg.generic
// CHECK: memref.store {{.*}}, %{{.*}} : memref<1xf32
// CHECK-NOT: memref.copy
// CHECK-NOT: memref.alloc(
// CHECK: return
func.func @norms(%x: tensor<?x64xf32>, %out: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %x, %c0 : tensor<?x64xf32>
  %r = scf.forall (%t) in (%tokens) shared_outs(%o = %out) -> tensor<?xf32> {
    %row = tensor.extract_slice %x[%t, 0] [1, 64] [1, 1] : tensor<?x64xf32> to tensor<64xf32>
    %empty = tensor.empty() : tensor<f32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<f32>) -> tensor<f32>
    %sum = linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> ()>],
                           iterator_types = ["reduction"]}
        ins(%row : tensor<64xf32>) outs(%init : tensor<f32>) {
    ^bb0(%v: f32, %acc: f32):
      %n = math.fma %v, %v, %acc : f32
      linalg.yield %n : f32
    } -> tensor<f32>
    %value = tensor.extract %sum[] : tensor<f32>
    %slot = tensor.extract_slice %o[%t] [1] [1] : tensor<?xf32> to tensor<1xf32>
    %full = tensor.insert %value into %slot[%c0] : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %full into %o[%t] [1] [1] : tensor<1xf32> into tensor<?xf32>
    }
  }
  return %r : tensor<?xf32>
}

// -----

// A stacked weight is a table of addresses; slice e is the memory at table[e].
// CHECK-LABEL: func.func @slice(
// CHECK-SAME: %[[TABLE:.*]]: memref<8xindex> {dsrt.stacked}
// CHECK: memref.load %[[TABLE]]
// CHECK: llvm.inttoptr
// CHECK: memref.copy
func.func @slice(%w: tensor<8x4x16xf32> {dsrt.stacked}, %e: tensor<i32>,
                 %out: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %i = tensor.extract %e[] : tensor<i32>
  %index = arith.index_cast %i : i32 to index
  %s = tensor.extract_slice %w[%index, 0, 0] [1, 4, 16] [1, 1, 1] : tensor<8x4x16xf32> to tensor<4x16xf32>
  return %s : tensor<4x16xf32>
}

// -----

// Nothing is allocated when a kernel runs.
func.func @dynamic(%x: tensor<?xf32>, %out: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  // expected-error @below {{in kernel 'dynamic' has the dynamic type 'memref<?xf32>'; a kernel may only have temporaries of static size}}
  %e = tensor.empty(%n) : tensor<?xf32>
  %copy = linalg.copy ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.add ins(%copy, %x : tensor<?xf32>, tensor<?xf32>) outs(%out : tensor<?xf32>) -> tensor<?xf32>
  return %sum : tensor<?xf32>
}

// -----

// The tensors of a stack lie apart.
func.func @whole_stack(%w: tensor<8x16xf32> {dsrt.stacked}, %out: tensor<8x16xf32>) -> tensor<8x16xf32> {
  // expected-error @below {{only a slice of one leading index of it can be used}}
  %copy = linalg.copy ins(%w : tensor<8x16xf32>) outs(%out : tensor<8x16xf32>) -> tensor<8x16xf32>
  return %copy : tensor<8x16xf32>
}

// -----

// expected-error @below {{expected a kernel whose last arguments are the outs of its results, got '() -> tensor<4xf32>'}}
func.func @no_out() -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  return %e : tensor<4xf32>
}

// -----

// expected-error @below {{expected a stacked weight with a leading dimension, got an argument of type 'index'}}
func.func @stacked_index(%n: index {dsrt.stacked}) {
  return
}
