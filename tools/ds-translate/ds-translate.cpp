//===- ds-translate.cpp - IR in, bytes out --------------------------------===//
//
// Writes a module of stage `llvm` as LLVM IR, assembly, object, shared object
// or executable, or the PTX in it. ds-compile does this at the end of a whole
// compile.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Pipelines/Registration.h"
#include "deepseek/Target/Artifact/Artifact.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace mlir::deepseek;
namespace cl = llvm::cl;

static cl::OptionCategory category("ds-translate options");
static cl::opt<std::string> input(cl::Positional, cl::init("-"),
                                  cl::cat(category),
                                  cl::desc("<module of stage llvm>"));
static cl::opt<std::string> output("o", cl::cat(category),
                                   cl::value_desc("file"),
                                   cl::desc("Where to write"));
static cl::opt<std::string>
    emit("emit", cl::init("shared"), cl::cat(category), cl::value_desc("kind"),
         cl::desc("llvmir, ptx, asm, object, shared (default) or executable"));
static cl::opt<std::string>
    chip("chip", cl::init("native"), cl::cat(category), cl::value_desc("name"),
         cl::desc("Processor: native (default), x86-64-v2, x86-64-v3, "
                  "x86-64-v4, or a name LLVM knows; with --emit=ptx: whose "
                  "PTX, of several"));
static cl::opt<std::string>
    runtimeDir("runtime-dir", cl::cat(category), cl::value_desc("folder"),
               cl::desc("Where libdsrt.a is (default: ../lib from here)"));
static cl::opt<std::string>
    linker("linker", cl::cat(category), cl::value_desc("program"),
           cl::desc("C++ compiler driver that links (default: clang++-22, "
                    "clang++, c++ or g++)"));

static constexpr const char *kOverview =
    "IR in, bytes out\n\n"
    "  ds-opt model.mlir --ds-compile=target=host -o model.llvm.mlir\n"
    "  ds-translate model.llvm.mlir --emit=shared -o model.so\n"
    "  ds-translate model.llvm.mlir --emit=executable -o model\n"
    "  ds-translate model.llvm.mlir --emit=ptx --chip=sm_90a -o -\n";

static int fail(const llvm::Twine &message) {
  llvm::errs() << "ds-translate: error: " << message << "\n";
  return 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  std::string problem;
  llvm::raw_string_ostream problems(problem);
  if (!cl::ParseCommandLineOptions(argc, argv, kOverview, &problems)) {
    llvm::StringRef line = llvm::StringRef(problem).split('\n').first;
    line.consume_front("ds-translate: ");
    return line.empty() ? 1 : fail(line.rtrim(". ")); // LLVM has said it
  }
  if (output.getNumOccurrences() == 0)
    return fail("-o <file> is missing");

  ArtifactOptions options;
  std::optional<ArtifactKind> kind = parseArtifactKind(emit);
  if (!kind)
    return fail("--emit=" + emit +
                ": expected llvmir, ptx, asm, object, shared or executable");
  if (llvm::Error error = checkOutput(output, *kind))
    return fail(llvm::toString(std::move(error)));
  options.kind = *kind;
  if (*kind == ArtifactKind::PTX)
    options.gpu = chip.getNumOccurrences() ? chip.getValue() : "";
  else
    options.chip = chip;
  options.linker = linker;
  options.runtimeDir = runtimeDir;
  if (runtimeDir.empty()) {
    llvm::SmallString<256> dir(llvm::sys::path::parent_path(
        llvm::sys::fs::getMainExecutable(argv[0], nullptr)));
    llvm::sys::path::append(dir, "..", "lib");
    options.runtimeDir = dir.str().str();
  }

  DialectRegistry registry;
  registerDialects(registry);
  registerArtifactTranslations(registry);
  MLIRContext context(registry);
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(input, &message);
  if (!file)
    return fail(message);
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return 1;
  if (llvm::Error error = writeArtifact(*module, options, output))
    return fail(llvm::toString(std::move(error)));
  return 0;
}
