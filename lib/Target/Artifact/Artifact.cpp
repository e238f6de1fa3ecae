//===- Artifact.cpp - From the LLVM dialect to files ----------------------===//
//
// Translation to LLVM IR, LLVM's optimizer and code generator, and the system's
// linker driver for shared objects and executables.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Artifact/Artifact.h"

#include "deepseek/Conversion/DSRTToLLVM.h"
#include "lib/Target/Common/MachineCode.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace mlir::deepseek;

std::optional<ArtifactKind> deepseek::parseArtifactKind(StringRef text) {
  return llvm::StringSwitch<std::optional<ArtifactKind>>(text)
      .Case("llvmir", ArtifactKind::LLVMIR)
      .Case("ptx", ArtifactKind::PTX)
      .Case("asm", ArtifactKind::Assembly)
      .Case("object", ArtifactKind::Object)
      .Case("shared", ArtifactKind::Shared)
      .Case("executable", ArtifactKind::Executable)
      .Default(std::nullopt);
}

void deepseek::registerArtifactTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

//===----------------------------------------------------------------------===//
// The machine
//===----------------------------------------------------------------------===//

static llvm::Expected<const llvm::Target *> findTarget(llvm::Triple triple) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return llvm::createStringError("no code generator for this machine: %s",
                                   error.c_str());
  return target;
}

static llvm::Triple hostTriple() {
  return llvm::Triple(llvm::sys::getDefaultTargetTriple());
}

llvm::Expected<std::string> deepseek::resolveChip(StringRef chip) {
  llvm::Triple triple = hostTriple();
  llvm::Expected<const llvm::Target *> target = findTarget(triple);
  if (!target)
    return target.takeError();
  if (chip == "native")
    return llvm::sys::getHostCPUName().str();
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      (*target)->createMCSubtargetInfo(triple, "", ""));
  // LLVM asks for 64-bit processors only later, and then aborts.
  if (info->isCPUStringValid(chip)) {
    std::unique_ptr<llvm::MCSubtargetInfo> exact(
        (*target)->createMCSubtargetInfo(triple, chip, ""));
    if (!triple.isX86() || exact->checkFeatures("+64bit"))
      return chip.str();
  }
  std::string known;
  for (const llvm::SubtargetSubTypeKV &entry :
       info->getAllProcessorDescriptions()) {
    StringRef name = entry.Key;
    std::unique_ptr<llvm::MCSubtargetInfo> each(
        (*target)->createMCSubtargetInfo(triple, name, ""));
    if (triple.isX86() && !each->checkFeatures("+64bit"))
      continue;
    known += known.empty() ? "" : ", ";
    known += name;
  }
  return llvm::createStringError(
      "unknown chip '%s'; expected 'native' or one of: %s", chip.str().c_str(),
      known.c_str());
}

/// "+avx512f,-sse4a,...": what the processor of this name really has here (a
/// virtual machine may hide features).
static std::string nativeFeatures() {
  std::string text;
  for (auto &feature : llvm::sys::getHostCPUFeatures())
    text += (text.empty() ? "" : ",") +
            std::string(feature.second ? "+" : "-") + feature.first().str();
  return text;
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(StringRef chip) {
  llvm::Triple triple = hostTriple();
  llvm::Expected<const llvm::Target *> target = findTarget(triple);
  if (!target)
    return target.takeError();
  llvm::Expected<std::string> cpu = resolveChip(chip);
  if (!cpu)
    return cpu.takeError();
  llvm::TargetOptions options;
  // Products and sums are fused where the IR says fma, nowhere else.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  std::unique_ptr<llvm::TargetMachine> machine((*target)->createTargetMachine(
      triple, *cpu, chip == "native" ? nativeFeatures() : "", options,
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
  if (!machine)
    return llvm::createStringError("cannot generate code for chip '%s'",
                                   cpu->c_str());
  return std::move(machine);
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// A file that gets its final name only by keep().
class PendingFile {
public:
  static llvm::Expected<PendingFile> create(StringRef path) {
    SmallString<128> model(path);
    model += ".%%%%%%.tmp";
    llvm::Expected<llvm::sys::fs::TempFile> file =
        llvm::sys::fs::TempFile::create(model, llvm::sys::fs::all_read |
                                                   llvm::sys::fs::all_write);
    if (!file)
      return llvm::createStringError("cannot write '%s': %s",
                                     path.str().c_str(),
                                     llvm::toString(file.takeError()).c_str());
    return PendingFile(std::move(*file), path);
  }
  PendingFile(PendingFile &&) = default;
  ~PendingFile() { llvm::consumeError(file.discard()); }

  StringRef name() const { return file.TmpName; }
  int descriptor() const { return file.FD; }
  llvm::Error keep() {
    if (llvm::Error error = file.keep(path))
      return llvm::createStringError("cannot write '%s': %s", path.c_str(),
                                     llvm::toString(std::move(error)).c_str());
    return llvm::Error::success();
  }

private:
  PendingFile(llvm::sys::fs::TempFile file, StringRef path)
      : file(std::move(file)), path(path.str()) {}
  llvm::sys::fs::TempFile file;
  std::string path;
};

static bool isLinked(ArtifactKind kind) {
  return kind == ArtifactKind::Shared || kind == ArtifactKind::Executable;
}

/// Standard output, pipes and devices are written as they are: a rename would
/// replace them.
static bool isWrittenInPlace(StringRef path) {
  llvm::sys::fs::file_status status;
  return path == "-" || (!llvm::sys::fs::status(path, status) &&
                         !llvm::sys::fs::is_regular_file(status));
}

llvm::Error deepseek::checkOutput(StringRef path, ArtifactKind kind) {
  if (path.empty())
    return llvm::createStringError("-o: expected the name of a file, got none");
  if (llvm::sys::fs::is_directory(path))
    return llvm::createStringError("cannot write '%s': it is a folder",
                                   path.str().c_str());
  if (isLinked(kind) && isWrittenInPlace(path))
    return llvm::createStringError(
        "cannot write '%s': a linker needs a regular file", path.str().c_str());
  return llvm::Error::success();
}

static llvm::Error writeBytes(llvm::raw_fd_ostream &out, StringRef path,
                              StringRef bytes) {
  out << bytes;
  out.flush();
  std::error_code code = out.error();
  out.clear_error();
  if (code)
    return llvm::createStringError(code, "cannot write '%s': %s",
                                   path.str().c_str(), code.message().c_str());
  return llvm::Error::success();
}

static llvm::Error writeInPlace(StringRef path, StringRef bytes) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  if (code)
    return llvm::createStringError(code, "cannot write '%s': %s",
                                   path.str().c_str(), code.message().c_str());
  return writeBytes(out, path, bytes);
}

/// The features of x86 processors that code generation makes use of and that
/// not all of them have, in LLVM's names.
static constexpr StringLiteral kX86Features[] = {
    "sse4.2",
    "popcnt",
    "lzcnt",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "bmi",
    "bmi2",
    "avx512f",
    "avx512cd",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512vbmi",
    "avx512vbmi2",
    "avx512vnni",
    "avx512bitalg",
    "avx512vpopcntdq",
    "avx512bf16",
    "avx512fp16",
    "gfni",
};

/// Writes down which of them `machine` has, so that the runtime can refuse a
/// processor instead of dying of an illegal instruction.
static void recordFeatures(llvm::Module &module,
                           const llvm::TargetMachine &machine) {
  llvm::GlobalVariable *global =
      module.getGlobalVariable(kCpuFeaturesGlobal, /*AllowInternal=*/true);
  if (!global || !machine.getTargetTriple().isX86())
    return;
  std::string text;
  for (StringRef feature : kX86Features)
    if (machine.getMCSubtargetInfo()->checkFeatures(("+" + feature).str()))
      text += (text.empty() ? "" : " ") + feature.str();
  llvm::Constant *value =
      llvm::ConstantDataArray::getString(module.getContext(), text);
  auto *filled =
      new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                               global->getLinkage(), value);
  filled->takeName(global);
  global->replaceAllUsesWith(filled);
  global->eraseFromParent();
}

//===----------------------------------------------------------------------===//
// Linking
//===----------------------------------------------------------------------===//

static llvm::Expected<std::string> findLinker(StringRef wanted) {
  if (!wanted.empty()) {
    if (auto path = llvm::sys::findProgramByName(wanted))
      return *path;
    return llvm::createStringError("linker '%s' not found",
                                   wanted.str().c_str());
  }
  for (StringRef name : {"clang++-22", "clang++", "c++", "g++"})
    if (auto path = llvm::sys::findProgramByName(name))
      return *path;
  return llvm::createStringError(
      "no C++ compiler to link with (looked for clang++-22, clang++, c++, "
      "g++); install one or name it with --linker");
}

/// Runs the linker; its complaints become the error.
static llvm::Error runLinker(StringRef program, ArrayRef<StringRef> args) {
  SmallString<128> log;
  if (auto error = llvm::sys::fs::createTemporaryFile("ds-link", "log", log))
    return llvm::createStringError(error, "cannot write a temporary file");
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(log),
                                          StringRef(log)};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(program, args, std::nullopt, redirects,
                                         0, 0, &message);
  auto output = llvm::MemoryBuffer::getFile(log);
  std::string text =
      message + (output ? (*output)->getBuffer().str() : std::string());
  llvm::sys::fs::remove(log);
  if (status == 0)
    return llvm::Error::success();
  StringRef line = StringRef(text).trim().split('\n').first;
  return llvm::createStringError(
      "the linker '%s' failed (%d): %s", program.str().c_str(), status,
      line.empty() ? "it does not say why" : line.str().c_str());
}

/// `runpath`: a folder where the program finds libraries, or empty.
static llvm::Error link(StringRef object, const ArtifactOptions &options,
                        StringRef output, StringRef runpath) {
  llvm::Expected<std::string> linker = findLinker(options.linker);
  if (!linker)
    return linker.takeError();
  std::string runtime = options.runtimeDir + "/libdsrt.a";
  std::string runpathFlag = ("-Wl,-rpath," + runpath).str();
  SmallVector<StringRef> args = {*linker, "-o", output, object};
  if (options.kind == ArtifactKind::Shared) {
    args.append({"-shared", "-Wl,-Bsymbolic", "-Wl,--as-needed"});
  } else {
    if (!llvm::sys::fs::exists(runtime))
      return llvm::createStringError(
          "the runtime library '%s' does not exist; build it or name its "
          "folder with --runtime-dir",
          runtime.c_str());
    // The export lets the program be asked like a shared object.
    args.append({runtime, "-pie", "-static-libstdc++", "-static-libgcc",
                 "-lpthread", "-ldl", "-lm"});
    if (!runpath.empty())
      args.push_back(runpathFlag);
  }
  // No time stamps, no random build id: same inputs, same bytes.
  args.append({"-Wl,--build-id=none", "-Wl,--gc-sections", "-s"});
  return runLinker(*linker, args);
}

//===----------------------------------------------------------------------===//
// PTX
//===----------------------------------------------------------------------===//

using Images = SmallVector<std::pair<StringRef, StringRef>>;

/// Chips and their PTX, of a module of stage `device` or `llvm`.
static llvm::Expected<Images> getPtx(ModuleOp module) {
  Images images;
  for (auto kernels : module.getOps<ModuleOp>()) {
    FailureOr<SmallVector<DeviceImage>> read = readImages(kernels);
    if (failed(read))
      return llvm::createStringError("its images cannot be read");
    for (const DeviceImage &image : *read)
      images.emplace_back(image.chip, image.ptx);
  }
  for (auto global : module.getOps<LLVM::GlobalOp>()) {
    StringRef name = global.getSymName();
    auto text = dyn_cast_or_null<StringAttr>(global.getValueOrNull());
    if (text && name.consume_front(kPtxGlobalPrefix))
      images.emplace_back(name, text.getValue().rtrim('\0'));
  }
  return images;
}

/// The PTX for `gpu`, or the only one.
static llvm::Expected<StringRef> findPtx(ModuleOp module, StringRef gpu) {
  llvm::Expected<Images> images = getPtx(module);
  if (!images)
    return images.takeError();
  if (images->empty())
    return llvm::createStringError(
        "the module holds no PTX; compile it with target nvptx, to stage "
        "'device' or 'llvm'");
  if (gpu.empty() && images->size() == 1)
    return images->front().second;
  for (auto [chip, ptx] : *images)
    if (chip == gpu)
      return ptx;
  std::string chips = llvm::join(llvm::make_first_range(*images), ", ");
  return llvm::createStringError(
      (gpu.empty() ? "expected --chip to name one of the chips whose PTX the "
                     "module holds: "
                   : "the module holds no PTX for '" + gpu +
                         "'; expected --chip to be one of ") +
      chips);
}

//===----------------------------------------------------------------------===//
// writeArtifact
//===----------------------------------------------------------------------===//

static llvm::Error checkStage(ModuleOp module, ArtifactKind kind) {
  for (Operation &op : *module.getBody())
    if (op.getName().getDialectNamespace() != "llvm")
      return llvm::createStringError("expected a module of stage 'llvm', found "
                                     "'%s'; run the stages before "
                                     "it",
                                     op.getName().getStringRef().str().c_str());
  if (isLinked(kind) && !module.lookupSymbol("dsrt_module_query"))
    return llvm::createStringError(
        "the module has no 'dsrt_module_query', so nothing could run it; "
        "compile one with at least one public function");
  return llvm::Error::success();
}

/// The file in memory; for what is linked, its object.
static llvm::Error makeBytes(ModuleOp module, const ArtifactOptions &options,
                             llvm::SmallVectorImpl<char> &buffer) {
  llvm::raw_svector_ostream stream(buffer);
  if (options.kind == ArtifactKind::PTX) {
    llvm::Expected<StringRef> ptx = findPtx(module, options.gpu);
    if (!ptx)
      return ptx.takeError();
    stream << *ptx;
    return llvm::Error::success();
  }
  if (llvm::Error error = checkStage(module, options.kind))
    return error;
  auto machine = createMachine(options.chip);
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, "model");
  if (!llvmModule)
    return llvm::createStringError("the module does not translate to LLVM IR");
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  llvmModule->setDataLayout((*machine)->createDataLayout());
  llvmModule->setPICLevel(llvm::PICLevel::BigPIC);
  recordFeatures(*llvmModule, **machine);
  optimizeModule(*llvmModule, **machine);

  if (options.kind == ArtifactKind::LLVMIR) {
    llvmModule->print(stream, nullptr);
    return llvm::Error::success();
  }
  return emitMachineCode(*llvmModule, **machine,
                         options.kind == ArtifactKind::Assembly
                             ? llvm::CodeGenFileType::AssemblyFile
                             : llvm::CodeGenFileType::ObjectFile,
                         stream);
}

llvm::Error deepseek::writeArtifact(ModuleOp module,
                                    const ArtifactOptions &options,
                                    StringRef path) {
  if (llvm::Error error = checkOutput(path, options.kind))
    return error;
  llvm::SmallVector<char, 0> buffer;
  if (llvm::Error error = makeBytes(module, options, buffer))
    return error;
  StringRef bytes(buffer.data(), buffer.size());
  if (isWrittenInPlace(path))
    return writeInPlace(path, bytes);

  llvm::Expected<PendingFile> file = PendingFile::create(path);
  if (!file)
    return file.takeError();
  llvm::raw_fd_ostream out(file->descriptor(), /*shouldClose=*/false);
  if (llvm::Error error = writeBytes(out, path, bytes))
    return error;
  if (!isLinked(options.kind))
    return file->keep();
  llvm::Expected<PendingFile> linked = PendingFile::create(path);
  if (!linked)
    return linked.takeError();
  llvm::Expected<Images> images = getPtx(module);
  if (!images)
    return images.takeError();
  // The simulator lies beside the runtime.
  StringRef runpath = images->empty() ? "" : StringRef(options.runtimeDir);
  if (llvm::Error error = link(file->name(), options, linked->name(), runpath))
    return error;
  return linked->keep();
}
