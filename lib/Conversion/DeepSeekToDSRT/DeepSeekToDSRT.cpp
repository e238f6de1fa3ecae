//===- DeepSeekToDSRT.cpp - Weights of the host program -------------------===//
//
// deepseek.get_weight of host functions -> dsrt.get_weight. The type, with its
// encoding, stays; bufferization drops it. The table of deepseek.weight stays
// too.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Conversion/Passes.h"

#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_CONVERTDEEPSEEKTODSRT
#include "deepseek/Conversion/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

namespace {

struct ConvertDeepSeekToDSRT
    : deepseek::impl::ConvertDeepSeekToDSRTBase<ConvertDeepSeekToDSRT> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      func.walk([](deepseek::GetWeightOp op) {
        OpBuilder builder(op);
        auto weight = dsrt::GetWeightOp::create(
            builder, op.getLoc(), op.getType(), op.getWeightAttr());
        op.getResult().replaceAllUsesWith(weight.getResult());
        op.erase();
      });
  }
};

} // namespace
