//===- CheckToDSRT.cpp - Expectations as calls of the runtime -------------===//
//
// check.expect_close and check.expect_eq of host functions -> dsrt.expect.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Conversion/Passes.h"

#include "dialects/Check/IR/CheckDialect.h"
#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_CONVERTCHECKTODSRT
#include "deepseek/Conversion/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;

/// `exact` is bitwise equality; the tolerances are then unused.
static void replaceByExpect(Operation *op, Value actual, Value expected,
                            double atol, double rtol, bool exact) {
  OpBuilder builder(op);
  dsrt::ExpectOp::create(builder, op->getLoc(), actual, expected,
                         builder.getF64FloatAttr(atol),
                         builder.getF64FloatAttr(rtol),
                         exact ? builder.getUnitAttr() : UnitAttr());
  op->erase();
}

namespace {

struct ConvertCheckToDSRT
    : deepseek::impl::ConvertCheckToDSRTBase<ConvertCheckToDSRT> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      func.walk([](Operation *op) {
        if (auto close = dyn_cast<check::ExpectCloseOp>(op))
          replaceByExpect(op, close.getActual(), close.getExpected(),
                          close.getAtol().convertToDouble(),
                          close.getRtol().convertToDouble(), false);
        else if (auto equal = dyn_cast<check::ExpectEqOp>(op))
          replaceByExpect(op, equal.getActual(), equal.getExpected(), 0.0, 0.0,
                          true);
      });
  }
};

} // namespace
