//===- DenseOps.td - Token, projection and elementwise ops -*- tablegen -*-===//

def OpGroupDense : OpDocGroup {
  let summary = "Dense ops";
  let description = [{
    Ops that every transformer has. A residual add is `arith.addf`; reshapes, slices
    and concatenations are `tensor` ops.
  }];
}

let opDocGroup = OpGroupDense in {

def DeepSeek_EmbeddingOp : DeepSeek_Op<"embedding"> {
  let summary = "Rows of a table: `y[t] = table[tokens[t]]`.";
  let description = [{
    ```
    y[t, h] = table[tokens[t], h]
    ```

    A token outside of `[0, V)` is an error when the program runs. The op serves any
    selection of rows, also that of the rows whose logits are wanted.
    Source: `model.embed_tokens`; no scaling, no absolute positions.

    ```mlir
    %x = deepseek.embedding %tokens, %table
        : (tensor<?xi32>, tensor<129280x7168xbf16>) -> tensor<?x7168xbf16>
    ```

    Constraints:
    - (C1) `shape(tokens) = [T]`, `shape(table) = [V, H]`, `shape(result) = [T, H]`.
  }];
  let arguments = (ins 1DTensorOf<[I32]>:$tokens, 2DTensorOf<DS_Float>:$table);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_RMSNormOp : DeepSeek_Op<"rms_norm"> {
  let summary = "`y = x / sqrt(mean(x^2) + epsilon) * gamma`, over the last dimension.";
  let description = [{
    ```
    r[..]    = 1 / sqrt(sum_h x[.., h]^2 / H + epsilon)
    y[.., h] = x[.., h] * r[..] * gamma[h]
    ```

    Everything in f32, gamma included; one rounding at the end.
    Source: config `rms_norm_eps`; the norms of the two latents use 1e-6.

    ```mlir
    %y = deepseek.rms_norm %x, %gamma {epsilon = 1.0e-6}
        : (tensor<?x7168xbf16>, tensor<7168xbf16>) -> tensor<?x7168xbf16>
    ```

    Constraints:
    - (C1) `shape(x) = [.., H]` with at least one dimension, `shape(gamma) = [H]`.
    - (C2) `shape(result) = shape(x)`.
    - (C3) `epsilon` is finite and positive.
  }];
  let arguments = (ins RankedTensorOf<DS_Float>:$x, 1DTensorOf<DS_Float>:$gamma, F64Attr:$epsilon);
  let results = (outs RankedTensorOf<DS_Float>:$result);
}

def DeepSeek_LinearOp : DeepSeek_Op<"linear", [
    DeclareOpInterfaceMethods<DeepSeek_QuantizableOpInterface>]> {
  let summary = "`y[t, o] = sum_i x[t, i] * w[o, i]`.";
  let description = [{
    ```
    y[t, o] = sum_i x[t, i] * w[o, i]
    ```

    Source: every projection of the model; none has a bias.

    ```mlir
    %y = deepseek.linear %x, %w
        : (tensor<?x7168xbf16>, tensor<1536x7168xbf16>) -> tensor<?x1536xbf16>
    ```

    Constraints:
    - (C1) `shape(x) = [T, I]`, `shape(w) = [O, I]`.
    - (C2) `shape(result) = [T, O]`.
  }];
  let arguments = (ins 2DTensorOf<DS_Float>:$x, 2DTensorOf<DS_Float>:$w);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_HeadLinearOp : DeepSeek_Op<"head_linear"> {
  let summary = "A `linear` per head: `y[t, n, o] = sum_i x[t, n, i] * w[n, o, i]`.";
  let description = [{
    ```
    y[t, n, o] = sum_i x[t, n, i] * w[n, o, i]     w is [N, O, I]
    y[t, n, o] = sum_i x[t, n, i] * w[n, i, o]     w is [N, I, O], if transposed
    ```

    `transposed` exists for the absorbed query: `kv_b_proj` is stored for the product
    with the latent, and the query meets its other side.
    Source: DeepSeek-V2, section 2.1.2 (low-rank joint compression), `kv_b_proj`.

    ```mlir
    %y = deepseek.head_linear %q_nope, %w_uk {transposed}
        : (tensor<?x128x128xbf16>, tensor<128x128x512xbf16>) -> tensor<?x128x512xbf16>
    ```

    Constraints:
    - (C1) `shape(x) = [T, N, I]`, and `shape(w) = [N, O, I]`, or `[N, I, O]` if
      `transposed`.
    - (C2) `shape(result) = [T, N, O]`.
  }];
  let arguments = (ins 3DTensorOf<DS_Float>:$x, 3DTensorOf<DS_Float>:$w, UnitAttr:$transposed);
  let results = (outs 3DTensorOf<DS_Float>:$result);
}

def DeepSeek_SwigluOp : DeepSeek_Op<"swiglu"> {
  let summary = "`y = silu(gate) * up`.";
  let description = [{
    ```
    y[..] = gate[..] / (1 + exp(-gate[..])) * up[..]
    ```

    The product is made in f32 and rounded once.
    Source: config `hidden_act = "silu"`; DeepSeekMoE's experts and the dense MLP.

    ```mlir
    %y = deepseek.swiglu %gate, %up
        : (tensor<?x18432xbf16>, tensor<?x18432xbf16>) -> tensor<?x18432xbf16>
    ```

    Constraints:
    - (C1) `shape(gate) = shape(up) = shape(result)`.
  }];
  let arguments = (ins RankedTensorOf<DS_Float>:$gate, RankedTensorOf<DS_Float>:$up);
  let results = (outs RankedTensorOf<DS_Float>:$result);
}

def DeepSeek_RopeOp : DeepSeek_Op<"rope"> {
  let summary = "Rotary position embedding of the last dimension.";
  let description = [{
    With `f[i] = theta^(-2i / R)`, rescaled by `yarn` if present (see the attribute):

    ```
    a           = positions[t] * f[i]                  one f32 product
    y[t, .., 2i]     = x[t, .., 2i] * cos(a) - x[t, .., 2i + 1] * sin(a)
    y[t, .., 2i + 1] = x[t, .., 2i] * sin(a) + x[t, .., 2i + 1] * cos(a)
    ```

    The pairs are interleaved, as in the checkpoint. The frequencies are f32, the
    rotation is f32, the result is rounded once.
    Source: config `rope_theta`, `rope_scaling`, `qk_rope_head_dim`.

    ```mlir
    %y = deepseek.rope %x, %positions {theta = 1.0e4}
        : (tensor<?x128x64xbf16>, tensor<?xi32>) -> tensor<?x128x64xbf16>
    ```

    Constraints:
    - (C1) `shape(x) = [T, .., R]` with at least two dimensions, `shape(positions) = [T]`.
    - (C2) `R` is even and positive.
    - (C3) `shape(result) = shape(x)`, and the element types are equal.
    - (C4) `theta` is finite and positive.
  }];
  let arguments = (ins RankedTensorOf<DS_Float>:$x, 1DTensorOf<[I32]>:$positions,
                       F64Attr:$theta, OptionalAttr<DeepSeek_YarnAttr>:$yarn);
  let results = (outs RankedTensorOf<DS_Float>:$result);
}

def DeepSeek_ArgmaxOp : DeepSeek_Op<"argmax"> {
  let summary = "Index of the largest logit of each row; the lowest index wins a tie.";
  let description = [{
    ```
    y[t] = min { v : logits[t, v] = max_u logits[t, u] }
    ```

    ```mlir
    %token = deepseek.argmax %logits : (tensor<?x129280xf32>) -> tensor<?xi32>
    ```

    Constraints:
    - (C1) `shape(logits) = [T, V]`, `shape(result) = [T]`.
    - (C2) `V` is positive.
  }];
  let arguments = (ins 2DTensorOf<DS_Float>:$logits);
  let results = (outs 1DTensorOf<[I32]>:$result);
}

} // OpGroupDense
