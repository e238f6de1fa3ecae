// RUN: ds-eval %s
// RUN: ds-opt %s --ds-compile=target=host | ds-translate --emit=shared -o %t.so && ds-run %t.so
// RUN: %nvptx-run %s %t

// The lowest index of the largest logit. A NaN is never larger; in column 0 nothing is
// larger than it.

module {
  // Columns that fill no vector. -0 equals 0.
  func.func @ties() {
    %logits = arith.constant dense<[[1.0, 3.0, 2.0, 3.0, -4.0, 3.0, 0.0],
                                    [-0.0, 0.0, -0.0, -1.0, 0.0, -0.0, 0.0],
                                    [-5.0, -4.0, -3.0, -2.0, -1.0, -0.5, -0.25]]> : tensor<3x7xf32>
    %best = deepseek.argmax %logits : (tensor<3x7xf32>) -> tensor<3xi32>
    %expected = arith.constant dense<[1, 0, 6]> : tensor<3xi32>
    check.expect_eq %best, %expected : tensor<3xi32>
    return
  }

  func.func @no_numbers() {
    %logits = arith.constant dense<[[0x7FC00000, 5.0, 6.0, 7.0],
                                    [1.0, 0x7FC00000, 5.0, 0xFFC00000],
                                    [0xFF800000, 0xFF800000, 0x7FC00000, 0xFF800000],
                                    [0x7F800000, 1.0, 0x7F800000, 0.0]]> : tensor<4x4xf32>
    %best = deepseek.argmax %logits : (tensor<4x4xf32>) -> tensor<4xi32>
    %expected = arith.constant dense<[0, 2, 0, 0]> : tensor<4xi32>
    check.expect_eq %best, %expected : tensor<4xi32>
    return
  }

  // One large row in bf16, as many threads see it: the last of 5000 zeros and a one.
  func.func @wide() {
    %zeros = arith.constant dense<0.0> : tensor<1x5000xbf16>
    %one = arith.constant dense<1.0> : tensor<1x8xbf16>
    %logits = tensor.concat dim(1) %zeros, %one : (tensor<1x5000xbf16>, tensor<1x8xbf16>) -> tensor<1x5008xbf16>
    %best = deepseek.argmax %logits : (tensor<1x5008xbf16>) -> tensor<1xi32>
    %expected = arith.constant dense<[5000]> : tensor<1xi32>
    check.expect_eq %best, %expected : tensor<1xi32>
    return
  }
}
