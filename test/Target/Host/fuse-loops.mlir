// RUN: ds-opt %s --host-fuse-loops --split-input-file | FileCheck %s

// One loop over the rows; the second dimension of the second one stays a loop.
// CHECK-LABEL: func.func @rows
// CHECK-SAME: %[[X:.*]]: memref<?x256xf32> {dsrt.rows}, %[[H:.*]]: memref<?x256xf32> {dsrt.rows}, %[[Q:.*]]: memref
// CHECK: %[[N:.*]] = memref.dim %[[H]]
// CHECK-NOT: memref.dim
// CHECK: scf.forall (%[[T:.*]]) in (%[[N]]) {
// CHECK-NEXT: memref.load %[[X]][%[[T]],
// CHECK-NEXT: memref.store {{.*}}, %[[H]][%[[T]],
// CHECK-NEXT: scf.forall (%[[B:.*]]) in (2) {
// CHECK-NEXT: memref.subview %[[H]][%[[T]], %[[B]]]
// CHECK: scf.for
// CHECK-NOT: scf.forall
// CHECK: return
func.func @rows(%x: memref<?x256xf32> {dsrt.rows}, %h: memref<?x256xf32> {dsrt.rows}, %q: memref<?x2xf32> {dsrt.rows}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %h, %c0 : memref<?x256xf32>
  scf.forall (%t) in (%n) {
    %v = memref.load %x[%t, %c0] : memref<?x256xf32>
    memref.store %v, %h[%t, %c1] : memref<?x256xf32>
  }
  %m = memref.dim %q, %c0 : memref<?x2xf32>
  scf.forall (%t, %b) in (%m, 2) {
    %part = memref.subview %h[%t, %b] [1, 1] [1, 1] : memref<?x256xf32> to memref<1xf32, strided<[1], offset: ?>>
    %v = memref.load %part[%c0] : memref<1xf32, strided<[1], offset: ?>>
    memref.store %v, %q[%t, %b] : memref<?x2xf32>
  }
  // Not a loop over rows of its own: it ends the search.
  scf.for %t = %c0 to %n step %c1 {
    %v = memref.load %q[%t, %c0] : memref<?x2xf32>
    memref.store %v, %h[%c0, %c0] : memref<?x256xf32>
  }
  return
}

// -----

// The sizes are not known to be the same.
// CHECK-LABEL: func.func @sizes
// CHECK-COUNT-2: scf.forall
func.func @sizes(%x: memref<?x8xf32>, %y: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  scf.forall (%t) in (%n) {
    memref.store %zero, %x[%t, %c0] : memref<?x8xf32>
  }
  %m = memref.dim %y, %c0 : memref<?x8xf32>
  scf.forall (%t) in (%m) {
    memref.store %zero, %y[%t, %c0] : memref<?x8xf32>
  }
  return
}

// -----

// The second loop reads another row of what the first one writes.
// CHECK-LABEL: func.func @other_row
// CHECK-COUNT-2: scf.forall
func.func @other_row(%x: memref<?x8xf32>, %y: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  scf.forall (%t) in (%n) {
    memref.store %zero, %x[%t, %c0] : memref<?x8xf32>
  }
  scf.forall (%t) in (%n) {
    %v = memref.load %x[%c0, %c0] : memref<?x8xf32>
    memref.store %v, %y[%t, %c0] : memref<?x8xf32>
  }
  return
}

// -----

// The second loop writes what another row of the first one still has to read.
// CHECK-LABEL: func.func @written_later
// CHECK-COUNT-2: scf.forall
func.func @written_later(%x: memref<?x8xf32>, %y: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  scf.forall (%t) in (%n) {
    %v = memref.load %x[%c0, %c0] : memref<?x8xf32>
    memref.store %v, %y[%t, %c0] : memref<?x8xf32>
  }
  scf.forall (%t) in (%n) {
    memref.store %zero, %x[%t, %c0] : memref<?x8xf32>
  }
  return
}

// -----

// Views: rows of a reshape are rows, columns are not; and what both loops only
// read may be read anywhere.
// CHECK-LABEL: func.func @views
// CHECK: scf.forall
// CHECK: scf.forall
// CHECK-NOT: scf.forall
func.func @views(%x: memref<?x8xf32>, %g: memref<8xf32>, %y: memref<?x8xf32>, %z: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  %split = memref.expand_shape %y [[0], [1, 2]] output_shape [%n, 2, 4] : memref<?x8xf32> into memref<?x2x4xf32>
  scf.forall (%t) in (%n) {
    %v = memref.load %g[%c0] : memref<8xf32>
    memref.store %v, %y[%t, %c0] : memref<?x8xf32>
  }
  %buffer = memref.alloca() : memref<8xf32>
  scf.forall (%t) in (%n) {
    %row = memref.subview %split[%t, 0, 0] [1, 2, 4] [1, 1, 1] : memref<?x2x4xf32> to memref<2x4xf32, strided<[4, 1], offset: ?>>
    %v = memref.load %row[%c0, %c0] : memref<2x4xf32, strided<[4, 1], offset: ?>>
    %w = memref.load %g[%c0] : memref<8xf32>
    %s = arith.addf %v, %w : f32
    memref.store %s, %z[%t, %c0] : memref<?x8xf32>
  }
  %columns = memref.subview %z[0, 1] [%n, 4] [1, 1] : memref<?x8xf32> to memref<?x4xf32, strided<[8, 1], offset: 1>>
  scf.forall (%t) in (%n) {
    %column = memref.subview %columns[0, 1] [%n, 1] [1, 1] : memref<?x4xf32, strided<[8, 1], offset: 1>> to memref<?xf32, strided<[8], offset: 2>>
    %v = memref.load %column[%c0] : memref<?xf32, strided<[8], offset: 2>>
    memref.store %v, %x[%t, %c0] : memref<?x8xf32>
  }
  return
}
