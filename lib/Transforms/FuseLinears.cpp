//===- FuseLinears.cpp - One product for weights with the same input ------===//
//
// Products of weights with the same input become one, whose weight is theirs
// one below the other:
//
//   a = linear(x, wa)
//   b = linear(x, wb)
//   ->
//   y = linear(x, concat(wa, wb))
//   a = y[:, 0 : A],  b = y[:, A : A + B]
//
// The concatenation is a view (ds-form-kernels), so nothing is copied, and each
// element of a result is the sum that it was. The two products of a SwiGLU are
// fused with nothing else, gate first.
//
//===----------------------------------------------------------------------===//

#include "WeightViews.h"

#include "deepseek/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_FUSELINEARS
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

static remark::RemarkOpts remarkAt(Operation *op, StringRef name) {
  return remark::RemarkOpts::name(name).category("kernel").function(
      op->getParentOfType<func::FuncOp>().getSymName());
}

/// The SwiGLU that is all that `op` is for.
static SwigluOp swigluOf(LinearOp op) {
  return op->hasOneUse() ? dyn_cast<SwigluOp>(*op->user_begin()) : nullptr;
}

/// What products must have in common to be one; they have the input anyway.
static auto kindOf(LinearOp op) {
  std::optional<WeightView> weight = WeightView::of(op.getW());
  return std::tuple(typeOf(op.getResult()).getElementType(), weight->form(),
                    swigluOf(op));
}

/// Why the product `op` of a weight cannot be one with `other`, of which it
/// differs in kind.
static std::string reasonApart(LinearOp op, LinearOp other) {
  std::string text;
  llvm::raw_string_ostream os(text);
  Type type = typeOf(op.getResult()).getElementType(),
       otherType = typeOf(other.getResult()).getElementType();
  if (type != otherType)
    os << "its result is " << type << ", that of another product of the same "
       << "input " << otherType;
  else if (swigluOf(op) != swigluOf(other))
    os << "another product of the same input is for a SwiGLU by itself";
  else
    os << "its weight is stored in another way than that of another product "
          "of the same input";
  return text;
}

/// Whether the FP8 blocks of the parts stay whole, so that the product of FP8
/// operands can be fused too.
static bool endWithWholeBlocks(ArrayRef<LinearOp> products) {
  return llvm::all_of(products.drop_back(), [](LinearOp op) {
    std::optional<WeightView> weight = WeightView::of(op.getW());
    BlockScaledAttr scaled = getBlockScaled(weight->data.getType());
    return !scaled ||
           typeOf(op.getW()).getDimSize(0) % scaled.getBlock().front() == 0;
  });
}

static void fuse(ArrayRef<LinearOp> products) {
  LinearOp first = products.front();
  OpBuilder builder(first);
  SmallVector<Location> locations;
  SmallVector<Value> weights;
  int64_t rows = 0;
  for (LinearOp op : products) {
    locations.push_back(op.getLoc());
    weights.push_back(WeightView::of(op.getW())->clone(builder));
    rows += typeOf(op.getW()).getDimSize(0);
  }
  Location loc = builder.getFusedLoc(locations);
  Value weight = tensor::ConcatOp::create(builder, loc, /*dim=*/0, weights);
  RankedTensorType type = typeOf(first.getResult());
  Value x = first.getX();
  Value product = LinearOp::create(
      builder, loc,
      RankedTensorType::get({type.getDimSize(0), rows}, type.getElementType()),
      x, weight);
  OpFoldResult tokens = tensor::getMixedSize(builder, loc, x, 0);
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  int64_t begin = 0;
  bool whole = endWithWholeBlocks(products);
  for (LinearOp op : products) {
    int64_t width = typeOf(op.getW()).getDimSize(0);
    Value part = tensor::ExtractSliceOp::create(
        builder, op.getLoc(), typeOf(op.getResult()), product,
        {zero, builder.getIndexAttr(begin)},
        {tokens, builder.getIndexAttr(width)}, {one, one});
    op.getResult().replaceAllUsesWith(part);
    begin += width;
  }
  auto remark = remark::passed(loc, remarkAt(first, "fused"));
  remark << remark::metric("products", int64_t(products.size()))
         << remark::metric("rows", rows);
  if (!whole)
    remark << remark::add("a part ends within an FP8 block: ds-quantize-fp8 "
                          "takes the product apart");
  for (LinearOp op : products)
    eraseWithProducers(op);
}

namespace {

struct FuseLinears : deepseek::impl::FuseLinearsBase<FuseLinears> {
  void runOnOperation() override {
    getOperation().walk([](Block *block) { fuseIn(*block); });
  }

  /// Products of weights by their input, in the order of the block.
  static void fuseIn(Block &block) {
    llvm::MapVector<Value, SmallVector<LinearOp>> byInput;
    for (auto op : block.getOps<LinearOp>())
      if (typeOf(op.getW()).hasStaticShape() && WeightView::of(op.getW()))
        byInput[op.getX()].push_back(op);
    for (auto &[x, products] : byInput) {
      SmallVector<SmallVector<LinearOp>> groups;
      for (LinearOp op : products) {
        auto *group = llvm::find_if(groups, [&](auto &group) {
          return kindOf(group.front()) == kindOf(op);
        });
        if (group == groups.end())
          group = groups.insert(group, SmallVector<LinearOp>());
        group->push_back(op);
      }
      for (SmallVector<LinearOp> &group : groups)
        if (group.size() == 1 && groups.size() > 1)
          remark::missed(group.front().getLoc(),
                         remarkAt(group.front(), "not-fused"))
              << remark::reason("{0}", reasonApart(group.front(),
                                                   &group == groups.begin()
                                                       ? groups[1].front()
                                                       : groups[0].front()));
      for (SmallVector<LinearOp> &group : groups)
        fuseGroup(group);
    }
  }

  static void fuseGroup(SmallVectorImpl<LinearOp> &group) {
    if (group.size() < 2)
      return;
    if (SwigluOp swiglu = swigluOf(group.front()))
      if (swiglu.getGate() != group.front().getResult())
        std::swap(group[0], group[1]);
    fuse(group);
  }
};

} // namespace
