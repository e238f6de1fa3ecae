// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// The scales of blocks at the edges of the formula: nothing, next to nothing, and around
// a scale that is a power of two. Blocks of one row and of several.

!row = tensor<2x16xf8E4M3FN, #deepseek.block_scaled<[1, 8]>>
!row_pow = tensor<2x16xf8E4M3FN, #deepseek.block_scaled<[1, 8], power_of_two>>
!block = tensor<2x16xf8E4M3FN, #deepseek.block_scaled<[2, 8]>>
!block_pow = tensor<2x16xf8E4M3FN, #deepseek.block_scaled<[2, 8], power_of_two>>

module {
  func.func @rows() {
    // Zeros; 9e-5 is below the least maximum, 1e-4; 448; 449.
    %x = arith.constant dense<[[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0e-5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -2.0e-5],
                               [0.0, 1.0, -448.0, 2.0, 0.0, 0.0, 0.0, 3.0, 449.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]]> : tensor<2x16xf32>
    %q, %s = deepseek.quantize %x : (tensor<2x16xf32>) -> (!row, tensor<2x2xf32>)
    %scales = arith.constant dense<[[0x346FACAD, 0x346FACAD], [1.0, 0x3F804925]]> : tensor<2x2xf32>
    check.expect_eq %s, %scales : tensor<2x2xf32>
    %p, %e = deepseek.quantize %x : (tensor<2x16xf32>) -> (!row_pow, tensor<2x2xf32>)
    %powers = arith.constant dense<[[0x34800000, 0x34800000], [1.0, 2.0]]> : tensor<2x2xf32>
    check.expect_eq %e, %powers : tensor<2x2xf32>
    // The values are 448 and multiples of 2^-3 times a power of two: exact.
    %back = deepseek.dequantize %p, %e : (!row_pow, tensor<2x2xf32>) -> tensor<2x16xf32>
    %left = tensor.extract_slice %back[1, 0] [1, 8] [1, 1] : tensor<2x16xf32> to tensor<8xf32>
    %same = arith.constant dense<[0.0, 1.0, -448.0, 2.0, 0.0, 0.0, 0.0, 3.0]> : tensor<8xf32>
    check.expect_eq %left, %same : tensor<8xf32>
    return
  }

  func.func @blocks() {
    %x = arith.constant dense<[[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -448.0],
                               [0.0, 0.0, 0.0, 0.0, 0.0, 9.0e-5, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]]> : tensor<2x16xf32>
    %q, %s = deepseek.quantize %x : (tensor<2x16xf32>) -> (!block, tensor<1x2xf32>)
    %scales = arith.constant dense<[[0x346FACAD, 1.0]]> : tensor<1x2xf32>
    check.expect_eq %s, %scales : tensor<1x2xf32>
    %p, %e = deepseek.quantize %x : (tensor<2x16xf32>) -> (!block_pow, tensor<1x2xf32>)
    %powers = arith.constant dense<[[0x34800000, 1.0]]> : tensor<1x2xf32>
    check.expect_eq %e, %powers : tensor<1x2xf32>
    return
  }
}
