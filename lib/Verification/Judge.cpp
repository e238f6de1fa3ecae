//===- Judge.cpp - Where two stages compute different values --------------===//

#include "lib/Verification/Judge.h"

#include "dialects/DSRT/IR/DSRTDialect.h"
#include "lib/Verification/HostRun.h"

#include <cmath>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::verification;
using reference::Tensor;
using reference::TensorMap;

/// One code of FP8 to the next is more than any other rounding.
static int getLog2Bound(const Rounding &rounding, reference::ElementType type) {
  constexpr int oneCode = -3;
  if (type == reference::ElementType::F32)
    return rounding.log2BoundF32;
  return reference::byteSize(type) == 1 ? std::max(rounding.log2Bound, oneCode)
                                        : rounding.log2Bound;
}

bool verification::isAllowed(const Finding &finding,
                             ArrayRef<Rounding> roundings) {
  // Integers are choices: there is no nearly right one.
  reference::ElementType type = finding.before.type();
  if (!reference::isFloat(type))
    return false;
  return llvm::any_of(roundings, [&](const Rounding &rounding) {
    bool concerns =
        rounding.ops.empty() || llvm::any_of(rounding.ops, [&](StringRef op) {
          return llvm::is_contained(finding.origin, op);
        });
    return concerns && finding.difference.largest <=
                           std::ldexp(finding.difference.magnitude,
                                      getLog2Bound(rounding, type));
  });
}

//===----------------------------------------------------------------------===//
// Tensor stages
//===----------------------------------------------------------------------===//

static void addNames(SmallVectorImpl<StringRef> &names,
                     const TracedValue &value) {
  for (StringRef name : value.between)
    if (!llvm::is_contained(names, name))
      names.push_back(name);
  if (!llvm::is_contained(names, value.name))
    names.push_back(value.name);
}

/// All ops that made a value from those that both traces have.
static SmallVector<StringRef>
getOrigin(const Trace &trace, ArrayRef<bool> isMatched, size_t position) {
  SmallVector<StringRef> names;
  for (size_t origin : getUnmatchedOrigin(trace, isMatched, position))
    addNames(names, trace[origin]);
  addNames(names, trace[position]);
  return names;
}

LogicalResult
verification::compareTraces(const Trace &before, const Trace &after,
                            function_ref<LogicalResult(StepObserver &)> run,
                            std::vector<Finding> &findings) {
  auto counterparts = matchValues(before, after);
  SmallVector<bool> isMatchedBefore(before.size()), isMatched(after.size());
  for (auto [i, counterpart] : llvm::enumerate(counterparts))
    if (counterpart)
      isMatched[i] = isMatchedBefore[*counterpart] = true;

  Tracer tracer;
  tracer.onValue = [&](size_t position, Tensor &value) {
    if (position >= counterparts.size() || !counterparts[position])
      return;
    const TracedValue &left = before[*counterparts[position]];
    const TracedValue &right = after[position];
    Difference difference = compare(left.value, value);
    if (difference.identical)
      return;
    Finding finding;
    finding.what = right.step + ": " + describe(right);
    if (left.name != right.name)
      finding.what += ", before " + describe(left);
    finding.origin = getOrigin(after, isMatched, position);
    for (StringRef name :
         getOrigin(before, isMatchedBefore, *counterparts[position]))
      if (!llvm::is_contained(finding.origin, name))
        finding.origin.push_back(name);
    finding.difference = difference;
    finding.before = left.value;
    finding.after = value;
    findings.push_back(std::move(finding));
    value = left.value.reshaped(value.shape());
  };
  return run(tracer);
}

//===----------------------------------------------------------------------===//
// Host stages
//===----------------------------------------------------------------------===//

static std::string describeDispatch(dsrt::DispatchOp dispatch) {
  TracedValue value;
  value.op = value.hostOp = dispatch;
  value.name = "dispatch";
  if (auto name = dispatch.getLoc()->findInstanceOf<NameLoc>())
    value.place = name.getName().getValue();
  return describe(value);
}

/// The name of the cache that an output of a dispatch is, or empty.
static StringRef getCacheName(Value output) {
  auto argument = dyn_cast<BlockArgument>(output);
  auto entry = argument
                   ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
                   : func::FuncOp();
  if (!entry)
    return "";
  auto name =
      entry.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kNameAttr);
  return name && isCache(name) ? name.getValue() : StringRef();
}

namespace {

/// Compares what the reference computes with what the host did, and goes on
/// with the latter.
class KernelCheck : public StepObserver {
public:
  KernelCheck(const TensorMap &host, std::vector<Finding> &findings)
      : host(host), findings(findings) {}

  void beginStep(StringRef name, int64_t newLength) override {
    step = name.str();
    length = newLength;
    dispatches = 0;
  }

  void entered(func::FuncOp, Operation *) override { ++depth; }

  void evaluated(Operation &op, MutableArrayRef<Tensor> results) override {
    auto dispatch = dyn_cast<dsrt::DispatchOp>(op);
    if (depth != 1 || !dispatch)
      return;
    size_t number = dispatches++;
    for (auto [i, result] : llvm::enumerate(results)) {
      StringRef cache = getCacheName(dispatch.getOutputs()[i]);
      check(
          cache.empty() ? getDispatchResultName(number, i) : cache.str(),
          [&] { return describeDispatch(dispatch); }, result);
    }
  }

  void left(func::FuncOp function, MutableArrayRef<Tensor> results) override {
    if (--depth > 0)
      return;
    for (auto [i, result] : llvm::enumerate(results)) {
      std::string name = reference::getResultName(function, i);
      check(
          name, [&] { return "the result '" + name + "'"; }, result);
    }
  }

private:
  void check(const std::string &name, function_ref<std::string()> what,
             Tensor &value) {
    auto found = host.find(step + "." + name);
    if (found == host.end())
      return;
    bool cached = isCache(name);
    Tensor own = cached ? getCacheRows(value, length) : value;
    Difference difference = compare(own, found->second);
    if (difference.identical)
      return;
    findings.push_back(
        {step + ": " + what(), {}, difference, own, found->second});
    if (own.type() == found->second.type() &&
        own.size() == found->second.size())
      value = cached ? setCacheRows(value, found->second)
                     : found->second.reshaped(value.shape());
  }

  const TensorMap &host;
  std::vector<Finding> &findings;
  std::string step;
  int64_t length = 0;
  size_t dispatches = 0;
  int depth = 0;
};

} // namespace

LogicalResult
verification::compareKernels(const TensorMap &host,
                             function_ref<LogicalResult(StepObserver &)> run,
                             std::vector<Finding> &findings) {
  KernelCheck check(host, findings);
  return run(check);
}

void verification::compareDispatches(const TensorMap &before,
                                     const TensorMap &after, ModuleOp module,
                                     std::vector<Finding> &findings) {
  auto compareStep = [&](const std::string &step, StringRef entryName) {
    auto entry = module.lookupSymbol<func::FuncOp>(entryName);
    if (!entry) // the prompt is then run by decode
      entry = module.lookupSymbol<func::FuncOp>("decode");
    auto dispatches = entry.getBody().front().getOps<dsrt::DispatchOp>();
    for (auto [number, dispatch] : llvm::enumerate(dispatches))
      for (unsigned i = 0; i < dispatch.getOutputs().size(); ++i) {
        StringRef cache = getCacheName(dispatch.getOutputs()[i]);
        std::string name =
            step + "." +
            (cache.empty() ? getDispatchResultName(number, i) : cache.str());
        auto left = before.find(name), right = after.find(name);
        if (left == before.end() || right == after.end())
          continue;
        Difference difference = compare(left->second, right->second);
        if (!difference.identical)
          findings.push_back({step + ": " + describeDispatch(dispatch),
                              {},
                              difference,
                              left->second,
                              right->second});
      }
  };
  compareStep("prefill", "prefill");
  compareStep("mtp", "mtp");
  for (int64_t i = 0; after.count("decode." + std::to_string(i) + ".logits");
       ++i)
    compareStep("decode." + std::to_string(i), "decode");
}

void verification::compareResults(const TensorMap &before,
                                  const TensorMap &after,
                                  std::vector<Finding> &findings) {
  for (const auto &[name, tensor] : before) {
    Difference difference = compare(tensor, after.at(name));
    if (!difference.identical)
      findings.push_back({"the result '" + name + "'",
                          {},
                          difference,
                          tensor,
                          after.at(name)});
  }
}
