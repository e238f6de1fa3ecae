//===- MTP.cpp - Reference of the ops in MTPOps.td ------------------------===//

#include "Loops.h"

using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

Result reference::mtpProject(const Tensor &hidden, const Tensor &embedding,
                             MtpNorms norms, const Tensor &w,
                             ElementType type) {
  if (llvm::Error error = expectShape("hidden", hidden, {-1, -1}))
    return error;
  int64_t T = hidden.dim(0), H = hidden.dim(1);
  if (llvm::Error error = expectShape("embedding", embedding, {T, H}))
    return error;
  if (llvm::Error error = expectShape("hidden_gamma", norms.hiddenGamma, {H}))
    return error;
  if (llvm::Error error =
          expectShape("embedding_gamma", norms.embeddingGamma, {H}))
    return error;
  if (llvm::Error error = expectShape("w", w, {-1, 2 * H}))
    return error;
  int64_t O = w.dim(0);
  Floats h(hidden), e(embedding), hGamma(norms.hiddenGamma),
      eGamma(norms.embeddingGamma), weight(w);
  std::vector<float> joined(T * 2 * H), y(T * O); // embedding first
  // A norm is rounded to its operand's type, as `rms_norm` is.
  Tensor embeddingRow(embedding.type(), {H}), hiddenRow(hidden.type(), {H});
  for (int64_t t = 0; t < T; ++t) {
    float *row = joined.data() + t * 2 * H;
    normalizeRow(e.data() + t * H, eGamma.data(), H, norms.epsilon, row);
    normalizeRow(h.data() + t * H, hGamma.data(), H, norms.epsilon, row + H);
    embeddingRow.writeFloats(0, H, row);
    embeddingRow.readFloats(0, H, row);
    hiddenRow.writeFloats(0, H, row + H);
    hiddenRow.readFloats(0, H, row + H);
  }
  multiply({joined.data(), T, 2 * H}, {weight.data(), O, 2 * H}, 2 * H,
           y.data());
  return Tensor::fromFloats(type, {T, O}, y);
}

llvm::Expected<Verified> reference::mtpVerify(const Tensor &draft,
                                              const Tensor &choice) {
  if (llvm::Error error = expectShape("draft", draft, {-1, -1}))
    return error;
  int64_t B = draft.dim(0), n = draft.dim(1);
  if (llvm::Error error = expectShape("choice", choice, {B, n + 1}))
    return error;
  Verified result = {Tensor(ElementType::I32, {B}),
                     Tensor(ElementType::I32, {B})};
  for (int64_t b = 0; b < B; ++b) {
    int64_t accepted = 0;
    while (accepted < n && draft.getInt(b * n + accepted) ==
                               choice.getInt(b * (n + 1) + accepted))
      ++accepted;
    result.accepted.setInt(b, accepted);
    result.next.setInt(b, choice.getInt(b * (n + 1) + accepted));
  }
  return result;
}
