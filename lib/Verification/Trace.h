//===- Trace.h - The values of an evaluation --------------------*- C++ -*-===//
//
// What the reference computed on the way to its results, op by op, with what
// each value was computed from; and which values of two programs correspond.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_VERIFICATION_TRACE_H
#define LIB_VERIFICATION_TRACE_H

#include "lib/Verification/ReferenceRun.h"

namespace mlir::deepseek::verification {

/// A tensor that an op computed, or that an entry returned.
struct TracedValue {
  std::string step; // "prefill", "decode.0"
  StringRef name;   // of the op; of the result where an entry returns it
  Operation *op;    // func.return for a result of an entry
  unsigned result;
  /// The op of the entry that it is part of: the op itself, or the dispatch of
  /// its kernel.
  Operation *hostOp;
  /// The place in the checkpoint that hostOp was imported for, or empty.
  StringRef place;
  /// The weights that the op reads, plain or dequantized.
  SmallVector<StringRef, 2> weights;
  /// Positions of the traced values that it is computed from.
  SmallVector<size_t, 2> producers;
  /// Names of the ops between those, or the weights, and this one that are not
  /// traced themselves: views, and what is computed of weights alone.
  SmallVector<StringRef, 2> between;
  reference::Tensor value;
};

using Trace = std::vector<TracedValue>;

/// Records an evaluation, kernels included. Values of regions are left out, and
/// so are views and what is computed of weights alone.
class Tracer : public StepObserver {
public:
  void beginStep(StringRef name, int64_t) override { step = name.str(); }

  /// Sees each value, with its position, before anything uses it.
  std::function<void(size_t, reference::Tensor &)> onValue;

  const Trace &getTrace() const { return trace; }
  Trace takeTrace() { return std::move(trace); }

  void entered(func::FuncOp function, Operation *caller) override;
  void evaluated(Operation &op,
                 MutableArrayRef<reference::Tensor> results) override;
  void left(func::FuncOp function,
            MutableArrayRef<reference::Tensor> results) override;

private:
  /// Where a value comes from.
  struct Source {
    bool fromInputs = false;
    SmallVector<size_t, 2> producers;
    SmallVector<StringRef, 2> weights, between;

    void add(const Source &other);
  };
  struct Frame {
    DenseMap<Value, Source> sources;
    SmallVector<Source> returned; // of the function it called last
  };

  Source getWeight(Operation &op, StringRef symbol);
  void record(Operation &op, StringRef name, unsigned result,
              const Source &source, reference::Tensor &value);

  std::string step;
  Trace trace;
  std::vector<Frame> frames;
  Operation *hostOp = nullptr;
  llvm::StringMap<Source> derivedWeights;
};

/// For each value of `after` the position of the value of `before` that it
/// should equal, if there is one: by step, kind of op, weights, place and type,
/// in their order. Only where both programs have equally many of a kind.
std::vector<std::optional<size_t>> matchValues(const Trace &before,
                                               const Trace &after);

/// Positions of the values without a counterpart that value `position` is
/// computed from, back to those that have one; in ascending order.
std::vector<size_t> getUnmatchedOrigin(const Trace &trace,
                                       ArrayRef<bool> isMatched,
                                       size_t position);

/// "deepseek.linear at model.layers.0.self_attn": what a reader looks for.
std::string describe(const TracedValue &value);

} // namespace mlir::deepseek::verification

#endif // LIB_VERIFICATION_TRACE_H
