//===- StagePasses.cpp - What a compile does between its passes -----------===//
//
// Two passes without a flag of their own: they carry text that only the compile
// knows.
//
//===----------------------------------------------------------------------===//

#include "StagePasses.h"

#include "deepseek/Conversion/DSRTToLLVM.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace {

struct DumpStage : PassWrapper<DumpStage, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DumpStage)

  DumpStage(std::string folder, std::string file)
      : folder(std::move(folder)), file(std::move(file)) {}

  StringRef getName() const override { return "dump-stage"; }

  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (failed(write(file, [&](raw_ostream &stream) {
          getOperation()->print(stream);
          stream << "\n";
        })))
      return signalPassFailure();
    for (auto kernels : getOperation().getOps<ModuleOp>()) {
      FailureOr<SmallVector<deepseek::DeviceImage>> images =
          deepseek::readImages(kernels);
      if (failed(images))
        return signalPassFailure();
      for (const deepseek::DeviceImage &image : *images)
        if (failed(writePtx(image)))
          return signalPassFailure();
    }
  }

  /// 7.device.mlir -> 7.device.sm_90a.ptx
  LogicalResult writePtx(const deepseek::DeviceImage &image) {
    StringRef stem = StringRef(file).drop_back(StringRef("mlir").size());
    return write((stem + image.chip + ".ptx").str(),
                 [&](raw_ostream &stream) { stream << image.ptx; });
  }

  LogicalResult write(StringRef name,
                      llvm::function_ref<void(raw_ostream &)> print) {
    SmallString<128> path(folder);
    llvm::sys::path::append(path, name);
    std::error_code error = llvm::sys::fs::create_directories(folder);
    if (!error) {
      llvm::raw_fd_ostream stream(path, error);
      if (!error) {
        print(stream);
        stream.close();
        error = stream.error();
        stream.clear_error();
      }
    }
    if (!error)
      return success();
    return emitError(UnknownLoc::get(&getContext()))
           << "dump-stages: cannot write '" << path << "': " << error.message();
  }

  std::string folder, file;
};

struct SetTarget : PassWrapper<SetTarget, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SetTarget)

  explicit SetTarget(std::string target) : target(std::move(target)) {}

  StringRef getName() const override { return "set-target"; }

  void runOnOperation() override {
    getOperation()->setAttr("deepseek.target",
                            StringAttr::get(&getContext(), target));
  }

  std::string target;
};

} // namespace

std::unique_ptr<Pass> deepseek::createDumpStagePass(std::string folder,
                                                    std::string file) {
  return std::make_unique<DumpStage>(std::move(folder), std::move(file));
}

std::unique_ptr<Pass> deepseek::createSetTargetPass(std::string target) {
  return std::make_unique<SetTarget>(std::move(target));
}
