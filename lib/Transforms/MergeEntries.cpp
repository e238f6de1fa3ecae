//===- MergeEntries.cpp - Equal entries become one function ---------------===//
//
// In one form of the attention @prefill and @decode are the same program. From
// here on it is there once, with two names:
//
//   func.func @prefill(...) { BODY }
//   func.func @decode(...) { BODY }
//   ->
//   func.func @decode(...) attributes {dsrt.aliases = ["prefill"]} { BODY }
//
// so that the passes and the code generation of the host program are paid once.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Transforms/Passes.h"

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_MERGEENTRIES
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

/// Whether only their names differ.
static bool areEqual(func::FuncOp left, func::FuncOp right) {
  auto attributes = [](func::FuncOp func) {
    NamedAttrList list(func->getAttrDictionary());
    list.erase(SymbolTable::getSymbolAttrName());
    return list.getDictionary(func.getContext());
  };
  return attributes(left) == attributes(right) &&
         OperationEquivalence::isRegionEquivalentTo(
             &left.getBody(), &right.getBody(),
             OperationEquivalence::IgnoreLocations);
}

namespace {

struct MergeEntries : deepseek::impl::MergeEntriesBase<MergeEntries> {
  void runOnOperation() override {
    Builder builder(&getContext());
    SmallVector<func::FuncOp> kept;
    SmallVector<SmallVector<Attribute>> aliases;
    auto funcs = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp func : llvm::reverse(funcs)) {
      if (!func.isPublic() || func.isExternal())
        continue;
      auto same = llvm::find_if(
          kept, [&](func::FuncOp other) { return areEqual(other, func); });
      if (same == kept.end()) {
        kept.push_back(func);
        aliases.emplace_back();
        continue;
      }
      aliases[same - kept.begin()].push_back(func.getSymNameAttr());
      func.erase();
    }
    for (auto [func, names] : llvm::zip_equal(kept, aliases))
      if (!names.empty())
        func->setAttr(dsrt::kAliasesAttr, builder.getArrayAttr(names));
  }
};

} // namespace
