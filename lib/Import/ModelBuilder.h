//===- ModelBuilder.h - Builds the entries of a model -----------*- C++ -*-===//
//
// One call per entry. The runtime binds arguments and results by these names:
//
//   prefill, decode: tokens [T], the step, cache.0 .. cache.(L-1)
//     -> logits [R, V], hidden [T, H] (after the last norm), the caches;
//        traced: hidden.0 (the embedding), hidden.i (after layer i - 1), and
//        router_idx.i, router_w.i of every mixture
//   mtp, mtp_1 ..: tokens [T] (the next ones), hidden [T, H], the step, cache.L
//     -> logits [R, V], hidden [T, H] (after its own norm), cache.L
//   the step: positions [T], slots [T], block_table [B, P], cu_q_lens [B+1],
//     cu_kv_lens [B+1], kv_total, logit_rows [R]
//
// T tokens of B sequences, flattened; R rows of which logits are wanted.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_IMPORT_MODELBUILDER_H
#define LIB_IMPORT_MODELBUILDER_H

#include "EntryBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::deepseek {

class ModelBuilder {
public:
  ModelBuilder(ModuleOp module, const ModelConfig &config,
               const ImportOptions &options);

  /// `prefill` and `decode`: the same program, two names, so that each may be
  /// given its own form of attention.
  void buildMain(StringRef name);

  /// The k-th module of multi-token prediction. It reads the main model's
  /// embedding and head: the checkpoint's copies of them are duplicates.
  void buildMtp(int64_t module);

private:
  /// A result or argument of an entry with its name and those of its
  /// dimensions.
  struct Port {
    std::string name;
    SmallVector<StringRef> dims;
    Type type;
    Value value;
  };

  func::FuncOp beginEntry(StringRef name, ArrayRef<Port> arguments);
  void endEntry(func::FuncOp entry, ArrayRef<Port> results);
  DictionaryAttr portAttributes(const Port &port);

  Port tokensPort();
  Port hiddenPort(StringRef name, Value value = {});
  Port logitsPort(Value value);
  Port cachePort(int64_t layer, Value value = {});
  void addStepPorts(SmallVectorImpl<Port> &ports);
  void addRouterPorts(SmallVectorImpl<Port> &ports, int64_t layer,
                      const RouterTrace &trace);

  EntryBuilder bindInputs(func::FuncOp entry, ArrayRef<Port> arguments);

  Value embed(EntryBuilder &entry, Value tokens);
  /// One decoder layer; `trace` is set if it is a mixture of experts.
  std::pair<Value, Value> buildLayer(EntryBuilder &entry, int64_t layer,
                                     Value hidden, Value cache,
                                     RouterTrace &trace);
  Value buildHead(EntryBuilder &entry, Value hidden, Value rows);

  ModuleOp module;
  const ModelConfig &config;
  const ImportOptions &options;
  WeightTable weights;
  Type residual;
  ImplicitLocOpBuilder b;
};

} // namespace mlir::deepseek

#endif // LIB_IMPORT_MODELBUILDER_H
