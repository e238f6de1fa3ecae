//===- DenseOps.td - Token, projection and elementwise ops -*- tablegen -*-===//

def OpGroupDense : OpDocGroup {
  let summary = "Dense ops";
  let description = "Ops that every transformer has.";
}

let opDocGroup = OpGroupDense in {

def DeepSeek_EmbeddingOp : DeepSeek_Op<"embedding"> {
  let summary = "Rows of a table: `y[t] = table[tokens[t]]`.";
  let arguments = (ins 1DTensorOf<[I32]>:$tokens, 2DTensorOf<DS_Float>:$table);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_RMSNormOp : DeepSeek_Op<"rms_norm"> {
  let summary = "`y = x / sqrt(mean(x^2) + epsilon) * gamma`, over the last dimension.";
  let arguments = (ins AnyRankedTensor:$x, 1DTensorOf<DS_Float>:$gamma, F64Attr:$epsilon);
  let results = (outs AnyRankedTensor:$result);
}

def DeepSeek_LinearOp : DeepSeek_Op<"linear"> {
  let summary = "`y[t, o] = sum_i x[t, i] * w[o, i]`.";
  let arguments = (ins 2DTensorOf<DS_Float>:$x, 2DTensorOf<DS_Float>:$w);
  let results = (outs 2DTensorOf<DS_Float>:$result);
}

def DeepSeek_HeadLinearOp : DeepSeek_Op<"head_linear"> {
  let summary = "A `linear` per head: `y[t, n, o] = sum_i x[t, n, i] * w[n, o, i]`.";
  let description = [{
    With `transposed`, `w` is `[N, I, O]`: `y[t, n, o] = sum_i x[t, n, i] * w[n, i, o]`.
    The absorbed query needs it: `kv_b` is stored for the product with the latent.
  }];
  let arguments = (ins 3DTensorOf<DS_Float>:$x, 3DTensorOf<DS_Float>:$w, UnitAttr:$transposed);
  let results = (outs 3DTensorOf<DS_Float>:$result);
}

def DeepSeek_SwigluOp : DeepSeek_Op<"swiglu"> {
  let summary = "`y = silu(gate) * up`.";
  let arguments = (ins AnyRankedTensor:$gate, AnyRankedTensor:$up);
  let results = (outs AnyRankedTensor:$result);
}

def DeepSeek_RopeOp : DeepSeek_Op<"rope"> {
  let summary = "Rotary position embedding of the last dimension.";
  let description = [{
    Rotates the pairs `(x[2i], x[2i+1])` of the last dimension by
    `positions[t] * theta^(-2i/R)`; `yarn`, if present, rescales the frequencies.

    Constraints:
    - (C1) `dim(x, 0) = dim(positions, 0)`.
    - (C2) the last dimension of `x` is even.
    - (C3) `type(result) = type(x)`.
  }];
  let arguments = (ins AnyRankedTensor:$x, 1DTensorOf<[I32]>:$positions,
                       F64Attr:$theta, OptionalAttr<DeepSeek_YarnAttr>:$yarn);
  let results = (outs AnyRankedTensor:$result);
}

def DeepSeek_ArgmaxOp : DeepSeek_Op<"argmax"> {
  let summary = "Index of the largest logit of each row; the lowest index wins a tie.";
  let arguments = (ins 2DTensorOf<DS_Float>:$logits);
  let results = (outs 1DTensorOf<[I32]>:$result);
}

} // OpGroupDense
