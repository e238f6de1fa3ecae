//===- Ptxas.cpp - NVIDIA's assembler, where it is installed --------------===//
//
// A process a module. Of what ptxas prints with -v, the lines that are read:
//
//   ptxas info    : Compiling entry function 'name' for 'sm_90a'
//       0 bytes stack frame, 16 bytes spill stores, 20 bytes spill loads
//   ptxas info    : Used 40 registers, used 1 barriers, 256 bytes smem
//   ptxas info    : (C7510) Potential Performance Loss: ...
//   ptxas warning : ...
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/NVPTX/Ptxas.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::deepseek;
using llvm::SmallString;
using llvm::SmallVector;
using llvm::StringRef;

llvm::Expected<std::string> deepseek::findPtxas() {
  if (auto path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  SmallVector<std::string> folders;
  for (StringRef variable : {"CUDA_HOME", "CUDA_PATH"})
    if (auto folder = llvm::sys::Process::GetEnv(variable))
      folders.push_back(*folder);
  folders.push_back("/usr/local/cuda");
  for (StringRef folder : folders) {
    SmallString<128> path(folder);
    llvm::sys::path::append(path, "bin", "ptxas");
    if (llvm::sys::fs::can_execute(path))
      return path.str().str();
  }
  return llvm::createStringError(
      "no ptxas on PATH, nor in bin of $CUDA_HOME, $CUDA_PATH or "
      "/usr/local/cuda; install the CUDA Toolkit, or leave --cubin out: the "
      "driver assembles the PTX too");
}

namespace {

/// A file in the folder for temporary ones, removed in the end.
class TemporaryFile {
public:
  explicit TemporaryFile(StringRef suffix)
      : error(llvm::sys::fs::createTemporaryFile("ds-ptxas", suffix, path)),
        remover(path) {}

  SmallString<128> path;
  std::error_code error;

  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }

private:
  llvm::FileRemover remover;
};

} // namespace

/// The number before `unit` in `line`, or 0.
static unsigned numberBefore(StringRef line, StringRef unit) {
  size_t end = line.find(unit);
  if (end == StringRef::npos)
    return 0;
  StringRef digits = line.take_front(end).rtrim();
  digits = digits.take_back(digits.size() - (digits.find_last_of(" ,:") + 1));
  unsigned value = 0;
  digits.getAsInteger(10, value);
  return value;
}

static void readReport(StringRef text, Assembled &result) {
  SmallVector<StringRef> lines;
  text.split(lines, '\n');
  for (StringRef line : lines) {
    if (line.contains("Compiling entry function")) {
      result.kernels.emplace_back().name =
          line.split('\'').second.split('\'').first.str();
    } else if (line.contains("warning :") || line.contains("(C7")) {
      result.warnings.push_back(line.split(": ").second.str());
    } else if (!result.kernels.empty()) {
      KernelResources &kernel = result.kernels.back();
      if (line.contains("spill stores"))
        kernel.spillBytes = numberBefore(line, "bytes spill stores") +
                            numberBefore(line, "bytes spill loads");
      if (line.contains("registers")) {
        kernel.registers = numberBefore(line, "registers");
        kernel.sharedBytes = numberBefore(line, "bytes smem");
      }
    }
  }
}

llvm::Expected<Assembled> deepseek::assemble(StringRef ptxas, StringRef ptx,
                                             StringRef chip) {
  TemporaryFile source("ptx"), target("cubin"), log("log");
  for (const TemporaryFile *file : {&source, &target, &log})
    if (file->error)
      return llvm::createStringError(file->error,
                                     "cannot write a temporary file");
  {
    std::error_code error;
    llvm::raw_fd_ostream out(source.path, error);
    out << ptx;
    out.close();
    if (error || out.has_error()) {
      out.clear_error();
      return llvm::createStringError("cannot write '" + source.path + "'");
    }
  }
  std::string arch = ("-arch=" + chip).str(), message;
  StringRef args[] = {ptxas, arch, "-v", source.path, "-o", target.path};
  std::optional<StringRef> redirects[] = {StringRef(""), log.path.str(),
                                          log.path.str()};
  int status = llvm::sys::ExecuteAndWait(ptxas, args, std::nullopt, redirects,
                                         0, 0, &message);
  std::string text = message + log.read();
  if (status != 0)
    return llvm::createStringError(ptxas + " refuses the code for " + chip +
                                   ": " +
                                   StringRef(text).trim().split('\n').first);
  Assembled result;
  result.cubin = target.read();
  readReport(text, result);
  return result;
}
