//===- RowKernel.h - What a kernel does with one row ------------*- C++ -*-===//
//
// The analysis behind any_rows: a kernel function whose ops compute row t of
// their results from row t of their operands. Says where in memory rows lie,
// which values are stored, and how wide the pieces are that threads move.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_ROWS_ROWKERNEL_H
#define LIB_TARGET_NVPTX_KERNELS_ROWS_ROWKERNEL_H

#include "lib/Target/NVPTX/ArgumentView.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::deepseek {

/// What an op takes: values of which it needs row t, i32 tensors of which it
/// needs element t, and vectors that serve every row.
struct RowOperands {
  SmallVector<Value> rows, scalars, vectors;
};

class RowKernel {
public:
  /// The analysis of `kernel`, or nothing if one of its ops is not row-wise or
  /// not one that any_rows writes.
  static std::optional<RowKernel> analyze(func::FuncOp kernel);

  ArrayRef<Operation *> getOps() const { return ops; }
  /// Where the rows of a value lie, or null if an op computes it.
  const ArgumentView *findView(Value value) const;
  /// The value of which `value` is only another shape.
  Value resolve(Value value) const;
  /// The arguments that row t of `value` is stored to.
  ArrayRef<unsigned> getOuts(Value value) const;
  /// Views that are stored to an argument, and which.
  ArrayRef<std::pair<Value, unsigned>> getCopies() const { return copies; }

  Value getArgument(unsigned number) const { return arguments[number]; }
  /// The argument whose first dimension counts the rows.
  unsigned getRowsArgument() const { return rowsArgument; }
  /// Neighbouring elements that one thread moves: a power of two up to 8 that
  /// divides all widths, offsets and blocks.
  int64_t getVector() const { return vector; }
  /// Elements of the widest row.
  int64_t getWidest() const { return widest; }
  /// Bytes that one row reads and writes, gathered rows included.
  int64_t getBytes() const { return bytes; }

private:
  bool addOp(Operation *op);
  bool addView(Operation *op);
  bool addMemory(Value value);
  bool addReturn(func::FuncOp kernel, func::ReturnOp op);
  bool useRows(Value value);
  void limitVector(int64_t multiple);

  SmallVector<Value> arguments;
  SmallVector<Operation *> ops;
  DenseMap<Value, ArgumentView> views;
  DenseMap<Value, Value> reshapes;
  DenseMap<Value, SmallVector<unsigned>> outs;
  SmallVector<std::pair<Value, unsigned>> copies;
  std::optional<unsigned> rows;
  unsigned rowsArgument = 0;
  int64_t vector = 8, widest = 1, bytes = 0;
};

/// Elements of one row: the product of all sizes but the first, or nothing if
/// one of them is dynamic.
std::optional<int64_t> getRowElements(Type type);

/// The value of a splat constant of floats.
std::optional<double> getSplat(Value value);

/// What `op` takes by row, or nothing if any_rows does not write it.
std::optional<RowOperands> getRowOperands(Operation *op);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_ROWS_ROWKERNEL_H
