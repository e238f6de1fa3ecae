//===- EntryBuilder.h - Builds the body of one entry ------------*- C++ -*-===//
//
// What the builders of attention, MLPs and experts have in common: where to
// build, the config, the step's inputs, and the few ops that occur everywhere
// (a weight, a projection, a norm, a slice). Each concern is a free function in
// a file of its own; ModelBuilder.cpp puts them together.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_IMPORT_ENTRYBUILDER_H
#define LIB_IMPORT_ENTRYBUILDER_H

#include "WeightTable.h"
#include "deepseek/Import/Import.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::deepseek {

/// Where weights are found: `model.layers.3.self_attn` in the checkpoint,
/// `l3` in the module.
struct Place {
  std::string key;
  std::string symbol;
};

/// The inputs of a step that every layer reads.
struct StepInputs {
  Value positions;
  Value slots;
  Value blockTable;
  Value cuQueryLens;
  Value cuCachedLens;
  Value cachedTotal;
  /// The number of tokens, an index.
  Value numTokens;
};

/// Where the body of an entry is built, from what, and with which inputs.
struct EntryBuilder {
  ImplicitLocOpBuilder &b;
  const ModelConfig &config;
  WeightTable &weights;
  /// Element type of activations and cache.
  Type residual;
  StepInputs inputs;

  /// From here on ops carry the checkpoint's name of the place they belong to.
  void enter(StringRef key) { b.setLoc(NameLoc::get(b.getStringAttr(key))); }

  /// `[T, sizes...]` of activations.
  RankedTensorType perToken(ArrayRef<int64_t> sizes, Type element) const;
  RankedTensorType perToken(ArrayRef<int64_t> sizes) const {
    return perToken(sizes, residual);
  }
  SmallVector<OpFoldResult> perTokenSizes(ArrayRef<int64_t> sizes) const;

  /// The weight `<place.key>.<name>` of a type that is never FP8.
  Value plainWeight(const Place &place, StringRef name, StringRef symbol,
                    ArrayRef<int64_t> shape, Type element);
  /// The same in the checkpoint's ordinary type, with the suffix `.weight`.
  Value weight(const Place &place, StringRef name, StringRef symbol,
               ArrayRef<int64_t> shape);
  /// A projection's matrix, or a stack of them: FP8 and dequantized, if the
  /// checkpoint is FP8.
  Value matrix(const Place &place, StringRef name, StringRef symbol,
               ArrayRef<int64_t> shape);

  /// `x * w^T` with a projection's matrix `[size, inner]`.
  Value project(const Place &place, StringRef name, StringRef symbol, Value x,
                int64_t size);
  Value linear(Value x, Value w, Type element);
  Value norm(const Place &place, StringRef name, StringRef symbol, Value x,
             double epsilon);
  Value add(Value x, Value y);
  /// `x[..., offset : offset + size]` of a tensor with a row per token.
  Value sliceLast(Value x, int64_t offset, int64_t size);
};

/// The scores and choices of a router, for traces.
struct RouterTrace {
  Value indices;
  Value scores;
};

/// Multi-head latent attention of one layer: (its output, the updated cache).
std::pair<Value, Value> buildAttention(EntryBuilder &entry, int64_t layer,
                                       Value x, Value cache);

/// A SwiGLU MLP of width `width`; weights are `<place.key>.gate_proj` and so
/// on.
Value buildMlp(EntryBuilder &entry, const Place &place, Value x, int64_t width);

/// The mixture of experts of one layer, shared experts included.
Value buildMoE(EntryBuilder &entry, int64_t layer, Value x, RouterTrace &trace);

} // namespace mlir::deepseek

#endif // LIB_IMPORT_ENTRYBUILDER_H
