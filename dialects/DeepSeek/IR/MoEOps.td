//===- MoEOps.td - Mixture of experts ----------------------*- tablegen -*-===//

def OpGroupMoE : OpDocGroup {
  let summary = "Mixture of experts";
  let description = [{
    `route` and `experts` are the mathematics. `ds-fuse-experts` rewrites `experts`
    into `moe_dispatch`, `grouped_linear`, `swiglu`, `grouped_linear`, `moe_combine`.
    A shared expert needs no op: it is `linear`, `swiglu`, `linear`.
  }];
}

let opDocGroup = OpGroupMoE in {

def DeepSeek_RouteOp : DeepSeek_Op<"route"> {
  let summary = "Chooses `top_k` experts per token, limited to `top_groups` groups.";
  let description = [{
    1. `s = scoring(logits)`; `c = s + bias` (the bias chooses, it does not weigh).
    2. A group's value is the sum of its two largest `c` (its largest, without bias);
       only experts of the `top_groups` best of `groups` groups stay.
    3. `indices` are the `top_k` largest remaining `c`, ties to the lowest index.
    4. `scores = s[indices]`; divided by their sum if `normalize`; times `scale`.

    Constraints:
    - (C1) `E % groups = 0`; `0 < top_groups <= groups`.
    - (C2) `0 < top_k <= top_groups * E / groups`.
    - (C3) `shape(scores) = shape(indices) = [T, top_k]`.
    - (C4) `shape(bias) = [E]`, if present.
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
  }];
  let arguments = (ins 2DTensorOf<DS_Float # DS_Fp8>:$x, 2DTensorOf<[I32]>:$indices,
                       I64Attr:$num_experts);
  let results = (outs 2DTensorOf<DS_Float # DS_Fp8>:$rows, 1DTensorOf<[I32]>:$offsets,
                      1DTensorOf<[I32]>:$source);
}

def DeepSeek_GroupedLinearOp : DeepSeek_Op<"grouped_linear"> {
  let summary = "A `linear` per group of rows: rows of group `e` meet `w[e]`.";
  let arguments = (ins 2DTensorOf<DS_Float>:$x, 3DTensorOf<DS_Float>:$w,
                       1DTensorOf<[I32]>:$offsets);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_MoECombineOp : DeepSeek_Op<"moe_combine"> {
  let summary = "Undoes `moe_dispatch`: weighs each row by its score and sums per token, plus `shared`.";
  let description = [{
    The rows of a token are added in f32 in ascending row number (hence in ascending
    expert), then `shared`, then the sum is rounded once.
  }];
  let arguments = (ins 2DTensorOf<DS_Float>:$rows, 1DTensorOf<[I32]>:$source,
                       2DTensorOf<[F32]>:$scores, Optional<2DTensorOf<DS_Float>>:$shared);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_ExpertLoadOp : DeepSeek_Op<"expert_load"> {
  let summary = "How many tokens chose each expert.";
  let arguments = (ins 2DTensorOf<[I32]>:$indices, I64Attr:$num_experts);
  let results = (outs 1DTensorOf<[I32]>:$result);
}

def DeepSeek_UpdateRouterBiasOp : DeepSeek_Op<"update_router_bias"> {
  let summary = "Auxiliary-loss-free balancing: `b[e] + speed * sign(mean(load) - load[e])`.";
  let arguments = (ins 1DTensorOf<[F32]>:$bias, 1DTensorOf<[I32]>:$load, F64Attr:$speed);
  let results = (outs 1DTensorOf<[F32]>:$result);
}

def DeepSeek_EpDispatchOp : DeepSeek_Op<"ep_dispatch"> {
  let summary = "Sends each row to the rank that owns its expert (uneven all-to-all).";
  let description = [{
    Input rows are sorted by expert over all ranks (`moe_dispatch`). `rows` holds what
    this rank received, sorted by its local experts; `handle` remembers the way back.
    The number of received rows is at most `capacity`.
  }];
  let arguments = (ins 2DTensorOf<DS_Float # DS_Fp8>:$x, 1DTensorOf<[I32]>:$x_offsets,
                       FlatSymbolRefAttr:$grid, DenseI16ArrayAttr:$grid_axes, I64Attr:$capacity);
  let results = (outs 2DTensorOf<DS_Float # DS_Fp8>:$rows, 1DTensorOf<[I32]>:$offsets,
                      1DTensorOf<[I32]>:$handle);
}

def DeepSeek_EpCombineOp : DeepSeek_Op<"ep_combine"> {
  let summary = "Sends each row back to the rank it came from; undoes `ep_dispatch`.";
  let arguments = (ins 2DTensorOf<DS_Float>:$rows, 1DTensorOf<[I32]>:$handle,
                       FlatSymbolRefAttr:$grid, DenseI16ArrayAttr:$grid_axes);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

} // OpGroupMoE
