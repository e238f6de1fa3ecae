//===- AnyRoute.cpp - Choose experts, sort tokens by expert ---------------===//
//
//   route, warp of token t:
//     a group of experts belongs to L neighbouring lanes; lane i of them holds
//     `per` neighbouring experts in registers
//     s = sigmoid(logits) or softmax(logits), c = s + bias as ordered integers
//     group: its largest two c by shuffles; kept if fewer than top_groups
//     groups
//            are better
//     top_k times: largest c of all lanes, of equals the lowest expert; gone
//     scores = s (/ their sum) * scale
//
//   sort, CTA of expert e:
//     warp w: its part of indices: how many are below e, how many are e
//     offsets[e] = all that are below e
//     warp w: number i of its part that is e: source[offset + those before] = i
//     the last CTA: offsets[E], and a shared expert's rows, which are all
//     tokens
//
//   copy, CTA of row p: rows[p] = x[source[p] / C], and the row's scales
//
// No atomics and no round trip to the host: the order is that of the tokens.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Route/Route.h"
#include "lib/Target/NVPTX/Kernels/RowEmitters.h"
#include "lib/Target/NVPTX/Kernels/SimpleKernel.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// What the kernel does: one of the two ops, or a dispatch of what is routed.
struct RouteKernel {
  RouteOp route;
  MoEDispatchOp dispatch;

  static std::optional<RouteKernel> analyze(func::FuncOp kernel);
};

/// The number of an argument, or of the argument that `value` is returned in.
std::optional<unsigned> getPlace(func::FuncOp kernel, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber();
  Operation *end = kernel.getBody().front().getTerminator();
  for (OpOperand &operand : end->getOpOperands())
    if (operand.get() == value)
      return kernel.getNumArguments() - end->getNumOperands() +
             operand.getOperandNumber();
  return std::nullopt;
}

/// Whether every value of `op` is an argument, or returned by the kernel.
bool hasPlaces(func::FuncOp kernel, Operation *op) {
  auto hasPlace = [&](Value value) {
    return getPlace(kernel, value).has_value();
  };
  return llvm::all_of(op->getOperands(), hasPlace) &&
         llvm::all_of(op->getResults(), hasPlace);
}

std::optional<RouteKernel> RouteKernel::analyze(func::FuncOp kernel) {
  RouteKernel result;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (auto route = dyn_cast<RouteOp>(op); route && !result.route)
      result.route = route;
    else if (auto dispatch = dyn_cast<MoEDispatchOp>(op);
             dispatch && !result.dispatch)
      result.dispatch = dispatch;
    else
      return std::nullopt;
    if (!hasPlaces(kernel, &op))
      return std::nullopt;
  }
  if (result.route && !canRoute(result.route))
    return std::nullopt;
  if (result.dispatch && !canDispatch(result.dispatch))
    return std::nullopt;
  if (!result.route && !result.dispatch)
    return std::nullopt;
  return result;
}

class RouteEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "any_route"; }

  bool match(func::FuncOp kernel, const Chip &) const override {
    return RouteKernel::analyze(kernel).has_value();
  }

  Configuration configure(func::FuncOp kernel, const Chip &) const override;

  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;
};

/// Few tokens are latency bound: one warp each, few to a CTA, so that they
/// spread over the chip. Sorting reads all choices once per expert, from L2.
Configuration RouteEmitter::configure(func::FuncOp kernel, const Chip &) const {
  RouteKernel ops = *RouteKernel::analyze(kernel);
  Builder b(kernel.getContext());
  Configuration result;
  auto add = [&](StringRef name, int64_t value) {
    result.parameters.push_back(
        b.getNamedAttr(name, b.getI64IntegerAttr(value)));
  };
  if (ops.route) {
    add("tokens_per_cta", 4);
    LaneShape shape = getLaneShape(ops.route);
    result.reason = llvm::formatv("route: a warp a token, {0} experts a lane, "
                                  "{1} lanes a group",
                                  shape.perLane, shape.lanesPerGroup)
                        .str();
  }
  if (ops.dispatch) {
    int64_t vectors = getRowVectors(ops.dispatch);
    int64_t threads = std::clamp<int64_t>(llvm::alignTo(vectors, 32), 32, 256);
    add("copy_threads", threads);
    add("sort_threads", 256);
    if (!result.reason.empty())
      result.reason += "; ";
    result.reason +=
        llvm::formatv("dispatch: a CTA an expert sorts, {0} threads copy a row "
                      "of {1} vectors",
                      threads, vectors)
            .str();
  }
  return result;
}

LogicalResult RouteEmitter::emit(func::FuncOp kernel, DictionaryAttr parameters,
                                 LaunchBuilder &launch) const {
  RouteKernel ops = *RouteKernel::analyze(kernel);
  auto place = [&](Value value) { return *getPlace(kernel, value); };
  if (ops.route) {
    FailureOr<int64_t> tokens =
        getParameter(kernel, parameters, "tokens_per_cta", 1, 32);
    if (failed(tokens))
      return failure();
    emitRoute(launch, ops.route, *tokens, place);
  }
  if (!ops.dispatch)
    return success();
  FailureOr<int64_t> sortThreads =
      getThreads(kernel, parameters, "sort_threads");
  FailureOr<int64_t> copyThreads =
      getThreads(kernel, parameters, "copy_threads");
  if (failed(sortThreads) || failed(copyThreads))
    return failure();
  emitSort(launch, ops.dispatch, *sortThreads, place);
  emitCopy(launch, ops.dispatch, *copyThreads, place);
  return success();
}

} // namespace

const KernelEmitter *deepseek::getRouteEmitter() {
  static const RouteEmitter emitter;
  return &emitter;
}
