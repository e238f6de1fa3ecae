// RUN: ds-opt %s --ds-form-kernels --split-input-file | FileCheck %s

!fp8 = tensor<64x32xf8E4M3FN, #deepseek.block_scaled<[128, 128]>>
deepseek.weight @a from "0.weight" : !fp8
deepseek.weight @a_scale from "0.weight_scale_inv" : tensor<1x1xf32>
deepseek.weight @b from "1.weight" : !fp8
deepseek.weight @b_scale from "1.weight_scale_inv" : tensor<1x1xf32>

// Two layers, one kernel; the weight is widened inside of it.
// CHECK-LABEL: @layers
// CHECK: %[[T:.*]] = tensor.dim %arg0, %{{.*}}
// CHECK: %[[A:.*]] = deepseek.get_weight @a :
// CHECK: %[[AS:.*]] = deepseek.get_weight @a_scale
// CHECK: %[[E:.*]] = tensor.empty(%[[T]]) : tensor<?x64xbf16>
// CHECK: %[[Y:.*]] = dsrt.dispatch @kernels::@linear_64x32_f8 ins(%arg0, %[[A]], %[[AS]] : {{.*}}) outs(%[[E]] : {{.*}}) -> tensor<?x64xbf16>
// The slice is a view: the kernel takes what it is a view of.
// CHECK: dsrt.dispatch @kernels::@linear_64x32_f8_1 ins(%[[Y]], %{{.*}}, %{{.*}} : tensor<?x64xbf16>
// CHECK: dsrt.dispatch @kernels::@linear_64x32_f8 ins(%arg0
// CHECK-NOT: deepseek.dequantize
// CHECK-NOT: deepseek.linear
// CHECK: module @kernels
// CHECK: func.func @linear_64x32_f8(%[[X:.*]]: tensor<?x32xbf16>, %[[Q:.*]]: tensor<64x32xf8E4M3FN, {{.*}}>, %[[S:.*]]: tensor<1x1xf32>, %{{.*}}: tensor<?x64xbf16>) -> tensor<?x64xbf16>
// CHECK-NEXT: %[[W:.*]] = deepseek.dequantize %[[Q]], %[[S]]
// CHECK-NEXT: %[[R:.*]] = deepseek.linear %[[X]], %[[W]]
// CHECK-NEXT: return %[[R]]
// CHECK: func.func @linear_64x32_f8_1(%[[X:[^:]*]]: tensor<?x64xbf16>
// CHECK: %[[DIM:.*]] = tensor.dim %[[X]]
// CHECK: tensor.extract_slice %[[X]][0, 0] [%[[DIM]], 32]
// CHECK-NOT: func.func
// CHECK: {{^.. -----$}}
func.func @layers(%x: tensor<?x32xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>) {
  %c0 = arith.constant 0 : index
  %a = deepseek.get_weight @a : !fp8
  %as = deepseek.get_weight @a_scale : tensor<1x1xf32>
  %aw = deepseek.dequantize %a, %as : (!fp8, tensor<1x1xf32>) -> tensor<64x32xbf16>
  %y = deepseek.linear %x, %aw : (tensor<?x32xbf16>, tensor<64x32xbf16>) -> tensor<?x64xbf16>
  %t = tensor.dim %y, %c0 : tensor<?x64xbf16>
  %half = tensor.extract_slice %y[0, 0] [%t, 32] [1, 1] : tensor<?x64xbf16> to tensor<?x32xbf16>
  %b = deepseek.get_weight @b : !fp8
  %bs = deepseek.get_weight @b_scale : tensor<1x1xf32>
  %bw = deepseek.dequantize %b, %bs : (!fp8, tensor<1x1xf32>) -> tensor<64x32xbf16>
  %z = deepseek.linear %half, %bw : (tensor<?x32xbf16>, tensor<64x32xbf16>) -> tensor<?x64xbf16>
  %v = deepseek.linear %x, %bw : (tensor<?x32xbf16>, tensor<64x32xbf16>) -> tensor<?x64xbf16>
  return %z, %v : tensor<?x64xbf16>, tensor<?x64xbf16>
}

// -----

deepseek.weight @experts from "experts.*.weight" : tensor<4x16x8xbf16>
deepseek.weight @plain from "plain" : tensor<4x16x8xbf16>

// Equal but for the table of pointers: two kernels.
// CHECK-LABEL: @stacked
// CHECK: dispatch @kernels::@grouped_linear_4x16x8_bf16 ins
// CHECK: dispatch @kernels::@grouped_linear_4x16x8_bf16_1 ins
// CHECK: func.func @grouped_linear_4x16x8_bf16(%{{[^:]*}}: tensor<?x8xbf16>, %{{[^:]*}}: tensor<4x16x8xbf16> {dsrt.stacked},
// CHECK: func.func @grouped_linear_4x16x8_bf16_1(%{{[^:]*}}: tensor<?x8xbf16>, %{{[^:]*}}: tensor<4x16x8xbf16>,
func.func @stacked(%x: tensor<?x8xbf16>, %o: tensor<5xi32>) -> (tensor<?x16xbf16>, tensor<?x16xbf16>) {
  %w = deepseek.get_weight @experts : tensor<4x16x8xbf16>
  %y = deepseek.grouped_linear %x, %w, %o : (tensor<?x8xbf16>, tensor<4x16x8xbf16>, tensor<5xi32>) -> tensor<?x16xbf16>
  %p = deepseek.get_weight @plain : tensor<4x16x8xbf16>
  %z = deepseek.grouped_linear %x, %p, %o : (tensor<?x8xbf16>, tensor<4x16x8xbf16>, tensor<5xi32>) -> tensor<?x16xbf16>
  return %y, %z : tensor<?x16xbf16>, tensor<?x16xbf16>
}

// -----

!pages = tensor<?x64x24xbf16, #deepseek.latent_cache<latent = 16, rope = 8>>

// The cache itself is the out; kv_total is the size of the gathered rows.
// CHECK-LABEL: @cache
// CHECK: %[[C:.*]] = dsrt.dispatch @kernels::@cache_append_64x24_bf16 ins(%arg1, %arg2, %arg3 : {{.*}}) outs(%arg0 :
// CHECK: %[[E:.*]] = tensor.empty(%arg6) : tensor<?x24xbf16>
// CHECK: dsrt.dispatch @kernels::@cache_gather_64x24_bf16 ins(%[[C]], %arg4, %arg5 : {{.*}}) outs(%[[E]] :
// CHECK: func.func @cache_append_64x24_bf16(%[[L:.*]]: tensor<?x16xbf16>, %[[R:.*]]: tensor<?x8xbf16>, %[[S:.*]]: tensor<?xi32>, %[[OUT:.*]]: tensor<?x64x24xbf16, {{.*}}>)
// CHECK: deepseek.cache_append %[[OUT]], %[[L]], %[[R]], %[[S]]
// CHECK: func.func @cache_gather_64x24_bf16({{.*}}, %[[OUT:.*]]: tensor<?x24xbf16>)
// CHECK: %[[N:.*]] = tensor.dim %[[OUT]]
// CHECK: deepseek.cache_gather %{{.*}}, %{{.*}}, %{{.*}}, %[[N]]
func.func @cache(%cache: !pages, %l: tensor<?x16xbf16>, %r: tensor<?x8xbf16>, %slots: tensor<?xi32>,
                 %table: tensor<?x?xi32>, %cu: tensor<?xi32>, %total: index) -> (tensor<?x24xbf16>, !pages) {
  %c = deepseek.cache_append %cache, %l, %r, %slots : (!pages, tensor<?x16xbf16>, tensor<?x8xbf16>, tensor<?xi32>) -> !pages
  %rows = deepseek.cache_gather %c, %table, %cu, %total : (!pages, tensor<?x?xi32>, tensor<?xi32>, index) -> tensor<?x24xbf16>
  return %rows, %c : tensor<?x24xbf16>, !pages
}

// -----

// A tree of elementwise ops is one kernel; a value with two users ends it.
// CHECK-LABEL: @elementwise
// CHECK: %[[S:.*]] = dsrt.dispatch @kernels::@mulf_8_f32 ins(%arg0, %arg1 :
// CHECK: dsrt.dispatch @kernels::@negf_8_f32 ins(%[[S]] :
// CHECK: func.func @mulf_8_f32
// CHECK-DAG: arith.constant dense<2.000000e+00>
// CHECK-DAG: arith.addf
// CHECK: arith.mulf
// CHECK: func.func @negf_8_f32
func.func @elementwise(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %two = arith.constant dense<2.0> : tensor<1x8xf32>
  %c0 = arith.constant 0 : index
  %t = tensor.dim %a, %c0 : tensor<?x8xf32>
  %any = tensor.cast %two : tensor<1x8xf32> to tensor<?x8xf32>
  %s = arith.addf %a, %b : tensor<?x8xf32>
  %m = arith.mulf %s, %any : tensor<?x8xf32>
  %n = arith.negf %m : tensor<?x8xf32>
  return %m, %n : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

// What the host itself needs of views is copied; a size that no argument knows
// comes in as an index.
// CHECK-LABEL: @views
// CHECK: %[[E:.*]] = tensor.empty(%arg1) : tensor<?xf32>
// CHECK: %[[Y:.*]] = dsrt.dispatch @kernels::@extract_slice_f32 ins(%arg0, %arg2 : tensor<?xf32>, index) outs(%[[E]] : tensor<?xf32>)
// CHECK: return %[[Y]]
// CHECK: func.func @extract_slice_f32(%[[X:.*]]: tensor<?xf32>, %[[FROM:.*]]: index, %[[OUT:.*]]: tensor<?xf32>)
// CHECK: %[[N:.*]] = tensor.dim %[[OUT]]
// CHECK: tensor.extract_slice %[[X]][%[[FROM]]] [%[[N]]] [1]
func.func @views(%x: tensor<?xf32>, %n: index, %from: index) -> tensor<?xf32> {
  %y = tensor.extract_slice %x[%from] [%n] [1] : tensor<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// Sizes are computed from arguments once, however deep the value.
// CHECK-LABEL: @sizes
// CHECK: %[[T:.*]] = tensor.dim %arg0
// CHECK: %[[ROWS:.*]] = arith.muli %[[T]], %{{.*}}
// CHECK: tensor.empty(%[[ROWS]]) : tensor<?x8xbf16>
// CHECK: tensor.empty() : tensor<5xi32>
// CHECK: tensor.empty(%[[ROWS]]) : tensor<?xi32>
// CHECK: tensor.empty(%[[ROWS]]) : tensor<?x16xbf16>
// CHECK-NOT: arith.muli
// CHECK: return
func.func @sizes(%x: tensor<?x8xbf16>, %i: tensor<?x2xi32>, %w: tensor<4x16x8xbf16>) -> tensor<?x16xbf16> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x8xbf16>
  %same = tensor.extract_slice %i[0, 0] [%t, 2] [1, 1] : tensor<?x2xi32> to tensor<?x2xi32>
  %rows, %offsets, %source = deepseek.moe_dispatch %x, %same {num_experts = 4 : i64} : (tensor<?x8xbf16>, tensor<?x2xi32>) -> (tensor<?x8xbf16>, tensor<5xi32>, tensor<?xi32>)
  %y = deepseek.grouped_linear %rows, %w, %offsets : (tensor<?x8xbf16>, tensor<4x16x8xbf16>, tensor<5xi32>) -> tensor<?x16xbf16>
  return %y : tensor<?x16xbf16>
}

// -----

deepseek.weight @gate from "experts.*.gate" : tensor<4x16x8xbf16>
deepseek.weight @up from "experts.*.up" : tensor<4x16x8xbf16>

// Weights one below the other are a view: the kernel takes both tables.
// CHECK-LABEL: @concat_of_weights
// CHECK-NOT: tensor.concat
// CHECK: dsrt.dispatch @kernels::@grouped_linear_4x32x8_bf16 ins(%arg0, %{{.*}}, %{{.*}}, %arg1 : {{.*}}, tensor<4x16x8xbf16>, tensor<4x16x8xbf16>, tensor<5xi32>)
// CHECK-NOT: dsrt.dispatch
// CHECK: func.func @grouped_linear_4x32x8_bf16(%{{[^:]*}}: tensor<?x8xbf16>, %[[G:[^:]*]]: tensor<4x16x8xbf16> {dsrt.stacked}, %[[U:[^:]*]]: tensor<4x16x8xbf16> {dsrt.stacked},
// CHECK-NEXT: tensor.concat dim(1) %[[G]], %[[U]]
// CHECK: {{^.. -----$}}
func.func @concat_of_weights(%x: tensor<?x8xbf16>, %o: tensor<5xi32>) -> tensor<?x32xbf16> {
  %g = deepseek.get_weight @gate : tensor<4x16x8xbf16>
  %u = deepseek.get_weight @up : tensor<4x16x8xbf16>
  %w = tensor.concat dim(1) %g, %u : (tensor<4x16x8xbf16>, tensor<4x16x8xbf16>) -> tensor<4x32x8xbf16>
  %y = deepseek.grouped_linear %x, %w, %o : (tensor<?x8xbf16>, tensor<4x32x8xbf16>, tensor<5xi32>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// -----

deepseek.weight @a from "a" : tensor<16x8xbf16>
deepseek.weight @b from "b" : tensor<16x8xf32>

// Of anything else it is a copy: an argument here, weights of two types there.
// CHECK-LABEL: @concat_of_values
// CHECK: dsrt.dispatch @kernels::@concat_32x8_bf16
// CHECK: dsrt.dispatch @kernels::@linear_32x8_bf16
// CHECK: dsrt.dispatch @kernels::@concat_32x8_f32
// CHECK: dsrt.dispatch @kernels::@linear_32x8_f32
func.func @concat_of_values(%x: tensor<?x8xbf16>, %v: tensor<16x8xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  %a = deepseek.get_weight @a : tensor<16x8xbf16>
  %w = tensor.concat dim(0) %a, %v : (tensor<16x8xbf16>, tensor<16x8xbf16>) -> tensor<32x8xbf16>
  %y = deepseek.linear %x, %w : (tensor<?x8xbf16>, tensor<32x8xbf16>) -> tensor<?x32xbf16>
  %b = deepseek.get_weight @b : tensor<16x8xf32>
  %wide = arith.extf %a : tensor<16x8xbf16> to tensor<16x8xf32>
  %w2 = tensor.concat dim(0) %b, %wide : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<32x8xf32>
  %z = deepseek.linear %x, %w2 : (tensor<?x8xbf16>, tensor<32x8xf32>) -> tensor<?x32xbf16>
  return %y, %z : tensor<?x32xbf16>, tensor<?x32xbf16>
}
