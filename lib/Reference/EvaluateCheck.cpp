//===- EvaluateCheck.cpp - Expectations -----------------------------------===//
//
// check.expect_close, check.expect_eq, and dsrt.expect, which both become
// later.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"
#include "dialects/Check/IR/CheckDialect.h"
#include "dialects/DSRT/IR/DSRTDialect.h"

#include "llvm/Support/Format.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

/// How an element is printed in a message.
static std::string printElement(const Tensor &tensor, int64_t i) {
  if (!isFloat(tensor.type()))
    return std::to_string(tensor.getInt(i));
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.9g", tensor.getFloat(i));
  return text;
}

static Shape getPosition(ArrayRef<int64_t> shape, int64_t linear) {
  Shape position(shape.size());
  for (size_t d = shape.size(); d-- > 0; linear /= shape[d])
    position[d] = linear % shape[d];
  return position;
}

static bool isClose(const Tensor &actual, const Tensor &expected, int64_t i,
                    double atol, double rtol) {
  double a = actual.getFloat(i), e = expected.getFloat(i);
  return a == e || std::fabs(a - e) <= atol + rtol * std::fabs(e);
}

static bool isEqual(const Tensor &actual, const Tensor &expected, int64_t i) {
  int64_t bytes = byteSize(actual.type());
  return std::memcmp(actual.data() + i * bytes, expected.data() + i * bytes,
                     bytes) == 0;
}

/// Fails with the first element that is not `good`, and the number of such.
static LogicalResult expectAll(Evaluation &state,
                               function_ref<bool(int64_t)> good) {
  const Tensor &actual = state.operands[0], &expected = state.operands[1];
  if (actual.shape() != expected.shape() || actual.type() != expected.type())
    return state.fail("expected " + expected.describe() + ", got " +
                      actual.describe());
  int64_t first = -1, bad = 0;
  for (int64_t i = 0; i < actual.size(); ++i)
    if (!good(i) && bad++ == 0)
      first = i;
  if (bad == 0)
    return success();
  return state.fail("failed at " +
                    toString(getPosition(actual.shape(), first)) +
                    ": expected " + printElement(expected, first) + ", got " +
                    printElement(actual, first) + " (" + Twine(bad) + " of " +
                    Twine(actual.size()) + " elements differ)");
}

LogicalResult reference::evaluateCheck(Evaluation &state) {
  double atol = 0, rtol = 0;
  bool exact = isa<check::ExpectEqOp>(state.op);
  if (auto op = dyn_cast<check::ExpectCloseOp>(state.op)) {
    atol = op.getAtol().convertToDouble();
    rtol = op.getRtol().convertToDouble();
  } else if (auto op = dyn_cast<dsrt::ExpectOp>(state.op)) {
    atol = op.getAtol().convertToDouble();
    rtol = op.getRtol().convertToDouble();
    exact = op.getExact();
  } else if (!exact) {
    return state.unsupported();
  }
  const Tensor &actual = state.operands[0], &expected = state.operands[1];
  return expectAll(state, [&](int64_t i) {
    return exact ? isEqual(actual, expected, i)
                 : isClose(actual, expected, i, atol, rtol);
  });
}
