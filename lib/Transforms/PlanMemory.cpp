//===- PlanMemory.cpp - Fixed offsets in the workspace --------------------===//
//
// Replaces every memref.alloc of an entry by dsrt.workspace at a fixed offset:
//
//   %a = memref.alloc(%t) : memref<?x128xf32>      // 512 tokens at most
//   dsrt.dispatch @kernels::@k ins(%x ...) outs(%a ...)
//   ->
//   %a = dsrt.workspace 0(%t) : memref<?x128xf32>  // bytes 0 .. 262144
//
// Sizes are taken at their bounds. A buffer occupies its bytes from its
// definition to its last use, one that is returned to the end of the entry;
// free bytes go to the buffer that fits them best. One sweep over the entry, n
// log n.
//
//===----------------------------------------------------------------------===//

#include "SizeBounds.h"

#include "deepseek/Transforms/Passes.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

#include <map>
#include <set>

namespace mlir::deepseek {
#define GEN_PASS_DEF_PLANMEMORY
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr int64_t kAlignment = 64;
/// Rows of a cache page, part of the contract of entries and runtime.
constexpr int64_t kPageSize = 64;
/// The context of a plan unless it is asked for.
constexpr int64_t kDefaultContext = 4096;
/// More bytes than any machine has, and few enough that sums do not overflow.
constexpr int64_t kMaxBytes = int64_t(1) << 52;

/// The free bytes of a workspace that grows at its end.
class FreeBytes {
public:
  int64_t allocate(int64_t bytes);
  void release(int64_t offset, int64_t bytes);
  int64_t getHighWater() const { return end; }

private:
  void insert(int64_t offset, int64_t bytes) {
    byOffset[offset] = bytes;
    bySize.insert({bytes, offset});
  }
  void erase(std::map<int64_t, int64_t>::iterator hole) {
    bySize.erase({hole->second, hole->first});
    byOffset.erase(hole);
  }

  std::map<int64_t, int64_t> byOffset;
  std::set<std::pair<int64_t, int64_t>> bySize;
  int64_t end = 0;
};

struct Buffer {
  memref::AllocOp alloc;
  int64_t bytes;
  int64_t lastUse;
  int64_t offset = 0;
  SmallVector<int64_t> bounds;
};

/// Plans one entry.
class EntryPlan {
public:
  EntryPlan(func::FuncOp func, const llvm::StringMap<int64_t> &limits)
      : func(func), bounds(func, limits) {}

  LogicalResult run();

private:
  LogicalResult collect();
  LogicalResult measure(Buffer &buffer);
  int64_t findLastUse(Value value);
  void assignOffsets();
  void rewrite();
  void writeAttributes();
  void emitRemarks();

  func::FuncOp func;
  SizeBounds bounds;
  DenseMap<Operation *, int64_t> order;
  std::vector<Buffer> buffers;
  /// The bounds of each value that an entry may return.
  DenseMap<Value, SmallVector<int64_t>> valueBounds;
  int64_t workspaceBytes = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// FreeBytes
//===----------------------------------------------------------------------===//

int64_t FreeBytes::allocate(int64_t bytes) {
  auto fit = bySize.lower_bound({bytes, 0});
  if (fit != bySize.end()) {
    auto [size, offset] = *fit;
    erase(byOffset.find(offset));
    if (size > bytes)
      insert(offset + bytes, size - bytes);
    return offset;
  }
  // The last hole, if it ends the workspace, grows with it.
  int64_t offset = end;
  if (!byOffset.empty()) {
    auto last = std::prev(byOffset.end());
    if (last->first + last->second == end) {
      offset = last->first;
      erase(last);
    }
  }
  end = offset + bytes;
  return offset;
}

void FreeBytes::release(int64_t offset, int64_t bytes) {
  auto next = byOffset.lower_bound(offset);
  if (next != byOffset.end() && offset + bytes == next->first) {
    bytes += next->second;
    auto merged = next++;
    erase(merged);
  }
  if (next != byOffset.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == offset) {
      offset = previous->first;
      bytes += previous->second;
      erase(previous);
    }
  }
  insert(offset, bytes);
}

//===----------------------------------------------------------------------===//
// EntryPlan
//===----------------------------------------------------------------------===//

/// Position of the last use of `value` or of a cast of it; past the end, if it
/// is returned.
int64_t EntryPlan::findLastUse(Value value) {
  int64_t last = 0;
  for (Operation *user : value.getUsers()) {
    last = std::max(last, isa<func::ReturnOp>(user)
                              ? std::numeric_limits<int64_t>::max()
                              : order.lookup(user));
    if (auto cast = dyn_cast<memref::CastOp>(user))
      last = std::max(last, findLastUse(cast.getResult()));
  }
  return last;
}

LogicalResult EntryPlan::measure(Buffer &buffer) {
  memref::AllocOp alloc = buffer.alloc;
  MemRefType type = alloc.getType();
  if (!type.getLayout().isIdentity())
    return alloc.emitOpError("expected a contiguous buffer, got ") << type;
  Type element = type.getElementType();
  if (!element.isIntOrIndexOrFloat())
    return alloc.emitOpError("expected elements that are numbers, got ")
           << type;
  auto dynamic = alloc.getDynamicSizes().begin();
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size)) {
      FailureOr<int64_t> bound = bounds.get(*dynamic++, alloc);
      if (failed(bound))
        return failure();
      size = *bound;
    }
    buffer.bounds.push_back(size);
  }
  int64_t bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  buffer.bytes = llvm::divideCeil(bits, 8);
  for (int64_t size : buffer.bounds)
    if (llvm::MulOverflow(buffer.bytes, size, buffer.bytes) ||
        buffer.bytes > kMaxBytes)
      return alloc.emitOpError("of type ")
             << type << " would need more than " << kMaxBytes
             << " bytes at the bounds of its sizes; lower max-tokens, "
                "max-sequences or context";
  buffer.bytes = llvm::alignTo(buffer.bytes, kAlignment);
  return success();
}

LogicalResult EntryPlan::collect() {
  int64_t position = 0;
  for (Operation &op : func.getBody().front())
    order[&op] = position++;
  WalkResult result = func.walk([&](memref::AllocOp alloc) {
    if (!order.count(alloc)) {
      alloc.emitOpError("expected in the entry's own block");
      return WalkResult::interrupt();
    }
    Buffer buffer = {alloc, 0, 0};
    if (failed(measure(buffer)))
      return WalkResult::interrupt();
    buffer.lastUse = findLastUse(alloc.getResult());
    valueBounds[alloc.getResult()] = buffer.bounds;
    buffers.push_back(std::move(buffer));
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void EntryPlan::assignOffsets() {
  FreeBytes free;
  // (last use, buffer) of those that are alive.
  std::set<std::pair<int64_t, size_t>> alive;
  for (auto [index, buffer] : llvm::enumerate(buffers)) {
    int64_t position = order.lookup(buffer.alloc);
    while (!alive.empty() && alive.begin()->first < position) {
      const Buffer &dead = buffers[alive.begin()->second];
      free.release(dead.offset, dead.bytes);
      alive.erase(alive.begin());
    }
    if (buffer.bytes == 0)
      continue;
    buffer.offset = free.allocate(buffer.bytes);
    alive.insert({buffer.lastUse, index});
  }
  workspaceBytes = free.getHighWater();
}

void EntryPlan::rewrite() {
  for (Buffer &buffer : buffers) {
    OpBuilder builder(buffer.alloc);
    auto workspace = dsrt::WorkspaceOp::create(
        builder, buffer.alloc.getLoc(), buffer.alloc.getType(),
        builder.getI64IntegerAttr(buffer.offset),
        buffer.alloc.getDynamicSizes());
    valueBounds[workspace.getResult()] = buffer.bounds;
    for (Operation *user : llvm::make_early_inc_range(buffer.alloc->getUsers()))
      if (isa<memref::DeallocOp>(user))
        user->erase();
    buffer.alloc.getResult().replaceAllUsesWith(workspace.getResult());
    buffer.alloc.erase();
  }
}

void EntryPlan::writeAttributes() {
  Builder builder(func.getContext());
  func->setAttr(dsrt::kWorkspaceBytesAttr,
                builder.getI64IntegerAttr(workspaceBytes));
  for (BlockArgument argument : func.getArguments()) {
    SmallVector<int64_t> sizes = bounds.getArgument(argument.getArgNumber());
    func.setArgAttr(argument.getArgNumber(), dsrt::kBoundsAttr,
                    builder.getDenseI64ArrayAttr(sizes));
    valueBounds[argument] = sizes;
  }
  auto returnOp = cast<func::ReturnOp>(func.getBody().front().getTerminator());
  for (auto [number, value] : llvm::enumerate(returnOp.getOperands())) {
    while (auto cast = value.getDefiningOp<memref::CastOp>())
      value = cast.getSource();
    auto found = valueBounds.find(value);
    if (found != valueBounds.end())
      func.setResultAttr(number, dsrt::kBoundsAttr,
                         builder.getDenseI64ArrayAttr(found->second));
  }
}

void EntryPlan::emitRemarks() {
  using namespace mlir::remark;
  int64_t sum = 0;
  for (Buffer &buffer : buffers) {
    sum += buffer.bytes;
    passed(buffer.alloc.getLoc(),
           RemarkOpts::name("buffer").category("memory").function(
               func.getSymName()))
        << metric("bytes", buffer.bytes) << metric("offset", buffer.offset);
  }
  passed(func.getLoc(), RemarkOpts::name("workspace")
                            .category("memory")
                            .function(func.getSymName()))
      << metric("bytes", workspaceBytes) << metric("unshared_bytes", sum)
      << metric("buffers", int64_t(buffers.size()));
}

LogicalResult EntryPlan::run() {
  if (failed(collect()))
    return failure();
  if (buffers.empty() && func->hasAttr(dsrt::kWorkspaceBytesAttr))
    return success();
  bool planned = false;
  func.walk([&](dsrt::WorkspaceOp) { planned = true; });
  if (planned)
    return func.emitError("expected no plan yet, but '")
           << func.getSymName() << "' has both dsrt.workspace and memref.alloc";
  assignOffsets();
  emitRemarks();
  rewrite();
  writeAttributes();
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

struct PlanMemory : deepseek::impl::PlanMemoryBase<PlanMemory> {
  using PlanMemoryBase::PlanMemoryBase;

  void runOnOperation() override {
    FailureOr<int64_t> tokensPerSequence = getContextLength();
    if (failed(tokensPerSequence))
      return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal() || !func.getBody().hasOneBlock() ||
          !isa<func::ReturnOp>(func.getBody().front().back())) {
        func.emitOpError("expected a body of one block");
        return signalPassFailure();
      }
      llvm::StringMap<int64_t> limits = getLimits(func, *tokensPerSequence);
      if (failed(EntryPlan(func, limits).run()))
        return signalPassFailure();
    }
    // What the runtime may ask of the entries from here on.
    getOperation()->setAttr(
        kContextAttr,
        Builder(&getContext()).getI64IntegerAttr(*tokensPerSequence));
  }

  FailureOr<int64_t> getContextLength() {
    constexpr int64_t limit = int64_t(1) << 31;
    auto model = getOperation()->getAttrOfType<IntegerAttr>(kContextAttr);
    for (auto [name, value, least] :
         {std::tuple("max-tokens", maxTokens.getValue(), 1),
          std::tuple("max-sequences", maxSequences.getValue(), 1),
          std::tuple("context", context.getValue(), 0)})
      if (value < least || value >= limit)
        return getOperation().emitError()
               << name << " expected to be from " << least << " to "
               << limit - 1 << ", got " << value;
    if (model && model.getInt() < 1)
      return getOperation().emitError()
             << "'" << kContextAttr << "' expected to be at least 1, got "
             << model;
    if (context == 0)
      return std::min(kDefaultContext,
                      model ? model.getInt() : kDefaultContext);
    if (model && context > model.getInt())
      return getOperation().emitError()
             << "context expected to be at most the model's " << model.getInt()
             << " tokens, got " << context.getValue();
    return context.getValue();
  }

  llvm::StringMap<int64_t> getLimits(func::FuncOp func,
                                     int64_t tokensPerSequence) {
    bool fresh = expandedPrefill && func.getSymName() == kPrefillEntry;
    llvm::StringMap<int64_t> limits;
    limits["tokens"] = maxTokens;
    limits["rows"] = maxTokens;
    limits["sequences"] = maxSequences;
    limits["sequences+1"] = maxSequences + 1;
    limits["pages"] = llvm::divideCeil(tokensPerSequence, kPageSize);
    limits["kv_tokens"] =
        fresh ? maxTokens.getValue() : maxSequences * tokensPerSequence;
    return limits;
  }
};

} // namespace
