//===- FuseLoops.cpp - One parallel loop over rows ------------------------===//
//
// A kernel of several ops that work row by row arrives as one scf.forall per
// op, whose first loop is over the rows. Neighbours become one loop, so that a
// row stays in the cache and the threads meet once:
//
//   scf.forall (%t) in (%rows) { row %t of %h from %x }
//   scf.forall (%t, %b) in (%rows, 56) { block (%t, %b) of %q from %h }
//   ->
//   scf.forall (%t) in (%rows) {
//     row %t of %h from %x
//     scf.forall (%b) in (56) { block (%t, %b) of %q from %h }
//   }
//
// It is done if each iteration keeps to its row of every memory that one of the
// two loops writes and the other one touches.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Passes.h"

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_HOSTFUSELOOPS
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

//===----------------------------------------------------------------------===//
// What a loop touches
//===----------------------------------------------------------------------===//

namespace {

/// A memref as a part of the memory it views.
struct View {
  /// The memory: an argument, an allocation or a constant. Null: not known.
  Value memory;
  enum { AllRows, OwnRow, Other } part = AllRows;
};

/// How a loop uses a memory.
struct Use {
  bool written = false;
  /// Each iteration touches only its row.
  bool ownRow = true;
};

using Uses = DenseMap<Value, Use>;

} // namespace

static bool keepsRows(ArrayRef<ReassociationIndices> groups) {
  return !groups.empty() && groups.front().size() == 1;
}

/// What `memref` is, if `row` is the number of the iteration's row.
static View getView(Value memref, Value row) {
  Operation *op = memref.getDefiningOp();
  if (!op) {
    bool isArgument = isa<func::FuncOp>(memref.getParentBlock()->getParentOp());
    return {isArgument ? memref : Value()};
  }
  if (isa<memref::AllocaOp, memref::GetGlobalOp>(op))
    return {memref};
  auto viewLike = dyn_cast<ViewLikeOpInterface>(op);
  if (!viewLike)
    return {};
  View view = getView(viewLike.getViewSource(), row);
  if (view.part != View::AllRows)
    return view;
  if (auto slice = dyn_cast<memref::SubViewOp>(op)) {
    OpFoldResult offset = slice.getMixedOffsets().front();
    if (offset == OpFoldResult(row) &&
        getConstantIntValue(slice.getMixedSizes().front()) == 1)
      view.part = View::OwnRow;
    else if (getConstantIntValue(offset) != 0 ||
             slice.getStaticStrides().front() != 1 ||
             slice.getDroppedDims().test(0))
      view.part = View::Other;
  } else if (auto expand = dyn_cast<memref::ExpandShapeOp>(op)) {
    if (!keepsRows(expand.getReassociationIndices()))
      view.part = View::Other;
  } else if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op)) {
    if (!keepsRows(collapse.getReassociationIndices()))
      view.part = View::Other;
  } else if (!isa<memref::CastOp>(op)) {
    view.part = View::Other;
  }
  return view;
}

static bool writes(Operation *op, Value memref) {
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  return !effects || effects.getEffectOnValue<MemoryEffects::Write>(memref);
}

/// Adds what the ops of `loop` touch; false if that cannot be said.
static bool collectUses(scf::ForallOp loop, Uses &uses) {
  Value row = loop.getInductionVars().front();
  WalkResult result = loop.getBody()->walk([&](Operation *op) {
    if (isa<ViewLikeOpInterface>(op) || isa<memref::DimOp>(op))
      return WalkResult::advance();
    for (Value operand : op->getOperands()) {
      if (!isa<MemRefType>(operand.getType()))
        continue;
      View view = getView(operand, row);
      if (!view.memory)
        return WalkResult::interrupt();
      bool ownRow = view.part == View::OwnRow;
      // Indices of a load and a store are their last operands.
      if (view.part == View::AllRows) {
        if (auto load = dyn_cast<memref::LoadOp>(op))
          ownRow = !load.getIndices().empty() && load.getIndices()[0] == row;
        else if (auto store = dyn_cast<memref::StoreOp>(op))
          ownRow = !store.getIndices().empty() && store.getIndices()[0] == row;
      }
      // Memory made inside belongs to the iteration.
      if (loop->isAncestor(view.memory.getParentBlock()->getParentOp()))
        ownRow = true;
      Use &use = uses[view.memory];
      use.written |= writes(op, operand);
      use.ownRow &= ownRow;
    }
    return WalkResult::advance();
  });
  return !result.wasInterrupted();
}

//===----------------------------------------------------------------------===//
// Fusing two loops
//===----------------------------------------------------------------------===//

/// Loops from 0 to the same number of rows, in steps of 1, without results.
static bool haveSameRows(scf::ForallOp a, scf::ForallOp b) {
  for (scf::ForallOp loop : {a, b})
    if (loop->getNumResults() != 0 || loop.getMapping() ||
        getConstantIntValue(loop.getMixedLowerBound().front()) != 0 ||
        getConstantIntValue(loop.getMixedStep().front()) != 1)
      return false;
  return a.getMixedUpperBound().front() == b.getMixedUpperBound().front();
}

/// Moves the loops over all dimensions but the first into the first.
static scf::ForallOp peelRows(RewriterBase &rewriter, scf::ForallOp loop) {
  if (loop.getRank() == 1)
    return loop;
  Location loc = loop.getLoc();
  auto rest = [](const auto &list) {
    return SmallVector<OpFoldResult>(llvm::drop_begin(list));
  };
  rewriter.setInsertionPoint(loop);
  auto outer = scf::ForallOp::create(
      rewriter, loc, loop.getMixedLowerBound().front(),
      loop.getMixedUpperBound().front(), loop.getMixedStep().front(),
      ValueRange(), std::nullopt);
  rewriter.setInsertionPoint(outer.getTerminator());
  auto inner = scf::ForallOp::create(
      rewriter, loc, rest(loop.getMixedLowerBound()),
      rest(loop.getMixedUpperBound()), rest(loop.getMixedStep()), ValueRange(),
      std::nullopt);
  SmallVector<Value> indices = {outer.getInductionVar(0)};
  llvm::append_range(indices, inner.getInductionVars());
  rewriter.eraseOp(inner.getTerminator());
  rewriter.mergeBlocks(loop.getBody(), inner.getBody(), indices);
  rewriter.eraseOp(loop);
  return outer;
}

/// Whether the second of two neighbouring loops may run with the first, row by
/// row.
static bool mayFuse(scf::ForallOp first, scf::ForallOp second) {
  Uses before, after;
  if (!haveSameRows(first, second) || !collectUses(first, before) ||
      !collectUses(second, after))
    return false;
  for (auto [memory, use] : before) {
    auto other = after.find(memory);
    if (other != after.end() && (use.written || other->second.written) &&
        !(use.ownRow && other->second.ownRow))
      return false;
  }
  return true;
}

static scf::ForallOp fuse(RewriterBase &rewriter, scf::ForallOp first,
                          scf::ForallOp second) {
  first = peelRows(rewriter, first);
  second = peelRows(rewriter, second);
  rewriter.eraseOp(first.getTerminator());
  rewriter.mergeBlocks(second.getBody(), first.getBody(),
                       first.getInductionVars());
  rewriter.eraseOp(second);
  return first;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// The leading sizes that are known to be one number become one value.
static void unifyRows(func::FuncOp kernel) {
  Block &body = kernel.getBody().front();
  Value rows;
  for (auto dim : llvm::make_early_inc_range(body.getOps<memref::DimOp>())) {
    auto argument = dyn_cast<BlockArgument>(dim.getSource());
    if (!argument || dim.getConstantIndex() != 0 ||
        argument.getOwner() != &body ||
        !kernel.getArgAttr(argument.getArgNumber(), dsrt::kRowsAttr))
      continue;
    if (!rows) {
      rows = dim;
      continue;
    }
    dim.getResult().replaceAllUsesWith(rows);
    dim.erase();
  }
}

/// Whether `op` may be computed earlier, before loops that come before it.
static bool canMove(Operation *op) {
  return !op->hasTrait<OpTrait::IsTerminator>() &&
         (isPure(op) || isa<memref::AllocaOp>(op));
}

namespace {

struct FuseLoops : deepseek::impl::HostFuseLoopsBase<FuseLoops> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (kernel.isExternal())
      return;
    unifyRows(kernel);
    IRRewriter rewriter(&getContext());
    scf::ForallOp last;
    for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front())) {
      auto loop = dyn_cast<scf::ForallOp>(op);
      if (!loop) {
        if (last && canMove(&op))
          op.moveBefore(last);
        else
          last = nullptr;
        continue;
      }
      last = last && mayFuse(last, loop) ? fuse(rewriter, last, loop) : loop;
    }
  }
};

} // namespace
