// RUN: ds-opt %s -verify-diagnostics -split-input-file

// Four mistakes with the scales of FP8 that other engines run to the end, with
// answers that are up to a quarter wrong and without a message. Here none of them
// compiles; test/Runtime/weights/silent-failures.test has those of checkpoints.
// Reported as sglang #39193, #29038, #9946; vllm #31844, #38083; transformers #47030.

// f32 scales where a kernel takes powers of two: their mantissa would be cut off.
!any = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!power_of_two = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128], power_of_two>>
func.func private @takes_powers_of_two(!power_of_two, tensor<?x2xf32>)
func.func @f32_scales_as_powers_of_two(%x: tensor<?x256xbf16>) {
  %q, %scale = deepseek.quantize %x : (tensor<?x256xbf16>) -> (!any, tensor<?x2xf32>)
  // expected-error @below {{operand type mismatch: expected operand type 'tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128], power_of_two>>', but provided 'tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>'}}
  call @takes_powers_of_two(%q, %scale) : (!any, tensor<?x2xf32>) -> ()
  return
}

// -----

// The weight of a checkpoint with f32 scales, read as one of powers of two.
// expected-note @below {{the weight is declared here}}
deepseek.weight @w from "w" : tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @f32_scales_of_a_weight_as_powers_of_two() {
  // expected-error @below {{expected the weight's type, 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>', got 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>'}}
  %0 = deepseek.get_weight @w : tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128], power_of_two>>
  return
}

// -----

// Scales rounded to powers of two without requantizing the codes: the codes' type
// still says that any number may scale them.
!any = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @rounded_scales(%q: !any, %rounded: tensor<2x2xf8E8M0FNU>) {
  // expected-error @below {{expected scale of type f32, as the scales of q may be any number, got f8E8M0FNU}}
  %0 = deepseek.dequantize %q, %rounded : (!any, tensor<2x2xf8E8M0FNU>) -> tensor<256x256xf32>
  return
}

// -----

!any = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @rounded_scales_of_activations(%x: !any, %rounded: tensor<?x2xf8E8M0FNU>, %w: !w8, %w_scale: tensor<2x2xf32>) {
  // expected-error @below {{expected x_scale of type f32, as the scales of x may be any number, got f8E8M0FNU}}
  %0 = deepseek.scaled_linear %x, %rounded, %w, %w_scale : (!any, tensor<?x2xf8E8M0FNU>, !w8, tensor<2x2xf32>) -> tensor<?x256xf32>
  return
}

// -----

// Row-major scales where a product takes group-major ones. One size is not known,
// and would fit either way.
!group_major = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
!w8 = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @row_major_as_group_major(%x: !group_major, %x_scale: tensor<?x2xf32>, %w: !w8, %w_scale: tensor<2x2xf32>) {
  // expected-error @below {{expected shape(x_scale) = [2, ?], got [?, 2]; the scales of x are group_major}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!group_major, tensor<?x2xf32>, !w8, tensor<2x2xf32>) -> tensor<?x256xf32>
  return
}

// -----

// The other way round.
!row_major = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!w8 = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @group_major_as_row_major(%x: !row_major, %x_scale: tensor<2x?xf32>, %w: !w8, %w_scale: tensor<2x2xf32>) {
  // expected-error @below {{expected shape(x_scale) = [?, 2], got [2, ?]; the scales of x are row_major}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!row_major, tensor<2x?xf32>, !w8, tensor<2x2xf32>) -> tensor<?x256xf32>
  return
}

// -----

// Between functions the shapes need not tell: 2x2 scales look alike in both layouts.
!row_major = tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!group_major = tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
func.func private @takes_group_major(!group_major, tensor<2x2xf32>)
func.func @row_major_to_a_function(%x: !row_major, %scale: tensor<2x2xf32>) {
  // expected-error @below {{operand type mismatch: expected operand type 'tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>', but provided 'tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>'}}
  call @takes_group_major(%x, %scale) : (!row_major, tensor<2x2xf32>) -> ()
  return
}

// -----

// Nor between the host program and a kernel.
!row_major = tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!group_major = tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>
// expected-note @below {{the kernel is here}}
func.func private @kernel(!group_major, tensor<2x2xf32>, tensor<2x256xf32>) -> tensor<2x256xf32>
func.func @row_major_to_a_kernel(%x: !row_major, %scale: tensor<2x2xf32>, %out: tensor<2x256xf32>) {
  // expected-error @below {{expected operand 0 to fit 'tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128] layout = group_major>>', got 'tensor<2x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>'}}
  %0 = dsrt.dispatch @kernel ins(%x, %scale : !row_major, tensor<2x2xf32>) outs(%out : tensor<2x256xf32>) -> tensor<2x256xf32>
  return
}

// -----

// The square scales of a checkpoint, declared to be group-major.
// expected-error @below {{expected row-major scales and elements, as checkpoints store them, got 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>'; use deepseek.requantize to change the layout}}
deepseek.weight @group_major_checkpoint from "w" : tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] layout = group_major>>

// -----

// A weight packed for one kernel, given to another op.
!x8 = tensor<?x256xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>
!packed = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_linear">>
func.func @packed_for_another_kernel(%x: !x8, %x_scale: tensor<?x2xf32>, %w: !packed, %w_scale: tensor<2x2xf32>) {
  // expected-error @below {{expected the elements of w in row-major order, got those packed for the kernel "sm90_fp8_linear"; only that kernel can read them, use the unpacked tensor here}}
  %0 = deepseek.scaled_linear %x, %x_scale, %w, %w_scale : (!x8, tensor<?x2xf32>, !packed, tensor<2x2xf32>) -> tensor<?x256xf32>
  return
}

// -----

!packed = tensor<4x256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_grouped_linear">>
func.func @packed_experts(%w: !packed, %scale: tensor<4x2x2xf32>) {
  // expected-error @below {{expected the elements of q in row-major order, got those packed for the kernel "sm90_fp8_grouped_linear"; only that kernel can read them, use the unpacked tensor here}}
  %0 = deepseek.dequantize %w, %scale : (!packed, tensor<4x2x2xf32>) -> tensor<4x256x256xf32>
  return
}

// -----

// Two kernels, each with an order of its own.
!packed = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_linear">>
!other = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_grouped_linear">>
// expected-note @below {{the kernel is here}}
func.func private @kernel(!other, tensor<2x256xf32>) -> tensor<2x256xf32>
func.func @packed_to_another_kernel(%w: !packed, %out: tensor<2x256xf32>) {
  // expected-error @below {{expected operand 0 to fit 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_grouped_linear">>', got 'tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_linear">>'}}
  %0 = dsrt.dispatch @kernel ins(%w : !packed) outs(%out : tensor<2x256xf32>) -> tensor<2x256xf32>
  return
}

// -----

// Nor does a change of scaling unpack.
!packed = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128] packing = "sm90_fp8_linear">>
!plain = tensor<256x256xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
func.func @packed_requantized(%w: !packed, %scale: tensor<2x2xf32>) {
  // expected-error @below {{expected the elements of q in row-major order, got those packed for the kernel "sm90_fp8_linear"}}
  %0:2 = deepseek.requantize %w, %scale : (!packed, tensor<2x2xf32>) -> (!plain, tensor<2x2xf32>)
  return
}
