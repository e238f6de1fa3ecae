//===- ds-compile.cpp - A checkpoint becomes an executable ----------------===//
//
// The driver: import, the stages, translation and linking in one process. Every
// step is a library call that another tool offers on its own (ds-import,
// ds-opt, ds-translate).
//
//===----------------------------------------------------------------------===//

#include "deepseek/Import/Import.h"
#include "deepseek/Pipelines/Registration.h"
#include "deepseek/Pipelines/Stages.h"
#include "deepseek/Target/Artifact/Artifact.h"
#include "deepseek/Verification/Ladder.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

#include "runtime/weights/synthetic/SyntheticWeights.h"

#include <chrono>
#include <limits>

using namespace mlir;
using namespace mlir::deepseek;
namespace cl = llvm::cl;
namespace path = llvm::sys::path;

static cl::OptionCategory category("ds-compile options");
static cl::opt<std::string>
    input(cl::Positional, cl::cat(category),
          cl::desc("<checkpoint folder, config.json or module.mlir>"));
static cl::opt<std::string> output("o", cl::cat(category),
                                   cl::value_desc("file"),
                                   cl::desc("Where to write the program"));
static cl::opt<std::string>
    emit("emit", cl::init("executable"), cl::cat(category),
         cl::value_desc("kind"),
         cl::desc("executable (default), shared, object, ptx, asm or llvmir"));
static cl::opt<ResidualType> dtype(
    "dtype", cl::init(ResidualType::BF16), cl::cat(category),
    cl::desc("Element type of activations and cache:"),
    cl::values(clEnumValN(ResidualType::BF16, "bf16",
                          "as the model runs (default)"),
               clEnumValN(ResidualType::F32, "f32", "for exact comparison")));
static cl::opt<std::string> weights(
    "weights", cl::cat(category), cl::value_desc("source"),
    cl::desc("Where the weights are at run time: a folder (default: the one "
             "compiled from), seed:N or splat:X for made-up values"));
static cl::opt<bool>
    trace("trace", cl::cat(category),
          cl::desc("Return every layer's hidden state and router choices too"));
static cl::opt<std::string>
    target("target", cl::init("host"), cl::cat(category),
           cl::value_desc("name"),
           cl::desc("host (default), or nvptx: PTX for NVIDIA GPUs"));
static cl::opt<std::string>
    chip("chip", cl::init("native"), cl::cat(category), cl::value_desc("name"),
         cl::desc("host: native (default), x86-64-v2, x86-64-v3, x86-64-v4, "
                  "or a name LLVM knows; nvptx: one or more of sm_80, sm_89, "
                  "sm_90a, sm_100a, sm_120a, separated by commas"));
static cl::opt<std::string> emitters(
    "emitters", cl::cat(category), cl::value_desc("names"),
    cl::desc("With --target=nvptx: what may write kernels, separated by commas "
             "(default: all); any_fallback shows whether a kernel is wrong"));
static cl::opt<bool>
    cubin("cubin", cl::cat(category),
          cl::desc("With --target=nvptx: add machine code by ptxas of the CUDA "
                   "Toolkit, and print what each kernel takes of the chip"));
static cl::opt<std::string>
    mla("mla", cl::init("absorbed"), cl::cat(category), cl::value_desc("form"),
        cl::desc("Form of the attention: absorbed (default), expanded, or auto "
                 "(fast: expanded for a fresh prompt, absorbed else; logits "
                 "then depend on how a prompt is cut into chunks)"));
static cl::opt<bool>
    fuseKernels("fuse-kernels", cl::init(true), cl::cat(category),
                cl::desc("Merge kernels (default); false: one for each op, to "
                         "see what merging is worth"));
static cl::opt<std::string> activations(
    "activations", cl::cat(category), cl::value_desc("format"),
    cl::desc("Activations of products of FP8 weights: bf16 (default of host; "
             "weights are widened), fp8 (default of nvptx; both in FP8, as the "
             "official kernels)"));
static cl::opt<bool> quantizeWeights(
    "quantize-weights", cl::cat(category),
    cl::desc("Quantize BF16 weights to FP8 when the program starts: those that "
             "the official checkpoints have in FP8"));
static cl::opt<bool> dequantizeOnce(
    "dequantize-once", cl::cat(category),
    cl::desc("Dequantize the weights that have no product in FP8 (kv_b) when "
             "the program starts, not where they are read: same bits, faster "
             "prompts, their BF16 form in memory"));
static cl::opt<std::string>
    scales("scales", cl::init("checkpoint"), cl::cat(category),
           cl::value_desc("numbers"),
           cl::desc("Scales of what is quantized: checkpoint (default: powers "
                    "of two if the weights' are), any, power_of_two"));
static cl::opt<int64_t>
    maxTokens("max-tokens", cl::init(512), cl::cat(category),
              cl::value_desc("n"),
              cl::desc("Most new tokens of one step (default 512)"));
static cl::opt<int64_t>
    maxSequences("max-sequences", cl::init(8), cl::cat(category),
                 cl::value_desc("n"),
                 cl::desc("Most sequences of one step (default 8)"));
static cl::opt<int64_t>
    context("context", cl::init(0), cl::cat(category), cl::value_desc("n"),
            cl::desc("Most tokens of one sequence (default: the model's "
                     "max_position_embeddings, at most 4096)"));
static cl::opt<std::string>
    dumpStages("dump-stages", cl::cat(category), cl::value_desc("folder"),
               cl::desc("Write the module after each stage there"));
static cl::opt<bool>
    report("report", cl::cat(category),
           cl::desc("Print the kernels that a step launches and the bytes that "
                    "they move, layer by layer"));
static cl::opt<bool> verifyStagesFlag(
    "verify-stages", cl::cat(category),
    cl::desc(
        "Write no program; run every stage on the same tokens, the tensor "
        "stages by the reference and the others by their code, and compare "
        "each with the one before. The input may be a folder that "
        "--dump-stages wrote"));
static cl::opt<std::string>
    promptIds("prompt-ids", cl::cat(category), cl::value_desc("0,12,7"),
              cl::desc("With --verify-stages: the tokens of the prompt "
                       "(default: 12 of the vocabulary)"));
static cl::opt<int64_t>
    newTokens("n", cl::init(3), cl::cat(category), cl::value_desc("n"),
              cl::desc("With --verify-stages: steps of one token after the "
                       "prompt (default 3)"));
static cl::opt<bool> timing("timing", cl::cat(category),
                            cl::desc("Print the time of every pass"));
static cl::opt<std::string>
    runtimeDir("runtime-dir", cl::cat(category), cl::value_desc("folder"),
               cl::desc("Where libdsrt.a is (default: ../lib from here)"));
static cl::opt<std::string>
    linker("linker", cl::cat(category), cl::value_desc("program"),
           cl::desc("C++ compiler driver that links (default: clang++-22, "
                    "clang++, c++ or g++)"));

static constexpr const char *kOverview =
    "A checkpoint becomes an executable\n\n"
    "  ds-compile /models/DeepSeek-V3 -o v3 && ./v3 --prompt \"Hello\"\n"
    "  ds-compile config.json --weights=seed:1 -o test   # made-up weights\n"
    "  ds-compile /models/DeepSeek-V3 --dump-stages=out -o v3\n"
    "  ds-compile --verify-stages /models/DeepSeek-V3 -- --prompt-ids=0,14\n\n"
    "The checkpoint is a folder as published: config.json, *.safetensors,\n"
    "tokenizer.json. Only config.json is read now; the program maps the "
    "weights\n"
    "when it starts, from the folder it was compiled from or from --model.\n";

/// An error is one line, whatever characters a path has.
static int fail(const llvm::Twine &message) {
  std::string line = message.str();
  for (char &c : line)
    if (static_cast<unsigned char>(c) < ' ')
      c = ' ';
  llvm::errs() << "ds-compile: error: " << line << "\n";
  return 1;
}

/// A diagnostic of an op that no file holds, such as an imported one: its name
/// and the message. Those with a line in a file are left to the handler that
/// shows the line.
static LogicalResult reportWithoutFile(Diagnostic &diagnostic) {
  Location location = diagnostic.getLocation();
  if (location->findInstanceOf<FileLineColLoc>())
    return failure();
  std::string text = diagnostic.str();
  if (auto name = location->findInstanceOf<NameLoc>())
    text = (name.getName().getValue() + ": " + text).str();
  fail(text);
  return success();
}

/// Says what a step does when it takes long, and how long the whole took.
class Progress {
public:
  Progress() : start(now()), last(start) {}

  void done(llvm::StringRef step) {
    double seconds = std::chrono::duration<double>(now() - last).count();
    last = now();
    if (seconds > 2)
      llvm::errs() << "ds-compile: " << step << ": "
                   << llvm::format("%.1f s", seconds) << "\n";
  }

  double total() const {
    return std::chrono::duration<double>(now() - start).count();
  }

private:
  using Clock = std::chrono::steady_clock;
  static Clock::time_point now() { return Clock::now(); }
  Clock::time_point start, last;
};

/// Where the program looks for weights; absolute, it may be run from anywhere.
static std::string weightSource() {
  llvm::StringRef text = weights;
  if (text.starts_with("seed:") || text.starts_with("splat:"))
    return text.str();
  llvm::SmallString<256> folder(text);
  if (folder.empty()) {
    folder = llvm::StringRef(input);
    if (!llvm::sys::fs::is_directory(folder))
      folder = path::parent_path(input);
  }
  llvm::sys::fs::make_absolute(folder);
  path::remove_dots(folder, /*remove_dot_dot=*/true);
  return folder.str().str();
}

static bool isModule() {
  llvm::StringRef extension = path::extension(input);
  return extension == ".mlir" || extension == ".mlirbc";
}

/// The `graph`-stage module of the input, or null after an error message.
static OwningOpRef<ModuleOp> readInput(MLIRContext &mlirContext,
                                       llvm::SourceMgr &sources) {
  if (isModule()) {
    std::string message;
    std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(input, &message);
    if (!file) {
      fail(message);
      return {};
    }
    sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
    return parseSourceFile<ModuleOp>(sources, &mlirContext);
  }
  llvm::Expected<ModelConfig> config = readModelConfig(input);
  if (!config) {
    fail(llvm::toString(config.takeError()));
    return {};
  }
  ImportOptions options;
  options.residual = dtype;
  options.trace = trace;
  options.source = weightSource();
  auto module = importModel(mlirContext, *config, options);
  if (!module) {
    fail(llvm::toString(module.takeError()));
    return {};
  }
  return std::move(*module);
}

static CompileOptions compileOptions() {
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
  options.dumpStages = dumpStages;
  options.report = report;
  return options;
}

static LogicalResult runStages(ModuleOp module) {
  PassManager pm(module.getContext());
  if (timing)
    pm.enableTiming();
  // Each stage ends with its own check; verifying after each of the passes
  // would double the time of a large model.
  pm.enableVerifier(false);
  if (llvm::Error error = buildCompilePipeline(pm, compileOptions())) {
    fail(llvm::toString(std::move(error)));
    return failure();
  }
  return pm.run(module);
}

/// The processor of host code: of launchers only, if kernels run elsewhere.
static std::string hostChip() {
  return target == "host" ? chip.getValue() : "generic";
}

static ArtifactOptions artifactOptions(const char *argv0, ArtifactKind kind) {
  ArtifactOptions options;
  options.kind = kind;
  options.chip = hostChip();
  options.linker = linker;
  options.runtimeDir = runtimeDir;
  if (runtimeDir.empty()) {
    llvm::SmallString<256> dir(
        path::parent_path(llvm::sys::fs::getMainExecutable(argv0, nullptr)));
    path::append(dir, "..", "lib");
    path::remove_dots(dir, /*remove_dot_dot=*/true);
    options.runtimeDir = dir.str().str();
  }
  return options;
}

/// The modules of all stages: read, or compiled from the input.
static FailureOr<StageModules> makeStages(MLIRContext &mlirContext,
                                          llvm::SourceMgr &sources) {
  if (isStageFolder(input)) {
    llvm::Expected<StageModules> modules = readStages(input, mlirContext);
    if (modules)
      return std::move(*modules);
    fail(llvm::toString(modules.takeError()));
    return failure();
  }
  OwningOpRef<ModuleOp> module = readInput(mlirContext, sources);
  if (!module)
    return failure();
  return compileStages(*module, compileOptions());
}

static int runLadder(const char *argv0, MLIRContext &mlirContext,
                     llvm::SourceMgr &sources, Progress &progress) {
  LadderOptions options;
  options.compile = compileOptions();
  options.artifact = artifactOptions(argv0, ArtifactKind::Executable);
  if (isStageFolder(input) && !weights.empty())
    options.weights = weightSource();
  options.decodeSteps = newTokens;
  options.progress = [&](const llvm::Twine &step) {
    progress.done(step.str());
  };
  llvm::SmallVector<llvm::StringRef> ids;
  llvm::SplitString(promptIds, ids, ", ");
  for (llvm::StringRef id : ids)
    if (id.getAsInteger(10, options.prompt.emplace_back()))
      return fail(
          "--prompt-ids: expected token ids separated by commas, got '" + id +
          "'");
  FailureOr<StageModules> modules = makeStages(mlirContext, sources);
  if (failed(modules))
    return 1;
  progress.done("stages");
  llvm::Expected<bool> isRight = verifyStages(*modules, options, llvm::outs());
  if (!isRight)
    return fail(llvm::toString(isRight.takeError()));
  return *isRight ? 0 : 1;
}

/// Everything that can be known to be wrong before work begins.
static llvm::Error checkOptions(std::optional<ArtifactKind> kind) {
  if (input.empty())
    return llvm::createStringError("expected a checkpoint folder, config.json "
                                   "or module.mlir, got nothing; see --help");
  if (verifyStagesFlag && output.getNumOccurrences() > 0)
    return llvm::createStringError("--verify-stages writes no program, so it "
                                   "expects no -o");
  if (!verifyStagesFlag && output.getNumOccurrences() == 0)
    return llvm::createStringError("-o <file> is missing");
  if (!kind)
    return llvm::createStringError(
        "--emit=" + emit +
        ": expected executable, shared, object, ptx, asm or llvmir");
  if (llvm::Error error = checkChip(target, chip))
    return error;
  if (*kind == ArtifactKind::PTX && target == "host")
    return llvm::createStringError("--emit=ptx: expected --target=nvptx");
  constexpr int64_t largest = std::numeric_limits<int32_t>::max();
  for (auto [option, least] : {std::pair(&maxTokens, 1),
                               {&maxSequences, 1},
                               {&context, 0},
                               {&newTokens, 1}})
    if (*option < least || *option > largest)
      return llvm::createStringError(
          "--" + option->ArgStr + ": expected a number from " +
          llvm::Twine(least) + " to " + llvm::Twine(largest) + ", got " +
          llvm::Twine(*option));
  if (dsrt::SyntheticSource::matches(weights.getValue()))
    if (auto source = dsrt::SyntheticSource::parse(weights); !source.ok())
      return llvm::createStringError("--weights: " + source.status().message());
  if (llvm::Expected<std::string> resolved = resolveChip(hostChip()); !resolved)
    return resolved.takeError();
  return verifyStagesFlag ? llvm::Error::success() : checkOutput(output, *kind);
}

/// `--verify-stages DIR -- inputs`: what follows is no file's name there.
static std::vector<const char *> joinInputs(int argc, char **argv) {
  std::vector<const char *> arguments(argv, argv + argc);
  auto is = [](llvm::StringRef name) {
    return [=](const char *argument) { return argument == name; };
  };
  if (llvm::any_of(arguments, is("--verify-stages")))
    arguments.erase(
        std::remove_if(arguments.begin(), arguments.end(), is("--")),
        arguments.end());
  return arguments;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerAsmPrinterCLOptions();
  registerPassManagerCLOptions();
  cl::HideUnrelatedOptions(category);
  std::string problem;
  llvm::raw_string_ostream problems(problem);
  std::vector<const char *> arguments = joinInputs(argc, argv);
  if (!cl::ParseCommandLineOptions(static_cast<int>(arguments.size()),
                                   arguments.data(), kOverview, &problems)) {
    llvm::StringRef line = llvm::StringRef(problem).split('\n').first;
    line.consume_front("ds-compile: ");
    return line.empty() ? 1 : fail(line.rtrim(". ")); // LLVM has said it
  }
  std::optional<ArtifactKind> kind = parseArtifactKind(emit);
  if (llvm::Error error = checkOptions(kind))
    return fail(llvm::toString(std::move(error)));

  Progress progress;
  DialectRegistry registry;
  registerDialects(registry);
  registerImportDialects(registry);
  registerArtifactTranslations(registry);
  MLIRContext mlirContext(registry);
  llvm::SourceMgr sources;
  mlirContext.printOpOnDiagnostic(false);
  SourceMgrDiagnosticHandler diagnostics(sources, &mlirContext);
  ScopedDiagnosticHandler withoutFile(&mlirContext, reportWithoutFile);
  if (verifyStagesFlag)
    return runLadder(argv[0], mlirContext, sources, progress);
  OwningOpRef<ModuleOp> module = readInput(mlirContext, sources);
  if (!module)
    return 1;
  progress.done("import");
  if (failed(runStages(*module)))
    return 1;
  progress.done("stages");
  if (llvm::Error error =
          writeArtifact(*module, artifactOptions(argv[0], *kind), output))
    return fail(llvm::toString(std::move(error)));
  progress.done("code generation and linking");
  uint64_t bytes = 0;
  llvm::sys::fs::file_size(output, bytes);
  llvm::errs() << "ds-compile: wrote " << output << " ("
               << llvm::format("%.1f MB", bytes / 1e6) << ") in "
               << llvm::format("%.1f s", progress.total()) << "\n";
  return 0;
}
