//===- AnyBalance.cpp - Loads of experts, biases, drafted tokens ----------===//
//
//   expert_load, CTA e:         y[e] = number of indices that are e
//   update_router_bias, a CTA:  total = sum of all loads, in 64 bits
//                               y[e] = bias[e] + speed * sign(total - load[e]
//                               E)
//   mtp_verify, thread b:       m = 0; while m < M and draft[b, m] equals
//                                       choice[b, m]: ++m
//                               accepted[b] = m; next[b] = choice[b, m]
//
// Small integers, seldom: one launch each, nothing to choose but the threads.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/RowEmitters.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

using Vals = SmallVector<Val>;

Val loadI32(KernelBuilder &k, Val address, Val index) {
  return k.load(k.getI32Type(), k.at(address, k.toI64(index) * 4));
}

void emitOp(KernelBuilder &k, ExpertLoadOp) {
  Val expert = k.blockId(0), count = k.param(2);
  Val mine = k.forLoop(k.threadId(), count, k.i32(k.getThreads()), {k.i32(0)},
                       [&](Val i, ArrayRef<Val> carried) -> Vals {
                         Val is = loadI32(k, k.param(0), i) == expert;
                         return {carried[0] + k.select(is, k.i32(1), k.i32(0))};
                       })[0];
  Val load = k.blockSum(mine);
  k.ifThen(k.threadId() == 0,
           [&] { k.store(load, k.at(k.param(1), expert * 4)); });
}

/// All numbers are whole: no rounding of the mean.
void emitOp(KernelBuilder &k, UpdateRouterBiasOp op) {
  Val experts = k.param(3), threads = k.i32(k.getThreads());
  auto load = [&](Val i) {
    return k.val(
        arith::ExtSIOp::create(k, k.getI64Type(), loadI32(k, k.param(1), i)));
  };
  Val total = k.forLoop(k.threadId(), experts, threads, {k.i64(0)},
                        [&](Val i, ArrayRef<Val> carried) -> Vals {
                          return {carried[0] + load(i)};
                        })[0];
  total = k.blockSum(total);
  double speed = op.getSpeed().convertToDouble();
  k.forLoop(k.threadId(), experts, threads, [&](Val i) {
    Val product = load(i) * k.toI64(experts), offset = k.toI64(i) * 4;
    Val step = k.select(k.signedLess(total, product), k.f32(-speed), k.f32(0));
    step = k.select(k.signedLess(product, total), k.f32(speed), step);
    Val bias = k.load(k.getF32Type(), k.at(k.param(0), offset));
    k.store(bias + step, k.at(k.param(2), offset));
  });
}

void emitOp(KernelBuilder &k, MtpVerifyOp op) {
  int64_t drafted =
      cast<RankedTensorType>(op.getDraft().getType()).getDimSize(1);
  Val sequence = k.blockId(0) * k.getThreads() + k.threadId();
  k.ifThen(sequence < k.param(4), [&] {
    Val matches = k.i1(true), accepted = k.i32(0);
    for (int64_t m = 0; m < drafted; ++m) {
      Val equal = loadI32(k, k.param(0), sequence * drafted + m) ==
                  loadI32(k, k.param(1), sequence * (drafted + 1) + m);
      matches = matches & equal;
      accepted = accepted + k.select(matches, k.i32(1), k.i32(0));
    }
    Val next = loadI32(k, k.param(1), sequence * (drafted + 1) + accepted);
    k.store(accepted, k.at(k.param(2), k.toI64(sequence) * 4));
    k.store(next, k.at(k.param(3), k.toI64(sequence) * 4));
  });
}

/// Drafted tokens that are compared in straight code.
constexpr int64_t kMaxDrafted = 64;

bool canEmit(ExpertLoadOp) { return true; }
bool canEmit(UpdateRouterBiasOp) { return true; }
bool canEmit(MtpVerifyOp op) {
  auto draft = cast<RankedTensorType>(op.getDraft().getType());
  return !draft.isDynamicDim(1) && draft.getDimSize(1) <= kMaxDrafted;
}

/// CTAs of `threads`, and what the device function counts.
struct Extent {
  Value ctas, count;
};

Extent getExtent(LaunchBuilder &launch, ExpertLoadOp op, int64_t) {
  return {launch.i64(op.getNumExperts()), launch.elementCount(0)};
}
Extent getExtent(LaunchBuilder &launch, UpdateRouterBiasOp, int64_t) {
  return {launch.i64(1), launch.size(0, 0)};
}
Extent getExtent(LaunchBuilder &launch, MtpVerifyOp, int64_t threads) {
  Value sequences = launch.size(0, 0);
  return {launch.ceilDiv(sequences, threads), sequences};
}

/// One emitter for each of the ops.
template <typename OpT>
class BalanceEmitter : public KernelEmitter {
public:
  explicit BalanceEmitter(StringRef name) : name(name) {}

  StringRef getName() const override { return name; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    auto op = getOnlyOp<OpT>(kernel);
    return op && canEmit(op);
  }

  Configuration configure(func::FuncOp kernel, const Chip &) const override {
    Builder b(kernel.getContext());
    return {{b.getNamedAttr("threads", b.getI64IntegerAttr(128))},
            "a few integers: latency bound"};
  }

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override {
    FailureOr<int64_t> threads = getThreads(kernel, parameters, "threads");
    if (failed(threads))
      return failure();
    auto op = getOnlyOp<OpT>(kernel);
    SmallVector<Type> types = getDataTypes(kernel);
    types.push_back(launch.getI32Type());
    KernelBuilder k(launch, "", types, *threads);
    startDependent(k);
    emitOp(k, op);
    Extent extent = getExtent(launch, op, *threads);
    SmallVector<Value> values = getData(launch);
    values.push_back(launch.toI32(extent.count));
    Value one = launch.i64(1);
    launch.launch(k, {extent.ctas, one, one}, values);
    return success();
  }

private:
  StringRef name;
};

} // namespace

const KernelEmitter *deepseek::getExpertLoadEmitter() {
  static const BalanceEmitter<ExpertLoadOp> emitter("any_expert_load");
  return &emitter;
}
const KernelEmitter *deepseek::getUpdateRouterBiasEmitter() {
  static const BalanceEmitter<UpdateRouterBiasOp> emitter(
      "any_update_router_bias");
  return &emitter;
}
const KernelEmitter *deepseek::getMtpVerifyEmitter() {
  static const BalanceEmitter<MtpVerifyOp> emitter("any_mtp_verify");
  return &emitter;
}
