//===- EmitKernels.cpp - Device functions and launchers -------------------===//
//
// A configured kernel function becomes a launcher of its name, and device
// functions in one gpu.module a chip:
//
//   func.func @k(%x: tensor<?x256xbf16>, %y: tensor<?x256xbf16>) -> ...
//   ->
//   func.func @k(%call: !llvm.ptr, %x: !llvm.ptr, %rows: i64, ...) -> i32 {
//     ... llvm.call @dsrt_launch(%call, ...) }
//   gpu.module @sm_90a { llvm.func @k(...) attributes {nvvm.kernel} { ... } }
//
//===----------------------------------------------------------------------===//

#include "deepseek/Conversion/DSRTToLLVM.h"
#include "deepseek/Target/Passes.h"
#include "lib/Target/NVPTX/Configurations.h"
#include "lib/Target/NVPTX/Emitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_NVPTXEMITKERNELS
#include "deepseek/Target/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

void declareRuntime(ModuleOp module) {
  MLIRContext *context = module.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  auto i64 = IntegerType::get(context, 64);
  auto i32 = IntegerType::get(context, 32);
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto declare = [&](StringRef name, Type result, ArrayRef<Type> operands) {
    LLVM::LLVMFuncOp::create(b, module.getLoc(), name,
                             LLVM::LLVMFunctionType::get(result, operands));
  };
  declare("dsrt_launch", i32, {pointer, i64, pointer, pointer});
  declare("dsrt_tensor_map", i32, {pointer, pointer, pointer});
  declare("dsrt_scratch", pointer, {pointer});
  declare("dsrt_loaded_image", i64, {pointer});
}

const KernelEmitter *findEmitter(func::FuncOp kernel, DictionaryAttr config) {
  auto name = config.getAs<StringAttr>(kEmitterAttr);
  for (const KernelEmitter *emitter : getKernelEmitters())
    if (name && emitter->getName() == name.getValue())
      return emitter;
  kernel.emitError() << "the configuration of kernel '" << kernel.getName()
                     << "' names no emitter: " << config;
  return nullptr;
}

class KernelEmission {
public:
  KernelEmission(func::FuncOp kernel, MutableArrayRef<DeviceModule> devices)
      : kernel(kernel), devices(devices), b(kernel), loc(kernel.getLoc()) {}

  LogicalResult run();

private:
  void createLauncher();
  LogicalResult emitFor(DeviceModule &device);
  LogicalResult emitAll();

  func::FuncOp kernel;
  MutableArrayRef<DeviceModule> devices;
  OpBuilder b;
  Location loc;
  func::FuncOp launcher;
  Value call, status;
  SmallVector<LaunchArgument> arguments;
};

/// The launcher's signature and its stack slot for a status.
void KernelEmission::createLauncher() {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i64 = b.getI64Type();
  SmallVector<Type> types = {pointer};
  for (Type type : kernel.getArgumentTypes()) {
    types.push_back(pointer);
    auto tensor = cast<RankedTensorType>(type);
    types.append(tensor.getNumDynamicDims(), i64);
  }
  launcher =
      func::FuncOp::create(b, loc, (kernel.getName() + "_launcher").str(),
                           b.getFunctionType(types, {b.getI32Type()}));
  Block *entry = launcher.addEntryBlock();
  b.setInsertionPointToStart(entry);
  unsigned next = 0;
  call = entry->getArgument(next++);
  for (Type type : kernel.getArgumentTypes()) {
    LaunchArgument argument;
    argument.data = entry->getArgument(next++);
    for (int64_t size : cast<RankedTensorType>(type).getShape())
      argument.sizes.push_back(
          ShapedType::isDynamic(size)
              ? Value(entry->getArgument(next++))
              : Value(arith::ConstantIntOp::create(b, loc, size, 64)));
    arguments.push_back(argument);
  }
  Value one = arith::ConstantIntOp::create(b, loc, 1, 64);
  status = LLVM::AllocaOp::create(b, loc, pointer, b.getI32Type(), one);
  Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
  LLVM::StoreOp::create(b, loc, zero, status);
}

LogicalResult KernelEmission::emitFor(DeviceModule &device) {
  auto all = kernel->getAttrOfType<DictionaryAttr>(kConfigurationAttr);
  auto config =
      all ? all.getAs<DictionaryAttr>(device.chip.name) : DictionaryAttr();
  if (!config)
    return kernel.emitError()
           << "kernel '" << kernel.getName() << "' has no configuration for "
           << device.chip.name << "; did 'nvptx-configure-kernels' run?";
  const KernelEmitter *emitter = findEmitter(kernel, config);
  if (!emitter)
    return failure();
  if (!emitter->match(kernel, device.chip))
    return kernel.emitError()
           << "emitter '" << emitter->getName() << "' cannot write kernel '"
           << kernel.getName() << "' for " << device.chip.name;
  size_t before = device.deviceKernels.size();
  LaunchBuilder launch(b, kernel, device, call, status, arguments);
  if (failed(emitter->emit(kernel, config, launch)))
    return failure();
  // For reports.
  for (size_t row = before; row < device.deviceKernels.size(); ++row) {
    NamedAttrList fields(cast<DictionaryAttr>(device.deviceKernels[row]));
    fields.set(kRowConfigurationAttr, config);
    device.deviceKernels[row] = fields.getDictionary(b.getContext());
  }
  return success();
}

/// With several chips, the one whose image is loaded.
LogicalResult KernelEmission::emitAll() {
  if (devices.size() == 1)
    return emitFor(devices.front());
  Value loaded = LLVM::CallOp::create(b, loc, TypeRange{b.getI64Type()},
                                      "dsrt_loaded_image", ValueRange{call})
                     .getResult();
  for (DeviceModule &device : devices) {
    Value image = arith::ConstantIntOp::create(b, loc, device.image, 64);
    Value isLoaded =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, loaded, image);
    auto branch = scf::IfOp::create(b, loc, isLoaded, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    if (failed(emitFor(device)))
      return failure();
  }
  return success();
}

LogicalResult KernelEmission::run() {
  if (failed(verifyDeviceKernel(kernel)))
    return failure();
  createLauncher();
  if (failed(emitAll()))
    return failure();
  b.setInsertionPointToEnd(&launcher.getBody().front());
  Value result = LLVM::LoadOp::create(b, loc, b.getI32Type(), status);
  func::ReturnOp::create(b, loc, result);
  std::string name = kernel.getName().str();
  kernel.erase();
  launcher.setName(name);
  return success();
}

struct EmitKernels : deepseek::impl::NVPTXEmitKernelsBase<EmitKernels> {
  using NVPTXEmitKernelsBase::NVPTXEmitKernelsBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    NVPTXEmitKernelsBase::getDependentDialects(registry);
    // Of the fallback.
    registry.insert<affine::AffineDialect, bufferization::BufferizationDialect,
                    linalg::LinalgDialect, math::MathDialect,
                    memref::MemRefDialect, tensor::TensorDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<SmallVector<const Chip *>> parsed = parseChips(chips);
    if (!parsed) {
      emitError(module.getLoc()) << llvm::toString(parsed.takeError());
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> kernels(module.getOps<func::FuncOp>());
    SmallVector<Attribute> table;
    int64_t scratchBytes = 0;
    SmallVector<DeviceModule> devices;
    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    for (auto [index, chip] : llvm::enumerate(*parsed)) {
      auto device = gpu::GPUModuleOp::create(b, module.getLoc(), chip->name);
      devices.push_back(
          {*chip, device, static_cast<int64_t>(index), table, scratchBytes});
    }
    declareRuntime(module);
    for (func::FuncOp kernel : kernels)
      if (failed(KernelEmission(kernel, devices).run()))
        return signalPassFailure();
    module->setAttr(kDeviceKernelsAttr, b.getArrayAttr(table));
    module->setAttr(kScratchBytesAttr, b.getI64IntegerAttr(scratchBytes));
  }
};

} // namespace
