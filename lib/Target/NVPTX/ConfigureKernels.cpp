//===- ConfigureKernels.cpp - Which emitter writes a kernel, and how ------===//
//
//   func.func @embedding_2048x256_bf16(...)
//   ->
//   func.func @embedding_2048x256_bf16(...) attributes {nvptx.configuration =
//     {sm_90a = {emitter = "any_embedding", threads = 32 : i64}}}
//
// What is there already is kept: a person's choice.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/Passes.h"
#include "lib/Target/NVPTX/Configurations.h"
#include "lib/Target/NVPTX/Emitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_NVPTXCONFIGUREKERNELS
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

/// The emitters of a list of names, in order of preference; all of them if it
/// is empty.
llvm::Expected<SmallVector<const KernelEmitter *>>
parseEmitters(StringRef list) {
  ArrayRef<const KernelEmitter *> all = getKernelEmitters();
  SmallVector<StringRef> names;
  list.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef name : names)
    if (llvm::none_of(all, [&](const KernelEmitter *emitter) {
          return emitter->getName() == name;
        }))
      return llvm::createStringError(
          "unknown emitter '" + name + "', expected one or more of " +
          llvm::join(llvm::map_range(all,
                                     [](const KernelEmitter *emitter) {
                                       return emitter->getName();
                                     }),
                     ", ") +
          ", separated by commas");
  return SmallVector<const KernelEmitter *>(
      llvm::make_filter_range(all, [&](const KernelEmitter *emitter) {
        return names.empty() || llvm::is_contained(names, emitter->getName());
      }));
}

using Emitters = ArrayRef<const KernelEmitter *>;

const KernelEmitter *findEmitter(func::FuncOp kernel, const Chip &chip,
                                 Emitters emitters) {
  for (const KernelEmitter *emitter : emitters)
    if (emitter->match(kernel, chip))
      return emitter;
  return nullptr;
}

void remarkOn(func::FuncOp kernel, const Chip &chip,
              const KernelEmitter &emitter, StringRef reason) {
  using namespace mlir::remark;
  passed(kernel.getLoc(), RemarkOpts::name("configuration")
                              .category("kernel")
                              .function(kernel.getName()))
      << add("{0}: {1}: {2}", chip.name, emitter.getName(), reason);
}

/// The dictionary of one chip.
FailureOr<DictionaryAttr> configure(func::FuncOp kernel, const Chip &chip,
                                    Emitters emitters) {
  const KernelEmitter *emitter = findEmitter(kernel, chip, emitters);
  if (!emitter)
    return kernel.emitError() << "no emitter can write kernel '"
                              << kernel.getName() << "' for " << chip.name;
  Configuration chosen = emitter->configure(kernel, chip);
  remarkOn(kernel, chip, *emitter, chosen.reason);
  Builder b(kernel.getContext());
  chosen.parameters.push_back(
      b.getNamedAttr(kEmitterAttr, b.getStringAttr(emitter->getName())));
  return b.getDictionaryAttr(chosen.parameters);
}

struct ConfigureKernels
    : deepseek::impl::NVPTXConfigureKernelsBase<ConfigureKernels> {
  using NVPTXConfigureKernelsBase::NVPTXConfigureKernelsBase;

  void runOnOperation() override {
    llvm::Expected<SmallVector<const Chip *>> parsed = parseChips(chips);
    if (!parsed) {
      emitError(getOperation().getLoc()) << llvm::toString(parsed.takeError());
      return signalPassFailure();
    }
    llvm::Expected<SmallVector<const KernelEmitter *>> chosen =
        parseEmitters(emitters);
    if (!chosen) {
      emitError(getOperation().getLoc()) << llvm::toString(chosen.takeError());
      return signalPassFailure();
    }
    for (func::FuncOp kernel : getOperation().getOps<func::FuncOp>()) {
      if (failed(verifyDeviceKernel(kernel)))
        return signalPassFailure();
      NamedAttrList all(
          kernel->getAttrOfType<DictionaryAttr>(kConfigurationAttr));
      for (const Chip *chip : *parsed) {
        if (all.get(chip->name))
          continue;
        FailureOr<DictionaryAttr> one = configure(kernel, *chip, *chosen);
        if (failed(one))
          return signalPassFailure();
        all.set(chip->name, *one);
      }
      kernel->setAttr(kConfigurationAttr, all.getDictionary(&getContext()));
    }
  }
};

} // namespace
