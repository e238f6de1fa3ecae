//===- SimpleKernel.h - What simple emitters share --------------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_KERNELS_SIMPLEKERNEL_H
#define LIB_TARGET_NVPTX_KERNELS_SIMPLEKERNEL_H

#include "lib/Target/NVPTX/Emitter.h"
#include "lib/Target/NVPTX/KernelBuilder.h"

namespace mlir::deepseek {

/// The op of type OpT, if it is all that the kernel does: its operands are
/// arguments, its results are returned in their order.
template <typename OpT>
OpT getOnlyOp(func::FuncOp kernel) {
  Block &body = kernel.getBody().front();
  if (!llvm::hasNItems(body, 2))
    return {};
  auto op = dyn_cast<OpT>(body.front());
  if (!op || !llvm::equal(op->getResults(), body.back().getOperands()) ||
      !llvm::all_of(op->getOperands(), llvm::IsaPred<BlockArgument>))
    return {};
  return op;
}

/// The number of the argument that an operand of such an op is, and of the one
/// that a result is returned in.
inline unsigned getArgument(Value operand) {
  return cast<BlockArgument>(operand).getArgNumber();
}
inline unsigned getOut(func::FuncOp kernel, unsigned result) {
  return kernel.getNumArguments() - kernel.getNumResults() + result;
}

/// The parameter `name` as the threads of a CTA: a multiple of 32 up to 1024.
inline FailureOr<int64_t>
getThreads(func::FuncOp kernel, DictionaryAttr parameters, StringRef name) {
  FailureOr<int64_t> threads = getParameter(kernel, parameters, name, 32, 1024);
  if (succeeded(threads) && *threads % 32 != 0)
    return kernel.emitError() << "the configuration of kernel '"
                              << kernel.getName() << "': expected '" << name
                              << "' to be a multiple of 32, got " << *threads;
  return threads;
}

/// Parameters for the data of all of the kernel's arguments, and their values.
inline SmallVector<Type> getDataTypes(func::FuncOp kernel) {
  return SmallVector<Type>(kernel.getNumArguments(),
                           KernelBuilder::globalType(kernel.getContext()));
}
inline SmallVector<Value> getData(LaunchBuilder &launch) {
  SmallVector<Value> values;
  for (unsigned i = 0; i < launch.getKernel().getNumArguments(); ++i)
    values.push_back(launch.data(i));
  return values;
}

/// Programmatic dependent launch, where the chip has it: waits for the kernels
/// ahead, and lets the next one start. Before memory is touched.
inline void startDependent(KernelBuilder &k) {
  if (!k.chip.tma)
    return;
  k.setDependent();
  k.ptx("griddepcontrol.launch_dependents;", "", {}, {});
  k.ptx("griddepcontrol.wait;", "~{memory}", {}, {});
}

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_SIMPLEKERNEL_H
