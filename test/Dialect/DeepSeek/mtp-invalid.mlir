// RUN: ds-opt %s -verify-diagnostics -split-input-file

func.func @mtp_project_c1(%hidden: tensor<?x4xf32>, %embedding: tensor<?x5xf32>, %gamma: tensor<4xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{expected shape(embedding) = [T, H] with H = 4, got [?, 5]}}
  %0 = deepseek.mtp_project %hidden, %embedding, %gamma, %gamma, %w {epsilon = 1.0e-6}
      : (tensor<?x4xf32>, tensor<?x5xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @mtp_project_c2(%hidden: tensor<?x4xf32>, %gamma: tensor<5xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{expected shape(hidden_gamma) = [H] with H = 4, got [5]}}
  %0 = deepseek.mtp_project %hidden, %hidden, %gamma, %gamma, %w {epsilon = 1.0e-6}
      : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<5xf32>, tensor<5xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @mtp_project_c3(%hidden: tensor<?x4xf32>, %gamma: tensor<4xf32>, %w: tensor<4x7xf32>) {
  // expected-error @below {{expected shape(w) = [H, 2 * H] with 2 * H = 8, got [4, 7]}}
  %0 = deepseek.mtp_project %hidden, %hidden, %gamma, %gamma, %w {epsilon = 1.0e-6}
      : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4x7xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @mtp_project_c4(%hidden: tensor<3x4xf32>, %gamma: tensor<4xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{expected shape(result) = [T, H] with T = 3, got [2, 4]}}
  %0 = deepseek.mtp_project %hidden, %hidden, %gamma, %gamma, %w {epsilon = 1.0e-6}
      : (tensor<3x4xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @mtp_project_c5(%hidden: tensor<3x4xf32>, %gamma: tensor<4xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{expected a finite, positive epsilon, got -1}}
  %0 = deepseek.mtp_project %hidden, %hidden, %gamma, %gamma, %w {epsilon = -1.0}
      : (tensor<3x4xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4x8xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @mtp_verify_c1(%draft: tensor<?x2xi32>, %choice: tensor<?x2xi32>) {
  // expected-error @below {{expected shape(choice) = [B, M + 1] with M + 1 = 3, got [?, 2]}}
  %0:2 = deepseek.mtp_verify %draft, %choice : (tensor<?x2xi32>, tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?xi32>)
  return
}

// -----

func.func @mtp_verify_c2(%draft: tensor<4x2xi32>, %choice: tensor<4x3xi32>) {
  // expected-error @below {{expected shape(next) = [B] with B = 4, got [3]}}
  %0:2 = deepseek.mtp_verify %draft, %choice : (tensor<4x2xi32>, tensor<4x3xi32>) -> (tensor<4xi32>, tensor<3xi32>)
  return
}
