//===- Choose.cpp - The router of one token in one warp -------------------===//

#include "lib/Target/NVPTX/Kernels/OrderedKey.h"
#include "lib/Target/NVPTX/Kernels/Route/Route.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::deepseek;

using Vals = SmallVector<Val>;

static constexpr int64_t kWarp = 32;
/// Experts that a lane can hold in registers without spilling.
static constexpr int64_t kMaxPerLane = 16;
/// The key of what cannot be chosen, or not again.
static constexpr int64_t kNoKey = 0;

LaneShape deepseek::getLaneShape(RouteOp op) {
  LaneShape shape;
  shape.experts =
      cast<RankedTensorType>(op.getLogits().getType()).getDimSize(1);
  shape.groups = op.getGroups();
  shape.groupSize = shape.experts / shape.groups;
  shape.lanesPerGroup = llvm::bit_floor<uint64_t>(kWarp / shape.groups);
  shape.perLane = llvm::divideCeil(shape.groupSize, shape.lanesPerGroup);
  return shape;
}

bool deepseek::canRoute(RouteOp op) {
  auto logits = cast<RankedTensorType>(op.getLogits().getType());
  return !logits.isDynamicDim(1) && op.getTopK() <= kWarp &&
         op.getGroups() <= kWarp && getLaneShape(op).perLane <= kMaxPerLane;
}

namespace {

class Router {
public:
  Router(KernelBuilder &k, RouteOp op, Val token)
      : k(k), op(op), shape(getLaneShape(op)), token(token), lane(k.lane()),
        group(lane / shape.lanesPerGroup) {}

  void run(Val logits, std::optional<Val> bias, Val scores, Val indices);

private:
  Vals load(Val row, double padding);
  Vals score(Vals logits);
  Val groupValue(ArrayRef<Val> keys);
  Val keepsGroup(Val value);
  Val reduce(StringRef name, Val value);
  Val expert(int64_t i);
  Val holds(int64_t i);

  KernelBuilder &k;
  RouteOp op;
  LaneShape shape;
  Val token, lane, group;
};

} // namespace

/// The number of this lane's expert `i`.
Val Router::expert(int64_t i) {
  return group * shape.groupSize + lane % shape.lanesPerGroup * shape.perLane +
         i;
}

/// Whether this lane has an expert `i`.
Val Router::holds(int64_t i) {
  Val inGroup = lane % shape.lanesPerGroup * shape.perLane + i;
  Val within = inGroup < k.i32(shape.groupSize);
  return (group < k.i32(shape.groups)) & within;
}

/// f32 of a row [E].
Vals Router::load(Val row, double padding) {
  Vals values;
  for (int64_t i = 0; i < shape.perLane; ++i)
    values.push_back(k.ifElse(
        holds(i),
        [&]() -> Vals {
          return {k.load(k.getF32Type(), k.at(row, expert(i) * 4))};
        },
        [&]() -> Vals { return {k.f32(padding)}; })[0]);
  return values;
}

/// exp as the host computes it: 2^n * p(r) within 2 ulp, so that both choose
/// the same experts.
static Val exactExp(KernelBuilder &k, Val x) {
  auto c = [&](double value) { return k.f32(value); };
  Val bounded = k.min(k.max(x, c(-87.33654022216797)), c(88.72283172607422));
  Val shifter = c(12582912.0); // 1.5 * 2^23: rounds to an integer
  Val shifted = k.fma(bounded, c(1.4426950408889634), shifter);
  Val n = shifted - shifter;
  Val r = k.fma(n, c(-0.693145751953125), bounded);
  r = k.fma(n, c(-1.428606765330187e-06), r);
  Val p = c(1.9875691500e-4);
  for (double coefficient : {1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                             0.16666665459, 0.5, 1.0, 1.0})
    p = k.fma(p, r, c(coefficient));
  // 2^n in two steps, since n may be 128.
  Val exponent = k.bitcast(shifted, k.getI32Type()) - 0x4B400000;
  Val half = k.val(arith::ShRSIOp::create(k, exponent, k.i32(1)));
  auto power = [&](Val e) {
    return k.bitcast((e + 127) << 23, k.getF32Type());
  };
  Val result = p * power(half) * power(exponent - half);
  result = k.select(x < c(-87.33654022216797), c(0), result);
  result = k.select(x > c(88.72283172607422),
                    c(std::numeric_limits<double>::infinity()), result);
  return result;
}

Vals Router::score(Vals logits) {
  if (op.getScoring() == Scoring::Sigmoid) {
    for (Val &value : logits)
      value = k.f32(1) / (exactExp(k, k.neg(value)) + 1.0);
    return logits;
  }
  Val largest = logits.front();
  for (Val value : ArrayRef(logits).drop_front())
    largest = k.max(largest, value);
  largest = k.warpMax(largest);
  Val sum = k.f32(0);
  for (Val &value : logits) { // exp(-inf) of padding is 0
    value = exactExp(k, value - largest);
    sum = sum + value;
  }
  sum = k.warpSum(sum);
  for (Val &value : logits)
    value = value / sum;
  return logits;
}

/// The sum of a group's two largest choices, or its largest without a bias.
Val Router::groupValue(ArrayRef<Val> choices) {
  Val first = choices.front(),
      second = k.f32(-std::numeric_limits<double>::infinity());
  auto insert = [&](Val otherFirst, Val otherSecond) {
    second = k.max(k.min(first, otherFirst), k.max(second, otherSecond));
    first = k.max(first, otherFirst);
  };
  Val none = second;
  for (Val choice : choices.drop_front())
    insert(choice, none);
  for (int64_t mask = 1; mask < shape.lanesPerGroup; mask *= 2) {
    Val otherFirst = k.shuffleXor(first, mask);
    Val otherSecond = k.shuffleXor(second, mask);
    insert(otherFirst, otherSecond);
  }
  return op.getBias() && shape.groupSize > 1 ? first + second : first;
}

/// Whether fewer than top_groups groups are better than this lane's; of equals
/// the lowest is best.
Val Router::keepsGroup(Val value) {
  Val better = k.i32(0);
  for (int64_t other = 0; other < shape.groups; ++other) {
    Val theirs = k.shuffleIndex(value, k.i32(other * shape.lanesPerGroup));
    Val wins = (theirs > value) | ((theirs == value) & (k.i32(other) < group));
    better = better + k.select(wins, k.i32(1), k.i32(0));
  }
  return better < k.i32(op.getTopGroups());
}

Val Router::reduce(StringRef name, Val value) {
  return k.intrinsic(("llvm.nvvm.redux.sync." + name).str(), k.getI32Type(),
                     {value, k.i32(-1)});
}

void Router::run(Val logits, std::optional<Val> bias, Val scores, Val indices) {
  const double lowest = -std::numeric_limits<double>::infinity();
  Val rowBytes = k.toI64(token) * (4 * shape.experts);
  Vals biases;
  if (bias)
    biases = load(*bias, lowest);
  Vals s = score(load(k.at(logits, rowBytes), lowest));
  Vals choices = s, keys;
  for (int64_t i = 0; i < shape.perLane; ++i) {
    if (bias)
      choices[i] = s[i] + biases[i];
    // An empty place is below all others.
    choices[i] = k.select(holds(i), choices[i], k.f32(lowest));
  }
  std::optional<Val> keeps;
  if (shape.groups > 1)
    keeps = keepsGroup(groupValue(choices));
  for (int64_t i = 0; i < shape.perLane; ++i) {
    Val key = orderedKey(k, choices[i]);
    if (keeps)
      key = k.select(*keeps, key, k.i32(kLowestKey));
    keys.push_back(k.select(holds(i), key, k.i32(kNoKey)));
  }

  Val myScore = k.f32(0), myExpert = k.i32(0), sum = k.f32(0);
  int64_t topK = op.getTopK();
  for (int64_t round = 0; round < topK; ++round) {
    Val bestKey = keys[0], bestPlace = k.i32(0), bestScore = s[0];
    for (int64_t i = 1; i < shape.perLane; ++i) {
      Val better = keys[i] > bestKey;
      bestKey = k.select(better, keys[i], bestKey);
      bestPlace = k.select(better, k.i32(i), bestPlace);
      bestScore = k.select(better, s[i], bestScore);
    }
    Val largest = reduce("umax", bestKey);
    Val candidate = k.select(bestKey == largest, expert(0) + bestPlace,
                             k.i32(shape.experts));
    Val winner = reduce("umin", candidate);
    Val mine = winner == candidate;
    Val owner = winner / shape.groupSize * shape.lanesPerGroup +
                winner % shape.groupSize / shape.perLane;
    Val score = k.shuffleIndex(bestScore, owner);
    sum = sum + score;
    Val isRound = lane == round;
    myScore = k.select(isRound, score, myScore);
    myExpert = k.select(isRound, winner, myExpert);
    for (int64_t i = 0; i < shape.perLane; ++i)
      keys[i] = k.select(mine & (bestPlace == i), k.i32(kNoKey), keys[i]);
  }
  if (op.getNormalize())
    myScore = myScore / (sum + 1e-20);
  myScore = myScore * op.getScale().convertToDouble();
  k.ifThen(lane < k.i32(topK), [&] {
    Val at = (k.toI64(token) * topK + k.toI64(lane)) * 4;
    k.store(myScore, k.at(scores, at));
    k.store(myExpert, k.at(indices, at));
  });
}

void deepseek::emitRoute(LaunchBuilder &launch, RouteOp op,
                         int64_t tokensPerCta, PlaceOf place) {
  Type global = KernelBuilder::globalType(launch.getContext());
  SmallVector<Value> parameters = {launch.data(place(op.getLogits())),
                                   launch.data(place(op.getScores())),
                                   launch.data(place(op.getIndices()))};
  if (op.getBias())
    parameters.push_back(launch.data(place(op.getBias())));
  SmallVector<Type> types(parameters.size(), global);
  types.push_back(launch.getI32Type());
  Value tokens = launch.size(place(op.getLogits()), 0);
  parameters.push_back(launch.toI32(tokens));

  KernelBuilder k(launch, "route", types, kWarp * tokensPerCta);
  startDependent(k);
  Val token = k.blockId(0) * tokensPerCta + k.warp();
  k.ifThen(token < k.param(types.size() - 1), [&] {
    std::optional<Val> bias;
    if (op.getBias())
      bias = k.param(3);
    Router(k, op, token).run(k.param(0), bias, k.param(1), k.param(2));
  });
  Value one = launch.i64(1);
  launch.launch(k, {launch.ceilDiv(tokens, tokensPerCta), one, one},
                parameters);
}
