//===- DispatchMerger.h - One dispatch of several ---------------*- C++ -*-===//
//
// Turns dispatches of a host function into one dispatch of a kernel that holds
// their ops in order. Equal merged kernels exist once, as those of KernelTable
// do: they are equal if they merge the same kernels connected in the same way.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TRANSFORMS_DISPATCHMERGER_H
#define LIB_TRANSFORMS_DISPATCHMERGER_H

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/StringSet.h"

#include <map>

namespace mlir::deepseek {

/// The size of dimension 0 of a tensor of a host function after
/// ds-form-kernels: values that are equal only if the sizes are, or null if it
/// is not known as one.
OpFoldResult getLeadingSize(Value tensor);

class DispatchMerger {
public:
  /// Merges dispatches of the nested module @kernels of `module`.
  explicit DispatchMerger(ModuleOp module);

  /// The kernel that `dispatch` runs, or null if it is none of @kernels.
  func::FuncOp getKernel(dsrt::DispatchOp dispatch);

  /// Numbers the ops of a function whose dispatches will be merged.
  void enter(func::FuncOp function);

  /// Replaces `members`, in program order, by one dispatch in the place of the
  /// first. What the others need from outside must be there, or be host ops
  /// that can be. A member's result stays a result, whether used or not, but
  /// for those in `inside`: only members use them, and no kernel looks at their
  /// outs. The kernel's arguments whose leading size is `rows` are marked so.
  dsrt::DispatchOp merge(ArrayRef<dsrt::DispatchOp> members, StringRef name,
                         OpFoldResult rows, ArrayRef<Value> inside = {});

  /// Erases the kernels that merging left without a dispatch.
  void eraseUnusedKernels();

private:
  /// Where an operand of a member comes from: argument `index` of the merged
  /// kernel, that result of a member, or nowhere (the out of a result inside).
  struct Source {
    static constexpr int64_t kArgument = -1, kNowhere = -2;
    int64_t member;
    unsigned index;
  };
  struct Plan {
    SmallVector<dsrt::DispatchOp> members;
    SmallVector<Value> inputs, outs, results;
    /// Of each member, where its inputs and outs come from.
    SmallVector<SmallVector<Source>> sources;
    /// Which arguments have the leading size `rows`.
    SmallVector<bool> hasRows;
  };

  Plan makePlan(ArrayRef<dsrt::DispatchOp> members, OpFoldResult rows,
                ArrayRef<Value> inside);
  SymbolRefAttr getMerged(const Plan &plan, StringRef name);
  void declareArguments(const Plan &plan, func::FuncOp merged);
  func::FuncOp build(const Plan &plan, StringAttr name);
  void hoist(Value value, Operation *place);

  ModuleOp module, kernels;
  llvm::StringMap<func::FuncOp> functions;
  llvm::StringSet<> replaced;
  std::map<std::vector<const void *>, SymbolRefAttr> table;
  DenseMap<Operation *, unsigned> order;
};

} // namespace mlir::deepseek

#endif // LIB_TRANSFORMS_DISPATCHMERGER_H
