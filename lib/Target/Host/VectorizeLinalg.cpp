//===- VectorizeLinalg.cpp - linalg on memrefs to loops of 16 lanes -------===//
//
// Lowers every linalg.generic to scf loops around vector<16x> code, in an order
// of operations that is a function of the op alone. Upstream's vectoriser wants
// static shapes and leaves the order of sums to what fits the machine; here the
// order is part of the result's definition (see Numerics.md).
//
// One loop is the vector loop (LoopPlan.h):
//   parallel:   out[v .. v+15] is kept in a register while the reductions run
//   reduction:  16 partial results, then a fixed tree over the lanes
// If no loop fits, scalar loops run in the op's own order. Several outputs of a
// sum are computed at once (kJam) to reuse what they share; that changes no
// result. An op outside of any scf.forall gets one around its outermost loop.
//
// FP8 weights are looked up in tables where the chip can (Fp8Table.h).
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Passes.h"

#include "GenericLowering.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_HOSTVECTORIZELINALG
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

/// Steps of fewer bits would fetch each 64 bytes too often.
static constexpr int64_t kPrefetchBits = 256;
/// Below this many iterations the thread team costs more than it gives.
static constexpr int64_t kParallelThreshold = 1024;

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// for (iv[dim] = from; iv[dim] < to; iv[dim] += step)
void GenericLowering::emitLoop(unsigned dim, Value from, Value to, int64_t step,
                               LeafFn leaf) {
  auto loop = scf::ForOp::create(b, loc, from, to, constantIndex(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  iv[dim] = loop.getInductionVar();
  leaf();
}

/// Parallel loops around `leaf`; a jammed loop runs in steps of kJam and, where
/// its size may leave a rest, once more in steps of one.
void GenericLowering::emitParallelLoops(ArrayRef<unsigned> dims, LeafFn leaf) {
  if (dims.empty())
    return leaf();
  unsigned dim = dims.front();
  auto inner = [&] { emitParallelLoops(dims.drop_front(), leaf); };
  Value zero = constantIndex(0);
  auto *jam = llvm::find(jamDims, dim);
  if (jam == jamDims.end())
    return emitLoop(dim, zero, sizes[dim], 1, inner);
  int64_t &factor = jamFactor[jam - jamDims.begin()];
  if (!ShapedType::isDynamic(staticSizes[dim]))
    return emitLoop(dim, zero, sizes[dim], factor, inner);
  Value jamSize = constantIndex(kJam);
  Value rest = arith::RemUIOp::create(b, loc, sizes[dim], jamSize);
  Value whole = arith::SubIOp::create(b, loc, sizes[dim], rest);
  emitLoop(dim, zero, whole, kJam, inner);
  factor = 1;
  emitLoop(dim, whole, sizes[dim], 1, inner);
  factor = kJam;
}

SmallVector<Value>
GenericLowering::emitReductionLoops(ArrayRef<unsigned> dims, Values carried,
                                    function_ref<Values(Values)> leaf) {
  if (dims.empty())
    return leaf(carried);
  unsigned dim = dims.front();
  auto loop = scf::ForOp::create(b, loc, constantIndex(0), sizes[dim],
                                 constantIndex(1), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  iv[dim] = loop.getInductionVar();
  Values results = emitReductionLoops(
      dims.drop_front(), llvm::to_vector_of<Value>(loop.getRegionIterArgs()),
      leaf);
  scf::YieldOp::create(b, loc, results);
  return llvm::to_vector_of<Value>(loop.getResults());
}

/// The vector loop: whole groups of 16, then the rest under a mask.
SmallVector<Value>
GenericLowering::emitVectorLoop(unsigned dim, Values carried,
                                function_ref<Values(Values, Value mask)> leaf) {
  int64_t step = table ? table->kStep : kLanes;
  Value lanes = constantIndex(kLanes);
  Value rest = arith::RemUIOp::create(b, loc, sizes[dim], lanes);
  Value whole = arith::SubIOp::create(b, loc, sizes[dim], rest);
  int64_t size = staticSizes[dim];
  if (!ShapedType::isDynamic(size))
    whole = constantIndex(size - size % kLanes);
  if (ShapedType::isDynamic(size) || size >= kLanes) {
    auto loop = scf::ForOp::create(b, loc, constantIndex(0), whole,
                                   constantIndex(step), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    iv[dim] = loop.getInductionVar();
    Values results =
        leaf(llvm::to_vector_of<Value>(loop.getRegionIterArgs()), Value());
    if (!carried.empty())
      scf::YieldOp::create(b, loc, results);
    carried = llvm::to_vector_of<Value>(loop.getResults());
  }
  if (!ShapedType::isDynamic(size) && size % kLanes == 0)
    return carried;
  if (!ShapedType::isDynamic(size))
    rest = constantIndex(size % kLanes);
  Value any = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, rest,
                                    constantIndex(0));
  auto ifOp = scf::IfOp::create(b, loc, ValueRange(carried).getTypes(), any,
                                /*addThenBlock=*/true,
                                /*addElseBlock=*/!carried.empty());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  iv[dim] = whole;
  Value mask = vector::CreateMaskOp::create(b, loc, vectorOf(b.getI1Type()),
                                            ValueRange{rest});
  Values results = leaf(carried, mask);
  scf::YieldOp::create(b, loc, results);
  if (!carried.empty()) {
    b.setInsertionPointToStart(ifOp.elseBlock());
    scf::YieldOp::create(b, loc, carried);
  }
  return llvm::to_vector_of<Value>(ifOp.getResults());
}

/// out[v .. v+15] stays in registers while the reductions run.
void GenericLowering::emitParallelStep(Value mask) {
  Values accumulators;
  bool reads = !dimsWhere(/*reduction=*/true, true).empty();
  for (OpOperand &output : op.getDpsInitsMutable()) {
    bool used = !op.getMatchingBlockArgument(&output).use_empty();
    accumulators.push_back(used || reads ? load(output, mask, true) : Value());
  }
  Values results;
  if (!reads)
    results = evaluateBody(accumulators, mask, true);
  else
    results = emitReductionLoops(
        dimsWhere(true, true), accumulators,
        [&](Values carried) { return evaluateBody(carried, mask, true); });
  for (auto [output, value] : llvm::zip(op.getDpsInitsMutable(), results))
    store(output, value, mask);
}

void GenericLowering::emitVectorParallelLeaf() {
  emitVectorLoop(*vectorLoop, {}, [&](Values, Value mask) {
    if (!table) {
      emitParallelStep(mask);
      return Values();
    }
    Value base = iv[*vectorLoop];
    Values weights = table->lookUp(b, loc, indicesOf(*table->data), base);
    for (auto [number, found] : llvm::enumerate(weights)) {
      iv[*vectorLoop] =
          arith::AddIOp::create(b, loc, base, constantIndex(number * kLanes));
      weight = found;
      emitParallelStep(mask);
    }
    return Values();
  });
}

/// Moves the indices to the `number`-th of the outputs computed together.
void GenericLowering::selectOutput(const Values &base, int64_t number) {
  for (auto [dim, factor] : llvm::zip(jamDims, jamFactor)) {
    int64_t step = number % factor;
    number /= factor;
    iv[dim] = step == 0 ? base[dim]
                        : arith::AddIOp::create(b, loc, base[dim],
                                                constantIndex(step))
                              .getResult();
  }
}

/// The weights that each output meets in one step, four vectors per output;
/// outputs that share their weights share the look-up.
SmallVector<Value> GenericLowering::weightsOf(const Values &base,
                                              int64_t outputs) {
  AffineMap map = op.getMatchingIndexingMap(table->data);
  llvm::DenseMap<int64_t, Values> found;
  Values weights;
  for (int64_t number = 0; number < outputs; ++number) {
    int64_t key = 0, scale = 1, rest = number;
    for (auto [dim, factor] : llvm::zip(jamDims, jamFactor)) {
      if (map.isFunctionOfDim(dim))
        key += rest % factor * scale;
      rest /= factor;
      scale *= factor;
    }
    Values &vectors = found[key];
    if (vectors.empty()) {
      selectOutput(base, number);
      vectors = table->lookUp(b, loc, indicesOf(*table->data), iv[*vectorLoop]);
    }
    weights.append(vectors);
  }
  return weights;
}

/// Fetches what the next outputs along the innermost jammed loop will read:
/// rows of a weight are too short for the processor to foresee the next ones.
/// Not for wide jams, whose operands are in the cache.
void GenericLowering::emitPrefetches(const Values &base) {
  if (jamDims.empty() || llvm::is_contained(jamFactor, kWideJam))
    return;
  unsigned dim = jamDims.front();
  int64_t factor = jamFactor.front(), step = table ? table->kStep : kLanes;
  if (ShapedType::isDynamic(staticSizes[dim]) || staticSizes[dim] <= factor)
    return;
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (!map.isFunctionOfDim(dim) || !isContiguous(op, *input, *vectorLoop))
      continue;
    int64_t bits = getElementTypeOrSelf(input->get()).getIntOrFloatBitWidth();
    if (step * bits < kPrefetchBits)
      continue;
    for (int64_t next = factor; next < 2 * factor; ++next) {
      iv[dim] = arith::AddIOp::create(b, loc, base[dim], constantIndex(next));
      memref::PrefetchOp::create(b, loc, input->get(), indicesOf(*input),
                                 /*isWrite=*/false, /*localityHint=*/2,
                                 /*isDataCache=*/true);
    }
  }
  iv[dim] = base[dim];
}

/// Adds the next terms to the partial results of each output.
SmallVector<Value> GenericLowering::emitSumStep(const Values &base,
                                                Values carried, Value mask) {
  int64_t outputs = carried.size(), vectors = 1;
  if (!mask)
    emitPrefetches(base);
  Values weights;
  if (table) {
    weights = weightsOf(base, outputs);
    vectors = weights.size() / outputs;
  }
  Value first = iv[*vectorLoop];
  for (int64_t i = 0; i < vectors; ++i) {
    if (i > 0)
      iv[*vectorLoop] =
          arith::AddIOp::create(b, loc, first, constantIndex(i * kLanes));
    for (int64_t number = 0; number < outputs; ++number) {
      selectOutput(base, number);
      if (table)
        weight = weights[number * vectors + i];
      Value next = evaluateBody({carried[number]}, mask, true).front();
      if (mask)
        next = arith::SelectOp::create(b, loc, mask, next, carried[number]);
      carried[number] = next;
    }
  }
  return carried;
}

/// A value of the body that is the same for all lanes, at the current indices.
Value GenericLowering::emitScalar(Value value, IRMapping &map) {
  if (value.getParentRegion() != &op.getRegion())
    return value;
  if (Value known = map.lookupOrNull(value))
    return known;
  Value result;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    result = load(*op.getMatchingOpOperand(argument), Value(), false);
  } else {
    Operation *producer = value.getDefiningOp();
    for (Value operand : producer->getOperands())
      emitScalar(operand, map);
    result = b.clone(*producer, map)->getResult(0);
  }
  map.map(value, result);
  return result;
}

/// The sums of a block, times its scale, added to those of the blocks before.
SmallVector<Value> GenericLowering::addScaled(const Values &base,
                                              const Values &sums,
                                              Values carried) {
  for (auto [number, total] : llvm::enumerate(carried)) {
    selectOutput(base, number);
    IRMapping map;
    Value scale = splat(emitScalar(scaledSum.getB(), map));
    total = math::FmaOp::create(b, loc, sums[number], scale, total);
  }
  return carried;
}

/// 16 partial results per output, several outputs at once.
void GenericLowering::emitVectorReductionLeaf() {
  OpOperand &output = *op.getDpsInitsMutable().begin();
  Type element = cast<MemRefType>(output.get().getType()).getElementType();
  Values base = iv;
  int64_t outputs = 1;
  for (int64_t factor : jamFactor)
    outputs *= factor;
  Values partial(outputs, identity(element));
  auto leaf = [&](Values carried, Value mask) {
    return emitSumStep(base, carried, mask);
  };
  auto sum = [&](Values carried) {
    if (!scaledSum)
      return emitVectorLoop(*vectorLoop, carried, leaf);
    Values block =
        emitVectorLoop(*vectorLoop, Values(outputs, identity(element)), leaf);
    return addScaled(base, block, carried);
  };
  partial = emitReductionLoops(dimsWhere(true, false), partial, sum);
  for (int64_t number = 0; number < outputs; ++number) {
    selectOutput(base, number);
    Value start = load(output, Value(), false);
    store(output, combine(start, horizontal(partial[number])), Value());
  }
  for (unsigned dim : jamDims)
    iv[dim] = base[dim];
}

/// The op's own order, one element at a time.
void GenericLowering::emitScalarLoops() {
  SmallVector<unsigned> all =
      llvm::to_vector(llvm::seq<unsigned>(0, op.getNumLoops()));
  emitParallelLoops(all, [&] {
    Values accumulators;
    for (OpOperand &output : op.getDpsInitsMutable())
      accumulators.push_back(op.getMatchingBlockArgument(&output).use_empty()
                                 ? Value()
                                 : load(output, Value(), false));
    Values results = evaluateBody(accumulators, Value(), false);
    for (auto [output, value] : llvm::zip(op.getDpsInitsMutable(), results))
      store(output, value, Value());
  });
}

void GenericLowering::run() {
  b.setInsertionPoint(op);
  staticSizes = op.getStaticLoopRanges();
  for (Range range :
       cast<linalg::LinalgOp>(op.getOperation()).createLoopRanges(b, loc))
    sizes.push_back(getValueOrCreateConstantIndexOp(b, loc, range.size));
  iv.assign(op.getNumLoops(), Value());
  LoopPlan plan = planLoops(op);
  vectorLoop = plan.vectorLoop;
  jamDims = plan.jamDims;
  jamFactor = plan.jamFactor;
  combiner = plan.combiner;
  scaledSum = cast_or_null<math::FmaOp>(plan.scaledSum);
  if (vectorLoop && hasByteTables(op))
    table = Fp8Table::match(op, *vectorLoop, staticSizes[*vectorLoop]);
  if (table)
    table->emitTables(b, loc);

  auto emit = [&](ArrayRef<unsigned> parallel) {
    if (!vectorLoop)
      return emitScalarLoops();
    emitParallelLoops(parallel, [&] {
      isReduction(*vectorLoop) ? emitVectorReductionLeaf()
                               : emitVectorParallelLeaf();
    });
  };

  SmallVector<unsigned> parallel = dimsWhere(/*reduction=*/false, false);
  int64_t iterations = 1;
  for (int64_t size : staticSizes)
    iterations =
        ShapedType::isDynamic(size) ? kParallelThreshold : iterations * size;
  bool alone = !op->getParentOfType<scf::ForallOp>() &&
               op->getParentOp() == op->getParentOfType<func::FuncOp>();
  if (!alone || !vectorLoop || parallel.empty() ||
      llvm::is_contained(jamDims, parallel.front()) ||
      iterations < kParallelThreshold) {
    emit(parallel);
  } else {
    unsigned outer = parallel.front();
    auto forall =
        scf::ForallOp::create(b, loc, SmallVector<OpFoldResult>{sizes[outer]},
                              ValueRange(), std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forall.getTerminator());
    iv[outer] = forall.getInductionVars().front();
    emit(ArrayRef(parallel).drop_front());
  }
  op.erase();
}

namespace {

struct VectorizeLinalg
    : deepseek::impl::HostVectorizeLinalgBase<VectorizeLinalg> {
  void getDependentDialects(DialectRegistry &registry) const override {
    HostVectorizeLinalgBase::getDependentDialects(registry);
    registry.insert<LLVM::LLVMDialect>(); // the look-up
  }

  void runOnOperation() override {
    getOperation().walk([](memref::CopyOp copy) {
      OpBuilder builder(copy);
      linalg::CopyOp::create(builder, copy.getLoc(), copy.getSource(),
                             copy.getTarget());
      copy.erase();
    });
    RewritePatternSet patterns(&getContext());
    linalg::populateLinalgNamedOpsGeneralizationPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op.emitError("expected memrefs; did 'host-bufferize-kernels' run?");
        return signalPassFailure();
      }
      OpBuilder builder(op);
      GenericLowering(builder, op).run();
    }
  }
};

} // namespace
