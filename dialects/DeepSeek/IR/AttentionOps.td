//===- AttentionOps.td - Multi-head latent attention -------*- tablegen -*-===//

def OpGroupAttention : OpDocGroup {
  let summary = "Multi-head latent attention";
  let description = [{
    `mla` is the mathematics. `ds-lower-mla` rewrites it into one of two forms that
    are equal in exact arithmetic: *expanded* (keys and values are rebuilt per head,
    then `attention`; good for prefill) or *absorbed* (the up-projections move onto
    query and output, then `latent_attention`; good for decode).

    What the ops share: sequence `b` has the query rows `cu_q_lens[b] .. cu_q_lens[b + 1]`
    and the cached rows `0 .. cu_kv_lens[b + 1] - cu_kv_lens[b]`, of which row `s` lies
    in page `block_table[b, s / S]` at `s % S`, with `S` rows to a page. The last query
    row of a sequence is its last cached row; a query row sees the cached rows up to
    and including its own (causal). Scores and softmax are f32.
  }];
}

let opDocGroup = OpGroupAttention in {

def DeepSeek_CacheAppendOp : DeepSeek_Op<"cache_append"> {
  let summary = "The cache with `latent ++ rope` of each token written to its slot.";
  let description = [{
    `slots[t]` is `page * S + offset`, with `S` rows to a page; a negative slot is
    skipped.

    ```
    y = cache;   y[slots[t] / S, slots[t] % S] = concat(latent[t], rope[t])
    ```

    The result is the cache from then on: bufferization updates it in place.
    Source: config `kv_lora_rank` (C), `qk_rope_head_dim` (R); DeepSeek-V2, section 2.1.

    ```mlir
    %cache1 = deepseek.cache_append %cache, %latent, %k_rope, %slots
        : (!pages, tensor<?x512xbf16>, tensor<?x64xbf16>, tensor<?xi32>) -> !pages
    ```

    Constraints:
    - (C1) the cache has a `#deepseek.latent_cache<latent = C, rope = R>` encoding.
    - (C2) `shape(latent) = [T, C]`, `shape(rope) = [T, R]`, `shape(slots) = [T]`.
    - (C3) the result has the cache's shape, element type and encoding.
  }];
  let arguments = (ins 3DTensorOf<DS_Float # DS_Fp8>:$cache, 2DTensorOf<DS_Float>:$latent,
                       2DTensorOf<DS_Float>:$rope, 1DTensorOf<[I32]>:$slots);
  let results = (outs 3DTensorOf<DS_Float # DS_Fp8>:$result);
}

def DeepSeek_CacheGatherOp : DeepSeek_Op<"cache_gather"> {
  let summary = "The cached rows of all sequences, in order: `[kv_total, C + R]`.";
  let description = [{
    ```
    y[cu_kv_lens[b] + s] = cache[block_table[b, s / S], s % S]
    ```

    `kv_total` is `cu_kv_lens[B]`, known to the host: it is the size of the result.

    ```mlir
    %rows = deepseek.cache_gather %cache, %block_table, %cu_kv_lens, %kv_total
        : (!pages, tensor<?x?xi32>, tensor<?xi32>, index) -> tensor<?x576xbf16>
    ```

    Constraints:
    - (C1) the cache has a `#deepseek.latent_cache<latent = C, rope = R>` encoding.
    - (C2) `shape(block_table) = [B, P]`, `shape(cu_kv_lens) = [B + 1]`.
    - (C3) `shape(result) = [_, C + R]`.
  }];
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

    `kv_total` is `cu_kv_lens[B]`, known to the host: the expanded form needs it as
    the size of the rebuilt keys.
    Source: DeepSeek-V2, section 2.1; config `kv_lora_rank` (C), `qk_nope_head_dim` (D),
    `qk_rope_head_dim` (R), `v_head_dim` (Dv); `scale` is `(D + R)^-0.5`, times the
    square of YaRN's `mscale_all_dim` factor.

    ```mlir
    %y = deepseek.mla %q_nope, %q_rope, %cache, %block_table, %cu_q, %cu_kv, %kv_total, %kv_b
        {scale = 0.13523378} : (tensor<?x128x128xbf16>, tensor<?x128x64xbf16>, !pages,
        tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>, index, tensor<128x256x512xbf16>)
        -> tensor<?x128x128xbf16>
    ```

    Constraints:
    - (C1) `shape(q_nope) = [T, N, D]`, `shape(q_rope) = [T, N, R]`.
    - (C2) the cache has a `#deepseek.latent_cache<latent = C, rope = R>` encoding.
    - (C3) `shape(kv_b) = [N, D + Dv, C]`.
    - (C4) `shape(result) = [T, N, Dv]`.
    - (C5) `shape(cu_q_lens) = shape(cu_kv_lens) = [B + 1]`, `shape(block_table) = [B, P]`.
    - (C6) `scale` is finite and positive.
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
    of the token's sequence, counted from `cu_kv_lens[b]`, and `[k, v] = kv[s, n]`:

    ```
    score[t, n, s] = (q_nope[t, n] . k + q_rope[t, n] . k_rope[s]) * scale
    y[t, n]        = sum_s softmax_s(score[t, n, s]) * v
    ```

    ```mlir
    %y = deepseek.attention %q_nope, %q_rope, %kv, %k_rope, %cu_q, %cu_kv {scale = 0.13523378}
        : (tensor<?x128x128xbf16>, tensor<?x128x64xbf16>, tensor<?x128x256xbf16>,
           tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x128xbf16>
    ```

    Constraints:
    - (C1) `shape(q_nope) = [T, N, D]`, `shape(q_rope) = [T, N, R]`.
    - (C2) `shape(kv) = [S, N, D + Dv]`, `shape(k_rope) = [S, R]`.
    - (C3) `shape(result) = [T, N, Dv]`, with a static `Dv`.
    - (C4) `shape(cu_q_lens) = shape(cu_kv_lens) = [B + 1]`.
    - (C5) `scale` is finite and positive.
  }];
  let arguments = (ins 3DTensorOf<DS_Float>:$q_nope, 3DTensorOf<DS_Float>:$q_rope,
                       3DTensorOf<DS_Float>:$kv, 2DTensorOf<DS_Float>:$k_rope,
                       1DTensorOf<[I32]>:$cu_q_lens, 1DTensorOf<[I32]>:$cu_kv_lens,
                       F64Attr:$scale);
  let results = (outs 3DTensorOf<DS_Float>:$result);
}

def DeepSeek_LatentAttentionOp : DeepSeek_Op<"latent_attention"> {
  let summary = "Causal attention whose one key/value head is the latent cache (the absorbed form's core).";
  let description = [{
    With `c` the latent and `r` the rope part of the cached row `s` of the token's
    sequence:

    ```
    score[t, n, s] = (q_latent[t, n] . c + q_rope[t, n] . r) * scale
    y[t, n]        = sum_s softmax_s(score[t, n, s]) * c
    ```

    ```mlir
    %y = deepseek.latent_attention %q_latent, %q_rope, %cache, %block_table, %cu_q, %cu_kv
        {scale = 0.13523378} : (tensor<?x128x512xbf16>, tensor<?x128x64xbf16>, !pages,
        tensor<?x?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x128x512xbf16>
    ```

    Constraints:
    - (C1) the cache has a `#deepseek.latent_cache<latent = C, rope = R>` encoding.
    - (C2) `shape(q_latent) = [T, N, C]`, `shape(q_rope) = [T, N, R]`.
    - (C3) `shape(result) = [T, N, C]`.
    - (C4) `shape(cu_q_lens) = shape(cu_kv_lens) = [B + 1]`, `shape(block_table) = [B, P]`.
    - (C5) `scale` is finite and positive.
  }];
  let arguments = (ins 3DTensorOf<DS_Float>:$q_latent, 3DTensorOf<DS_Float>:$q_rope,
                       3DTensorOf<DS_Float # DS_Fp8>:$cache, 2DTensorOf<[I32]>:$block_table,
                       1DTensorOf<[I32]>:$cu_q_lens, 1DTensorOf<[I32]>:$cu_kv_lens,
                       F64Attr:$scale);
  let results = (outs 3DTensorOf<DS_Float>:$result);
}

} // OpGroupAttention
