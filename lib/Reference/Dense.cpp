//===- Dense.cpp - Reference of the ops in DenseOps.td --------------------===//
//
// Plain loops in f32. Shapes stand beside the loops; see Ops.h for the policy.
//
//===----------------------------------------------------------------------===//

#include "Loops.h"

#include <cmath>

using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

Result reference::embedding(const Tensor &tokens, const Tensor &table,
                            ElementType type) {
  if (llvm::Error error = expectShape("tokens", tokens, {-1}))
    return error;
  if (llvm::Error error = expectShape("table", table, {-1, -1}))
    return error;
  int64_t T = tokens.dim(0), V = table.dim(0), H = table.dim(1);
  Tensor result(type, {T, H});
  std::vector<float> row(H);
  for (int64_t t = 0; t < T; ++t) {
    int64_t token = tokens.getInt(t);
    if (llvm::Error error = expectIndex("tokens", t, token, V))
      return error;
    table.readFloats(token * H, H, row.data());
    result.writeFloats(t * H, H, row.data());
  }
  return result;
}

Result reference::rmsNorm(const Tensor &x, const Tensor &gamma, double epsilon,
                          ElementType type) {
  if (x.rank() == 0)
    return makeError("expected x of rank 1 or more");
  int64_t H = x.shape().back();
  if (llvm::Error error = expectShape("gamma", gamma, {H}))
    return error;
  int64_t rows = H == 0 ? 0 : x.size() / H;
  Floats in(x), weight(gamma);
  Tensor result(type, x.shape()); // [.., H]
  std::vector<float> row(H);
  for (int64_t r = 0; r < rows; ++r) {
    normalizeRow(in.data() + r * H, weight.data(), H, epsilon, row.data());
    result.writeFloats(r * H, H, row.data());
  }
  return result;
}

Result reference::linear(const Tensor &x, const Tensor &w, ElementType type) {
  if (llvm::Error error = expectShape("x", x, {-1, -1}))
    return error;
  if (llvm::Error error = expectShape("w", w, {-1, x.dim(1)}))
    return error;
  int64_t T = x.dim(0), I = x.dim(1), O = w.dim(0);
  Floats in(x), weight(w);
  std::vector<float> y(T * O);
  multiply({in.data(), T, I}, {weight.data(), O, I}, I, y.data());
  return Tensor::fromFloats(type, {T, O}, y);
}

Result reference::headLinear(const Tensor &x, const Tensor &w, bool transposed,
                             ElementType type) {
  if (llvm::Error error = expectShape("x", x, {-1, -1, -1}))
    return error;
  int64_t T = x.dim(0), N = x.dim(1), I = x.dim(2);
  Shape expected = {N, -1, I};
  if (transposed)
    expected = {N, I, -1};
  if (llvm::Error error = expectShape("w", w, expected))
    return error;
  int64_t O = w.dim(transposed ? 2 : 1);
  Floats in(x), weight(w);
  Tensor result(type, {T, N, O});
  std::vector<float> head(O * I), y(T * O);
  for (int64_t n = 0; n < N; ++n) {
    const float *source = weight.data() + n * O * I;
    for (int64_t o = 0; o < O; ++o)
      for (int64_t i = 0; i < I; ++i)
        head[o * I + i] = transposed ? source[i * O + o] : source[o * I + i];
    multiply({in.data() + n * I, T, N * I}, {head.data(), O, I}, I, y.data());
    for (int64_t t = 0; t < T; ++t)
      result.writeFloats((t * N + n) * O, O, y.data() + t * O);
  }
  return result;
}

Result reference::swiglu(const Tensor &gate, const Tensor &up,
                         ElementType type) {
  if (llvm::Error error = expectShape("up", up, gate.shape()))
    return error;
  Floats g(gate), u(up);
  std::vector<float> y(gate.size());
  for (int64_t i = 0; i < gate.size(); ++i)
    y[i] = silu(g[i], u[i]);
  return Tensor::fromFloats(type, gate.shape(), y);
}

std::vector<float>
reference::ropeFrequencies(int64_t width, double theta,
                           const std::optional<YarnParameters> &yarn) {
  std::vector<float> frequencies(width / 2);
  for (int64_t j = 0; j < width / 2; ++j)
    frequencies[j] =
        1.0f /
        static_cast<float>(std::pow(theta, static_cast<float>(2 * j) / width));
  if (!yarn)
    return frequencies;
  // The dimension whose wavelength makes `rotations` turns in the original
  // length.
  auto dimension = [&](double rotations) {
    constexpr double pi = 3.14159265358979323846;
    return width * std::log(yarn->originalLength / (2 * pi * rotations)) /
           (2 * std::log(theta));
  };
  double low = std::max(std::floor(dimension(yarn->betaFast)), 0.0);
  double high = std::min(std::ceil(dimension(yarn->betaSlow)),
                         static_cast<double>(width - 1));
  if (low == high)
    high += 0.001;
  for (int64_t j = 0; j < width / 2; ++j) {
    auto ramp = static_cast<float>(j - low) / static_cast<float>(high - low);
    // 1 - (1 - ramp) is not ramp in f32: the published code writes it so.
    float smooth = 1.0f - std::min(std::max(ramp, 0.0f), 1.0f);
    float f = frequencies[j];
    frequencies[j] =
        f / static_cast<float>(yarn->factor) * (1.0f - smooth) + f * smooth;
  }
  return frequencies;
}

Result reference::rope(const Tensor &x, const Tensor &positions, double theta,
                       const std::optional<YarnParameters> &yarn,
                       ElementType type) {
  if (x.rank() < 2 || x.shape().back() % 2 != 0)
    return makeError("expected x of rank 2 or more with an even last "
                     "dimension, got shape " +
                     toString(x.shape()));
  if (llvm::Error error = expectShape("positions", positions, {x.dim(0)}))
    return error;
  int64_t T = x.dim(0), R = x.shape().back();
  int64_t heads = x.size() == 0 ? 0 : x.size() / T / R;
  std::vector<float> frequencies = ropeFrequencies(R, theta, yarn);
  Floats in(x); // [T, .., R]
  std::vector<float> y(x.size());
  for (int64_t t = 0; t < T; ++t) {
    auto position = static_cast<float>(positions.getInt(t));
    for (int64_t j = 0; j < R / 2; ++j) {
      // The angle is an f32 product; its cosine and sine are exact to f32.
      float angle = position * frequencies[j];
      auto cosine = static_cast<float>(std::cos(static_cast<double>(angle)));
      auto sine = static_cast<float>(std::sin(static_cast<double>(angle)));
      for (int64_t h = 0; h < heads; ++h) {
        int64_t at = (t * heads + h) * R + 2 * j;
        y[at] = in[at] * cosine - in[at + 1] * sine;
        y[at + 1] = in[at] * sine + in[at + 1] * cosine;
      }
    }
  }
  return Tensor::fromFloats(type, x.shape(), y);
}

Result reference::argmax(const Tensor &logits) {
  if (llvm::Error error = expectShape("logits", logits, {-1, -1}))
    return error;
  int64_t T = logits.dim(0), V = logits.dim(1);
  if (V == 0)
    return makeError("expected logits with at least one column");
  Floats in(logits);
  Tensor result(ElementType::I32, {T});
  for (int64_t t = 0; t < T; ++t) {
    int64_t best = 0;
    for (int64_t v = 1; v < V; ++v)
      if (in[t * V + v] > in[t * V + best])
        best = v;
    result.setInt(t, best);
  }
  return result;
}
