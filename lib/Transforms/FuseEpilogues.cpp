//===- FuseEpilogues.cpp - Products that end with swiglu ------------------===//
//
// Merges the dispatch of a product of gate and up with those of the swiglu of
// its halves and, where its blocks fit, of the quantization of that:
//
//   %y = dsrt.dispatch @linear_4096x7168_f8 ins(%x, ...)       [M, 2 I]
//   %z = dsrt.dispatch @swiglu_2048_bf16 ins(%y)               [M, I]
//   ->
//   %z = dsrt.dispatch @linear_swiglu_4096x7168_f8 ins(%x, ...)
//
// What is only used inside is no result: a target computes it tile by tile
// (Epilogues.h).
//
//===----------------------------------------------------------------------===//

#include "DispatchMerger.h"

#include "deepseek/Transforms/Epilogues.h"
#include "deepseek/Transforms/Passes.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "mlir/IR/Remarks.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_FUSEEPILOGUES
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// A product, the swiglu of it, perhaps the quantization of that.
struct Chain {
  SmallVector<dsrt::DispatchOp> dispatches;
  Product product = Product(nullptr);
  /// Why there is no product, or no quantization.
  std::string obstacle;
};

class EpilogueFusion {
public:
  explicit EpilogueFusion(DispatchMerger &merger) : merger(merger) {}

  void run(func::FuncOp function);

private:
  template <typename OpTy>
  OpTy getOnlyOp(dsrt::DispatchOp dispatch);
  Product getProduct(dsrt::DispatchOp dispatch);
  Chain findChain(dsrt::DispatchOp dispatch, SwigluOp swiglu);
  void addQuantize(Chain &chain);

  DispatchMerger &merger;
};

} // namespace

/// The op whose results are those of the kernel, in order, if it is an `OpTy`
/// and no out is looked at.
template <typename OpTy>
OpTy EpilogueFusion::getOnlyOp(dsrt::DispatchOp dispatch) {
  func::FuncOp kernel = merger.getKernel(dispatch);
  if (!kernel || kernel.getNumResults() == 0)
    return {};
  Operation *returnOp = kernel.getBody().front().getTerminator();
  auto op = returnOp->getOperand(0).getDefiningOp<OpTy>();
  bool fits =
      op && returnOp->getOperands() == op->getResults() &&
      llvm::all_of(kernel.getArguments().take_back(kernel.getNumResults()),
                   [](BlockArgument out) { return out.use_empty(); });
  return fits ? op : OpTy();
}

Product EpilogueFusion::getProduct(dsrt::DispatchOp dispatch) {
  Product product(getOnlyOp<LinearOp>(dispatch));
  if (!product.op)
    product = Product(getOnlyOp<GroupedLinearOp>(dispatch));
  if (!product.op)
    product = Product(getOnlyOp<ScaledLinearOp>(dispatch));
  if (!product.op)
    product = Product(getOnlyOp<ScaledGroupedLinearOp>(dispatch));
  return product;
}

Chain EpilogueFusion::findChain(dsrt::DispatchOp dispatch, SwigluOp swiglu) {
  Chain chain;
  auto argument = dyn_cast_or_null<BlockArgument>(getGatedSource(swiglu));
  if (!argument || getOnlySwiglu(argument) != swiglu) {
    chain.obstacle = "its gate and up are not the halves of one tensor";
    return chain;
  }
  Value source = dispatch.getInputs()[argument.getArgNumber()];
  auto producer = source.getDefiningOp<dsrt::DispatchOp>();
  Product product = producer ? getProduct(producer) : Product(nullptr);
  if (!product.op)
    chain.obstacle = "its gate and up are not computed by one product";
  else if (!source.hasOneUse())
    chain.obstacle = "gate and up have other readers";
  else if (!product.hasStaticWeight())
    chain.obstacle = "the weight of gate and up has a dynamic size";
  if (!chain.obstacle.empty())
    return chain;
  chain.product = product;
  chain.dispatches = {producer, dispatch};
  return chain;
}

/// Adds the quantization of the result, if tiles of it can be quantized.
void EpilogueFusion::addQuantize(Chain &chain) {
  Value result = chain.dispatches.back().getResult(0);
  for (Operation *user : result.getUsers()) {
    auto next = dyn_cast<dsrt::DispatchOp>(user);
    auto quantize = next ? getOnlyOp<QuantizeOp>(next) : QuantizeOp();
    auto argument =
        quantize ? dyn_cast<BlockArgument>(quantize.getX()) : BlockArgument();
    if (!argument || next->getOperand(argument.getArgNumber()) != result)
      continue;
    if (!result.hasOneUse())
      chain.obstacle = "what is quantized has other readers";
    else if (!quantizesTiles(quantize, chain.product))
      chain.obstacle = "its blocks are not parts of the product's tiles";
    else
      chain.dispatches.push_back(next);
    return;
  }
}

/// `linear_swiglu_4096x7168_f8` of `linear_4096x7168_f8`.
static std::string makeName(const Chain &chain) {
  dsrt::DispatchOp first = chain.dispatches.front();
  std::string op = chain.product.op->getName().stripDialect().str();
  StringRef sizes = first.getKernel().getLeafReference().getValue();
  sizes.consume_front(op);
  return op + (chain.dispatches.size() == 3 ? "_swiglu_quantize" : "_swiglu") +
         sizes.str();
}

void EpilogueFusion::run(func::FuncOp function) {
  merger.enter(function);
  // Merging erases dispatches that follow, but no other swiglu.
  SmallVector<dsrt::DispatchOp> swiglus;
  for (auto dispatch : function.getBody().front().getOps<dsrt::DispatchOp>())
    if (getOnlyOp<SwigluOp>(dispatch))
      swiglus.push_back(dispatch);
  for (dsrt::DispatchOp dispatch : swiglus) {
    auto options = remark::RemarkOpts::name("fuse-epilogues")
                       .category("kernel")
                       .function(function.getSymName());
    std::string name = dispatch.getKernel().getLeafReference().str();
    Location loc = dispatch.getLoc();
    Chain chain = findChain(dispatch, getOnlyOp<SwigluOp>(dispatch));
    if (chain.dispatches.empty()) {
      remark::missed(loc, options)
          << remark::add("{0} is not fused: {1}", name, chain.obstacle);
      continue;
    }
    addQuantize(chain);
    if (!chain.obstacle.empty())
      remark::missed(loc, options) << remark::add(
          "the quantization of {0} is not fused: {1}", name, chain.obstacle);
    SmallVector<Value> inside;
    for (dsrt::DispatchOp member : ArrayRef(chain.dispatches).drop_back())
      llvm::append_range(inside, member.getResults());
    dsrt::DispatchOp merged =
        merger.merge(chain.dispatches, makeName(chain), {}, inside);
    remark::passed(loc, options)
        << remark::add("{0} is the end of {1}", name,
                       merged.getKernel().getLeafReference().str());
  }
}

namespace {

struct FuseEpilogues : deepseek::impl::FuseEpiloguesBase<FuseEpilogues> {
  void runOnOperation() override {
    DispatchMerger merger(getOperation());
    EpilogueFusion fusion(merger);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.getBody().hasOneBlock())
        fusion.run(function);
    merger.eraseUnusedKernels();
  }
};

} // namespace
