//===- DeviceImages.cpp - The code for GPUs in a module -------------------===//

#include "deepseek/Conversion/DSRTToLLVM.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace mlir::deepseek;

FailureOr<SmallVector<DeviceImage>> deepseek::readImages(ModuleOp kernels) {
  SmallVector<DeviceImage> images;
  Attribute attribute = kernels->getAttr(kImagesAttr);
  if (!attribute)
    return images;
  auto list = dyn_cast<ArrayAttr>(attribute);
  if (!list)
    return kernels.emitError() << "expected '" << kImagesAttr
                               << "' to be a list of images, got " << attribute;
  for (Attribute element : list) {
    auto fields = dyn_cast<DictionaryAttr>(element);
    auto chip = fields ? fields.getAs<StringAttr>("chip") : StringAttr();
    auto ptx = fields ? fields.getAs<StringAttr>("ptx") : StringAttr();
    if (!chip || !ptx)
      return kernels.emitError()
             << "expected in '" << kImagesAttr << "' a chip and its ptx";
    if (llvm::any_of(images, [&](const DeviceImage &image) {
          return image.chip == chip.getValue();
        }))
      return kernels.emitError()
             << "expected in '" << kImagesAttr << "' each chip once, got '"
             << chip.getValue() << "' twice";
    DeviceImage &image = images.emplace_back();
    image.chip = chip.getValue();
    image.ptx = ptx.getValue();
    if (auto cubin = fields.getAs<StringAttr>("cubin"))
      image.cubin = cubin.getValue();
  }
  return images;
}
