// RUN: ds-opt %s -verify-diagnostics -split-input-file

func.func @quantize_c1(%x: tensor<4x256xf32>) {
  // expected-error @below {{expected q with a #deepseek.block_scaled encoding, got 'tensor<4x256xf8E4M3FN>'}}
  %0:2 = deepseek.quantize %x : (tensor<4x256xf32>) -> (tensor<4x256xf8E4M3FN>, tensor<4x2xf32>)
  return
}

// -----

func.func @quantize_c2(%x: tensor<4x256xf32>) {
  // expected-error @below {{expected shape(q) = [4, 256], got [4, 128]}}
  %0:2 = deepseek.quantize %x : (tensor<4x256xf32>) -> (tensor<4x128xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<4x1xf32>)
  return
}

// -----

func.func @quantize_c3(%x: tensor<?x200xf32>) {
  // expected-error @below {{expected shape(scale) = [?, 2], got [?, 1]}}
  %0:2 = deepseek.quantize %x : (tensor<?x200xf32>) -> (tensor<?x200xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<?x1xf32>)
  return
}

// -----

func.func @quantize_c4(%x: tensor<4x256xf32>) {
  // expected-error @below {{expected scale of type f32, as the scales of q may be any number, got f8E8M0FNU}}
  %0:2 = deepseek.quantize %x : (tensor<4x256xf32>) -> (tensor<4x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<4x2xf8E8M0FNU>)
  return
}

// -----

func.func @dequantize_c1(%q: tensor<256x256xf8E4M3FN>, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected q with a #deepseek.block_scaled encoding, got 'tensor<256x256xf8E4M3FN>'}}
  %0 = deepseek.dequantize %q, %scale : (tensor<256x256xf8E4M3FN>, tensor<2x2xf32>) -> tensor<256x256xf32>
  return
}

// -----

func.func @dequantize_c2(%q: tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected shape(scale) = [4, 2, 2], got [2, 2]}}
  %0 = deepseek.dequantize %q, %scale : (tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> tensor<4x256x256xf32>
  return
}

// -----

func.func @dequantize_c3(%q: tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected shape(result) = [256, 256], got [256, 128]}}
  %0 = deepseek.dequantize %q, %scale : (tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> tensor<256x128xf32>
  return
}

// -----

func.func @dequantize_c4(%q: tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x2xf8E8M0FNU>) {
  // expected-error @below {{expected scale of type f32, as the scales of q may be any number, got f8E8M0FNU}}
  %0 = deepseek.dequantize %q, %scale : (tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf8E8M0FNU>) -> tensor<256x256xf32>
  return
}

// -----

func.func @scaled_linear_c1(%x: tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, %x_scale: tensor<?x2xf32>, %w: tensor<256x256xf8E4M3FN>, %w_scale: tensor<2x2xf32>) {
  // expected-error @below {{expected w with a #deepseek.block_scaled encoding, got 'tensor<256x256xf8E4M3FN>'}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale
      : (tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<?x2xf32>, tensor<256x256xf8E4M3FN>, tensor<2x2xf32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @scaled_linear_c2(%x: !x8, %x_scale: tensor<?x2xf32>, %w: !w8, %w_scale: tensor<256x2xf32>) {
  // expected-error @below {{expected shape(w_scale) = [2, 2], got [256, 2]}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!x8, tensor<?x2xf32>, !w8, tensor<256x2xf32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 64]>>
func.func @scaled_linear_c3(%x: !x8, %x_scale: tensor<?x2xf32>, %w: !w8, %w_scale: tensor<2x4xf32>) {
  // expected-error @below {{expected equal inner blocks, got 128 and 64}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!x8, tensor<?x2xf32>, !w8, tensor<2x4xf32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @scaled_linear_c4(%x: !x8, %x_scale: tensor<?x2xf8E8M0FNU>, %w: !w8, %w_scale: tensor<2x2xf32>) {
  // expected-error @below {{expected x_scale of type f32, as the scales of x may be any number, got f8E8M0FNU}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!x8, tensor<?x2xf8E8M0FNU>, !w8, tensor<2x2xf32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<128x384xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @scaled_linear_c5(%x: !x8, %x_scale: tensor<?x2xf32>, %w: !w8, %w_scale: tensor<1x3xf32>) {
  // expected-error @below {{expected shape(w) = [O, I] with I = 256, got [128, 384]}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!x8, tensor<?x2xf32>, !w8, tensor<1x3xf32>) -> tensor<?x128xf32>
  return
}

// -----

func.func @scaled_grouped_linear_c1(%x: tensor<?x256xf8E4M3FN>, %x_scale: tensor<?x2xf32>, %w: tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %w_scale: tensor<4x2x2xf32>, %offsets: tensor<5xi32>) {
  // expected-error @below {{expected x with a #deepseek.block_scaled encoding, got 'tensor<?x256xf8E4M3FN>'}}
  %0 = deepseek.scaled_grouped_linear %x, %x_scale, %w, %w_scale, %offsets
      : (tensor<?x256xf8E4M3FN>, tensor<?x2xf32>, tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<4x2x2xf32>, tensor<5xi32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!e8 = tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @scaled_grouped_linear_c2(%x: !x8, %x_scale: tensor<?x3xf32>, %w: !e8, %w_scale: tensor<4x2x2xf32>, %offsets: tensor<5xi32>) {
  // expected-error @below {{expected shape(x_scale) = [?, 2], got [?, 3]}}
  %0 = deepseek.scaled_grouped_linear %x, %x_scale, %w, %w_scale, %offsets
      : (!x8, tensor<?x3xf32>, !e8, tensor<4x2x2xf32>, tensor<5xi32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 64]>>
!e8 = tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @scaled_grouped_linear_c3(%x: !x8, %x_scale: tensor<?x4xf32>, %w: !e8, %w_scale: tensor<4x2x2xf32>, %offsets: tensor<5xi32>) {
  // expected-error @below {{expected equal inner blocks, got 64 and 128}}
  %0 = deepseek.scaled_grouped_linear %x, %x_scale, %w, %w_scale, %offsets
      : (!x8, tensor<?x4xf32>, !e8, tensor<4x2x2xf32>, tensor<5xi32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!e8 = tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @scaled_grouped_linear_c4(%x: !x8, %x_scale: tensor<?x2xf32>, %w: !e8, %w_scale: tensor<4x2x2xf8E8M0FNU>, %offsets: tensor<5xi32>) {
  // expected-error @below {{expected w_scale of type f32, as the scales of w may be any number, got f8E8M0FNU}}
  %0 = deepseek.scaled_grouped_linear %x, %x_scale, %w, %w_scale, %offsets
      : (!x8, tensor<?x2xf32>, !e8, tensor<4x2x2xf8E8M0FNU>, tensor<5xi32>) -> tensor<?x256xf32>
  return
}

// -----

!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!e8 = tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @scaled_grouped_linear_c5(%x: !x8, %x_scale: tensor<?x2xf32>, %w: !e8, %w_scale: tensor<4x2x2xf32>, %offsets: tensor<4xi32>) {
  // expected-error @below {{expected shape(offsets) = [E + 1] with E + 1 = 5, got [4]}}
  %0 = deepseek.scaled_grouped_linear %x, %x_scale, %w, %w_scale, %offsets
      : (!x8, tensor<?x2xf32>, !e8, tensor<4x2x2xf32>, tensor<4xi32>) -> tensor<?x256xf32>
  return
}

// -----

func.func @requantize_c1(%q: tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected requantized with a #deepseek.block_scaled encoding, got 'tensor<256x256xf8E4M3FN>'}}
  %0:2 = deepseek.requantize %q, %scale : (tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> (tensor<256x256xf8E4M3FN>, tensor<2x2xf32>)
  return
}

// -----

func.func @requantize_c2(%q: tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected shape(requantized) = [256, 256], got [256, 128]}}
  %0:2 = deepseek.requantize %q, %scale : (tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> (tensor<256x128xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>, tensor<2x1xf32>)
  return
}

// -----

func.func @requantize_c2(%q: tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected requantized with the element type of q, 'f8E4M3FN', got 'f8E5M2'}}
  %0:2 = deepseek.requantize %q, %scale : (tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> (tensor<256x256xf8E5M2, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>)
  return
}

// -----

func.func @requantize_c3(%q: tensor<256x512xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x4xf32>) {
  // expected-error @below {{expected shape(new_scale) = [4, 2], got [2, 4]; the scales of requantized are group_major}}
  %0:2 = deepseek.requantize %q, %scale : (tensor<256x512xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x4xf32>) -> (tensor<256x512xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>, tensor<2x4xf32>)
  return
}

// -----

func.func @requantize_c4(%q: tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected new_scale of type f32, as the scales of requantized may be any number, got f8E8M0FNU}}
  %0:2 = deepseek.requantize %q, %scale : (tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf32>) -> (tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>, tensor<2x2xf8E8M0FNU>)
  return
}
