//===- Trace.cpp - The values of an evaluation ----------------------------===//

#include "lib/Verification/Trace.h"

#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <map>
#include <set>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::verification;
using reference::Tensor;

//===----------------------------------------------------------------------===//
// Recording
//===----------------------------------------------------------------------===//

template <typename T>
static void unite(SmallVectorImpl<T> &all, ArrayRef<T> more) {
  for (const T &one : more)
    if (!llvm::is_contained(all, one))
      all.push_back(one);
}

void Tracer::Source::add(const Source &other) {
  fromInputs |= other.fromInputs;
  unite<size_t>(producers, other.producers);
  unite<StringRef>(weights, other.weights);
  unite<StringRef>(between, other.between);
}

/// Shows the same elements, or makes none.
static bool isView(Operation &op) {
  return isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp, tensor::CastOp, tensor::EmptyOp>(op);
}

static StringRef getPlace(Operation *op) {
  auto name = op->getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().getValue() : StringRef();
}

void Tracer::entered(func::FuncOp function, Operation *caller) {
  Frame frame;
  for (BlockArgument argument : function.getArguments()) {
    Source &source = frame.sources[argument];
    source.fromInputs = !caller && isa<ShapedType>(argument.getType());
    if (caller && argument.getArgNumber() < caller->getNumOperands())
      source = frames.back().sources.lookup(
          caller->getOperand(argument.getArgNumber()));
  }
  if (caller && frames.size() == 1)
    hostOp = caller;
  frames.push_back(std::move(frame));
}

void Tracer::left(func::FuncOp function, MutableArrayRef<Tensor> results) {
  Operation *terminator = function.getBody().front().getTerminator();
  Frame frame = std::move(frames.back());
  frames.pop_back();
  SmallVector<Source> sources;
  for (Value operand : terminator->getOperands())
    sources.push_back(frame.sources.lookup(operand));
  if (frames.size() == 1)
    hostOp = nullptr;
  if (frames.empty()) {
    for (auto [i, source] : llvm::enumerate(sources))
      if (auto name = function.getResultAttrOfType<StringAttr>(i, kNameAttr))
        record(*terminator, name.getValue(), i, source, results[i]);
    return;
  }
  // A function that computes weights is run when the first of them is read.
  for (auto [i, source] : llvm::enumerate(sources))
    if (auto name = function.getResultAttrOfType<StringAttr>(i, kNameAttr))
      derivedWeights[name.getValue()] = source;
  frames.back().returned = std::move(sources);
}

Tracer::Source Tracer::getWeight(Operation &op, StringRef symbol) {
  Source source;
  auto derived = derivedWeights.find(symbol);
  if (derived != derivedWeights.end())
    return derived->second;
  auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(
      &op, StringAttr::get(op.getContext(), symbol));
  source.weights.push_back(weight && weight.getKey() ? *weight.getKey()
                                                     : symbol);
  return source;
}

void Tracer::record(Operation &op, StringRef name, unsigned result,
                    const Source &source, Tensor &value) {
  size_t position = trace.size();
  if (onValue)
    onValue(position, value);
  Operation *inEntry = hostOp ? hostOp : &op;
  trace.push_back({step, name, &op, result, inEntry, getPlace(inEntry),
                   source.weights, source.producers, source.between, value});
}

void Tracer::evaluated(Operation &op, MutableArrayRef<Tensor> results) {
  if (!isa<func::FuncOp>(op.getParentOp()))
    return;
  Frame &frame = frames.back();
  if (isa<func::CallOp, dsrt::DispatchOp>(op)) {
    for (auto [result, source] :
         llvm::zip_equal(op.getResults(), frame.returned))
      frame.sources[result] = source;
    return;
  }
  if (auto weight = dyn_cast<GetWeightOp>(op)) {
    frame.sources[weight.getResult()] = getWeight(op, weight.getWeight());
    return;
  }
  if (auto weight = dyn_cast<dsrt::GetWeightOp>(op)) {
    frame.sources[weight.getResult()] = getWeight(op, weight.getWeight());
    return;
  }
  Source source;
  for (Value operand : op.getOperands())
    source.add(frame.sources[operand]);
  bool isTraced =
      !isView(op) && (source.fromInputs || !source.producers.empty());
  for (auto [i, result] : llvm::enumerate(op.getResults())) {
    if (!isa<RankedTensorType>(result.getType()))
      continue;
    if (isTraced) {
      size_t position = trace.size();
      record(op, op.getName().getStringRef(), i, source, results[i]);
      frame.sources[result].producers = {position};
      continue;
    }
    frame.sources[result] = source;
    if (!isa<tensor::EmptyOp>(op))
      unite<StringRef>(frame.sources[result].between,
                       op.getName().getStringRef());
  }
}

//===----------------------------------------------------------------------===//
// Correspondence
//===----------------------------------------------------------------------===//

namespace {

/// Finds for each value of one trace its counterpart in another.
class Matching {
public:
  Matching(const Trace &before, const Trace &after)
      : before(before), after(after), taken(before.size()),
        counterparts(after.size()) {}

  /// Values of a key correspond in their order, if there are equally many.
  template <typename GetKey>
  void matchInOrder(GetKey getKey) {
    for (const auto &[key, both] : group(getKey))
      if (both.first.size() == both.second.size())
        for (auto [left, right] : llvm::zip_equal(both.first, both.second))
          match(left, right);
  }

  /// The only value of a key corresponds to the last one: an op that was
  /// replaced by several, of which the last gives its result.
  template <typename GetKey>
  void matchReplaced(GetKey getKey) {
    for (const auto &[key, both] : group(getKey))
      if (!key.empty() && both.first.size() == 1 && !both.second.empty())
        match(both.first.front(), both.second.back());
  }

  std::vector<std::optional<size_t>> take() { return std::move(counterparts); }

private:
  using Positions = std::vector<size_t>;

  void match(size_t left, size_t right) {
    taken[left] = true;
    counterparts[right] = left;
  }

  /// The values that have no counterpart yet.
  template <typename GetKey>
  std::map<std::string, std::pair<Positions, Positions>> group(GetKey getKey) {
    std::map<std::string, std::pair<Positions, Positions>> groups;
    for (size_t i = 0; i < before.size(); ++i)
      if (!taken[i])
        groups[getKey(before[i])].first.push_back(i);
    for (size_t i = 0; i < after.size(); ++i)
      if (!counterparts[i])
        groups[getKey(after[i])].second.push_back(i);
    return groups;
  }

  const Trace &before, &after;
  std::vector<bool> taken;
  std::vector<std::optional<size_t>> counterparts;
};

} // namespace

static std::string getTypeKey(const TracedValue &value) {
  return (value.step + "|" + reference::name(value.value.type()) + "|" +
          Twine(value.value.size()))
      .str();
}

static std::string getKindKey(const TracedValue &value) {
  return (getTypeKey(value) + "|" + value.name + "|" + Twine(value.result) +
          "|" + llvm::join(value.weights, ","))
      .str();
}

std::vector<std::optional<size_t>>
verification::matchValues(const Trace &before, const Trace &after) {
  Matching matching(before, after);
  matching.matchInOrder([](const TracedValue &value) {
    return (getKindKey(value) + "|" + value.place).str();
  });
  matching.matchInOrder(getKindKey);
  matching.matchReplaced([](const TracedValue &value) {
    return value.place.empty() ? std::string()
                               : (getTypeKey(value) + "|" + value.place).str();
  });
  return matching.take();
}

std::vector<size_t> verification::getUnmatchedOrigin(const Trace &trace,
                                                     ArrayRef<bool> isMatched,
                                                     size_t position) {
  std::set<size_t> found;
  SmallVector<size_t> queue = {position};
  while (!queue.empty())
    for (size_t producer : trace[queue.pop_back_val()].producers)
      if (!isMatched[producer] && found.insert(producer).second)
        queue.push_back(producer);
  return {found.begin(), found.end()};
}

std::string verification::describe(const TracedValue &value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (isa<func::ReturnOp>(value.op))
    stream << "the result '" << value.name << "'";
  else
    stream << value.name;
  if (auto dispatch = dyn_cast<dsrt::DispatchOp>(value.hostOp))
    stream << " in kernel @"
           << dispatch.getKernel().getLeafReference().getValue();
  auto file = value.hostOp->getLoc()->findInstanceOf<FileLineColLoc>();
  if (!value.place.empty())
    stream << " at " << value.place;
  else if (file)
    stream << " at " << file.getFilename().getValue() << ":" << file.getLine();
  SmallVector<StringRef> weights;
  for (StringRef weight : value.weights)
    if (!weight.ends_with("_scale_inv"))
      weights.push_back(weight);
  if (!weights.empty())
    stream << " (" << llvm::join(weights, ", ") << ")";
  return text;
}
