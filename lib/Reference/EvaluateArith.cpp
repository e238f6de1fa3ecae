//===- EvaluateArith.cpp - Ops of the arith and math dialects -------------===//
//
// Elementwise ops on scalars and tensors alike. Floats are computed in f64 and
// rounded to the result's type: for f32 and narrower types this equals a direct
// rounding of sum, difference, product, quotient and square root.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;

using Unary = double (*)(double);
using Binary = double (*)(double, double);
using IntBinary = int64_t (*)(int64_t, int64_t);

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static double smaller(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
}
static double larger(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
}

static Unary findUnary(StringRef name) {
  static const llvm::StringMap<Unary> table = {
      {"arith.negf", [](double a) { return -a; }},
      {"math.absf", [](double a) { return std::fabs(a); }},
      {"math.ceil", [](double a) { return std::ceil(a); }},
      {"math.cos", [](double a) { return std::cos(a); }},
      {"math.erf", [](double a) { return std::erf(a); }},
      {"math.exp", [](double a) { return std::exp(a); }},
      {"math.exp2", [](double a) { return std::exp2(a); }},
      {"math.expm1", [](double a) { return std::expm1(a); }},
      {"math.floor", [](double a) { return std::floor(a); }},
      {"math.log", [](double a) { return std::log(a); }},
      {"math.log1p", [](double a) { return std::log1p(a); }},
      {"math.log2", [](double a) { return std::log2(a); }},
      {"math.round", [](double a) { return std::round(a); }},
      {"math.roundeven", [](double a) { return std::nearbyint(a); }},
      {"math.rsqrt", [](double a) { return 1 / std::sqrt(a); }},
      {"math.sin", [](double a) { return std::sin(a); }},
      {"math.sqrt", [](double a) { return std::sqrt(a); }},
      {"math.tanh", [](double a) { return std::tanh(a); }},
      {"math.trunc", [](double a) { return std::trunc(a); }},
  };
  return table.lookup(name);
}

static Binary findBinary(StringRef name) {
  static const llvm::StringMap<Binary> table = {
      {"arith.addf", [](double a, double b) { return a + b; }},
      {"arith.subf", [](double a, double b) { return a - b; }},
      {"arith.mulf", [](double a, double b) { return a * b; }},
      {"arith.divf", [](double a, double b) { return a / b; }},
      {"arith.remf", [](double a, double b) { return std::fmod(a, b); }},
      {"arith.maximumf", larger},
      {"arith.minimumf", smaller},
      {"arith.maxnumf", [](double a, double b) { return std::fmax(a, b); }},
      {"arith.minnumf", [](double a, double b) { return std::fmin(a, b); }},
      {"math.atan2", [](double a, double b) { return std::atan2(a, b); }},
      {"math.copysign", [](double a, double b) { return std::copysign(a, b); }},
      {"math.powf", [](double a, double b) { return std::pow(a, b); }},
  };
  return table.lookup(name);
}

/// Wraps around, as the machine does.
static int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

static int64_t shiftLeft(int64_t a, int64_t b) {
  return b < 0 || b > 63 ? 0 : wrap(static_cast<uint64_t>(a) << b);
}
static int64_t shiftRight(int64_t a, int64_t b) {
  return a >> std::min<uint64_t>(static_cast<uint64_t>(b), 63);
}

/// Ops on operands taken as signed numbers.
static IntBinary findSigned(StringRef name) {
  static const llvm::StringMap<IntBinary> table = {
      {"arith.addi",
       [](int64_t a, int64_t b) { return wrap(uint64_t(a) + b); }},
      {"arith.subi",
       [](int64_t a, int64_t b) { return wrap(uint64_t(a) - b); }},
      {"arith.muli",
       [](int64_t a, int64_t b) { return wrap(uint64_t(a) * b); }},
      {"arith.andi", [](int64_t a, int64_t b) { return a & b; }},
      {"arith.ori", [](int64_t a, int64_t b) { return a | b; }},
      {"arith.xori", [](int64_t a, int64_t b) { return a ^ b; }},
      {"arith.shli", shiftLeft},
      {"arith.shrsi", shiftRight},
      {"arith.maxsi", [](int64_t a, int64_t b) { return std::max(a, b); }},
      {"arith.minsi", [](int64_t a, int64_t b) { return std::min(a, b); }},
  };
  return table.lookup(name);
}

/// Ops on operands taken as unsigned numbers.
static IntBinary findUnsigned(StringRef name) {
  static const llvm::StringMap<IntBinary> table = {
      {"arith.maxui",
       [](int64_t a, int64_t b) { return uint64_t(a) > uint64_t(b) ? a : b; }},
      {"arith.minui",
       [](int64_t a, int64_t b) { return uint64_t(a) < uint64_t(b) ? a : b; }},
      {"arith.shrui",
       [](int64_t a, int64_t b) {
         return uint64_t(b) > 63 ? 0 : wrap(uint64_t(a) >> b);
       }},
  };
  return table.lookup(name);
}

/// Divisions; the divisor is not zero, and -2^63 / -1 is excluded.
static IntBinary findDivision(StringRef name) {
  static const llvm::StringMap<IntBinary> table = {
      {"arith.divsi", [](int64_t a, int64_t b) { return a / b; }},
      {"arith.remsi", [](int64_t a, int64_t b) { return a % b; }},
      {"arith.floordivsi",
       [](int64_t a, int64_t b) {
         return a / b - (a % b != 0 && (a < 0) != (b < 0));
       }},
      {"arith.ceildivsi",
       [](int64_t a, int64_t b) {
         return a / b + (a % b != 0 && (a < 0) == (b < 0));
       }},
      {"arith.divui",
       [](int64_t a, int64_t b) { return wrap(uint64_t(a) / b); }},
      {"arith.remui",
       [](int64_t a, int64_t b) { return wrap(uint64_t(a) % b); }},
      {"arith.ceildivui",
       [](int64_t a, int64_t b) {
         return wrap(uint64_t(a) / b + (uint64_t(a) % b != 0));
       }},
  };
  return table.lookup(name);
}

//===----------------------------------------------------------------------===//
// Loops over elements
//===----------------------------------------------------------------------===//

/// Element `i` as an unsigned number of the tensor's width.
static int64_t getUnsigned(const Tensor &tensor, int64_t i) {
  int64_t bits = 8 * byteSize(tensor.type());
  int64_t value = tensor.getInt(i);
  return bits == 64 ? value : value & ((int64_t(1) << bits) - 1);
}

/// All operands have one shape, or the op is wrong.
static LogicalResult checkShapes(Evaluation &state) {
  for (const Tensor &operand : state.operands)
    if (operand.shape() != state.operands[0].shape())
      return state.fail("expected operands of one shape, got " +
                        toString(state.operands[0].shape()) + " and " +
                        toString(operand.shape()));
  return success();
}

/// The result: for each element, what `compute` returns.
template <typename Compute>
static LogicalResult mapFloats(Evaluation &state, Compute compute) {
  FailureOr<ElementType> type = state.resultType();
  if (failed(type) || failed(checkShapes(state)))
    return failure();
  Tensor result(*type, state.operands[0].shape());
  for (int64_t i = 0; i < result.size(); ++i)
    result.setFloat(i, compute(i));
  state.results.push_back(std::move(result));
  return success();
}

template <typename Compute>
static LogicalResult mapInts(Evaluation &state, Compute compute) {
  FailureOr<ElementType> type = state.resultType();
  if (failed(type) || failed(checkShapes(state)))
    return failure();
  Tensor result(*type, state.operands[0].shape());
  for (int64_t i = 0; i < result.size(); ++i)
    result.setInt(i, compute(i));
  state.results.push_back(std::move(result));
  return success();
}

static LogicalResult evaluateDivision(Evaluation &state, IntBinary function) {
  if (failed(checkShapes(state)))
    return failure();
  bool isUnsigned = state.op.getName().getStringRef().ends_with("ui");
  const Tensor &a = state.operands[0], &b = state.operands[1];
  for (int64_t i = 0; i < a.size(); ++i) {
    if (b.getInt(i) == 0)
      return state.fail("divides by zero");
    if (!isUnsigned && b.getInt(i) == -1 && a.getInt(i) == INT64_MIN)
      return state.fail("overflows");
  }
  return mapInts(state, [&](int64_t i) {
    return isUnsigned ? function(getUnsigned(a, i), getUnsigned(b, i))
                      : function(a.getInt(i), b.getInt(i));
  });
}

static bool compareInts(arith::CmpIPredicate predicate, int64_t a, int64_t b,
                        uint64_t ua, uint64_t ub) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  return false;
}

/// A predicate's number is a set: 1 equal, 2 greater, 4 less, 8 unordered.
static bool compareFloats(arith::CmpFPredicate predicate, double a, double b) {
  int relation = a == b ? 1 : a > b ? 2 : a < b ? 4 : 8;
  return static_cast<int>(predicate) & relation;
}

//===----------------------------------------------------------------------===//
// Other ops
//===----------------------------------------------------------------------===//

static LogicalResult evaluateConstant(Evaluation &state, arith::ConstantOp op) {
  if (auto elements = dyn_cast<ElementsAttr>(op.getValue()))
    return state.finish(Tensor::fromAttribute(elements));
  FailureOr<ElementType> type = state.resultType();
  if (failed(type))
    return failure();
  Tensor result(*type, {});
  if (auto value = dyn_cast<FloatAttr>(op.getValue()))
    result.setFloat(0, value.getValueAsDouble());
  else if (auto value = dyn_cast<IntegerAttr>(op.getValue()))
    result.setInt(0, value.getValue().getZExtValue());
  else
    return state.unsupported();
  state.results.push_back(std::move(result));
  return success();
}

static LogicalResult evaluateSelect(Evaluation &state) {
  const Tensor &condition = state.operands[0];
  const Tensor &a = state.operands[1], &b = state.operands[2];
  if (condition.rank() == 0)
    return state.finish(condition.getInt(0) ? a : b);
  if (isFloat(a.type()))
    return mapFloats(state, [&](int64_t i) {
      return condition.getInt(i) ? a.getFloat(i) : b.getFloat(i);
    });
  return mapInts(state, [&](int64_t i) {
    return condition.getInt(i) ? a.getInt(i) : b.getInt(i);
  });
}

static LogicalResult evaluateBitcast(Evaluation &state) {
  FailureOr<ElementType> type = state.resultType();
  if (failed(type))
    return failure();
  const Tensor &in = state.operands[0];
  if (byteSize(*type) != byteSize(in.type()))
    return state.unsupported();
  Tensor result(*type, in.shape());
  std::memcpy(result.mutableData(), in.data(), in.bytes());
  state.results.push_back(std::move(result));
  return success();
}

static LogicalResult evaluateConversion(Evaluation &state) {
  const Tensor &in = state.operands[0];
  return TypeSwitch<Operation *, LogicalResult>(&state.op)
      .Case<arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp>([&](auto) {
        return mapFloats(state, [&](int64_t i) { return in.getFloat(i); });
      })
      .Case<arith::UIToFPOp>([&](auto) {
        return mapFloats(state, [&](int64_t i) {
          return static_cast<double>(uint64_t(getUnsigned(in, i)));
        });
      })
      .Case<arith::FPToSIOp, arith::FPToUIOp>([&](auto) {
        return mapInts(state, [&](int64_t i) {
          // What does not fit is undefined in MLIR; here it is 0.
          double value = in.getFloat(i);
          return std::fabs(value) < 9.2e18 ? static_cast<int64_t>(value) : 0;
        });
      })
      .Case<arith::ExtSIOp, arith::IndexCastOp>([&](auto) {
        bool isBit = in.type() == ElementType::I1;
        return mapInts(state, [&](int64_t i) {
          return isBit ? -in.getInt(i) : in.getInt(i);
        });
      })
      .Case<arith::ExtUIOp, arith::TruncIOp, arith::IndexCastUIOp>([&](auto) {
        return mapInts(state, [&](int64_t i) { return getUnsigned(in, i); });
      })
      .Case<arith::BitcastOp>([&](auto) { return evaluateBitcast(state); })
      .Default([&](Operation *) { return state.unsupported(); });
}

LogicalResult reference::evaluateArith(Evaluation &state) {
  StringRef name = state.op.getName().getStringRef();
  if (auto op = dyn_cast<arith::ConstantOp>(state.op))
    return evaluateConstant(state, op);
  if (isa<arith::SelectOp>(state.op))
    return evaluateSelect(state);
  ArrayRef<Tensor> in = state.operands;
  if (in.empty())
    return state.unsupported();
  if (Unary function = findUnary(name))
    return mapFloats(state,
                     [&](int64_t i) { return function(in[0].getFloat(i)); });
  if (Binary function = findBinary(name))
    return mapFloats(state, [&](int64_t i) {
      return function(in[0].getFloat(i), in[1].getFloat(i));
    });
  if (name == "math.fma")
    return mapFloats(state, [&](int64_t i) -> double {
      if (in[0].type() == ElementType::F64)
        return std::fma(in[0].getFloat(i), in[1].getFloat(i),
                        in[2].getFloat(i));
      return std::fma(static_cast<float>(in[0].getFloat(i)),
                      static_cast<float>(in[1].getFloat(i)),
                      static_cast<float>(in[2].getFloat(i)));
    });
  if (IntBinary function = findSigned(name))
    return mapInts(state, [&](int64_t i) {
      return function(in[0].getInt(i), in[1].getInt(i));
    });
  if (IntBinary function = findUnsigned(name))
    return mapInts(state, [&](int64_t i) {
      return function(getUnsigned(in[0], i), getUnsigned(in[1], i));
    });
  if (IntBinary function = findDivision(name))
    return evaluateDivision(state, function);
  if (auto op = dyn_cast<arith::CmpIOp>(state.op))
    return mapInts(state, [&](int64_t i) {
      return compareInts(op.getPredicate(), in[0].getInt(i), in[1].getInt(i),
                         getUnsigned(in[0], i), getUnsigned(in[1], i));
    });
  if (auto op = dyn_cast<arith::CmpFOp>(state.op))
    return mapInts(state, [&](int64_t i) {
      return compareFloats(op.getPredicate(), in[0].getFloat(i),
                           in[1].getFloat(i));
    });
  return evaluateConversion(state);
}
