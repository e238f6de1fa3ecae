//===- Ladder.cpp - Runs a program at every stage -------------------------===//
//
// A rung is a stage that has been run. Each is held against the one before; if
// that one is wrong, agreement with the last that is right will do.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Verification/Ladder.h"

#include "lib/Verification/HostRun.h"
#include "lib/Verification/Judge.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::verification;
using reference::makeError;
using reference::TensorMap;

//===----------------------------------------------------------------------===//
// Where the modules come from
//===----------------------------------------------------------------------===//

FailureOr<StageModules> deepseek::compileStages(ModuleOp module,
                                                const CompileOptions &options) {
  StageModules modules;
  ModuleOp last = module;
  for (const Stage &stage : getStages()) {
    modules.push_back(OwningOpRef<ModuleOp>(last.clone()));
    last = *modules.back();
    PassManager pm(module.getContext());
    pm.enableVerifier(false); // each stage ends with its own check
    if (llvm::Error error = buildStagePipeline(pm, stage, options))
      return module.emitError() << llvm::toString(std::move(error));
    if (failed(pm.run(last)))
      return failure();
  }
  return std::move(modules);
}

static std::string getStageFile(StringRef folder, size_t number) {
  SmallString<128> path(folder);
  llvm::sys::path::append(path, Twine(number + 1) + "." +
                                    getStages()[number].name + ".mlir");
  return path.str().str();
}

/// True if there is a file of this stage or of a later one.
static bool hasStageFrom(StringRef folder, size_t number) {
  for (size_t i = number; i < getStages().size(); ++i)
    if (llvm::sys::fs::exists(getStageFile(folder, i)))
      return true;
  return false;
}

bool deepseek::isStageFolder(StringRef folder) {
  return hasStageFrom(folder, 0);
}

llvm::Expected<StageModules> deepseek::readStages(StringRef folder,
                                                  MLIRContext &context) {
  StageModules modules;
  for (auto [i, stage] : llvm::enumerate(getStages())) {
    std::string path = getStageFile(folder, i);
    if (!llvm::sys::fs::exists(path)) {
      if (!hasStageFrom(folder, i + 1))
        break; // a compile that ended here
      return makeError("expected the file '" + path +
                       "', as --dump-stages writes it, got none");
    }
    auto module = parseSourceFile<ModuleOp>(path, ParserConfig(&context));
    if (!module)
      return makeError("'" + path + "' cannot be read");
    // That it is what the stage leaves.
    CompileOptions check;
    check.startAfter = check.stopAfter = stage.name.str();
    PassManager pm(&context);
    llvm::cantFail(buildCompilePipeline(pm, check));
    if (failed(pm.run(*module)))
      return makeError("'" + path + "' is not of stage '" + stage.name + "'");
    modules.push_back(std::move(module));
  }
  return modules;
}

//===----------------------------------------------------------------------===//
// The ladder
//===----------------------------------------------------------------------===//

namespace {

struct Rung {
  size_t stage; // its number
  ModuleOp module;
  bool isHost = false;
  TensorMap results;
  TensorMap withDispatches; // of a host stage, once it was asked for
  Trace trace;              // of a tensor stage
  std::string code;  // of a host stage: its module of stage llvm, as text
  std::string wrong; // why, or empty
  size_t before = 0; // the number of the stage it was held against
  std::optional<Difference> difference; // from that
};

class Ladder {
public:
  Ladder(const StageModules &modules, const LadderOptions &options,
         llvm::raw_ostream &os)
      : modules(modules), options(options), os(os) {}

  llvm::Expected<bool> run();

private:
  bool isForHost() const {
    return options.compile.target == CompileOptions().target;
  }
  llvm::Error choosePrompt();
  llvm::Error climb(Rung &rung);
  LogicalResult evaluate(ModuleOp module, StepObserver &observer,
                         TensorMap *results = nullptr);
  llvm::Error runCode(Rung &rung);
  llvm::Expected<TensorMap> runProgram(ModuleOp lowered);
  llvm::Error runWithDispatches(Rung &rung);

  std::string judge(Rung &before, Rung &rung);
  llvm::Error search(Rung &before, Rung &rung, std::vector<Finding> &findings);
  void assess(Rung &rung);
  void printRow(const Rung &rung);

  const StageModules &modules;
  const LadderOptions &options;
  llvm::raw_ostream &os;
  StepTokens tokens;
  std::vector<Rung> rungs;
};

} // namespace

/// The last stage that is all tensors.
constexpr size_t kKernelsStage = 4;

/// Ids all over the vocabulary, the first token of a text before them.
llvm::Error Ladder::choosePrompt() {
  ModuleOp module = *modules.front();
  auto entry = module.lookupSymbol<func::FuncOp>("decode");
  int64_t vocabulary = 0;
  for (unsigned i = 0; entry && i < entry.getNumResults(); ++i)
    if (reference::getResultName(entry, i) == "logits")
      if (auto type = dyn_cast<RankedTensorType>(entry.getResultTypes()[i]);
          type && type.getRank() == 2)
        vocabulary = type.getDimSize(1);
  if (vocabulary <= 0)
    return makeError("expected a model with an entry 'decode' that returns "
                     "'logits', as ds-import makes it");
  for (int64_t id : options.prompt)
    if (id < 0 || id >= vocabulary)
      return makeError("--prompt-ids: expected ids from 0 to " +
                       Twine(vocabulary - 1) + ", got " + Twine(id));
  tokens.prompt = options.prompt;
  tokens.nextCount = options.decodeSteps;
  constexpr int64_t count = 12;
  auto bos = module->getAttrOfType<IntegerAttr>(kBosAttr);
  for (int64_t i = 0; options.prompt.empty() && i < count; ++i)
    tokens.prompt.push_back(i == 0 && bos ? bos.getInt() % vocabulary
                                          : i * vocabulary / count);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Running a stage
//===----------------------------------------------------------------------===//

LogicalResult Ladder::evaluate(ModuleOp module, StepObserver &observer,
                               TensorMap *results) {
  std::string source = options.weights;
  if (auto attribute = module->getAttrOfType<StringAttr>(kSourceAttr);
      source.empty() && attribute)
    source = attribute.str();
  auto loader = reference::openWeights(module, source);
  if (!loader)
    return module.emitError() << llvm::toString(loader.takeError());
  FailureOr<TensorMap> all =
      runReference(module, std::move(*loader), tokens, observer);
  if (failed(all))
    return failure();
  if (results)
    *results = std::move(*all);
  return success();
}

/// Code for another target than the host runs on the simulator of it.
llvm::Expected<TensorMap> Ladder::runProgram(ModuleOp lowered) {
  return runHost(lowered, options.artifact, options.weights, tokens,
                 isForHost() ? "" : "simulator");
}

/// Programs of the same code are run once.
llvm::Error Ladder::runCode(Rung &rung) {
  auto lowered =
      lowerToLLVM(rung.module, getStages()[rung.stage], options.compile);
  if (!lowered)
    return lowered.takeError();
  llvm::raw_string_ostream(rung.code) << **lowered;
  for (const Rung &other : rungs)
    if (other.code == rung.code && !other.results.empty()) {
      rung.results = other.results;
      return llvm::Error::success();
    }
  auto results = runProgram(**lowered);
  if (!results)
    return results.takeError();
  rung.results = std::move(*results);
  return llvm::Error::success();
}

llvm::Error Ladder::climb(Rung &rung) {
  if (rung.isHost)
    return runCode(rung);
  Tracer tracer;
  if (failed(evaluate(rung.module, tracer, &rung.results)))
    return makeError("it cannot be run, for the error above");
  rung.trace = tracer.takeTrace();
  return llvm::Error::success();
}

/// Finds a host program's results and those of all of its kernels.
llvm::Error Ladder::runWithDispatches(Rung &rung) {
  if (!rung.withDispatches.empty())
    return llvm::Error::success();
  for (const Rung &other : rungs)
    if (other.code == rung.code && !other.withDispatches.empty()) {
      rung.withDispatches = other.withDispatches;
      return llvm::Error::success();
    }
  // The entries of stage llvm hold no dispatches any more; those of stage
  // device do, and can have its kernels.
  size_t stage = std::min(rung.stage, getStages().size() - 2);
  OwningOpRef<ModuleOp> module(ModuleOp(*modules[stage]).clone());
  if (stage != rung.stage)
    replaceKernels(*module, rung.module);
  if (failed(returnDispatchResults(*module)))
    return makeError("the results of its kernels cannot be returned");
  auto lowered = lowerToLLVM(*module, getStages()[stage], options.compile);
  if (!lowered)
    return lowered.takeError();
  auto results = runProgram(**lowered);
  if (!results)
    return results.takeError();
  rung.withDispatches = std::move(*results);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Comparing two
//===----------------------------------------------------------------------===//

llvm::Error Ladder::search(Rung &before, Rung &rung,
                           std::vector<Finding> &findings) {
  auto run = [&](ModuleOp module) {
    return [this, module](StepObserver &observer) {
      return evaluate(module, observer);
    };
  };
  std::string problem;
  ScopedDiagnosticHandler collect(
      rung.module->getContext(),
      [&](Diagnostic &diagnostic) { problem = diagnostic.str(); });
  LogicalResult result = success();
  if (!rung.isHost) {
    result =
        compareTraces(before.trace, rung.trace, run(rung.module), findings);
  } else if (before.stage >= kKernelsStage) {
    if (llvm::Error error = runWithDispatches(rung))
      return error;
    if (before.isHost) {
      if (llvm::Error error = runWithDispatches(before))
        return error;
      compareDispatches(before.withDispatches, rung.withDispatches,
                        before.module, findings);
    } else {
      result =
          compareKernels(rung.withDispatches, run(before.module), findings);
    }
  }
  if (failed(result))
    return makeError("its values cannot be used: " + problem);
  if (findings.empty())
    compareResults(before.results, rung.results, findings);
  return llvm::Error::success();
}

/// The first finding that is not allowed, if there is one.
static std::string explain(ArrayRef<Finding> findings,
                           ArrayRef<Rounding> roundings) {
  const Finding *first = llvm::find_if(findings, [&](const Finding &finding) {
    return !isAllowed(finding, roundings);
  });
  if (first == findings.end())
    return "";
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << first->what << "\n    "
         << describe(first->difference, first->before, first->after);
  if (first->origin.size() > 1)
    stream << "\n    computed since the last values that agree by "
           << llvm::join(first->origin, ", ");
  return text;
}

/// Why `rung` is wrong if `before` is right; empty if it is not.
std::string Ladder::judge(Rung &before, Rung &rung) {
  llvm::Expected<Difference> difference = compare(before.results, rung.results);
  if (!difference)
    return llvm::toString(difference.takeError());
  if (!rung.difference)
    rung.difference = *difference;
  if (difference->identical)
    return "";
  SmallVector<Rounding> roundings;
  for (const Stage &stage :
       getStages().slice(before.stage + 1, rung.stage - before.stage))
    if (stage.rounding)
      roundings.push_back(*stage.rounding);
  std::vector<Finding> findings;
  // Wrong values may end the search, where they are sizes or indices.
  std::string failure;
  if (llvm::Error error = search(before, rung, findings))
    failure = llvm::toString(std::move(error));
  std::string reason = explain(findings, roundings);
  return reason.empty() ? failure : reason;
}

void Ladder::assess(Rung &rung) {
  if (llvm::Error error = climb(rung)) {
    rung.wrong = llvm::toString(std::move(error));
    return;
  }
  if (rungs.empty())
    return;
  Rung *before = &rungs.back();
  rung.before = before->stage;
  if (!before->results.empty())
    rung.wrong = judge(*before, rung);
  auto right = llvm::find_if(llvm::reverse(rungs), [](const Rung &other) {
    return other.wrong.empty();
  });
  bool isLast = right == rungs.rbegin();
  if (right != rungs.rend() && !isLast &&
      (before->results.empty() || !rung.wrong.empty())) {
    std::optional<Difference> difference = std::move(rung.difference);
    rung.difference.reset();
    std::string reason = judge(*right, rung);
    if (reason.empty() || before->results.empty()) {
      rung.wrong = reason;
      rung.before = right->stage;
    } else {
      rung.difference = std::move(difference);
    }
  }
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

void Ladder::printRow(const Rung &rung) {
  const Stage &stage = getStages()[rung.stage];
  std::string largest = "-", mean = "-", bits = "-";
  if (rung.difference) {
    llvm::raw_string_ostream(largest = "")
        << llvm::format("%.3g", rung.difference->largest);
    llvm::raw_string_ostream(mean = "")
        << llvm::format("%.3g", rung.difference->mean());
    bits = rung.difference->identical ? "identical" : "differ";
  }
  os << llvm::format("%-9s  %-9s  %-9s  %-10s  %-9s  %-6s  ", stage.name.data(),
                     !rung.isHost  ? "reference"
                     : isForHost() ? "host code"
                                   : "simulator",
                     largest.c_str(), mean.c_str(), bits.c_str(),
                     rung.wrong.empty() ? "ok" : "WRONG")
     << (rung.stage ? describeNumerics(stage) : "-");
  if (rung.before + 1 < rung.stage)
    os << " (against " << getStages()[rung.before].name << ")";
  os << "\n";
  os.flush();
}

llvm::Expected<bool> Ladder::run() {
  if (llvm::Error error = choosePrompt())
    return error;
  os << llvm::format("%-9s  %-9s  %-9s  %-10s  %-9s  %-6s  %s\n", "stage",
                     "run by", "max error", "mean error", "bits", "",
                     "declared");
  rungs.reserve(modules.size());
  for (auto [i, module] : llvm::enumerate(modules)) {
    Rung rung;
    rung.stage = i;
    rung.module = *module;
    rung.isHost = i > kKernelsStage;
    assess(rung);
    printRow(rung);
    if (i == 0 && !rung.wrong.empty())
      return makeError("stage '" + getStages()[0].name + "': " + rung.wrong);
    options.progress("verifying '" + getStages()[i].name + "'");
    rungs.push_back(std::move(rung));
  }
  bool isRight = true;
  for (const Rung &rung : rungs) {
    if (!rung.wrong.empty())
      os << "\n"
         << getStages()[rung.stage].name << " is wrong\n  " << rung.wrong
         << "\n";
    isRight &= rung.wrong.empty();
  }
  return isRight;
}

llvm::Expected<bool> deepseek::verifyStages(const StageModules &modules,
                                            const LadderOptions &options,
                                            llvm::raw_ostream &os) {
  return Ladder(modules, options, os).run();
}
