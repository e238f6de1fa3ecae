//===- Launcher.cpp - The host side of a kernel ---------------------------===//

#include "lib/Target/NVPTX/Launcher.h"

#include "lib/Target/NVPTX/DebugLocations.h"
#include "lib/Target/NVPTX/KernelBuilder.h"

#include "deepseek/Conversion/DSRTToLLVM.h"
#include "dsrt/abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::deepseek;

LaunchBuilder::LaunchBuilder(OpBuilder &builder, func::FuncOp kernel,
                             DeviceModule &device, Value call, Value status,
                             ArrayRef<LaunchArgument> arguments)
    : ImplicitLocOpBuilder(kernel.getLoc(), builder), kernel(kernel),
      device(device), call(call), status(status), arguments(arguments) {}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Value LaunchBuilder::i64(int64_t value) {
  return arith::ConstantIntOp::create(*this, value, 64);
}

Value LaunchBuilder::ceilDiv(Value value, int64_t divisor) {
  return arith::DivUIOp::create(
      *this, arith::AddIOp::create(*this, value, i64(divisor - 1)),
      i64(divisor));
}

Value LaunchBuilder::mul(Value a, Value b) {
  return arith::MulIOp::create(*this, a, b);
}

Value LaunchBuilder::min(Value a, Value b) {
  return arith::MinUIOp::create(*this, a, b);
}

Value LaunchBuilder::elementCount(unsigned argument) {
  Value count = i64(1);
  for (Value size : arguments[argument].sizes)
    count = mul(count, size);
  return count;
}

Value LaunchBuilder::at(Value address, Value bytes) {
  return LLVM::GEPOp::create(*this, address.getType(), getI8Type(), address,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

Value LaunchBuilder::toI32(Value value) {
  return arith::TruncIOp::create(*this, getI32Type(), value);
}

Value LaunchBuilder::lessOrEqual(Value a, int64_t b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ule, a, i64(b));
}

void LaunchBuilder::ifElse(Value condition, llvm::function_ref<void()> then,
                           llvm::function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  then();
  setInsertionPointToStart(op.elseBlock());
  otherwise();
}

//===----------------------------------------------------------------------===//
// Calls of the runtime
//===----------------------------------------------------------------------===//

/// Memory on the host's stack, at the start of the launcher: a slot inside of a
/// branch would grow the stack.
Value LaunchBuilder::stackSlot(Type type, int64_t alignment) {
  OpBuilder::InsertionGuard guard(*this);
  auto launcher = getInsertionBlock()->getParent();
  while (!isa<func::FuncOp>(launcher->getParentOp()))
    launcher = launcher->getParentRegion();
  setInsertionPointToStart(&launcher->front());
  return LLVM::AllocaOp::create(*this, LLVM::LLVMPointerType::get(getContext()),
                                type, i64(1), alignment);
}

/// Remembers the first status that is not 0.
void LaunchBuilder::keepStatus(Value next) {
  Value old = LLVM::LoadOp::create(*this, getI32Type(), status);
  Value zero = arith::ConstantIntOp::create(*this, 0, 32);
  Value good =
      arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, old, zero);
  Value first = arith::SelectOp::create(*this, good, next, old);
  LLVM::StoreOp::create(*this, first, status);
}

Value LaunchBuilder::scratch(int64_t bytes) {
  device.scratchBytes = std::max(device.scratchBytes, bytes);
  return LLVM::CallOp::create(
             *this, TypeRange{LLVM::LLVMPointerType::get(getContext())},
             "dsrt_scratch", ValueRange{call})
      .getResult();
}

Value LaunchBuilder::tensorMap(const TensorMap &map) {
  auto bytes = [&](int64_t size) {
    return LLVM::LLVMArrayType::get(getI8Type(), size);
  };
  Value record = stackSlot(bytes(sizeof(dsrt_tensor_map_desc)), 8);
  Value target = stackSlot(bytes(128), 64);
  auto store = [&](size_t offset, Value value) {
    LLVM::StoreOp::create(*this, value,
                          at(record, i64(static_cast<int64_t>(offset))));
  };
  store(offsetof(dsrt_tensor_map_desc, address), map.address);
  store(offsetof(dsrt_tensor_map_desc, dtype), i64(getDtypeCode(map.element)));
  store(offsetof(dsrt_tensor_map_desc, rank), i64(map.sizes.size()));
  for (size_t dim = 0; dim < 5; ++dim) {
    bool used = dim < map.sizes.size();
    store(offsetof(dsrt_tensor_map_desc, sizes) + 8 * dim,
          used ? map.sizes[dim] : i64(1));
    store(offsetof(dsrt_tensor_map_desc, strides) + 8 * dim,
          used && dim > 0 ? map.strides[dim - 1] : i64(0));
    store(offsetof(dsrt_tensor_map_desc, box) + 8 * dim,
          i64(used ? map.box[dim] : 1));
  }
  store(offsetof(dsrt_tensor_map_desc, swizzle_bytes), i64(map.swizzleBytes));
  keepStatus(LLVM::CallOp::create(*this, TypeRange{getI32Type()},
                                  "dsrt_tensor_map",
                                  ValueRange{call, record, target})
                 .getResult());
  return target;
}

/// "model.mlir:12:3 linear_256x256_f8", "model.layers.3.mlp:1:1 ...": where the
/// graph op stands.
static std::string describeLocation(func::FuncOp kernel) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (FileLineColLoc file = getSource(kernel.getLoc()))
    stream << file.getFilename().getValue() << ':' << file.getLine() << ':'
           << file.getColumn() << ' ';
  stream << kernel.getName();
  return text;
}

void LaunchBuilder::launch(KernelBuilder &kernelBuilder, ArrayRef<Value> grid,
                           ArrayRef<Value> parameters) {
  kernelBuilder.finish();
  LLVM::LLVMFuncOp function = kernelBuilder.getFunction();
  auto entry = [&](StringRef name, Attribute value) {
    return getNamedAttr(name, value);
  };
  int64_t index = device.deviceKernels.size();
  device.deviceKernels.push_back(getDictionaryAttr({
      entry("name", function.getSymNameAttr()),
      entry("location", getStringAttr(describeLocation(kernel))),
      entry("image", getI64IntegerAttr(device.image)),
      entry("block", getDenseI64ArrayAttr({kernelBuilder.getThreads(), 1, 1})),
      entry("cluster",
            getDenseI64ArrayAttr({kernelBuilder.getCluster(), 1, 1})),
      entry("shared_bytes", getI64IntegerAttr(kernelBuilder.getSharedBytes())),
      entry("dependent", getI64IntegerAttr(kernelBuilder.isDependent())),
  }));

  auto pointer = LLVM::LLVMPointerType::get(getContext());
  Value sizes =
      stackSlot(LLVM::LLVMArrayType::get(getI64Type(), 3), /*alignment=*/8);
  for (auto [dim, size] : llvm::enumerate(grid))
    LLVM::StoreOp::create(*this, size, at(sizes, i64(8 * dim)));
  Value args = stackSlot(LLVM::LLVMArrayType::get(pointer, parameters.size()),
                         /*alignment=*/8);
  for (auto [number, parameter] : llvm::enumerate(parameters)) {
    // A tensor map already is an address of the bytes that are passed.
    bool byValue =
        function.getArgAttr(number, LLVM::LLVMDialect::getByValAttrName()) !=
        nullptr;
    Value slot = parameter;
    if (!byValue) {
      slot = stackSlot(parameter.getType(), /*alignment=*/8);
      LLVM::StoreOp::create(*this, parameter, slot);
    }
    LLVM::StoreOp::create(*this, slot, at(args, i64(8 * number)));
  }
  keepStatus(LLVM::CallOp::create(*this, TypeRange{getI32Type()}, "dsrt_launch",
                                  ValueRange{call, i64(index), sizes, args})
                 .getResult());
}
