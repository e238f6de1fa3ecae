//===- MoEOps.td - Mixture of experts ----------------------*- tablegen -*-===//

def OpGroupMoE : OpDocGroup {
  let summary = "Mixture of experts";
  let description = [{
    `route` and `experts` are the mathematics. `ds-fuse-experts` rewrites `experts`
    into `moe_dispatch`, `grouped_linear`, `swiglu`, `grouped_linear`, `moe_combine`.
    A shared expert needs no op: it is `linear`, `swiglu`, `linear`, and its value is
    the operand `shared` of `experts`; where it has the size of a routed expert, the
    pass makes it one group more.
    Source: DeepSeek-V3, section 2.1.2 (DeepSeekMoE); no token is ever dropped.
  }];
}

let opDocGroup = OpGroupMoE in {

def DeepSeek_RouteOp : DeepSeek_Op<"route"> {
  let summary = "Chooses `top_k` experts per token, limited to `top_groups` groups.";
  let description = [{
    1. `s = scoring(logits)`; `c = s + bias` (the bias chooses, it does not weigh).
    2. Expert `e` is in group `e / (E / groups)`. A group's value is the sum of its two
       largest `c` (its largest, without bias); only experts of the `top_groups` groups
       of the largest value stay, ties to the lowest group.
    3. `indices` are the `top_k` largest remaining `c`, in descending order, ties to the
       lowest index.
    4. `scores = s[indices]`; divided by their sum plus 1e-20 if `normalize`; times `scale`.

    All of it in f32. `softmax` is over all experts, before any are excluded.
    Source: config `scoring_func`, `topk_method`, `num_experts_per_tok`, `n_group`,
    `topk_group`, `norm_topk_prob`, `routed_scaling_factor`.

    ```mlir
    %scores, %experts = deepseek.route %logits, %bias {scoring = #deepseek.scoring<sigmoid>,
        top_k = 8, groups = 8, top_groups = 4, normalize, scale = 2.5}
        : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x8xf32>, tensor<?x8xi32>)
    ```

    Constraints:
    - (C1) `E % groups = 0`; `0 < top_groups <= groups`.
    - (C2) `0 < top_k <= top_groups * E / groups`.
    - (C3) `shape(logits) = [T, E]`, `shape(scores) = shape(indices) = [T, top_k]`.
    - (C4) `shape(bias) = [E]`, if present.
    - (C5) a group has at least two experts if there is a bias and more than one group.
    - (C6) `scale` is finite.
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$logits, Optional<1DTensorOf<[F32]>>:$bias,
                       DeepSeek_ScoringAttr:$scoring, I64Attr:$top_k,
                       DefaultValuedAttr<I64Attr, "1">:$groups,
                       DefaultValuedAttr<I64Attr, "1">:$top_groups,
                       UnitAttr:$normalize, DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs 2DTensorOf<[F32]>:$scores, 2DTensorOf<[I32]>:$indices);
}

def DeepSeek_ExpertsOp : DeepSeek_Op<"experts"> {
  let summary = "`y[t] = sum_k scores[t, k] * expert_{indices[t, k]}(x[t]) + shared[t]`, each a SwiGLU MLP.";
  let description = [{
    ```
    expert_e(x) = swiglu(x * gate[e]^T, x * up[e]^T) * down[e]^T
    y[t]        = sum_k scores[t, k] * expert_{indices[t, k]}(x[t]) + shared[t]
    ```

    The inner results are rounded to `x`'s element type, as the separate ops would. The
    sum is made in f32, in ascending expert order, then `shared`, then it is rounded once.
    Source: `mlp.experts.*.{gate,up,down}_proj`, config `n_routed_experts` (E),
    `moe_intermediate_size` (I).

    ```mlir
    %y = deepseek.experts %x, %scores, %experts, %gate, %up, %down, %shared
        : (tensor<?x7168xbf16>, tensor<?x8xf32>, tensor<?x8xi32>, tensor<256x2048x7168xbf16>,
           tensor<256x2048x7168xbf16>, tensor<256x7168x2048xbf16>, tensor<?x7168xbf16>)
        -> tensor<?x7168xbf16>
    ```

    Constraints:
    - (C1) `shape(x) = [T, H]`, `shape(scores) = shape(indices) = [T, K]`.
    - (C2) `shape(gate) = shape(up) = [E, I, H]`, `shape(down) = [E, H, I]`.
    - (C3) `shape(shared) = [T, H]`, if present.
    - (C4) `shape(result) = [T, H]`.
  }];
  let arguments = (ins 2DTensorOf<DS_Float>:$x, 2DTensorOf<[F32]>:$scores,
                       2DTensorOf<[I32]>:$indices, 3DTensorOf<DS_Float>:$gate,
                       3DTensorOf<DS_Float>:$up, 3DTensorOf<DS_Float>:$down,
                       Optional<2DTensorOf<DS_Float>>:$shared);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_MoEDispatchOp : DeepSeek_Op<"moe_dispatch"> {
  let summary = "Sorts (token, choice) rows by expert.";
  let description = [{
    Row `p` of `rows` is token `source[p] / K`; rows `offsets[e] .. offsets[e + 1]`
    belong to expert `e`. The order within an expert is that of the input.

    ```
    source     = stable_sort(0 .. T * K by indices[i / K, i % K])
    rows[p]    = x[source[p] / K]
    offsets[e] = number of (t, k) with indices[t, k] < e
    ```

    With `shared_group` every token has one choice more, the last group, which is the
    shared expert: the above with `K + 1` for `K` and `indices[t, K] = num_experts - 1`.

    Rows in FP8 take the scales of their blocks along: `rows_scale[p] = x_scale[source[p] / K]`.

    ```mlir
    %rows, %offsets, %source = deepseek.moe_dispatch %x, %experts {num_experts = 256}
        : (tensor<?x7168xbf16>, tensor<?x8xi32>)
        -> (tensor<?x7168xbf16>, tensor<257xi32>, tensor<?xi32>)
    %rows, %offsets, %source, %rows_scale =
        deepseek.moe_dispatch %q, %experts, %scale {num_experts = 257, shared_group}
        : (tensor<?x7168xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<?x8xi32>, tensor<?x56xf32>)
        -> (tensor<?x7168xf8E4M3FN, #deepseek.block_scaled<[1, 128]>>, tensor<258xi32>,
            tensor<?xi32>, tensor<?x56xf32>)
    ```

    Constraints:
    - (C1) `shape(x) = [T, H]`, `shape(indices) = [T, K]`.
    - (C2) `shape(rows) = [T * K, H]`, with the element type and encoding of `x`;
      `shape(source) = [T * K]`; both with `K + 1` for `K` if `shared_group`.
    - (C3) `shape(offsets) = [num_experts + 1]`.
    - (C4) `num_experts` is positive, and at least 2 if `shared_group`.
    - (C5) `x_scale` and `rows_scale` are present or absent together; present, `x` has a
      `block_scaled` encoding with one row to a block, row-major scales and no `packing`.
    - (C6) `shape(x_scale)` and `shape(rows_scale)` are those of the scales of `x` and
      `rows`, with equal element types, f8E8M0FNU only if the format is `power_of_two`.
  }];
  let arguments = (ins 2DTensorOf<DS_Float # DS_Fp8>:$x, 2DTensorOf<[I32]>:$indices,
                       Optional<2DTensorOf<DS_Scale>>:$x_scale, I64Attr:$num_experts,
                       UnitAttr:$shared_group);
  let results = (outs 2DTensorOf<DS_Float # DS_Fp8>:$rows, 1DTensorOf<[I32]>:$offsets,
                      1DTensorOf<[I32]>:$source, Optional<2DTensorOf<DS_Scale>>:$rows_scale);
}

def DeepSeek_GroupedLinearOp : DeepSeek_Op<"grouped_linear", [
    DeclareOpInterfaceMethods<DeepSeek_QuantizableOpInterface>]> {
  let summary = "A `linear` per group of rows: rows of group `e` meet `w[e]`.";
  let description = [{
    For each group `e` and each row `m` with `offsets[e] <= m < offsets[e + 1]`:

    ```
    y[m, o] = sum_i x[m, i] * w[e, o, i]
    ```

    ```mlir
    %y = deepseek.grouped_linear %rows, %up, %offsets
        : (tensor<?x7168xbf16>, tensor<256x2048x7168xbf16>, tensor<257xi32>)
        -> tensor<?x2048xbf16>
    ```

    Constraints:
    - (C1) `shape(x) = [M, I]`, `shape(w) = [E, O, I]`, `shape(offsets) = [E + 1]`.
    - (C2) `shape(result) = [M, O]`.
  }];
  let arguments = (ins 2DTensorOf<DS_Float>:$x, 3DTensorOf<DS_Float>:$w,
                       1DTensorOf<[I32]>:$offsets);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_MoECombineOp : DeepSeek_Op<"moe_combine"> {
  let summary = "Undoes `moe_dispatch`: weighs each row by its score and sums per token, plus `shared`.";
  let description = [{
    ```
    y[t] = sum_{p: source[p] / K = t} scores[t, source[p] % K] * rows[p] + shared[t]
    ```

    The rows of a token are added in f32 in ascending row number (hence in ascending
    expert), then `shared`, then the sum is rounded once.

    With `shared_group` (as in `moe_dispatch`) the above with `K + 1` for `K` and
    `scores[t, K] = 1`: the shared expert's row is a token's last, and is added as it is.

    ```mlir
    %y = deepseek.moe_combine %rows, %source, %scores, %shared
        : (tensor<?x7168xbf16>, tensor<?xi32>, tensor<?x8xf32>, tensor<?x7168xbf16>)
        -> tensor<?x7168xbf16>
    ```

    Constraints:
    - (C1) `shape(scores) = [T, K]`, `shape(rows) = [T * K, H]`, `shape(source) = [T * K]`,
      the last two with `K + 1` for `K` if `shared_group`.
    - (C2) `shape(shared) = [T, H]`, if present.
    - (C3) `shape(result) = [T, H]`.
  }];
  let arguments = (ins 2DTensorOf<DS_Float>:$rows, 1DTensorOf<[I32]>:$source,
                       2DTensorOf<[F32]>:$scores, Optional<2DTensorOf<DS_Float>>:$shared,
                       UnitAttr:$shared_group);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_ExpertLoadOp : DeepSeek_Op<"expert_load"> {
  let summary = "How many tokens chose each expert.";
  let description = [{
    ```
    y[e] = number of (t, k) with indices[t, k] = e
    ```

    ```mlir
    %load = deepseek.expert_load %experts {num_experts = 256}
        : (tensor<?x8xi32>) -> tensor<256xi32>
    ```

    Constraints:
    - (C1) `shape(result) = [num_experts]`.
    - (C2) `num_experts` is positive.
  }];
  let arguments = (ins 2DTensorOf<[I32]>:$indices, I64Attr:$num_experts);
  let results = (outs 1DTensorOf<[I32]>:$result);
}

def DeepSeek_UpdateRouterBiasOp : DeepSeek_Op<"update_router_bias"> {
  let summary = "Auxiliary-loss-free balancing: `bias[e] + speed * sign(mean(load) - load[e])`.";
  let description = [{
    ```
    y[e] = bias[e] + speed * sign(sum_i load[i] / E - load[e])
    ```

    Source: DeepSeek-V3, section 2.1.2 (auxiliary-loss-free load balancing); `speed` is
    the paper's bias update speed.

    ```mlir
    %next = deepseek.update_router_bias %bias, %load {speed = 1.0e-3}
        : (tensor<256xf32>, tensor<256xi32>) -> tensor<256xf32>
    ```

    Constraints:
    - (C1) `shape(bias) = shape(load) = shape(result) = [E]`.
    - (C2) `speed` is finite and not negative.
  }];
  let arguments = (ins 1DTensorOf<[F32]>:$bias, 1DTensorOf<[I32]>:$load, F64Attr:$speed);
  let results = (outs 1DTensorOf<[F32]>:$result);
}

def DeepSeek_EpDispatchOp : DeepSeek_Op<"ep_dispatch", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Sends each row to the rank that owns its expert (uneven all-to-all).";
  let description = [{
    Input rows are sorted by expert over all ranks (`moe_dispatch`). `rows` holds what
    this rank received, sorted by its local experts; `handle` remembers the way back.
    The number of received rows is at most `capacity`.

    ```mlir
    %local, %local_offsets, %handle = deepseek.ep_dispatch %rows, %offsets
        {grid = @ranks, grid_axes = array<i16: 0>, capacity = 4096}
        : (tensor<?x7168xbf16>, tensor<257xi32>)
        -> (tensor<?x7168xbf16>, tensor<65xi32>, tensor<?xi32>)
    ```

    Constraints:
    - (C1) `shape(x) = [M, H]`, `shape(rows) = [_, H]`, with the element type and
      encoding of `x`.
    - (C2) `x_offsets` has one element more than there are experts, `offsets` one more
      than there are local ones: both have at least two, and the number of experts is a
      multiple of the number of local ones.
    - (C3) `grid_axes` is not empty, and its elements are distinct and not negative.
    - (C4) `capacity` is positive.
    - (C5) `grid` names a symbol.
  }];
  let arguments = (ins 2DTensorOf<DS_Float # DS_Fp8>:$x, 1DTensorOf<[I32]>:$x_offsets,
                       FlatSymbolRefAttr:$grid, DenseI16ArrayAttr:$grid_axes, I64Attr:$capacity);
  let results = (outs 2DTensorOf<DS_Float # DS_Fp8>:$rows, 1DTensorOf<[I32]>:$offsets,
                      1DTensorOf<[I32]>:$handle);
}

def DeepSeek_EpCombineOp : DeepSeek_Op<"ep_combine", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Sends each row back to the rank it came from; undoes `ep_dispatch`.";
  let description = [{
    ```mlir
    %rows = deepseek.ep_combine %local, %handle {grid = @ranks, grid_axes = array<i16: 0>}
        : (tensor<?x7168xbf16>, tensor<?xi32>) -> tensor<?x7168xbf16>
    ```

    Constraints:
    - (C1) `shape(rows) = [_, H]`, `shape(result) = [_, H]`, with equal element types.
    - (C2) `grid_axes` is not empty, and its elements are distinct and not negative.
    - (C3) `grid` names a symbol.
  }];
  let arguments = (ins 2DTensorOf<DS_Float>:$rows, 1DTensorOf<[I32]>:$handle,
                       FlatSymbolRefAttr:$grid, DenseI16ArrayAttr:$grid_axes);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

} // OpGroupMoE
