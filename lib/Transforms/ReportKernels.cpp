//===- ReportKernels.cpp - Launches and bytes of a step -------------------===//
//
// Prints what a step of each entry costs at stage kernels, layer by layer:
//
//   decode: one token, 1,024 cached
//                               launches        weights  activations      cache
//   layer 0 (dense)                   20      6,011,904       30,976  1,327,104
//   each of layers 1-4 (MoE)          28      ...
//   outside of layers                  4
//   all                              136
//   35 kernels
//
// The layer of a launch is the one that its location names. Entries without
// tokens are no steps; entries with the same figures share a table.
//
//===----------------------------------------------------------------------===//

#include "KernelTraffic.h"

#include "deepseek/Transforms/Passes.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "llvm/Support/FormatVariadic.h"

#include <map>

namespace mlir::deepseek {
#define GEN_PASS_DEF_REPORTKERNELS
#include "deepseek/Transforms/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// Some launches of a step.
struct Launches {
  int64_t count = 0;
  Traffic traffic;
  bool experts = false;

  Launches &operator+=(const Launches &other) {
    count += other.count;
    traffic += other.traffic;
    return *this;
  }
  bool operator==(const Launches &other) const {
    return count == other.count && traffic == other.traffic &&
           experts == other.experts;
  }
};

/// What is not in a layer.
constexpr int64_t kNoLayer = -1;

} // namespace

/// N, if the location names `model.layers.N` or a part of it. Of several, the
/// first: a kernel that ends one layer and begins the next counts with the one
/// it ends.
static int64_t getLayer(Location loc) {
  int64_t layer = kNoLayer;
  loc->walk([&](Location part) {
    if (auto name = dyn_cast<NameLoc>(part)) {
      StringRef text = name.getName();
      if (text.consume_front("model.layers.") &&
          !text.consumeInteger(10, layer))
        return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return layer;
}

static void printRow(raw_ostream &os, const Twine &name,
                     const Launches &launches) {
  os << llvm::formatv("  {0,-28}{1,10:N}{2,18:N}{3,16:N}{4,16:N}\n", name.str(),
                      launches.count, launches.traffic.weights,
                      launches.traffic.activations, launches.traffic.cache);
}

/// One row for each run of equal layers.
static void printLayers(raw_ostream &os,
                        const std::map<int64_t, Launches> &layers) {
  for (auto first = layers.begin(); first != layers.end();) {
    auto last = first, next = std::next(first);
    while (next != layers.end() && next->second == first->second)
      last = next++;
    std::string name =
        first == last
            ? llvm::formatv("layer {0}", first->first).str()
            : llvm::formatv("each of layers {0}-{1}", first->first, last->first)
                  .str();
    printRow(os, name + (first->second.experts ? " (MoE)" : " (dense)"),
             first->second);
    first = next;
  }
}

namespace {

struct ReportKernels : deepseek::impl::ReportKernelsBase<ReportKernels> {
  using ReportKernelsBase::ReportKernelsBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (cachedTokens < 1) {
      getOperation().emitError()
          << "cached-tokens expected to be at least 1, got "
          << cachedTokens.getValue();
      return signalPassFailure();
    }
    // Names of entries and their table.
    SmallVector<std::pair<std::string, std::string>> tables;
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (!takesTokens(func))
        continue;
      FailureOr<std::string> table = report(func);
      if (failed(table))
        return signalPassFailure();
      auto same = llvm::find_if(
          tables, [&](auto &entry) { return entry.second == *table; });
      if (same == tables.end())
        tables.push_back({func.getSymName().str(), *table});
      else
        same->first += ", " + func.getSymName().str();
    }
    for (auto &[names, table] : tables)
      llvm::errs() << names
                   << llvm::formatv(": one token, {0:N} cached",
                                    cachedTokens.getValue())
                   << "\n"
                   << table;
  }

  static bool takesTokens(func::FuncOp func) {
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (auto dims = func.getArgAttrOfType<ArrayAttr>(i, kDimsAttr))
        for (Attribute dim : dims)
          if (dim == StringAttr::get(func.getContext(), "tokens"))
            return true;
    return false;
  }

  FailureOr<std::string> report(func::FuncOp func) {
    SymbolTableCollection symbols;
    KernelTraffic traffic(func, cachedTokens);
    std::map<int64_t, Launches> layers;
    Launches outside, all;
    DenseSet<Operation *> kernels;
    for (auto dispatch : func.getOps<dsrt::DispatchOp>()) {
      auto kernel = symbols.lookupNearestSymbolFrom<func::FuncOp>(
          dispatch, dispatch.getKernel());
      if (!kernel || kernel.isExternal())
        return dispatch.emitOpError("expected a kernel with a body, as after "
                                    "stage 'kernels'");
      FailureOr<Traffic> moved = traffic.get(dispatch, kernel);
      if (failed(moved))
        return failure();
      int64_t layer = getLayer(dispatch.getLoc());
      Launches &part = layer == kNoLayer ? outside : layers[layer];
      Launches one = {1, *moved};
      part += one;
      all += one;
      part.experts |= !kernel.getOps<RouteOp>().empty();
      kernels.insert(kernel);
    }
    std::string text;
    llvm::raw_string_ostream os(text);
    os << llvm::formatv("  {0,-28}{1,10}{2,18}{3,16}{4,16}\n", "bytes moved",
                        "launches", "weights", "activations", "cache");
    printLayers(os, layers);
    if (outside.count)
      printRow(os, "outside of layers", outside);
    printRow(os, "all", all);
    os << "  " << kernels.size() << " kernels\n";
    return text;
  }
};

} // namespace
