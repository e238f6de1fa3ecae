// RUN: ds-opt %s --ds-compile="target=nvptx chip=sm_90a start-after=buffers stop-after=device" --remarks-filter=kernel -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: grep -o 'ptx = "[^"]*' %t.mlir | sed 's/\\0A/\n/g;s/\\09/ /g' > %t.ptx
// RUN: FileCheck %s --check-prefix=ROUTE --input-file=%t.ptx
// RUN: FileCheck %s --check-prefix=SORT --input-file=%t.ptx
// RUN: FileCheck %s --check-prefix=COPY --input-file=%t.ptx

// Routing and dispatch are three launches one after the other, without atomics and
// without the host. The shared expert is the last group: 16 CTAs sort, one writes the
// rest.

#row = #deepseek.block_scaled<[1, 128]>

// REMARK: sm_90a: any_route: route: a warp a token, 1 experts a lane, 8 lanes a group; dispatch: a CTA an expert sorts, 32 threads copy a row of 16 vectors

// CHECK: llvm.func @route_dispatch(
// CHECK-COUNT-3: llvm.call @dsrt_launch(
// CHECK-NOT: llvm.call @dsrt_launch(

// Eight rounds would be 16 reductions; top_k = 4 makes 8.
// ROUTE: .entry route_dispatch_route(
// ROUTE: .maxntid 128
// ROUTE: griddepcontrol.wait
// ROUTE-COUNT-8: redux.sync
// ROUTE-NOT: redux.sync
// ROUTE: ret;
// SORT: .entry route_dispatch_sort(
// SORT-NOT: atom
// SORT: vote.sync.ballot
// SORT: ret;
// COPY: .entry route_dispatch_copy(
// COPY: ld.global.v4.b32
// COPY: st.global.v4.b32
// COPY: ret;
module attributes {deepseek.model = "route"} {
  module @kernels {
    func.func @route_dispatch(%logits: tensor<?x16xf32>, %bias: tensor<16xf32>, %x: tensor<?x256xf8E4M3FN, #row>, %x_scale: tensor<?x2xf32>,
                              %scores: tensor<?x4xf32>, %indices: tensor<?x4xi32>, %rows: tensor<?x256xf8E4M3FN, #row>,
                              %offsets: tensor<18xi32>, %source: tensor<?xi32>, %rows_scale: tensor<?x2xf32>)
        -> (tensor<?x4xf32>, tensor<?x4xi32>, tensor<?x256xf8E4M3FN, #row>, tensor<18xi32>, tensor<?xi32>, tensor<?x2xf32>) {
      %s, %i = deepseek.route %logits, %bias {groups = 4 : i64, normalize, scale = 2.5 : f64, scoring = #deepseek.scoring<sigmoid>, top_groups = 2 : i64, top_k = 4 : i64}
          : (tensor<?x16xf32>, tensor<16xf32>) -> (tensor<?x4xf32>, tensor<?x4xi32>)
      %r, %o, %f, %rs = deepseek.moe_dispatch %x, %i, %x_scale {num_experts = 17 : i64, shared_group}
          : (tensor<?x256xf8E4M3FN, #row>, tensor<?x4xi32>, tensor<?x2xf32>) -> (tensor<?x256xf8E4M3FN, #row>, tensor<18xi32>, tensor<?xi32>, tensor<?x2xf32>)
      return %s, %i, %r, %o, %f, %rs : tensor<?x4xf32>, tensor<?x4xi32>, tensor<?x256xf8E4M3FN, #row>, tensor<18xi32>, tensor<?xi32>, tensor<?x2xf32>
    }
  }
}
