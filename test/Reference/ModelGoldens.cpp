//===- ModelGoldens.cpp - Goldens of attention, experts and MTP -----------===//
//
// Whole blocks of the bundled model, composed of the reference's ops as the
// graph composes them, with intermediate values compared too.
//
//===----------------------------------------------------------------------===//

#include "Cases.h"

#include <cmath>

using namespace mlir::deepseek::reference;

static constexpr ElementType f32 = ElementType::F32;
static const BlockFormat kActivations{{1, 128}, false};
static const BlockFormat kWeights{{128, 128}, false};
static const YarnParameters kYarn = {4, 256, 32, 1};

// The bundled model's sizes.
static constexpr int64_t N = 4, D = 64, R = 32, Dv = 64, C = 128;

/// The value, or an empty tensor that no comparison accepts.
static Tensor get(llvm::Expected<Tensor> value) {
  if (value)
    return std::move(*value);
  llvm::errs() << llvm::toString(value.takeError()) << "\n";
  return Tensor();
}

/// A weight from its FP8 codes and scales, in f32.
static Tensor getWeight(TensorMap &t, const std::string &name) {
  return get(dequantize(
      {t[name + ".weight"], t[name + ".weight_scale_inv"], kWeights}, f32));
}

/// Columns `begin .. end` of rows of `width`, as [rows.., end - begin].
static Tensor slice(const Tensor &x, int64_t width, int64_t begin, int64_t end,
                    llvm::ArrayRef<int64_t> shape) {
  Tensor result(f32, shape);
  std::vector<float> part(end - begin);
  for (int64_t row = 0; row < x.size() / width; ++row) {
    x.readFloats(row * width + begin, end - begin, part.data());
    result.writeFloats(row * (end - begin), end - begin, part.data());
  }
  return result;
}

static Tensor add(const Tensor &a, const Tensor &b) {
  Tensor result(f32, a.shape());
  for (int64_t i = 0; i < a.size(); ++i)
    result.setFloat(i, a.getFloat(i) + b.getFloat(i));
  return result;
}

static Tensor makeInts(llvm::ArrayRef<int64_t> shape,
                       llvm::ArrayRef<int64_t> values) {
  return Tensor::fromInts(ElementType::I32, shape, values);
}

namespace {

/// The inputs of the attention core.
struct Attention {
  Tensor qNope, qRope, cKV, kRope, heads;
};

} // namespace

static double getScale() {
  double g = 0.1 * std::log(4.0) + 1;
  return g * g / std::sqrt(static_cast<double>(D + R));
}

/// The projections of attention up to the cached values; `p` is the names'
/// prefix.
static Attention project(TensorMap &t, const std::string &p, const Tensor &x,
                         const Tensor &positions) {
  int64_t T = x.dim(0);
  Tensor qa = get(linear(x, getWeight(t, p + "q_a_proj"), f32));
  qa = get(rmsNorm(qa, t[p + "q_a_layernorm.weight"], 1e-6, f32));
  Tensor q = get(linear(qa, getWeight(t, p + "q_b_proj"), f32));
  Attention a;
  a.qNope = slice(q, D + R, 0, D, {T, N, D});
  a.qRope = get(
      rope(slice(q, D + R, D, D + R, {T, N, R}), positions, 10000, kYarn, f32));
  Tensor kv = get(linear(x, getWeight(t, p + "kv_a_proj_with_mqa"), f32));
  a.cKV = get(rmsNorm(slice(kv, C + R, 0, C, {T, C}),
                      t[p + "kv_a_layernorm.weight"], 1e-6, f32));
  a.kRope = get(
      rope(slice(kv, C + R, C, C + R, {T, R}), positions, 10000, kYarn, f32));
  return a;
}

/// The attention core over pages of 16 in reverse order, so that paging counts.
static void attend(TensorMap &t, const std::string &p, Attention &a,
                   Cases *cases) {
  int64_t T = a.cKV.dim(0), pages = (T + 15) / 16;
  std::vector<int64_t> slots, table;
  for (int64_t i = 0; i < T; ++i)
    slots.push_back((pages - 1 - i / 16) * 16 + i % 16);
  for (int64_t i = 0; i < pages; ++i)
    table.push_back(pages - 1 - i);
  Tensor cache = get(cacheAppend(Tensor(f32, {pages, 16, C + R}), a.cKV,
                                 a.kRope, makeInts({T}, slots)));
  Tensor blockTable = makeInts({1, pages}, table);
  Tensor lengths = makeInts({2}, {0, T});
  Tensor kvB = getWeight(t, p + "kv_b_proj").reshaped({N, D + Dv, C});
  a.heads = get(mla(a.qNope, a.qRope, {cache, blockTable}, {lengths, lengths},
                    T, kvB, getScale(), f32));
  if (!cases)
    return;
  // The expanded form: keys and values of all heads at once.
  Tensor rows = get(cacheGather({cache, blockTable}, lengths, T, f32));
  Tensor kv = get(linear(slice(rows, C + R, 0, C, {T, C}),
                         kvB.reshaped({N * (D + Dv), C}), f32));
  cases->expectClose("attention, expanded form",
                     attention(a.qNope, a.qRope, kv.reshaped({T, N, D + Dv}),
                               slice(rows, C + R, C, C + R, {T, R}),
                               {lengths, lengths}, getScale(), f32),
                     a.heads, 1e-6);
  // The absorbed form: query and output move through the two halves of kv_b.
  Tensor uk = slice(kvB, (D + Dv) * C, 0, D * C, {N, D, C});
  Tensor uv = slice(kvB, (D + Dv) * C, D * C, (D + Dv) * C, {N, Dv, C});
  Tensor latent = get(headLinear(a.qNope, uk, /*transposed=*/true, f32));
  Tensor output = get(latentAttention(latent, a.qRope, {cache, blockTable},
                                      {lengths, lengths}, getScale(), f32));
  cases->expectClose("latent_attention, absorbed form",
                     headLinear(output, uv, /*transposed=*/false, f32), a.heads,
                     1e-5);
}

static void runMla(Cases &cases, TensorMap t) {
  Attention a = project(t, "w.", t["x"], t["positions"]);
  cases.expectClose("mla: q_nope", a.qNope, t["q_nope"], 1e-5);
  cases.expectClose("mla: q_rope", a.qRope, t["q_pe"], 1e-5);
  cases.expectClose("mla: latent", a.cKV, t["c_kv"], 1e-5);
  cases.expectClose("mla: k_rope", a.kRope, t["k_pe"], 1e-5);
  attend(t, "w.", a, &cases);
  cases.expectClose("mla: heads", a.heads, t["heads_out"], 1e-5);
  Tensor y = get(linear(a.heads.reshaped({a.heads.dim(0), N * Dv}),
                        getWeight(t, "w.o_proj"), f32));
  cases.expectClose("mla: output", y, t["y_naive"], 1e-5);
  cases.expectClose("mla: output against f64", y, t["y_f64"], 1e-5);
}

static Tensor runMlp(const Tensor &x, const Tensor &gate, const Tensor &up,
                     const Tensor &down) {
  Tensor product =
      get(swiglu(get(linear(x, gate, f32)), get(linear(x, up, f32)), f32));
  return get(linear(product, down, f32));
}

/// The experts on FP8 activations: rows sorted by expert, before combination.
static Tensor runScaledExperts(TensorMap &t, const Dispatch &sorted) {
  auto multiply = [&](const Tensor &x, const std::string &name) {
    auto quantized = quantize(x, kActivations, ElementType::F8E4M3FN, f32);
    return get(scaledGroupedLinear(
        {quantized->q, quantized->scale, kActivations},
        {t["w." + name], t["w." + name + "_scale_inv"], kWeights},
        sorted.offsets, f32));
  };
  Tensor product = get(
      swiglu(multiply(sorted.rows, "gate"), multiply(sorted.rows, "up"), f32));
  return multiply(product, "down");
}

static void runExperts(Cases &cases, TensorMap t) {
  auto weight = [&](const std::string &name) {
    return get(dequantize({t[name], t[name + "_scale_inv"], kWeights}, f32));
  };
  Tensor gate = weight("w.gate"), up = weight("w.up"), down = weight("w.down");
  Tensor shared = runMlp(t["x"], weight("shared.gate"), weight("shared.up"),
                         weight("shared.down"));
  cases.expectClose("experts: shared expert", shared, t["y_shared"], 1e-5);
  cases.expectClose(
      "experts: routed sum",
      experts(t["x"], t["w"], t["idx"], {gate, up, down}, nullptr, f32),
      t["y_routed"], 1e-5);
  cases.expectClose(
      "experts: with the shared expert",
      experts(t["x"], t["w"], t["idx"], {gate, up, down}, &shared, f32), t["y"],
      1e-5);
  auto sorted = moeDispatch(t["x"], t["idx"], 16, /*sharedGroup=*/false);
  if (!sorted)
    return cases.fail("moe_dispatch", llvm::toString(sorted.takeError()));
  Tensor tokens(ElementType::I32, {sorted->source.size()});
  for (int64_t p = 0; p < tokens.size(); ++p)
    tokens.setInt(p, sorted->source.getInt(p) / 4);
  cases.expectClose("moe_dispatch: tokens", tokens, t["sorted_token"], 0);
  cases.expectClose("expert_load", expertLoad(t["idx"], 16), t["group_sizes"],
                    0);
  Tensor product = get(
      swiglu(get(groupedLinear(sorted->rows, gate, sorted->offsets, f32)),
             get(groupedLinear(sorted->rows, up, sorted->offsets, f32)), f32));
  Tensor rows = get(groupedLinear(product, down, sorted->offsets, f32));
  cases.expectClose("grouped_linear: rows", rows, t["sorted_y"], 1e-5);
  cases.expectClose("moe_combine",
                    moeCombine(rows, sorted->source, t["w"], nullptr,
                               /*sharedGroup=*/false, f32),
                    t["y_routed"], 1e-5);
  // One ulp before an E4M3 rounding changes a code: 2^-4 of one product's
  // share.
  cases.expectClose("scaled_grouped_linear: rows", runScaledExperts(t, *sorted),
                    t["actq.sorted_y"], 5e-3);
}

/// The experts of the MTP layer, whose weights are separate tensors, stacked.
static Tensor stackExperts(TensorMap &t, const std::string &name) {
  Tensor first = getWeight(t, "w.mlp.experts.0." + name);
  Tensor stacked(f32, {16, first.dim(0), first.dim(1)});
  for (int64_t e = 0; e < 16; ++e) {
    Floats one(getWeight(t, "w.mlp.experts." + std::to_string(e) + "." + name));
    stacked.writeFloats(e * first.size(), first.size(), one.data());
  }
  return stacked;
}

static void runMtp(Cases &cases, TensorMap t) {
  Tensor h = get(mtpProject(t["hidden_post_norm"], t["emb"],
                            {t["w.hnorm.weight"], t["w.enorm.weight"], 1e-6},
                            t["w.eh_proj.weight"], f32));
  cases.expectClose("mtp_project", h, t["eh_out"], 1e-5);
  Tensor x = get(rmsNorm(h, t["w.input_layernorm.weight"], 1e-6, f32));
  Attention a = project(t, "w.self_attn.", x, t["positions"]);
  attend(t, "w.self_attn.", a, nullptr);
  h = add(h, get(linear(a.heads.reshaped({h.dim(0), N * Dv}),
                        getWeight(t, "w.self_attn.o_proj"), f32)));
  x = get(rmsNorm(h, t["w.post_attention_layernorm.weight"], 1e-6, f32));
  RouteParameters parameters;
  parameters.sigmoid = true;
  parameters.topK = 4;
  parameters.groups = 4;
  parameters.topGroups = 2;
  parameters.normalize = true;
  parameters.scale = 2.5;
  auto routing = route(get(linear(x, t["w.mlp.gate.weight"], f32)),
                       &t["w.mlp.gate.e_score_correction_bias"], parameters);
  if (!routing)
    return cases.fail("mtp: route", llvm::toString(routing.takeError()));
  cases.expectClose("mtp: experts", routing->indices, t["router_idx"], 0);
  cases.expectClose("mtp: weights", routing->scores, t["router_w"], 1e-5);
  std::string p = "w.mlp.shared_experts.";
  Tensor shared =
      runMlp(x, getWeight(t, p + "gate_proj"), getWeight(t, p + "up_proj"),
             getWeight(t, p + "down_proj"));
  h = add(h,
          get(experts(x, routing->scores, routing->indices,
                      {stackExperts(t, "gate_proj"), stackExperts(t, "up_proj"),
                       stackExperts(t, "down_proj")},
                      &shared, f32)));
  // A whole layer: values up to about 20.
  cases.expectClose("mtp: layer", h, t["block_out"], 5e-5);
  cases.expectClose("mtp: norm",
                    rmsNorm(h, t["w.shared_head.norm.weight"], 1e-6, f32),
                    t["normed"], 5e-5);
}

void runModelGoldens(Cases &cases, const Reader &read) {
  runMla(cases, read("mla"));
  runExperts(cases, read("grouped_swiglu"));
  runMtp(cases, read("mtp"));
}
