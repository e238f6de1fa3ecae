//===- DebugLocations.cpp - From device code to graph ops -----------------===//
//
// Lines only: which op an instruction comes from, no variables and no types. A
// kernel of several ops keeps the line of each where the emitter gives it.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/DebugLocations.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::deepseek;

FileLineColLoc deepseek::getSource(Location location) {
  if (auto file = location->findInstanceOf<FileLineColLoc>())
    return file;
  if (auto name = location->findInstanceOf<NameLoc>())
    return FileLineColLoc::get(name.getName(), 1, 1);
  return {};
}

/// The scope of `function`, whose graph op is at `source`.
static LLVM::DISubprogramAttr makeScope(LLVM::LLVMFuncOp function,
                                        FileLineColLoc source) {
  MLIRContext *context = function.getContext();
  StringRef path = source.getFilename();
  auto file = LLVM::DIFileAttr::get(context, llvm::sys::path::filename(path),
                                    llvm::sys::path::parent_path(path));
  auto unit = LLVM::DICompileUnitAttr::get(
      DistinctAttr::create(UnitAttr::get(context)), llvm::dwarf::DW_LANG_C,
      file, StringAttr::get(context, "ds-compile"), /*isOptimized=*/true,
      LLVM::DIEmissionKind::DebugDirectivesOnly);
  auto type = LLVM::DISubroutineTypeAttr::get(context, {});
  return LLVM::DISubprogramAttr::get(
      context, DistinctAttr::create(UnitAttr::get(context)), unit, file,
      function.getSymNameAttr(), function.getSymNameAttr(), file,
      source.getLine(), source.getLine(),
      LLVM::DISubprogramFlags::Definition | LLVM::DISubprogramFlags::Optimized,
      type, /*retainedNodes=*/{}, /*annotations=*/{});
}

void deepseek::attachDebugLocations(gpu::GPUModuleOp module) {
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    FileLineColLoc source = getSource(function.getLoc());
    if (!source || function.isExternal())
      continue;
    function.walk([&](Operation *op) {
      FileLineColLoc own = getSource(op->getLoc());
      bool inFile = own && own.getFilename() == source.getFilename();
      op->setLoc(inFile ? own : source);
    });
    function->setLoc(FusedLoc::get(module.getContext(), {Location(source)},
                                   makeScope(function, source)));
  }
}
