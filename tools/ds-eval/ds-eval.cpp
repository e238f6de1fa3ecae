//===- ds-eval.cpp - Runs tensor programs by the reference ----------------===//
//
// Flags in, the evaluator, values out. See --help.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Reference/Files.h"
#include "deepseek/Reference/Steps.h"
#include "dialects/Check/IR/CheckDialect.h"
#include "dialects/DSRT/IR/DSRTDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;
namespace cl = llvm::cl;

static cl::OptionCategory category("ds-eval options");

static cl::opt<std::string> input(cl::Positional, cl::init("-"),
                                  cl::cat(category),
                                  cl::desc("<module: .mlir or bytecode>"));
static cl::opt<std::string>
    entryName("entry", cl::value_desc("name"), cl::cat(category),
              cl::desc("The function to run (default: with a prompt, prefill; "
                       "else every public function without arguments)"));
static cl::opt<std::string>
    inputs("inputs", cl::value_desc("file.safetensors"), cl::cat(category),
           cl::desc("The arguments by deepseek.name, or arg0, arg1, ..."));
static cl::opt<std::string>
    output("o", cl::value_desc("file.safetensors"), cl::cat(category),
           cl::desc("Where to write the results, by deepseek.name, or result0, "
                    "result1, ..."));
static cl::opt<std::string> weights(
    "weights", cl::value_desc("source"), cl::cat(category),
    cl::desc("A checkpoint folder, seed:N or splat:X (default: the module's "
             "deepseek.source)"));
static cl::opt<int64_t> cachePages(
    "cache-pages", cl::init(0), cl::value_desc("N"), cl::cat(category),
    cl::desc("Caches that --inputs leaves out are N pages of zeros"));
static cl::opt<bool> printResults("print", cl::cat(category),
                                  cl::desc("Print the results as text"));
static cl::opt<std::string>
    promptIds("prompt-ids", cl::value_desc("0,12,7"), cl::cat(category),
              cl::desc("Run a model on one sequence: makes the inputs of the "
                       "step from these token ids, then runs mtp if there is "
                       "one; results as mtp_logits, mtp_hidden"));
static cl::opt<std::string>
    promptIdsFile("prompt-ids-file", cl::value_desc("file"), cl::cat(category),
                  cl::desc("The same, ids from a file (space or comma)"));
static cl::opt<int64_t> newTokens(
    "n", cl::init(0), cl::value_desc("N"), cl::cat(category),
    cl::desc("With a prompt: continue greedily by N tokens, by the entry "
             "decode with the caches of the prompt"));
static cl::opt<bool>
    json("json", cl::cat(category),
         cl::desc("With a prompt: print prompt_ids, ids and logprobs as JSON"));

static constexpr const char *kOverview =
    "runs tensor programs by the reference\n\n"
    "Interprets a module of any stage from graph to kernels with the plain "
    "loops\n"
    "that define every op: the oracle for compiled code, and the way to find "
    "the\n"
    "pass that changed an answer. Programs with check ops test themselves.\n\n"
    "  ds-eval test.mlir                     run its check ops; exit 1 if one "
    "fails\n"
    "  ds-eval m.mlir --entry=f --inputs=in.safetensors -o out.safetensors\n"
    "  ds-eval m.mlir --entry=f --inputs=in.safetensors --print\n"
    "  ds-import DIR --dtype=f32 -o m.mlir\n"
    "  ds-eval m.mlir --prompt-ids=0,12,7 -n 16 --json\n"
    "  ds-eval m.mlir --prompt-ids=0,12,7 -o out.safetensors   logits, hidden, "
    "mtp_logits\n";

static int fail(const llvm::Twine &message) {
  llvm::errs() << "ds-eval: error: " << message << "\n";
  return 1;
}

/// What LLVM's option parser says, as one line of our own.
static std::string firstLine(StringRef text) {
  StringRef line = text.split('\n').first;
  line.consume_front("ds-eval: ");
  return line.rtrim(". ").str();
}

static void registerEvaluatedDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, check::CheckDialect, DeepSeekDialect,
                  dsrt::DSRTDialect, func::FuncDialect, linalg::LinalgDialect,
                  math::MathDialect, scf::SCFDialect, shard::ShardDialect,
                  tensor::TensorDialect>();
}

/// Token ids separated by commas or white space.
static llvm::Expected<std::vector<int64_t>> parseIds(StringRef text) {
  std::vector<int64_t> ids;
  SmallVector<StringRef> words;
  llvm::SplitString(text, words, ", \t\r\n");
  for (StringRef word : words) {
    int32_t id;
    if (word.getAsInteger(10, id) || id < 0)
      return makeError("expected token ids separated by commas, got '" + word +
                       "'");
    ids.push_back(id);
  }
  if (ids.empty())
    return makeError("expected at least one token id, got none");
  return ids;
}

static llvm::Expected<std::vector<int64_t>> readPrompt() {
  if (!promptIds.empty())
    return parseIds(promptIds);
  auto file = llvm::MemoryBuffer::getFile(promptIdsFile, /*IsText=*/true);
  if (!file)
    return makeError(promptIdsFile +
                     ": cannot read it: " + file.getError().message());
  return parseIds((*file)->getBuffer());
}

static int finish(const TensorMap &tensors) {
  if (printResults)
    for (const auto &[name, tensor] : tensors)
      print(llvm::outs(), name, tensor);
  llvm::outs().flush();
  if (std::error_code code = llvm::outs().error()) {
    llvm::outs().clear_error(); // else the stream's end is an abort
    return fail("cannot write to standard output: " + code.message());
  }
  if (output.empty())
    return 0;
  if (llvm::Error error = writeTensors(output, tensors))
    return fail(llvm::toString(std::move(error)));
  return 0;
}

static int runPrompt(Evaluator &evaluator, ModuleOp module) {
  Prompt prompt;
  auto ids = readPrompt();
  if (!ids)
    return fail(llvm::toString(ids.takeError()));
  prompt.ids = std::move(*ids);
  prompt.newTokens = newTokens;
  if (!entryName.empty())
    prompt.entry = entryName;
  FailureOr<Generation> generation = generate(evaluator, module, prompt);
  if (failed(generation))
    return 1;
  if (!generation->ids.empty())
    generation->tensors["ids"] = Tensor::fromInts(
        ElementType::I32, {static_cast<int64_t>(generation->ids.size())},
        generation->ids);
  if (json)
    llvm::outs() << llvm::json::Value(
                        llvm::json::Object{{"prompt_ids", prompt.ids},
                                           {"ids", generation->ids},
                                           {"logprobs", generation->logprobs}})
                 << "\n";
  return finish(generation->tensors);
}

static int runEntry(Evaluator &evaluator) {
  FailureOr<func::FuncOp> entry = evaluator.findFunction(entryName);
  if (failed(entry))
    return 1;
  TensorMap tensors;
  if (!inputs.empty()) {
    auto read = readTensors(inputs);
    if (!read)
      return fail(llvm::toString(read.takeError()));
    tensors = std::move(*read);
  }
  auto arguments = bindArguments(*entry, tensors, cachePages);
  if (!arguments)
    return fail(llvm::toString(arguments.takeError()));
  FailureOr<SmallVector<Tensor>> results =
      evaluator.run(*entry, std::move(*arguments));
  if (failed(results))
    return 1;
  return finish(nameResults(*entry, std::move(*results)));
}

/// Runs every public function that needs no input; all of them must succeed.
static int runAll(Evaluator &evaluator, ModuleOp module) {
  int status = 0;
  bool any = false;
  TensorMap tensors;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal() ||
        function.getNumArguments() != 0)
      continue;
    any = true;
    FailureOr<SmallVector<Tensor>> results = evaluator.run(function, {});
    if (failed(results)) {
      status = 1;
      continue;
    }
    TensorMap named = nameResults(function, std::move(*results));
    for (auto &[name, tensor] : named)
      tensors[function.getName().str() + "." + name] = std::move(tensor);
  }
  if (!any)
    return fail(input + ": has no public function without arguments; name one "
                        "with --entry and give --inputs, or give --prompt-ids");
  return finish(tensors) ? 1 : status;
}

/// The loader of weights; a module without a source has none to load.
static llvm::Expected<WeightLoader> chooseWeights(ModuleOp module) {
  std::string source = weights;
  if (auto attribute = module->getAttrOfType<StringAttr>(kSourceAttr);
      source.empty() && attribute)
    source = attribute.str();
  if (!source.empty())
    return openWeights(module, source);
  return [](WeightOp weight) -> llvm::Expected<Tensor> {
    return makeError("'" + weight.getKey().value_or("") +
                     "' has no source: give --weights=DIR, seed:N or splat:X");
  };
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  std::string problem;
  llvm::raw_string_ostream problems(problem);
  if (!cl::ParseCommandLineOptions(argc, argv, kOverview, &problems))
    return problem.empty() ? 1 : fail(firstLine(problem)); // LLVM has said it
  bool hasPrompt = !promptIds.empty() || !promptIdsFile.empty();
  if (!promptIds.empty() && !promptIdsFile.empty())
    return fail("--prompt-ids and --prompt-ids-file exclude each other");
  if (hasPrompt && !inputs.empty())
    return fail("--inputs does not go with a prompt, which makes them");
  if (!hasPrompt && (json || newTokens != 0))
    return fail("-n and --json go with --prompt-ids or --prompt-ids-file");
  if (newTokens < 0 || newTokens > (1 << 20))
    return fail("-n expected a number from 0 to 1048576, got " +
                llvm::Twine(newTokens));
  if (!inputs.empty() && entryName.empty())
    return fail("--inputs needs --entry");

  DialectRegistry registry;
  registerEvaluatedDialects(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(input, &message);
  if (!file)
    return fail(message);
  sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  if (!module)
    return 1; // the parser has said why
  auto loader = chooseWeights(*module);
  if (!loader)
    return fail(llvm::toString(loader.takeError()));
  Evaluator evaluator(*module, std::move(*loader));
  if (hasPrompt)
    return runPrompt(evaluator, *module);
  return entryName.empty() ? runAll(evaluator, *module) : runEntry(evaluator);
}
