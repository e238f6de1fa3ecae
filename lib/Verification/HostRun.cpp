//===- HostRun.cpp - A program's steps by host code -----------------------===//

#include "lib/Verification/HostRun.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::verification;
using reference::makeError;
using reference::TensorMap;

llvm::Expected<OwningOpRef<ModuleOp>>
verification::lowerToLLVM(ModuleOp module, const Stage &stage,
                          const CompileOptions &options) {
  OwningOpRef<ModuleOp> lowered(module.clone());
  CompileOptions rest = options;
  rest.startAfter = stage.name.str();
  rest.stopAfter = rest.dumpStages = "";
  rest.report = false;
  PassManager pm(module.getContext());
  pm.enableVerifier(false); // each stage ends with its own check
  if (llvm::Error error = buildCompilePipeline(pm, rest))
    return error;
  if (failed(pm.run(*lowered)))
    return makeError("the stages after '" + stage.name + "' failed");
  return lowered;
}

/// What a program that failed has to say: the last line of its errors.
static std::string readLastLine(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return "";
  StringRef text = (*file)->getBuffer().rtrim();
  return text.substr(text.rfind('\n') + 1).str();
}

static llvm::Error execute(StringRef program, ArrayRef<std::string> arguments,
                           StringRef log) {
  SmallVector<StringRef> line = {program};
  line.append(arguments.begin(), arguments.end());
  std::string problem;
  int code = llvm::sys::ExecuteAndWait(
      program, line, std::nullopt, {StringRef(), log, log},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &problem);
  if (code == 0)
    return llvm::Error::success();
  if (code < 0)
    return makeError("the program crashed: " + problem);
  return makeError(readLastLine(log));
}

llvm::Expected<TensorMap> verification::runHost(ModuleOp module,
                                                const ArtifactOptions &artifact,
                                                const std::string &weights,
                                                const StepTokens &tokens,
                                                StringRef device) {
  SmallString<128> folder;
  if (std::error_code code =
          llvm::sys::fs::createUniqueDirectory("ds-verify", folder))
    return makeError("cannot make a temporary folder: " + code.message());
  llvm::scope_exit cleanup([&] { llvm::sys::fs::remove_directories(folder); });
  auto inFolder = [&](StringRef name) {
    SmallString<128> path(folder);
    llvm::sys::path::append(path, name);
    return path.str().str();
  };
  std::string program = inFolder("app"), output = inFolder("out.safetensors");
  ArtifactOptions executable = artifact;
  executable.kind = ArtifactKind::Executable;
  if (llvm::Error error = writeArtifact(module, executable, program))
    return error;
  auto join = [](ArrayRef<int64_t> ids) {
    return llvm::join(
        llvm::map_range(ids, [](int64_t id) { return std::to_string(id); }),
        ",");
  };
  std::vector<std::string> arguments = {
      "steps",      "--prompt-ids",    join(tokens.prompt),
      "--next-ids", join(tokens.next), "-o",
      output};
  if (!device.empty())
    arguments.push_back(("--device=" + device).str());
  if (!weights.empty())
    arguments.insert(arguments.end(), {"--model", weights});
  if (llvm::Error error = execute(program, arguments, inFolder("log")))
    return error;
  // The file stays mapped though its name goes.
  return reference::readTensors(output);
}
