//===- Stages.cpp - The eight stages of a compile -------------------------===//
//
// The table of stages and the only place that orders passes. A stage is a
// pipeline of its own; a compile is a range of them.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Pipelines/Stages.h"

#include "StagePasses.h"

#include "deepseek/Conversion/Passes.h"
#include "deepseek/Target/Host/Pipelines.h"
#include "deepseek/Target/NVPTX/Chips.h"
#include "deepseek/Target/NVPTX/Pipelines.h"
#include "deepseek/Target/NVPTX/Ptxas.h"
#include "deepseek/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::deepseek;

static constexpr StringLiteral kHost = "host", kNVPTX = "nvptx";

//===----------------------------------------------------------------------===//
// What each stage does
//===----------------------------------------------------------------------===//

static void buildGraph(OpPassManager &pm, const CompileOptions &) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSymbolDCEPass());
}

/// One rank: nothing to exchange.
static void buildShard(OpPassManager &, const CompileOptions &) {}

static MlaForm getMlaForm(const CompileOptions &options) {
  return llvm::StringSwitch<MlaForm>(options.mla)
      .Case("expanded", MlaForm::Expanded)
      .Case("auto", MlaForm::Auto)
      .Default(MlaForm::Absorbed);
}

static void buildFuse(OpPassManager &pm, const CompileOptions &options) {
  LowerMlaOptions mla;
  mla.form = getMlaForm(options);
  pm.addNestedPass<func::FuncOp>(createLowerMla(mla));
  pm.addPass(createFuseExperts());
  pm.addNestedPass<func::FuncOp>(createFuseLinears());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// By default the host widens FP8 weights, and a GPU multiplies FP8.
static ActivationFormat getActivations(const CompileOptions &options) {
  ActivationFormat fallback = options.target == kNVPTX
                                  ? ActivationFormat::Weights
                                  : ActivationFormat::BF16;
  return llvm::StringSwitch<ActivationFormat>(options.activations)
      .Case("fp8", ActivationFormat::FP8)
      .Case("bf16", ActivationFormat::BF16)
      .Default(fallback);
}

static void buildQuantize(OpPassManager &pm, const CompileOptions &options) {
  QuantizeFp8Options fp8;
  fp8.activations = getActivations(options);
  fp8.scales = llvm::StringSwitch<ScaleChoice>(options.scales)
                   .Case("any", ScaleChoice::Any)
                   .Case("power_of_two", ScaleChoice::PowerOfTwo)
                   .Default(ScaleChoice::Checkpoint);
  fp8.quantizeWeights = options.quantizeWeights;
  pm.addPass(createQuantizeFp8(fp8));
  HoistWeightsOptions hoist;
  hoist.dequantize = options.dequantizeOnce;
  pm.addPass(createHoistWeights(hoist));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

static void buildKernels(OpPassManager &pm, const CompileOptions &options) {
  pm.addPass(createFormKernels());
  if (options.fuseKernels) {
    pm.addPass(createFuseEpilogues());
    pm.addPass(createFuseRows());
  }
  pm.addPass(createConvertDeepSeekToDSRT());
  pm.addPass(createConvertCheckToDSRT());
}

static void buildBuffers(OpPassManager &pm, const CompileOptions &options) {
  pm.addPass(createMergeEntries());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  bufferize.unknownTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  pm.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  PlanMemoryOptions plan;
  plan.maxTokens = options.maxTokens;
  plan.maxSequences = options.maxSequences;
  plan.context = options.context;
  plan.expandedPrefill = getMlaForm(options) == MlaForm::Auto;
  pm.addPass(createPlanMemory(plan));
}

static void buildDevice(OpPassManager &pm, const CompileOptions &options) {
  pm.addPass(createSetTargetPass(options.target + ":" + options.chip));
  if (options.target == kNVPTX)
    buildNVPTXDevicePipeline(pm,
                             {options.chip, options.emitters, options.cubin});
  else
    buildHostDevicePipeline(pm);
}

static void buildLLVM(OpPassManager &pm, const CompileOptions &) {
  buildHostLLVMPipeline(pm);
}

/// The mathematics of these ops round once; the forms that are chosen round
/// what they compute on the way.
static constexpr StringLiteral kFusedOps[] = {"deepseek.mla",
                                              "deepseek.experts"};
/// An FP8 operand is off by up to 2^-4, a product of two by 2^-3, and swiglu
/// multiplies two products.
static constexpr StringLiteral kQuantizedOps[] = {"deepseek.quantize",
                                                  "deepseek.requantize"};

static constexpr Stage kStages[] = {
    {"graph", "canonical single-device program; checkpoint precision explicit",
     std::nullopt, buildGraph},
    {"shard", "program of one rank; communication explicit", std::nullopt,
     buildShard},
    {"fuse", "forms chosen: no deepseek.mla, no deepseek.experts",
     Rounding{kFusedOps, -6, -16}, buildFuse},
    {"quantize", "the number formats of products chosen",
     Rounding{kQuantizedOps, -2, -2}, buildQuantize},
    {"kernels",
     "host functions dispatch kernels, which are functions of @kernels, all on "
     "tensors",
     std::nullopt, buildKernels},
    {"buffers",
     "the host on memrefs, every temporary at a fixed workspace offset",
     Rounding{{}, -6, -16}, buildBuffers},
    {"device", "@kernels in the target's own form", std::nullopt, buildDevice},
    {"llvm", "the LLVM dialect only; tables and dsrt_module_query exported",
     std::nullopt, buildLLVM},
};

ArrayRef<Stage> deepseek::getStages() { return kStages; }

std::string deepseek::describeNumerics(const Stage &stage) {
  if (!stage.rounding)
    return "same bytes";
  const Rounding &rounding = *stage.rounding;
  std::string ops =
      rounding.ops.empty()
          ? "any op"
          : "same bytes, but " +
                llvm::join(rounding.ops.begin(), rounding.ops.end(), ", ");
  ops += (" within 2^" + Twine(rounding.log2Bound)).str();
  if (rounding.log2BoundF32 != rounding.log2Bound)
    ops += (" (f32: 2^" + Twine(rounding.log2BoundF32) + ")").str();
  return ops;
}

//===----------------------------------------------------------------------===//
// Ranges of stages
//===----------------------------------------------------------------------===//

static llvm::Error makeError(const Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Error deepseek::checkChip(StringRef target, StringRef chip) {
  if (target == kHost)
    return llvm::Error::success();
  if (target != kNVPTX)
    return makeError("unknown target '" + target + "', expected host or nvptx");
  return parseChips(chip).takeError();
}

static llvm::Error checkOptions(const CompileOptions &options) {
  if (llvm::Error error = checkChip(options.target, options.chip))
    return error;
  if (options.cubin && options.target != kNVPTX)
    return makeError("cubin: expected target nvptx, got " + options.target);
  if (options.cubin)
    if (llvm::Error error = findPtxas().takeError())
      return error;
  if (!llvm::is_contained({"absorbed", "expanded", "auto"}, options.mla))
    return makeError("unknown mla '" + options.mla +
                     "', expected absorbed, expanded or auto");
  if (!llvm::is_contained({"", "bf16", "fp8"}, options.activations))
    return makeError("unknown activations '" + options.activations +
                     "', expected bf16 or fp8");
  if (!llvm::is_contained({"checkpoint", "any", "power_of_two"},
                          options.scales))
    return makeError("unknown scales '" + options.scales +
                     "', expected checkpoint, any or power_of_two");
  return llvm::Error::success();
}

static llvm::Expected<size_t> findStage(StringRef option, StringRef name) {
  for (auto [index, stage] : llvm::enumerate(kStages))
    if (stage.name == name)
      return index;
  std::string names;
  for (const Stage &stage : kStages)
    names += (names.empty() ? "" : ", ") + stage.name.str();
  return makeError("unknown stage '" + name + "' in " + option +
                   ", expected one of " + names);
}

static void addVerifier(OpPassManager &pm, const Stage &stage) {
  VerifyStageOptions options;
  options.stage = stage.name.str();
  pm.addPass(createVerifyStage(options));
}

llvm::Error deepseek::buildStagePipeline(OpPassManager &pm, const Stage &stage,
                                         const CompileOptions &options) {
  if (llvm::Error error = checkOptions(options))
    return error;
  stage.build(pm, options);
  addVerifier(pm, stage);
  return llvm::Error::success();
}

llvm::Error deepseek::buildCompilePipeline(OpPassManager &pm,
                                           const CompileOptions &options) {
  size_t begin = 0, end = std::size(kStages);
  if (!options.startAfter.empty()) {
    llvm::Expected<size_t> index = findStage("start-after", options.startAfter);
    if (!index)
      return index.takeError();
    begin = *index + 1;
  }
  if (!options.stopAfter.empty()) {
    llvm::Expected<size_t> index = findStage("stop-after", options.stopAfter);
    if (!index)
      return index.takeError();
    end = *index + 1;
  }
  if (begin > end)
    return makeError("expected stop-after=" + options.stopAfter +
                     " not to come before start-after=" + options.startAfter);
  if (begin > 0)
    addVerifier(pm, kStages[begin - 1]);
  for (size_t index = begin; index < end; ++index) {
    const Stage &stage = kStages[index];
    if (llvm::Error error = buildStagePipeline(pm, stage, options))
      return error;
    if (!options.dumpStages.empty())
      pm.addPass(createDumpStagePass(
          options.dumpStages,
          (Twine(index + 1) + "." + stage.name + ".mlir").str()));
    if (options.report && stage.name == "kernels")
      pm.addPass(createReportKernels());
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

namespace {

/// CompileOptions as text, without the range.
struct StageFlags : PassPipelineOptions<StageFlags> {
  Option<std::string> target{*this, "target", llvm::cl::desc("host or nvptx"),
                             llvm::cl::init("host")};
  Option<std::string> chip{
      *this, "chip",
      llvm::cl::desc("host: native, x86-64-v2, x86-64-v3, x86-64-v4 or a "
                     "CPU's name; nvptx: sm_80, sm_89, sm_90a, sm_100a, "
                     "sm_120a, several separated by commas"),
      llvm::cl::init("native")};
  Option<std::string> emitters{
      *this, "emitters",
      llvm::cl::desc(
          "nvptx: what may write kernels, separated by commas (all); "
          "any_fallback shows whether a kernel is wrong")};
  Option<bool> cubin{*this, "cubin",
                     llvm::cl::desc("nvptx: add machine code by ptxas, and "
                                    "print what kernels take of the chip"),
                     llvm::cl::init(false)};
  Option<std::string> mla{*this, "mla",
                          llvm::cl::desc("absorbed, expanded or auto"),
                          llvm::cl::init("absorbed")};
  Option<bool> fuseKernels{
      *this, "fuse-kernels",
      llvm::cl::desc("merge kernels (false: one for each op)"),
      llvm::cl::init(true)};
  Option<std::string> activations{
      *this, "activations",
      llvm::cl::desc("of products of FP8 weights: bf16 (default of host) or "
                     "fp8 (default of nvptx)")};
  Option<std::string> scales{
      *this, "scales",
      llvm::cl::desc("of what is quantized: checkpoint, any or power_of_two"),
      llvm::cl::init("checkpoint")};
  Option<bool> quantizeWeights{
      *this, "quantize-weights",
      llvm::cl::desc("quantize BF16 weights to FP8 when the program starts"),
      llvm::cl::init(false)};
  Option<bool> dequantizeOnce{
      *this, "dequantize-once",
      llvm::cl::desc(
          "dequantize kv_b when the program starts, not where it is read"),
      llvm::cl::init(false)};
  Option<int64_t> maxTokens{*this, "max-tokens",
                            llvm::cl::desc("most new tokens of one step"),
                            llvm::cl::init(512)};
  Option<int64_t> maxSequences{*this, "max-sequences",
                               llvm::cl::desc("most sequences of one step"),
                               llvm::cl::init(8)};
  Option<int64_t> context{
      *this, "context",
      llvm::cl::desc(
          "most tokens of a sequence (0: the model's, at most 4096)"),
      llvm::cl::init(0)};

  CompileOptions get() const {
    CompileOptions options;
    options.target = target;
    options.chip = chip;
    options.emitters = emitters;
    options.cubin = cubin;
    options.mla = mla;
    options.fuseKernels = fuseKernels;
    options.activations = activations;
    options.scales = scales;
    options.quantizeWeights = quantizeWeights;
    options.dequantizeOnce = dequantizeOnce;
    options.maxTokens = maxTokens;
    options.maxSequences = maxSequences;
    options.context = context;
    return options;
  }
};

/// CompileOptions as text.
struct CompileFlags : StageFlags {
  Option<std::string> startAfter{*this, "start-after",
                                 llvm::cl::desc("the stage the module is in")};
  Option<std::string> stopAfter{*this, "stop-after",
                                llvm::cl::desc("the last stage to run")};
  Option<std::string> dumpStages{
      *this, "dump-stages",
      llvm::cl::desc("a folder for the module after each stage")};

  CompileOptions get() const {
    CompileOptions options = StageFlags::get();
    options.startAfter = startAfter;
    options.stopAfter = stopAfter;
    options.dumpStages = dumpStages;
    return options;
  }
};

} // namespace

/// Registers a pipeline whose options can be wrong.
template <typename Flags>
static void registerPipeline(
    StringRef name, StringRef description,
    std::function<llvm::Error(OpPassManager &, const CompileOptions &)> build) {
  registerPassPipeline(
      name, description,
      [build](OpPassManager &pm, StringRef text,
              function_ref<LogicalResult(const Twine &)> emitError) {
        Flags flags;
        if (failed(flags.parseFromString(text)))
          return failure();
        if (llvm::Error error = build(pm, flags.get()))
          return emitError(llvm::toString(std::move(error)));
        return success();
      },
      [](function_ref<void(const detail::PassOptions &)> handle) {
        handle(Flags());
      });
}

void deepseek::registerPipelines() {
  // Registration keeps references to the names.
  static const std::vector<std::string> names = [] {
    std::vector<std::string> names;
    for (const Stage &stage : kStages)
      names.push_back("ds-stage-" + stage.name.str());
    return names;
  }();
  for (const auto &[name, stage] : llvm::zip_equal(names, kStages))
    registerPipeline<StageFlags>(
        name, stage.sentence,
        [&stage = stage](OpPassManager &pm, const CompileOptions &options) {
          return buildStagePipeline(pm, stage, options);
        });
  registerPipeline<CompileFlags>("ds-compile", "The stages, from graph to llvm",
                                 buildCompilePipeline);
}
