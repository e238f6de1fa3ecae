// RUN: ds-eval %s

// The ops around the deepseek ones: arith, math, tensor, scf, linalg, calls.

func.func @arith() {
  %a = arith.constant dense<[1.0, 2.5, -3.0]> : tensor<3xf32>
  %b = arith.constant dense<[0.5, 0.5, 2.0]> : tensor<3xf32>
  %sum = arith.addf %a, %b : tensor<3xf32>
  %e_sum = arith.constant dense<[1.5, 3.0, -1.0]> : tensor<3xf32>
  check.expect_eq %sum, %e_sum : tensor<3xf32>
  %less = arith.cmpf olt, %a, %b : tensor<3xf32>
  %least = arith.select %less, %a, %b : tensor<3xi1>, tensor<3xf32>
  %e_least = arith.constant dense<[0.5, 0.5, -3.0]> : tensor<3xf32>
  check.expect_eq %least, %e_least : tensor<3xf32>
  // 1.00390625 is halfway between two bf16 numbers: the even one; 500 saturates in E4M3.
  %c = arith.constant dense<[1.00390625, 500.0, -0.3]> : tensor<3xf32>
  %half = arith.truncf %c : tensor<3xf32> to tensor<3xbf16>
  %e_half = arith.constant dense<[1.0, 500.0, -0.30078125]> : tensor<3xbf16>
  check.expect_eq %half, %e_half : tensor<3xbf16>
  %f8 = arith.truncf %c : tensor<3xf32> to tensor<3xf8E4M3FN>
  %wide = arith.extf %f8 : tensor<3xf8E4M3FN> to tensor<3xf32>
  %e_wide = arith.constant dense<[1.0, 448.0, -0.3125]> : tensor<3xf32>
  check.expect_eq %wide, %e_wide : tensor<3xf32>
  %i = arith.constant dense<[-7, 7, -1]> : tensor<3xi32>
  %two = arith.constant dense<2> : tensor<3xi32>
  %down = arith.floordivsi %i, %two : tensor<3xi32>
  %e_down = arith.constant dense<[-4, 3, -1]> : tensor<3xi32>
  check.expect_eq %down, %e_down : tensor<3xi32>
  %unsigned = arith.shrui %i, %two : tensor<3xi32>
  %e_unsigned = arith.constant dense<[1073741822, 1, 1073741823]> : tensor<3xi32>
  check.expect_eq %unsigned, %e_unsigned : tensor<3xi32>
  %root = math.sqrt %e_wide : tensor<3xf32>
  %first = tensor.extract_slice %root[0] [1] [1] : tensor<3xf32> to tensor<1xf32>
  %one = arith.constant dense<1.0> : tensor<1xf32>
  check.expect_eq %first, %one : tensor<1xf32>
  return
}

func.func @tensor() {
  %a = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %row = tensor.extract_slice %a[1, 0] [1, 2] [1, 2] : tensor<2x3xi32> to tensor<2xi32>
  %e_row = arith.constant dense<[4, 6]> : tensor<2xi32>
  check.expect_eq %row, %e_row : tensor<2xi32>
  %b = tensor.insert_slice %row into %a[0, 1] [1, 2] [1, 1] : tensor<2xi32> into tensor<2x3xi32>
  %e_b = arith.constant dense<[[1, 4, 6], [4, 5, 6]]> : tensor<2x3xi32>
  check.expect_eq %b, %e_b : tensor<2x3xi32>
  %c = tensor.concat dim(1) %a, %b : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x6xi32>
  %e_c = arith.constant dense<[[1, 2, 3, 1, 4, 6], [4, 5, 6, 4, 5, 6]]> : tensor<2x6xi32>
  check.expect_eq %c, %e_c : tensor<2x6xi32>
  %flat = tensor.collapse_shape %c [[0, 1]] : tensor<2x6xi32> into tensor<12xi32>
  %again = tensor.expand_shape %flat [[0, 1]] output_shape [3, 4] : tensor<12xi32> into tensor<3x4xi32>
  %e_again = arith.constant dense<[[1, 2, 3, 1], [4, 6, 4, 5], [6, 4, 5, 6]]> : tensor<3x4xi32>
  check.expect_eq %again, %e_again : tensor<3x4xi32>
  %c1 = arith.constant 1 : index
  %dim = tensor.dim %again, %c1 : tensor<3x4xi32>
  %open = tensor.empty(%dim) : tensor<?xi32>
  %generated = tensor.generate %dim {
  ^bb0(%i: index):
    %square = arith.muli %i, %i : index
    %value = arith.index_cast %square : index to i32
    tensor.yield %value : i32
  } : tensor<?xi32>
  %closed = tensor.cast %generated : tensor<?xi32> to tensor<4xi32>
  %e_generated = arith.constant dense<[0, 1, 4, 9]> : tensor<4xi32>
  check.expect_eq %closed, %e_generated : tensor<4xi32>
  return
}

func.func @control_flow() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %zero = arith.constant 0 : i32
  %sum = scf.for %i = %c0 to %c5 step %c1 iter_args(%acc = %zero) -> i32 {
    %odd = arith.remui %i, %c5 : index
    %is = arith.cmpi ugt, %odd, %c1 : index
    %next = scf.if %is -> i32 {
      %v = arith.index_cast %i : index to i32
      %s = arith.addi %acc, %v : i32
      scf.yield %s : i32
    } else {
      scf.yield %acc : i32
    }
    scf.yield %next : i32
  }
  %t = tensor.from_elements %sum : tensor<1xi32>
  %e = arith.constant dense<9> : tensor<1xi32>
  check.expect_eq %t, %e : tensor<1xi32>
  %init = tensor.empty() : tensor<2x2xi32>
  %all = scf.forall (%i, %j) in (2, 2) shared_outs(%out = %init) -> tensor<2x2xi32> {
    %k = arith.addi %i, %j : index
    %v = arith.index_cast %k : index to i32
    %s = tensor.from_elements %v : tensor<1xi32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %out[%i, %j] [1, 1] [1, 1] : tensor<1xi32> into tensor<2x2xi32>
    }
  }
  %e_all = arith.constant dense<[[0, 1], [1, 2]]> : tensor<2x2xi32>
  check.expect_eq %all, %e_all : tensor<2x2xi32>
  return
}

func.func @linalg() {
  %a = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x2xf32>
  %filled = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x2xf32>) -> tensor<2x2xf32>
  %square = linalg.matmul ins(%a, %a : tensor<2x2xf32>, tensor<2x2xf32>) outs(%filled : tensor<2x2xf32>) -> tensor<2x2xf32>
  %e = arith.constant dense<[[7.0, 10.0], [15.0, 22.0]]> : tensor<2x2xf32>
  check.expect_eq %square, %e : tensor<2x2xf32>
  return
}

// A value that a callee changes is the caller's no more.
func.func private @overwrite(%t: tensor<2xi32>) -> tensor<2xi32> {
  %c0 = arith.constant 0 : index
  %nine = arith.constant 9 : i32
  %r = tensor.insert %nine into %t[%c0] : tensor<2xi32>
  return %r : tensor<2xi32>
}
func.func @values_are_values() {
  %t = arith.constant dense<[1, 2]> : tensor<2xi32>
  %r = call @overwrite(%t) : (tensor<2xi32>) -> tensor<2xi32>
  %e = arith.constant dense<[9, 2]> : tensor<2xi32>
  %same = arith.constant dense<[1, 2]> : tensor<2xi32>
  check.expect_eq %r, %e : tensor<2xi32>
  check.expect_eq %t, %same : tensor<2xi32>
  return
}
