//===- FuseRows.cpp - One kernel for what works row by row ----------------===//
//
// Merges dispatches of which each computes row t of its results from row t of
// its operands, for the same rows (tokens):
//
//   %h = dsrt.dispatch @addf_7168_bf16 ins(%x, %y) outs(...)
//   %n = dsrt.dispatch @rms_norm_7168_bf16 ins(%h, %gamma) outs(...)
//   ->
//   %h, %n = dsrt.dispatch @add_rms_norm_7168 ins(%x, %y, %gamma) outs(..., ..)
//
// A dispatch joins the group of a dispatch whose result it reads by row, or
// that reads by row what it reads too, if everything else it needs is there
// when that group runs: it moves up, nothing moves down. moe_dispatch, which
// looks at all rows, may end a group. One pass over the function.
//
// Every result remains a result, also one that only the group reads: it costs
// workspace and no second form of a kernel.
//
//===----------------------------------------------------------------------===//

#include "DispatchMerger.h"

#include "deepseek/Transforms/Passes.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_FUSEROWS
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// Which kernels work row by row
//===----------------------------------------------------------------------===//

namespace {

/// The most dispatches of one group: what only a group reads lives as long as
/// the group, so an endless one would need endless workspace.
constexpr size_t kMaxMembers = 16;

/// What a kernel does with the rows (indices of dimension 0) of its arguments.
struct RowKernel {
  /// Row t of each result depends only on row t of the arguments in `byRow`,
  /// and on all of the others.
  bool rowWise = false;
  /// It ends a group: it looks at all rows, but takes them as they come.
  bool last = false;
  /// Dimension 0 of its outs are the rows. (The out of cache_append is the
  /// cache.)
  bool rowOuts = true;
  SmallVector<bool> byRow;
  /// Its core ops and widest row, for a name.
  std::string name;
  int64_t width = 0;
};

} // namespace

static bool isElementwise(Operation *op) {
  return isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) &&
         op->hasTrait<OpTrait::Elementwise>();
}

/// The operands of which `op` needs only row t for row t of its results, or
/// nothing if it does not work row by row.
static std::optional<SmallVector<Value>> getRowOperands(Operation *op) {
  using Result = std::optional<SmallVector<Value>>;
  if (isElementwise(op))
    return SmallVector<Value>(op->getOperands());
  return TypeSwitch<Operation *, Result>(op)
      .Case([](EmbeddingOp op) { return Result({op.getTokens()}); })
      .Case([](RMSNormOp op) { return Result({op.getX()}); })
      .Case([](SwigluOp op) {
        return Result({op.getGate(), op.getUp()});
      })
      .Case([](RopeOp op) {
        return Result({op.getX(), op.getPositions()});
      })
      .Case([](RouteOp op) { return Result({op.getLogits()}); })
      .Case([](MoECombineOp op) {
        SmallVector<Value> rows = {op.getScores()};
        if (op.getShared())
          rows.push_back(op.getShared());
        return Result(rows);
      })
      .Case([](CacheAppendOp op) {
        return Result({op.getLatent(), op.getRope(), op.getSlots()});
      })
      .Case([](QuantizeOp op) {
        BlockScaledAttr scaling = getBlockScaled(op.getQ().getType());
        ArrayRef<int64_t> block = scaling.getBlock();
        bool byRow = block.size() == 1 || block.front() == 1;
        return byRow ? Result({op.getX()}) : Result();
      })
      .Default([](Operation *) { return Result(); });
}

/// The operand of a view of which row t is row t of the view, if there is one.
static Value getViewedRows(Operation *op) {
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    if (slice.getStaticOffset(0) == 0 && slice.getStaticStride(0) == 1 &&
        !slice.getDroppedDims().test(0))
      return slice.getSource();
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    if (expand.getReassociationIndices().front().size() == 1)
      return expand.getSrc();
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    if (collapse.getReassociationIndices().front().size() == 1)
      return collapse.getSrc();
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return cast.getSource();
  return {};
}

static std::string getShortName(Operation *op) {
  StringRef name = op->getName().stripDialect();
  if (isElementwise(op) && name.ends_with("f"))
    name = name.drop_back();
  return name.str();
}

static RowKernel analyzeKernel(func::FuncOp kernel) {
  RowKernel result;
  SmallVector<bool> whole(kernel.getNumArguments(), false);
  result.byRow = whole;
  result.rowWise = true;
  // The argument whose rows a value's rows are.
  DenseMap<Value, unsigned> roots;
  for (BlockArgument argument : kernel.getArguments())
    roots[argument] = argument.getArgNumber();
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (isa<tensor::DimOp>(op) || op.hasTrait<OpTrait::ConstantLike>())
      continue;
    if (Value source = getViewedRows(&op)) {
      if (auto root = roots.find(source); root != roots.end())
        roots[op.getResult(0)] = root->second;
      continue;
    }
    std::optional<SmallVector<Value>> byRow = getRowOperands(&op);
    if (auto dispatch = dyn_cast<MoEDispatchOp>(op)) {
      result.last = true;
      byRow = SmallVector<Value>{dispatch.getIndices()};
    }
    result.rowWise &= byRow.has_value();
    for (Value operand : op.getOperands())
      if (auto root = roots.find(operand); root != roots.end())
        (byRow && llvm::is_contained(*byRow, operand) ? result.byRow
                                                      : whole)[root->second] =
            true;
    result.rowOuts &= !isa<CacheAppendOp, MoEDispatchOp>(op);
    result.name += (result.name.empty() ? "" : "_") + getShortName(&op);
  }
  for (auto [byRow, isWhole] : llvm::zip_equal(result.byRow, whole))
    byRow = byRow && !isWhole;
  for (Type type : kernel.getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (tensor.getRank() > 1)
        result.width = std::max(result.width, tensor.getShape().back());
  result.rowWise &= !result.name.empty();
  return result;
}

//===----------------------------------------------------------------------===//
// Grouping
//===----------------------------------------------------------------------===//

namespace {

struct Group {
  SmallVector<dsrt::DispatchOp> members;
  /// Where its first member stands, and so where it will run.
  unsigned position;
  OpFoldResult rows;
  bool closed = false;
  /// Why its first member is in no earlier group.
  std::string reason;
};

/// Finds the groups of one function.
class RowGroups {
public:
  RowGroups(DispatchMerger &merger, DenseMap<Operation *, RowKernel> &kernels)
      : merger(merger), kernels(kernels) {}

  void add(Operation *op);
  ArrayRef<Group> get() const { return groups; }
  const RowKernel *getRowKernel(dsrt::DispatchOp dispatch);

private:
  OpFoldResult getRows(dsrt::DispatchOp dispatch, const RowKernel &kernel);
  unsigned getReady(Value value) const;
  std::string whyNot(dsrt::DispatchOp dispatch, const RowKernel &kernel,
                     OpFoldResult rows, const Group &group);
  void addDispatch(dsrt::DispatchOp dispatch, const RowKernel &kernel);
  void addTo(unsigned number, dsrt::DispatchOp dispatch,
             const RowKernel &kernel);

  DispatchMerger &merger;
  DenseMap<Operation *, RowKernel> &kernels;
  unsigned position = 0;
  std::vector<Group> groups;
  DenseMap<Operation *, unsigned> groupOf;
  /// The last group that reads a value by row.
  DenseMap<Value, unsigned> readerOf;
  /// When the results of other ops are there: position of the last dispatch
  /// that they need. They run in the order of the groups, so a host op is
  /// there as soon as what it needs.
  DenseMap<Operation *, unsigned> ready;
};

} // namespace

const RowKernel *RowGroups::getRowKernel(dsrt::DispatchOp dispatch) {
  func::FuncOp function = merger.getKernel(dispatch);
  if (!function)
    return nullptr;
  auto [entry, isNew] = kernels.try_emplace(function);
  if (isNew)
    entry->second = analyzeKernel(function);
  return entry->second.rowWise ? &entry->second : nullptr;
}

/// The number of rows: a value that equals others only if they are the same
/// size, or null if it is not known as such.
OpFoldResult RowGroups::getRows(dsrt::DispatchOp dispatch,
                                const RowKernel &kernel) {
  SmallVector<Value> tensors;
  if (kernel.rowOuts)
    llvm::append_range(tensors, dispatch.getOutputs());
  for (auto [input, byRow] : llvm::zip(dispatch.getInputs(), kernel.byRow))
    if (byRow)
      tensors.push_back(input);
  for (Value tensor : tensors)
    if (OpFoldResult size = getLeadingSize(tensor))
      return size;
  return {};
}

unsigned RowGroups::getReady(Value value) const {
  Operation *op = value.getDefiningOp();
  if (!op)
    return 0;
  auto group = groupOf.find(op);
  return group != groupOf.end() ? groups[group->second].position
                                : ready.lookup(op);
}

/// Why `dispatch` cannot join `group`; empty if it can.
std::string RowGroups::whyNot(dsrt::DispatchOp dispatch,
                              const RowKernel &kernel, OpFoldResult rows,
                              const Group &group) {
  if (group.closed)
    return "the kernel before it looks at all rows";
  if (!rows || rows != group.rows)
    return "it works on other rows";
  if (group.members.size() == kMaxMembers)
    return "the kernel is large enough";
  for (auto [index, operand] : llvm::enumerate(dispatch->getOperands())) {
    Operation *producer = operand.getDefiningOp();
    bool isOut = index >= dispatch.getInputs().size();
    if (llvm::is_contained(group.members, producer)) {
      if (isOut || (!kernel.byRow[index] && !kernel.last))
        return "it needs all rows of what the kernel before it computes";
    } else if (producer && getReady(operand) >= group.position) {
      return "what else it needs is computed in between";
    }
    if (isOut && !operand.getDefiningOp<tensor::EmptyOp>() &&
        !operand.hasOneUse())
      return "what it updates has other readers";
  }
  return "";
}

void RowGroups::addTo(unsigned number, dsrt::DispatchOp dispatch,
                      const RowKernel &kernel) {
  groups[number].members.push_back(dispatch);
  groups[number].closed = kernel.last;
  groupOf[dispatch] = number;
  for (auto [input, byRow] : llvm::zip(dispatch.getInputs(), kernel.byRow))
    if (byRow)
      readerOf[input] = number;
}

void RowGroups::addDispatch(dsrt::DispatchOp dispatch,
                            const RowKernel &kernel) {
  OpFoldResult rows = getRows(dispatch, kernel);
  std::set<unsigned> producers, readers;
  for (Value input : dispatch.getInputs()) {
    if (Operation *op = input.getDefiningOp())
      if (auto group = groupOf.find(op); group != groupOf.end())
        producers.insert(group->second);
    if (auto reader = readerOf.find(input); reader != readerOf.end())
      readers.insert(reader->second);
  }
  std::string reason;
  for (const auto &candidates : {producers, readers})
    for (unsigned number : candidates) {
      std::string why = whyNot(dispatch, kernel, rows, groups[number]);
      if (why.empty())
        return addTo(number, dispatch, kernel);
      if (reason.empty() || producers.count(number))
        reason = why;
    }
  if (reason.empty())
    reason = "nothing that works row by row computes what it needs";
  groups.push_back({{}, position, rows, false, reason});
  addTo(groups.size() - 1, dispatch, kernel);
}

void RowGroups::add(Operation *op) {
  ++position;
  auto dispatch = dyn_cast<dsrt::DispatchOp>(op);
  if (dispatch)
    if (const RowKernel *kernel = getRowKernel(dispatch))
      return addDispatch(dispatch, *kernel);
  unsigned &when = ready[op];
  when = position;
  if (dispatch || !isPure(op) || op->getNumRegions() != 0)
    return;
  when = 0;
  for (Value operand : op->getOperands())
    when = std::max(when, getReady(operand));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// `add_rms_norm_7168`: the ops in order and the widest row.
static std::string makeName(const Group &group, RowGroups &groups) {
  std::string name;
  int64_t width = 0;
  for (dsrt::DispatchOp member : group.members) {
    const RowKernel *kernel = groups.getRowKernel(member);
    name += (name.empty() ? "" : "_") + kernel->name;
    width = std::max(width, kernel->width);
  }
  return width > 0 ? name + "_" + std::to_string(width) : name;
}

namespace {

struct FuseRows : deepseek::impl::FuseRowsBase<FuseRows> {
  void runOnOperation() override {
    DispatchMerger merger(getOperation());
    DenseMap<Operation *, RowKernel> kernels;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.getBody().hasOneBlock())
        fuse(function, merger, kernels);
    merger.eraseUnusedKernels();
  }

  void fuse(func::FuncOp function, DispatchMerger &merger,
            DenseMap<Operation *, RowKernel> &kernels) {
    merger.enter(function);
    RowGroups groups(merger, kernels);
    for (Operation &op : function.getBody().front())
      groups.add(&op);
    for (const Group &group : groups.get()) {
      auto options = remark::RemarkOpts::name("fuse-rows")
                         .category("kernel")
                         .function(function.getSymName());
      if (group.members.size() == 1) {
        dsrt::DispatchOp alone = group.members.front();
        remark::missed(alone.getLoc(), options) << remark::add(
            "{0} is not fused: {1}", alone.getKernel().getLeafReference().str(),
            group.reason);
        continue;
      }
      std::string name = makeName(group, groups);
      dsrt::DispatchOp merged = merger.merge(group.members, name, group.rows);
      remark::passed(merged.getLoc(), options)
          << remark::add("{0} dispatches are {1}", group.members.size(),
                         merged.getKernel().getLeafReference().str());
    }
  }
};

} // namespace
