//===- ds-import.cpp - config.json in, model graph out --------------------===//
//
// Reads the config of a checkpoint and writes the `graph`-stage module of the
// model, or the summary of it. Reads no weights.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Import/Import.h"
#include "deepseek/Import/Summary.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/AsmState.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace mlir::deepseek;

static cl::OptionCategory category("ds-import options");

static cl::opt<std::string>
    input(cl::Positional, cl::cat(category),
          cl::desc("<checkpoint folder or config.json>"));
static cl::opt<std::string>
    output("o", cl::init("-"), cl::value_desc("file"), cl::cat(category),
           cl::desc("Where to write (default: standard output)"));
static cl::opt<ResidualType> residual(
    "dtype", cl::init(ResidualType::BF16), cl::cat(category),
    cl::desc("Element type of activations and cache:"),
    cl::values(clEnumValN(ResidualType::BF16, "bf16",
                          "as the model runs (default)"),
               clEnumValN(ResidualType::F32, "f32", "for exact comparison")));
static cl::list<std::string> entries(
    "entries", cl::CommaSeparated, cl::value_desc("name,..."),
    cl::cat(category),
    cl::desc("Entries to build: prefill, decode, mtp (default: all that "
             "the model has)"));
static cl::opt<bool>
    trace("trace", cl::cat(category),
          cl::desc("Return every layer's hidden state and router choices too"));
static cl::opt<std::string> weights(
    "weights", cl::value_desc("source"), cl::cat(category),
    cl::desc("Where the weights are at run time: a folder (default: the "
             "config's), seed:N or splat:X for made-up values"));
static cl::opt<bool> summary(
    "summary", cl::cat(category),
    cl::desc(
        "Write what the graph amounts to, not the graph: parameters, bytes, "
        "FLOPs"));
static cl::opt<bool> json("json", cl::cat(category),
                          cl::desc("With --summary: as a JSON object"));
static cl::opt<bool> bytecode("emit-bytecode", cl::cat(category),
                              cl::desc("Write bytecode, not text"));

static constexpr const char *kOverview =
    "config.json in, model graph out\n\n"
    "Builds the program of a model of the DeepSeek-V3 family (model_type\n"
    "deepseek_v2, deepseek_v3, kimi_k2) from its config alone: the entries\n"
    "prefill and decode, and mtp where the model has such a module. Weights\n"
    "stay in the checkpoint; the program names them.\n\n"
    "  ds-import /models/DeepSeek-V3 -o v3.mlir\n"
    "  ds-import config.json --entries=decode --dtype=f32 | ds-opt ...\n"
    "  ds-import config.json --summary\n\n"
    "With --mlir-print-debuginfo every op names its place in the checkpoint.\n";

static int fail(const Twine &message) {
  errs() << "ds-import: error: " << message << "\n";
  return 1;
}

/// What LLVM's option parser says, as one line of our own.
static std::string firstLine(StringRef text) {
  StringRef line = text.split('\n').first;
  line.consume_front("ds-import: ");
  return line.rtrim(". ").str();
}

/// The place of the weights, absolute: the program may be run from anywhere.
static std::string weightSource() {
  if (!weights.empty() && (StringRef(weights).starts_with("seed:") ||
                           StringRef(weights).starts_with("splat:")))
    return weights;
  SmallString<256> folder(weights.empty()
                              ? sys::path::parent_path(configPath(input))
                              : StringRef(weights));
  if (sys::fs::make_absolute(folder))
    return std::string(folder);
  sys::path::remove_dots(folder, /*remove_dot_dot=*/true);
  return std::string(folder);
}

/// The output, whole: it is written only once it is known to be complete.
static std::string render(mlir::ModuleOp module) {
  std::string text;
  raw_string_ostream os(text);
  if (summary && json)
    printSummaryAsJson(summarize(module), os);
  else if (summary)
    printSummary(summarize(module), os);
  else if (bytecode)
    (void)mlir::writeBytecodeToFile(module, os); // of this version: cannot fail
  else {
    module.print(os);
    os << "\n"; // as ds-opt does
  }
  return text;
}

static std::error_code writeAndFlush(raw_fd_ostream &os, StringRef text) {
  os << text;
  os.flush();
  std::error_code code = os.error();
  os.clear_error();
  return code;
}

/// Writes a neighbour of the output and renames it: who reads that file never
/// finds half of it. Pipes and devices are written as they are.
static std::error_code writeOutput(StringRef text) {
  sys::fs::file_status status;
  bool exists = !sys::fs::status(output, status);
  if (output == "-" || (exists && !sys::fs::is_regular_file(status))) {
    std::error_code code;
    raw_fd_ostream os(output, code);
    return code ? code : writeAndFlush(os, text);
  }
  Expected<sys::fs::TempFile> file =
      sys::fs::TempFile::create(output + ".%%%%%%");
  if (!file)
    return errorToErrorCode(file.takeError());
  raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  if (std::error_code code = writeAndFlush(os, text)) {
    consumeError(file->discard());
    return code;
  }
  return errorToErrorCode(file->keep(output));
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  mlir::registerAsmPrinterCLOptions();
  cl::HideUnrelatedOptions(category);
  std::string problem;
  raw_string_ostream problems(problem);
  if (!cl::ParseCommandLineOptions(argc, argv, kOverview, &problems))
    return problem.empty() ? 1 : fail(firstLine(problem)); // LLVM has said it

  if (input.empty())
    return fail("expected a checkpoint folder or a config.json, got nothing; "
                "see --help");
  if (json && !summary)
    return fail("--json goes with --summary");
  if (summary && !entries.empty())
    return fail("--summary counts the whole model: leave out --entries");
  Expected<ModelConfig> config = readModelConfig(input);
  if (!config)
    return fail(toString(config.takeError()));
  ImportOptions options;
  options.residual = residual;
  options.entries.assign(entries.begin(), entries.end());
  options.trace = trace;
  options.source = weightSource();
  mlir::DialectRegistry registry;
  registerImportDialects(registry);
  mlir::MLIRContext context(registry);
  Expected<mlir::OwningOpRef<mlir::ModuleOp>> module =
      importModel(context, *config, options);
  if (!module)
    return fail(toString(module.takeError()));
  if (std::error_code code = writeOutput(render(**module)))
    return fail(output + ": cannot write it: " + code.message());
  return 0;
}
