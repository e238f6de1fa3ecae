// RUN: ds-opt %s -verify-diagnostics -split-input-file

func.func @embedding_c1(%tokens: tensor<3xi32>, %table: tensor<100x8xf32>) {
  // expected-error @below {{expected shape(result) = [T, H] with T = 3, got [4, 8]}}
  %0 = deepseek.embedding %tokens, %table : (tensor<3xi32>, tensor<100x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @rms_norm_c1(%x: tensor<f32>, %gamma: tensor<8xf32>) {
  // expected-error @below {{expected shape(x) = [.., H], got []}}
  %0 = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6} : (tensor<f32>, tensor<8xf32>) -> tensor<f32>
  return
}

// -----

func.func @rms_norm_c1(%x: tensor<?x8xf32>, %gamma: tensor<7xf32>) {
  // expected-error @below {{expected shape(gamma) = [H] with H = 8, got [7]}}
  %0 = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6} : (tensor<?x8xf32>, tensor<7xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<3x8xf32>, %gamma: tensor<8xf32>) {
  // expected-error @below {{expected shape(result) = [3, 8], got [4, 8]}}
  %0 = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6} : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<3x?xf32>, %gamma: tensor<8xf32>) {
  // expected-error @below {{expected shape(result) = [_, H] with H = 8, got [3, 9]}}
  %0 = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6} : (tensor<3x?xf32>, tensor<8xf32>) -> tensor<3x9xf32>
  return
}

// -----

func.func @rms_norm_c3(%x: tensor<?x8xf32>, %gamma: tensor<8xf32>) {
  // expected-error @below {{expected a finite, positive epsilon, got 0}}
  %0 = deepseek.rms_norm %x, %gamma {epsilon = 0.0} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c1(%x: tensor<?x8xf32>, %w: tensor<6x7xf32>) {
  // expected-error @below {{expected shape(w) = [O, I] with I = 8, got [6, 7]}}
  %0 = deepseek.linear %x, %w : (tensor<?x8xf32>, tensor<6x7xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @linear_c2(%x: tensor<?x8xf32>, %w: tensor<6x8xf32>) {
  // expected-error @below {{expected shape(result) = [T, O] with O = 6, got [?, 8]}}
  %0 = deepseek.linear %x, %w : (tensor<?x8xf32>, tensor<6x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @head_linear_c1(%x: tensor<?x2x8xf32>, %w: tensor<2x8x6xf32>) {
  // expected-error @below {{expected shape(w) = [N, O, I] with I = 8, got [2, 8, 6]}}
  %0 = deepseek.head_linear %x, %w : (tensor<?x2x8xf32>, tensor<2x8x6xf32>) -> tensor<?x2x6xf32>
  return
}

// -----

func.func @head_linear_c1(%x: tensor<?x2x8xf32>, %w: tensor<2x6x8xf32>) {
  // expected-error @below {{expected shape(w) = [N, I, O] with I = 8, got [2, 6, 8]}}
  %0 = deepseek.head_linear %x, %w {transposed} : (tensor<?x2x8xf32>, tensor<2x6x8xf32>) -> tensor<?x2x6xf32>
  return
}

// -----

func.func @head_linear_c2(%x: tensor<?x2x8xf32>, %w: tensor<2x6x8xf32>) {
  // expected-error @below {{expected shape(result) = [T, N, O] with N = 2, got [?, 3, 6]}}
  %0 = deepseek.head_linear %x, %w : (tensor<?x2x8xf32>, tensor<2x6x8xf32>) -> tensor<?x3x6xf32>
  return
}

// -----

func.func @swiglu_c1(%gate: tensor<?x6xf32>, %up: tensor<?x5xf32>) {
  // expected-error @below {{expected shape(up) = [?, 6], got [?, 5]}}
  %0 = deepseek.swiglu %gate, %up : (tensor<?x6xf32>, tensor<?x5xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @swiglu_c1(%gate: tensor<?x?xf32>, %up: tensor<?x5xf32>) {
  // expected-error @below {{expected shape(result) = [?, 5], got [?, 6]}}
  %0 = deepseek.swiglu %gate, %up : (tensor<?x?xf32>, tensor<?x5xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @rope_c1(%x: tensor<4xf32>, %positions: tensor<?xi32>) {
  // expected-error @below {{expected shape(x) = [T, .., R], got rank 1}}
  %0 = deepseek.rope %x, %positions {theta = 1.0e4} : (tensor<4xf32>, tensor<?xi32>) -> tensor<4xf32>
  return
}

// -----

func.func @rope_c1(%x: tensor<3x2x4xf32>, %positions: tensor<4xi32>) {
  // expected-error @below {{expected shape(positions) = [T] with T = 3, got [4]}}
  %0 = deepseek.rope %x, %positions {theta = 1.0e4} : (tensor<3x2x4xf32>, tensor<4xi32>) -> tensor<3x2x4xf32>
  return
}

// -----

func.func @rope_c2(%x: tensor<?x2x5xf32>, %positions: tensor<?xi32>) {
  // expected-error @below {{expected an even, positive R, got 5}}
  %0 = deepseek.rope %x, %positions {theta = 1.0e4} : (tensor<?x2x5xf32>, tensor<?xi32>) -> tensor<?x2x5xf32>
  return
}

// -----

func.func @rope_c3(%x: tensor<?x2x4xf32>, %positions: tensor<?xi32>) {
  // expected-error @below {{expected shape(result) = [?, 2, 4], got [?, 3, 4]}}
  %0 = deepseek.rope %x, %positions {theta = 1.0e4} : (tensor<?x2x4xf32>, tensor<?xi32>) -> tensor<?x3x4xf32>
  return
}

// -----

func.func @rope_c3(%x: tensor<?x2x4xf32>, %positions: tensor<?xi32>) {
  // expected-error @below {{expected a result with the element type and encoding of x, 'tensor<?x2x4xf32>', got 'tensor<?x2x4xbf16>'}}
  %0 = deepseek.rope %x, %positions {theta = 1.0e4} : (tensor<?x2x4xf32>, tensor<?xi32>) -> tensor<?x2x4xbf16>
  return
}

// -----

func.func @rope_c4(%x: tensor<?x2x4xf32>, %positions: tensor<?xi32>) {
  // expected-error @below {{expected a finite, positive theta, got -1.0E+4}}
  %0 = deepseek.rope %x, %positions {theta = -1.0e4} : (tensor<?x2x4xf32>, tensor<?xi32>) -> tensor<?x2x4xf32>
  return
}

// -----

func.func @argmax_c1(%logits: tensor<3x100xf32>) {
  // expected-error @below {{expected shape(result) = [T] with T = 3, got [100]}}
  %0 = deepseek.argmax %logits : (tensor<3x100xf32>) -> tensor<100xi32>
  return
}

// -----

func.func @argmax_c2(%logits: tensor<3x0xf32>) {
  // expected-error @below {{expected a positive V, got 0}}
  %0 = deepseek.argmax %logits : (tensor<3x0xf32>) -> tensor<3xi32>
  return
}
