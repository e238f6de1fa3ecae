//===- Ops.h - The definition of every deepseek op --------------*- C++ -*-===//
//
// One function per op of the deepseek dialect, on tensors, without MLIR. A
// function computes in f32, sums in ascending order of the inner index and
// rounds its result once, to `type`. It checks all sizes and indices that it
// uses and returns an error that says what was expected. Shape letters are
// those of the dialect.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_REFERENCE_OPS_H
#define DEEPSEEK_REFERENCE_OPS_H

#include "deepseek/Reference/Tensor.h"

namespace mlir::deepseek::reference {

using Result = llvm::Expected<Tensor>;

//===----------------------------------------------------------------------===//
// Dense
//===----------------------------------------------------------------------===//

/// YaRN scaling of rotary frequencies.
struct YarnParameters {
  double factor;
  int64_t originalLength;
  double betaFast;
  double betaSlow;
};

/// The `width / 2` rotary frequencies, f32.
std::vector<float> ropeFrequencies(int64_t width, double theta,
                                   const std::optional<YarnParameters> &yarn);

Result embedding(const Tensor &tokens, const Tensor &table, ElementType type);
Result rmsNorm(const Tensor &x, const Tensor &gamma, double epsilon,
               ElementType type);
Result linear(const Tensor &x, const Tensor &w, ElementType type);
Result headLinear(const Tensor &x, const Tensor &w, bool transposed,
                  ElementType type);
Result swiglu(const Tensor &gate, const Tensor &up, ElementType type);
Result rope(const Tensor &x, const Tensor &positions, double theta,
            const std::optional<YarnParameters> &yarn, ElementType type);
Result argmax(const Tensor &logits);

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// The pages of a cache and whose they are.
struct PagedCache {
  const Tensor &cache;      // [pages, page_size, C + R]
  const Tensor &blockTable; // [B, Pmax]
};

/// Where each of the B sequences begins among new tokens and cached rows.
struct SequenceLengths {
  const Tensor &cuQueryLengths; // [B + 1]
  const Tensor &cuKVLengths;    // [B + 1]
};

/// Takes the cache by value: one that nobody else holds is written in place.
Result cacheAppend(Tensor cache, const Tensor &latent, const Tensor &rope,
                   const Tensor &slots);
Result cacheGather(PagedCache pages, const Tensor &cuKVLengths, int64_t kvTotal,
                   ElementType type);
Result mla(const Tensor &qNope, const Tensor &qRope, PagedCache pages,
           SequenceLengths lengths, int64_t kvTotal, const Tensor &kvB,
           double scale, ElementType type);
Result attention(const Tensor &qNope, const Tensor &qRope, const Tensor &kv,
                 const Tensor &kRope, SequenceLengths lengths, double scale,
                 ElementType type);
Result latentAttention(const Tensor &qLatent, const Tensor &qRope,
                       PagedCache pages, SequenceLengths lengths, double scale,
                       ElementType type);

//===----------------------------------------------------------------------===//
// MoE
//===----------------------------------------------------------------------===//

struct RouteParameters {
  bool sigmoid; // else softmax
  int64_t topK;
  int64_t groups = 1;
  int64_t topGroups = 1;
  bool normalize = false;
  double scale = 1;
};

struct Routing {
  Tensor scores;  // [T, K] f32
  Tensor indices; // [T, K] i32, best first
};

/// `bias` may be null.
llvm::Expected<Routing> route(const Tensor &logits, const Tensor *bias,
                              const RouteParameters &parameters);

struct Dispatch {
  Tensor rows;    // [T * K, H]
  Tensor offsets; // [E + 1] i32
  Tensor source;  // [T * K] i32
};

/// With `sharedGroup` every token also goes to the last of the `numExperts`.
llvm::Expected<Dispatch> moeDispatch(const Tensor &x, const Tensor &indices,
                                     int64_t numExperts, bool sharedGroup);
/// The row of `x` (one per token) of each of the sorted rows.
Result gatherRows(const Tensor &x, const Tensor &source, int64_t choices);

/// The stacked weights of the experts.
struct ExpertWeights {
  const Tensor &gate; // [E, I, H]
  const Tensor &up;   // [E, I, H]
  const Tensor &down; // [E, H, I]
};

/// `shared` may be null.
Result experts(const Tensor &x, const Tensor &scores, const Tensor &indices,
               ExpertWeights weights, const Tensor *shared, ElementType type);
Result groupedLinear(const Tensor &x, const Tensor &w, const Tensor &offsets,
                     ElementType type);
Result moeCombine(const Tensor &rows, const Tensor &source,
                  const Tensor &scores, const Tensor *shared, bool sharedGroup,
                  ElementType type);
Result expertLoad(const Tensor &indices, int64_t numExperts);
Result updateRouterBias(const Tensor &bias, const Tensor &load, double speed);

//===----------------------------------------------------------------------===//
// MTP
//===----------------------------------------------------------------------===//

struct MtpNorms {
  const Tensor &hiddenGamma;
  const Tensor &embeddingGamma;
  double epsilon;
};

Result mtpProject(const Tensor &hidden, const Tensor &embedding, MtpNorms norms,
                  const Tensor &w, ElementType type);

struct Verified {
  Tensor accepted; // [B] i32
  Tensor next;     // [B] i32
};

llvm::Expected<Verified> mtpVerify(const Tensor &draft, const Tensor &choice);

//===----------------------------------------------------------------------===//
// Quant
//===----------------------------------------------------------------------===//

/// The contents of a `#deepseek.block_scaled` encoding.
struct BlockFormat {
  llvm::SmallVector<int64_t, 2> block; // along the last two dimensions
  bool powerOfTwo = false;
  bool groupMajor = false;
};

struct Quantized {
  Tensor q;
  Tensor scale;
};

/// An FP8 tensor with its scales and their format.
struct ScaledTensor {
  const Tensor &q;
  const Tensor &scale;
  const BlockFormat &format;
};

llvm::Expected<Quantized> quantize(const Tensor &x, const BlockFormat &format,
                                   ElementType type, ElementType scaleType);
Result dequantize(ScaledTensor x, ElementType type);
llvm::Expected<Quantized> requantize(ScaledTensor x, const BlockFormat &format,
                                     ElementType scaleType);
Result scaledLinear(ScaledTensor x, ScaledTensor w, ElementType type);
Result scaledGroupedLinear(ScaledTensor x, ScaledTensor w,
                           const Tensor &offsets, ElementType type);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_REFERENCE_OPS_H
