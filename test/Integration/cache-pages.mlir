// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// Rows written to slots of scattered pages come back in the order of the sequences.

!pages = tensor<5x64x6xf32, #deepseek.latent_cache<latent = 4, rope = 2>>

module {
  // Two sequences: rows 0 to 64 of the first lie on pages 3 and 1, the second has one
  // row on page 4. Token 1 is padding: its slot is negative.
  func.func @append_and_gather() {
    %zeros = arith.constant dense<0.0> : tensor<5x64x6xf32>
    %cache = tensor.cast %zeros : tensor<5x64x6xf32> to !pages
    %latent = arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [9.0, 9.0, 9.0, 9.0], [5.0, 6.0, 7.0, 8.0], [-1.0, -2.0, -3.0, -4.0]]> : tensor<4x4xf32>
    %rope = arith.constant dense<[[0.5, 0.25], [9.0, 9.0], [1.5, 1.25], [-0.5, -0.25]]> : tensor<4x2xf32>
    // Page 3, row 63; nowhere; page 1, row 0; page 4, row 0.
    %slots = arith.constant dense<[255, -1, 64, 256]> : tensor<4xi32>
    %written = deepseek.cache_append %cache, %latent, %rope, %slots : (!pages, tensor<4x4xf32>, tensor<4x2xf32>, tensor<4xi32>) -> !pages

    %table = arith.constant dense<[[3, 1], [4, 0]]> : tensor<2x2xi32>
    %cu = arith.constant dense<[0, 65, 66]> : tensor<3xi32>
    %total = arith.constant 66 : index
    %rows = deepseek.cache_gather %written, %table, %cu, %total : (!pages, tensor<2x2xi32>, tensor<3xi32>, index) -> tensor<?x6xf32>

    %last = tensor.extract_slice %rows[63, 0] [3, 6] [1, 1] : tensor<?x6xf32> to tensor<3x6xf32>
    %expected = arith.constant dense<[[1.0, 2.0, 3.0, 4.0, 0.5, 0.25], [5.0, 6.0, 7.0, 8.0, 1.5, 1.25], [-1.0, -2.0, -3.0, -4.0, -0.5, -0.25]]> : tensor<3x6xf32>
    check.expect_eq %last, %expected : tensor<3x6xf32>
    %first = tensor.extract_slice %rows[0, 0] [63, 6] [1, 1] : tensor<?x6xf32> to tensor<63x6xf32>
    %nothing = arith.constant dense<0.0> : tensor<63x6xf32>
    check.expect_eq %first, %nothing : tensor<63x6xf32>
    return
  }
}
