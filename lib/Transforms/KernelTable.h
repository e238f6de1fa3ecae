//===- KernelTable.h - The kernels of a module, each once -------*- C++ -*-===//
//
// Turns a group of ops into a call of a kernel function: finds an equal one
// that exists or makes it. Two groups are equal if their ops, attributes, types
// and the ways they are connected are.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TRANSFORMS_KERNELTABLE_H
#define LIB_TRANSFORMS_KERNELTABLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

#include "llvm/ADT/StringSet.h"

#include <map>

namespace mlir::deepseek {

/// Where an index value of a group comes from inside of the kernel: from
/// dimension `dim` of argument `argument`, or, with `dim` -1, from the argument
/// itself.
struct IndexSource {
  unsigned argument;
  int64_t dim;
};

/// What becomes one kernel: ops in order, of which the last is the core, and
/// the values that they need from outside.
struct KernelGroup {
  SmallVector<Operation *> ops;
  /// Tensors, then index values, that become arguments. The outs follow.
  SmallVector<Value> inputs;
  SmallVector<Value> outs;
  /// Which inputs are stacked weights.
  SmallVector<bool> stacked;
  /// Inputs and outs may stand for values that the ops use under another name
  /// (an out updated in place stands for the op's operand).
  DenseMap<Value, unsigned> arguments;
  /// Index operands of the ops that arguments know.
  DenseMap<Value, IndexSource> indices;
  /// The values that become the results, one per out. None of `ops` has to
  /// define them: a copy kernel returns what it got.
  SmallVector<Value> results;

  Operation *core() const { return ops.back(); }
};

class KernelTable {
public:
  /// Kernels go into the nested module @kernels of `module`, made when needed.
  explicit KernelTable(ModuleOp module) : module(module) {}

  /// The symbol of the kernel of `group`.
  SymbolRefAttr getKernel(const KernelGroup &group);

private:
  using Key = std::vector<const void *>;

  Key makeKey(const KernelGroup &group);
  StringAttr makeName(const KernelGroup &group);
  void build(const KernelGroup &group, StringAttr name);
  void createKernelsModule();

  ModuleOp module;
  ModuleOp kernels;
  llvm::StringSet<> names;
  std::map<Key, SymbolRefAttr> table;
};

} // namespace mlir::deepseek

#endif // LIB_TRANSFORMS_KERNELTABLE_H
