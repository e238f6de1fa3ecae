//===- DispatchResults.cpp - Shows what the kernels of a program write ----===//
//
//   dsrt.dispatch @kernels::@k ins(%x) outs(%y)
//   ->
//   dsrt.dispatch @kernels::@k ins(%x) outs(%y)
//   %copy = dsrt.workspace 1048576(%t)         // behind the entry's own memory
//   memref.copy %y, %copy
//   ...
//   return ..., %copy
//
// The plan of the entry's own memory stays as it is, mistakes included.
//
//===----------------------------------------------------------------------===//

#include "lib/Verification/HostRun.h"

#include "dialects/DSRT/IR/DSRTDialect.h"
#include "lib/Transforms/SizeBounds.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

std::string verification::getDispatchResultName(size_t dispatch,
                                                unsigned output) {
  return ("dispatch." + Twine(dispatch) + "." + Twine(output)).str();
}

namespace {

/// Adds the results of one entry.
class EntryResults {
public:
  explicit EntryResults(func::FuncOp entry)
      : entry(entry), limits(getLimits(entry)), bounds(entry, limits) {
    auto bytes = entry->getAttrOfType<IntegerAttr>(dsrt::kWorkspaceBytesAttr);
    workspaceBytes = bytes ? bytes.getInt() : 0;
  }

  LogicalResult run();

private:
  struct Copy {
    Value value;
    std::string name;
    SmallVector<int64_t> bounds;
  };

  static llvm::StringMap<int64_t> getLimits(func::FuncOp entry);
  LogicalResult copy(dsrt::DispatchOp dispatch, dsrt::WorkspaceOp output,
                     std::string name);
  void returnCopies();

  func::FuncOp entry;
  llvm::StringMap<int64_t> limits;
  SizeBounds bounds;
  int64_t workspaceBytes;
  SmallVector<Copy> copies;
};

} // namespace

/// The sizes that the entry was planned for, by their names.
llvm::StringMap<int64_t> EntryResults::getLimits(func::FuncOp entry) {
  llvm::StringMap<int64_t> limits;
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    auto names = entry.getArgAttrOfType<ArrayAttr>(i, kDimsAttr);
    auto sizes =
        entry.getArgAttrOfType<DenseI64ArrayAttr>(i, dsrt::kBoundsAttr);
    if (!names || !sizes || names.size() != size_t(sizes.size()))
      continue;
    for (auto [name, size] : llvm::zip_equal(names, sizes.asArrayRef()))
      if (auto text = dyn_cast<StringAttr>(name); text && size >= 0)
        limits[text.getValue()] = size;
  }
  return limits;
}

LogicalResult EntryResults::copy(dsrt::DispatchOp dispatch,
                                 dsrt::WorkspaceOp output, std::string name) {
  auto type = cast<MemRefType>(output.getType());
  Type element = type.getElementType();
  int64_t bytes = llvm::divideCeil(
      element.isIndex() ? 64 : element.getIntOrFloatBitWidth(), 8);
  SmallVector<int64_t> sizes(type.getShape());
  auto dynamic = output.getDynamicSizes().begin();
  for (int64_t &size : sizes) {
    if (ShapedType::isDynamic(size)) {
      FailureOr<int64_t> bound = bounds.get(*dynamic++, dispatch);
      if (failed(bound))
        return failure();
      size = *bound;
    }
    if (llvm::MulOverflow(bytes, size, bytes))
      return dispatch.emitOpError("writes more bytes than can be counted");
  }
  OpBuilder builder(dispatch->getContext());
  builder.setInsertionPointAfter(dispatch);
  workspaceBytes = llvm::alignTo(workspaceBytes, 64);
  auto target = dsrt::WorkspaceOp::create(
      builder, dispatch.getLoc(), type,
      builder.getI64IntegerAttr(workspaceBytes), output.getDynamicSizes());
  memref::CopyOp::create(builder, dispatch.getLoc(), output.getResult(),
                         target.getResult());
  workspaceBytes += bytes;
  copies.push_back({target.getResult(), std::move(name), std::move(sizes)});
  return success();
}

void EntryResults::returnCopies() {
  Builder builder(entry.getContext());
  entry->setAttr(dsrt::kWorkspaceBytesAttr,
                 builder.getI64IntegerAttr(workspaceBytes));
  Operation *terminator = entry.getBody().front().getTerminator();
  SmallVector<Type> types(entry.getResultTypes());
  SmallVector<Attribute> attributes;
  for (unsigned i = 0; i < entry.getNumResults(); ++i)
    attributes.push_back(entry.getResultAttrDict(i)
                             ? entry.getResultAttrDict(i)
                             : builder.getDictionaryAttr({}));
  SmallVector<Value> operands(terminator->getOperands());
  for (const Copy &copy : copies) {
    operands.push_back(copy.value);
    types.push_back(copy.value.getType());
    attributes.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr(kNameAttr, builder.getStringAttr(copy.name)),
         builder.getNamedAttr(dsrt::kBoundsAttr,
                              builder.getDenseI64ArrayAttr(copy.bounds))}));
  }
  terminator->setOperands(operands);
  entry.setFunctionType(
      builder.getFunctionType(entry.getArgumentTypes(), types));
  entry.setResAttrsAttr(builder.getArrayAttr(attributes));
}

LogicalResult EntryResults::run() {
  SmallVector<dsrt::DispatchOp> dispatches(
      entry.getBody().front().getOps<dsrt::DispatchOp>());
  for (auto [number, dispatch] : llvm::enumerate(dispatches))
    for (auto [i, output] : llvm::enumerate(dispatch.getOutputs())) {
      Value root = output;
      while (auto cast = root.getDefiningOp<memref::CastOp>())
        root = cast.getSource();
      auto workspace = root.getDefiningOp<dsrt::WorkspaceOp>();
      if (workspace &&
          failed(copy(dispatch, workspace,
                      verification::getDispatchResultName(number, i))))
        return failure();
    }
  returnCopies();
  return success();
}

LogicalResult verification::returnDispatchResults(ModuleOp module) {
  for (StringRef name : {"prefill", "decode", "mtp"})
    if (auto entry = module.lookupSymbol<func::FuncOp>(name))
      if (failed(EntryResults(entry).run()))
        return failure();
  return success();
}

void verification::replaceKernels(ModuleOp device, ModuleOp llvmModule) {
  auto kernels = device.lookupSymbol<ModuleOp>("kernels");
  if (!kernels)
    return;
  SymbolTable symbols(llvmModule);
  for (Operation &op : llvm::make_early_inc_range(*kernels.getBody())) {
    auto symbol = dyn_cast<SymbolOpInterface>(op);
    Operation *other = symbol ? symbols.lookup(symbol.getName()) : nullptr;
    if (!other || other->getName() != op.getName())
      continue;
    OpBuilder builder(&op);
    builder.clone(*other);
    op.erase();
  }
}
