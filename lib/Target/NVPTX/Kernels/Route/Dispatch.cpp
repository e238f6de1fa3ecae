//===- Dispatch.cpp - Rows in the order of their experts ------------------===//

#include "lib/Target/NVPTX/Kernels/Route/Route.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

using Vals = SmallVector<Val>;

static constexpr int64_t kWarp = 32;

static int64_t getRouted(MoEDispatchOp op) {
  return cast<RankedTensorType>(op.getIndices().getType()).getDimSize(1);
}

/// Bytes of a row of `x` or of its scales.
static int64_t getRowBytes(Value x) {
  auto type = cast<RankedTensorType>(x.getType());
  return type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
}

/// The widest access, up to 16 bytes, that divides a row.
static int64_t getVectorBytes(int64_t rowBytes) {
  int64_t bytes = 16;
  while (rowBytes % bytes != 0)
    bytes /= 2;
  return bytes;
}

bool deepseek::canDispatch(MoEDispatchOp op) {
  auto isStatic = [](Value x) {
    return !cast<RankedTensorType>(x.getType()).isDynamicDim(1);
  };
  if (!isStatic(op.getX()) || !isStatic(op.getIndices()) ||
      getRowBytes(op.getX()) == 0 || getRouted(op) == 0)
    return false;
  return !op.getXScale() ||
         (isStatic(op.getXScale()) && getRowBytes(op.getXScale()) != 0);
}

int64_t deepseek::getRowVectors(MoEDispatchOp op) {
  int64_t bytes = getRowBytes(op.getX());
  return bytes / getVectorBytes(bytes);
}

//===----------------------------------------------------------------------===//
// sort
//===----------------------------------------------------------------------===//

static Val ballot(KernelBuilder &k, Val condition) {
  return k.val(NVVM::VoteSyncOp::create(k, k.getI32Type(), k.i32(-1), condition,
                                        NVVM::VoteSyncKind::ballot));
}

static Val popCount(KernelBuilder &k, Val bits) {
  return k.val(LLVM::CtPopOp::create(k, bits));
}

namespace {

/// The CTA of one expert.
class Sorter {
public:
  Sorter(KernelBuilder &k, MoEDispatchOp op, Val expert)
      : k(k), op(op), routed(getRouted(op)),
        choices(routed + op.getSharedGroup()), expert(expert),
        indices(k.param(0)), offsets(k.param(1)), source(k.param(2)),
        tokens(k.param(3)), count(tokens * routed), lane(k.lane()) {}

  void sortRouted();
  void sortShared();

private:
  void storeSource(Val place, Val token, Val choice);

  KernelBuilder &k;
  MoEDispatchOp op;
  int64_t routed, choices;
  Val expert, indices, offsets, source, tokens, count, lane;
};

} // namespace

void Sorter::storeSource(Val place, Val token, Val choice) {
  k.store(token * choices + choice, k.at(source, k.toI64(place) * 4));
}

/// Two passes over the choices. The warps' parts follow each other, so that the
/// rows of an expert keep the order of the tokens.
void Sorter::sortRouted() {
  Type i32 = k.getI32Type();
  int64_t warps = k.getThreads() / kWarp;
  Val warp = k.warp();
  Val part = (count + (k.getThreads() - 1)) / k.getThreads() * kWarp;
  Val begin = k.min(warp * part, count), end = k.min(begin + part, count);
  auto load = [&](Val index) {
    return k.load(i32, k.at(indices, k.toI64(index) * 4));
  };

  Vals counted = k.forLoop(
      begin + lane, end, k.i32(kWarp), {k.i32(0), k.i32(0)},
      [&](Val index, ArrayRef<Val> carried) -> Vals {
        Val other = load(index);
        return {carried[0] + k.select(other < expert, k.i32(1), k.i32(0)),
                carried[1] + k.select(other == expert, k.i32(1), k.i32(0))};
      });
  Val below = k.blockSum(counted[0]), mine = k.warpSum(counted[1]);
  Val counts = k.shared(4 * warps);
  k.ifThen(lane == 0, [&] { k.store(mine, k.at(counts, warp * 4)); });
  k.barrier();
  Val place = below;
  for (int64_t other = 0; other < warps; ++other)
    place = place + k.select(k.i32(other) < warp,
                             k.load(i32, k.at(counts, 4 * other)), k.i32(0));
  k.ifThen(k.threadId() == 0,
           [&] { k.store(below, k.at(offsets, expert * 4)); });

  // Whole warps: all lanes vote.
  k.forLoop(begin, end, k.i32(kWarp), {place},
            [&](Val first, ArrayRef<Val> carried) -> Vals {
              Val index = first + lane;
              Val within = index < end;
              Val other = k.ifElse(
                  within, [&]() -> Vals { return {load(index)}; },
                  [&]() -> Vals { return {k.i32(-1)}; })[0];
              Val isMine = other == expert;
              Val votes = ballot(k, isMine);
              Val before = popCount(k, votes & ((k.i32(1) << lane) - 1));
              k.ifThen(isMine, [&] {
                storeSource(carried[0] + before, index / routed,
                            index % routed);
              });
              return {carried[0] + popCount(k, votes)};
            });
}

/// Behind all others: the number of rows, and the shared expert's.
void Sorter::sortShared() {
  int64_t experts = op.getNumExperts();
  k.ifThen(k.threadId() == 0, [&] {
    if (op.getSharedGroup())
      k.store(count, k.at(offsets, 4 * (experts - 1)));
    k.store(tokens * choices, k.at(offsets, 4 * experts));
  });
  if (!op.getSharedGroup())
    return;
  k.forLoop(k.threadId(), tokens, k.i32(k.getThreads()), [&](Val token) {
    storeSource(count + token, token, k.i32(routed));
  });
}

void deepseek::emitSort(LaunchBuilder &launch, MoEDispatchOp op,
                        int64_t threads, PlaceOf place) {
  Type global = KernelBuilder::globalType(launch.getContext());
  KernelBuilder k(launch, "sort", {global, global, global, launch.getI32Type()},
                  threads);
  startDependent(k);
  int64_t routedExperts = op.getNumExperts() - op.getSharedGroup();
  Val expert = k.blockId(0);
  Sorter sorter(k, op, expert);
  k.ifThen(expert < k.i32(routedExperts), [&] { sorter.sortRouted(); });
  k.ifThen(expert == routedExperts, [&] { sorter.sortShared(); });
  Value one = launch.i64(1);
  unsigned indices = place(op.getIndices());
  launch.launch(k, {launch.i64(routedExperts + 1), one, one},
                {launch.data(indices), launch.data(place(op.getOffsets())),
                 launch.data(place(op.getSource())),
                 launch.toI32(launch.size(indices, 0))});
}

//===----------------------------------------------------------------------===//
// copy
//===----------------------------------------------------------------------===//

/// The team's copy of one row.
static void copyRow(KernelBuilder &k, int64_t rowBytes, Val from, Val to) {
  int64_t bytes = getVectorBytes(rowBytes);
  Type type = k.getIntegerType(std::min<int64_t>(bytes, 4) * 8);
  if (bytes > 4)
    type = VectorType::get(bytes / 4, type);
  k.forLoop(k.threadId() * bytes, k.i32(rowBytes),
            k.i32(k.getThreads() * bytes), [&](Val at) {
              k.store(k.load(type, k.at(from, at), bytes), k.at(to, at), bytes);
            });
}

void deepseek::emitCopy(LaunchBuilder &launch, MoEDispatchOp op,
                        int64_t threads, PlaceOf place) {
  SmallVector<std::pair<Value, Value>> copies = {{op.getX(), op.getRows()}};
  if (op.getXScale())
    copies.push_back({op.getXScale(), op.getRowsScale()});
  SmallVector<Value> parameters = {launch.data(place(op.getSource()))};
  for (auto [from, to] : copies) {
    parameters.push_back(launch.data(place(from)));
    parameters.push_back(launch.data(place(to)));
  }
  SmallVector<Type> types(parameters.size(),
                          KernelBuilder::globalType(launch.getContext()));
  KernelBuilder k(launch, "copy", types, threads);
  startDependent(k);
  Val row = k.blockId(0);
  Val token = k.load(k.getI32Type(), k.at(k.param(0), k.toI64(row) * 4)) /
              (getRouted(op) + op.getSharedGroup());
  for (auto [index, copy] : llvm::enumerate(copies)) {
    int64_t bytes = getRowBytes(copy.first);
    copyRow(k, bytes, k.at(k.param(1 + 2 * index), k.toI64(token) * bytes),
            k.at(k.param(2 + 2 * index), k.toI64(row) * bytes));
  }
  Value one = launch.i64(1);
  launch.launch(k, {launch.size(place(op.getRows()), 0), one, one}, parameters);
}
