//===- SerializeKernels.cpp - PTX text ------------------------------------===//
//
// Each gpu.module, in LLVM and NVVM by now, goes through LLVM's NVPTX target
// and leaves as PTX text in the attribute dsrt.images. No CUDA toolkit is
// needed.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Conversion/DSRTToLLVM.h"
#include "deepseek/Target/NVPTX/Chips.h"
#include "deepseek/Target/Passes.h"
#include "lib/Target/Common/MachineCode.h"
#include "lib/Target/NVPTX/DebugLocations.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_NVPTXSERIALIZEKERNELS
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(const Chip &chip) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError("LLVM has no NVPTX target: " + message);
  llvm::TargetOptions options;
  // Products and sums are fused where the IR says fma, nowhere else.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, chip.name, ("+" + chip.ptx).str(), options, std::nullopt,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// Text of PTX that all threads of a warp must come to together; MLIR has no
/// attribute for it.
void markAssemblyConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction))
          if (call->isInlineAsm())
            call->setConvergent();
}

llvm::Expected<std::string> translate(gpu::GPUModuleOp module,
                                      const Chip &chip) {
  auto machine = createMachine(chip);
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, module.getName());
  if (!llvmModule)
    return llvm::createStringError("it does not translate to LLVM IR");
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  llvmModule->setDataLayout((*machine)->createDataLayout());
  markAssemblyConvergent(*llvmModule);
  optimizeModule(*llvmModule, **machine);
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  if (llvm::Error error = emitMachineCode(
          *llvmModule, **machine, llvm::CodeGenFileType::AssemblyFile, stream))
    return std::move(error);
  return std::string(text.data(), text.size());
}

struct SerializeKernels
    : deepseek::impl::NVPTXSerializeKernelsBase<SerializeKernels> {
  void getDependentDialects(DialectRegistry &registry) const override {
    registerBuiltinDialectTranslation(registry);
    registerGPUDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
    registerNVVMDialectTranslation(registry);
  }

  void runOnOperation() override {
    ModuleOp kernels = getOperation();
    Builder b(&getContext());
    SmallVector<Attribute> images;
    for (auto module :
         llvm::make_early_inc_range(kernels.getOps<gpu::GPUModuleOp>())) {
      const Chip *chip = findChip(module.getName());
      if (!chip) {
        module.emitError() << "is named like no chip";
        return signalPassFailure();
      }
      attachDebugLocations(module);
      llvm::Expected<std::string> ptx = translate(module, *chip);
      if (!ptx) {
        module.emitError() << "cannot become PTX: "
                           << llvm::toString(ptx.takeError());
        return signalPassFailure();
      }
      images.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("chip", b.getStringAttr(chip->name)),
           b.getNamedAttr("ptx", b.getStringAttr(*ptx))}));
      module.erase();
    }
    kernels->setAttr(kImagesAttr, b.getArrayAttr(images));
  }
};

} // namespace
