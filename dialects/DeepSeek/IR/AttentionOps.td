//===- AttentionOps.td - Multi-head latent attention -------*- tablegen -*-===//

def OpGroupAttention : OpDocGroup {
  let summary = "Multi-head latent attention";
  let description = [{
    `mla` is the mathematics. `ds-lower-mla` rewrites it into one of two forms that
    are equal in exact arithmetic: *expanded* (keys and values are rebuilt per head,
    then `attention`; good for prefill) or *absorbed* (the up-projections move onto
    query and output, then `latent_attention`; good for decode).
  }];
}

let opDocGroup = OpGroupAttention in {

def DeepSeek_CacheAppendOp : DeepSeek_Op<"cache_append"> {
  let summary = "The cache with `latent ++ rope` of each token written to its slot.";
  let description = [{
    `slots[t]` is `page * page_size + offset`; a negative slot is skipped.
  }];
  let arguments = (ins 3DTensorOf<DS_Float # DS_Fp8>:$cache, 2DTensorOf<DS_Float>:$latent,
                       2DTensorOf<DS_Float>:$rope, 1DTensorOf<[I32]>:$slots);
  let results = (outs 3DTensorOf<DS_Float # DS_Fp8>:$result);
}

def DeepSeek_CacheGatherOp : DeepSeek_Op<"cache_gather"> {
  let summary = "The cached rows of all sequences, in order: `[S, latent + rope]`.";
  let arguments = (ins 3DTensorOf<DS_Float # DS_Fp8>:$cache, 2DTensorOf<[I32]>:$block_table,
                       1DTensorOf<[I32]>:$cu_kv_lens, Index:$kv_total);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_MlaOp : DeepSeek_Op<"mla"> {
  let summary = "Multi-head latent attention over a latent cache.";
  let description = [{
    With `c` the latent and `r` the rope part of the cached row `s` of the token's
    sequence, and `[w_uk; w_uv] = kv_b[n]`:

    ```
    score[t, n, s] = (q_nope[t, n] . (w_uk c) + q_rope[t, n] . r) * scale
    y[t, n]        = sum_s softmax_s(score[t, n, s]) * (w_uv c)
    ```

    Token `t` sees the rows up to and including its own (causal).

    Constraints:
    - (C1) `shape(q_nope) = [T, N, D]`, `shape(q_rope) = [T, N, R]`.
    - (C2) the cache has a `#deepseek.latent_cache<latent = C, rope = R>` encoding.
    - (C3) `shape(kv_b) = [N, D + Dv, C]`.
    - (C4) `shape(result) = [T, N, Dv]`.
    - (C5) `shape(cu_q_lens) = shape(cu_kv_lens) = [B + 1]`, `dim(block_table, 0) = B`.

    `kv_total` is `cu_kv_lens[B]`, known to the host: the expanded form needs it as
    the size of the rebuilt keys.
  }];
  let arguments = (ins 3DTensorOf<DS_Float>:$q_nope, 3DTensorOf<DS_Float>:$q_rope,
                       3DTensorOf<DS_Float # DS_Fp8>:$cache, 2DTensorOf<[I32]>:$block_table,
                       1DTensorOf<[I32]>:$cu_q_lens, 1DTensorOf<[I32]>:$cu_kv_lens,
                       Index:$kv_total, 3DTensorOf<DS_Float>:$kv_b, F64Attr:$scale);
  let results = (outs 3DTensorOf<DS_Float>:$result);
}

def DeepSeek_AttentionOp : DeepSeek_Op<"attention"> {
  let summary = "Causal softmax attention on flattened sequences (the expanded form's core).";
  let description = [{
    `kv` holds, per cached row and head, the rebuilt key's first part and then the
    value; `k_rope`, the key's second part, is the same for all heads. With `s` a row
    of the token's sequence and `[k, v] = kv[s, n]`:

    ```
    score[t, n, s] = (q_nope[t, n] . k + q_rope[t, n] . k_rope[s]) * scale
    y[t, n]        = sum_s softmax_s(score[t, n, s]) * v
    ```

    Token `t` sees the rows up to and including its own (causal).

    Constraints:
    - (C1) `shape(q_nope) = [T, N, D]`, `shape(q_rope) = [T, N, R]`.
    - (C2) `shape(kv) = [S, N, D + Dv]`, `shape(k_rope) = [S, R]`.
    - (C3) `shape(result) = [T, N, Dv]`, with a static `Dv`.
    - (C4) `shape(cu_q_lens) = shape(cu_kv_lens) = [B + 1]`.
  }];
  let arguments = (ins 3DTensorOf<DS_Float>:$q_nope, 3DTensorOf<DS_Float>:$q_rope,
                       3DTensorOf<DS_Float>:$kv, 2DTensorOf<DS_Float>:$k_rope,
                       1DTensorOf<[I32]>:$cu_q_lens, 1DTensorOf<[I32]>:$cu_kv_lens,
                       F64Attr:$scale);
  let results = (outs 3DTensorOf<DS_Float>:$result);
}

def DeepSeek_LatentAttentionOp : DeepSeek_Op<"latent_attention"> {
  let summary = "Causal attention whose one key/value head is the latent cache (the absorbed form's core).";
  let arguments = (ins 3DTensorOf<DS_Float>:$q_latent, 3DTensorOf<DS_Float>:$q_rope,
                       3DTensorOf<DS_Float # DS_Fp8>:$cache, 2DTensorOf<[I32]>:$block_table,
                       1DTensorOf<[I32]>:$cu_q_lens, 1DTensorOf<[I32]>:$cu_kv_lens,
                       F64Attr:$scale);
  let results = (outs 3DTensorOf<DS_Float>:$result);
}

} // OpGroupAttention
