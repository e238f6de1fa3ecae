//===- AssembleKernels.cpp - Machine code beside the PTX ------------------===//
//
//   dsrt.images = [{chip = "sm_90a", ptx = "..."}]
//   ->
//   dsrt.images = [{chip = "sm_90a", ptx = "...", cubin = "..."}]
//
// and a table of what each kernel takes of the chip, in Markdown.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/AssembleKernels.h"
#include "deepseek/Conversion/DSRTToLLVM.h"
#include "deepseek/Target/NVPTX/Ptxas.h"
#include "lib/Target/NVPTX/Configurations.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::deepseek;

namespace {

struct AssembleKernels : PassWrapper<AssembleKernels, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(AssembleKernels)

  StringRef getName() const override { return "assemble-kernels"; }

  void runOnOperation() override {
    ModuleOp kernels = getOperation();
    auto images = kernels->getAttrOfType<ArrayAttr>(kImagesAttr);
    auto rows = kernels->getAttrOfType<ArrayAttr>(kDeviceKernelsAttr);
    if (!images || !rows) {
      kernels.emitError("expected PTX to assemble; did "
                        "'nvptx-serialize-kernels' run?");
      return signalPassFailure();
    }
    llvm::Expected<std::string> ptxas = findPtxas();
    if (!ptxas) {
      emitError(kernels.getLoc()) << llvm::toString(ptxas.takeError());
      return signalPassFailure();
    }
    Builder b(&getContext());
    SmallVector<Attribute> assembledImages;
    for (auto [index, image] :
         llvm::enumerate(images.getAsRange<DictionaryAttr>())) {
      StringRef chip = image.getAs<StringAttr>("chip").getValue();
      llvm::Expected<Assembled> assembled =
          assemble(*ptxas, image.getAs<StringAttr>("ptx").getValue(), chip);
      if (!assembled) {
        emitError(kernels.getLoc()) << llvm::toString(assembled.takeError());
        return signalPassFailure();
      }
      print(chip, *assembled, rows, index);
      NamedAttrList fields(image);
      fields.set("cubin", b.getStringAttr(assembled->cubin));
      assembledImages.push_back(fields.getDictionary(&getContext()));
    }
    kernels->setAttr(kImagesAttr, b.getArrayAttr(assembledImages));
  }

  /// A row of the table for each kernel of the image, in the order of launches.
  static void print(StringRef chip, const Assembled &assembled, ArrayAttr rows,
                    size_t image) {
    llvm::StringMap<KernelResources> resources;
    for (const KernelResources &kernel : assembled.kernels)
      resources[kernel.name] = kernel;
    llvm::raw_ostream &os = llvm::errs();
    os << "| " << chip
       << " | emitter | stages | registers | shared bytes | spilled bytes |\n"
       << "|---|---|--:|--:|--:|--:|\n";
    for (auto row : rows.getAsRange<DictionaryAttr>()) {
      auto integer = [](DictionaryAttr from, StringRef name) -> int64_t {
        auto value = from ? from.getAs<IntegerAttr>(name) : IntegerAttr();
        return value ? value.getInt() : 0;
      };
      StringRef name = row.getAs<StringAttr>("name").getValue();
      auto found = resources.find(name);
      if (integer(row, "image") != static_cast<int64_t>(image) ||
          found == resources.end())
        continue;
      auto config = row.getAs<DictionaryAttr>(kRowConfigurationAttr);
      auto emitter =
          config ? config.getAs<StringAttr>(kEmitterAttr) : StringAttr();
      int64_t stages = integer(config, "stages");
      os << llvm::formatv(
          "| {0} | {1} | {2} | {3} | {4} | {5} |\n", name,
          emitter ? emitter.getValue() : StringRef(),
          stages ? std::to_string(stages) : "", found->second.registers,
          found->second.sharedBytes + integer(row, "shared_bytes"),
          found->second.spillBytes);
    }
    for (const std::string &warning : assembled.warnings)
      os << "\nptxas: " << warning << "\n";
  }
};

} // namespace

std::unique_ptr<Pass> deepseek::createAssembleKernelsPass() {
  return std::make_unique<AssembleKernels>();
}
