//===- EntryLowering.h - One host function to LLVM --------------*- C++ -*-===//

#ifndef LIB_CONVERSION_DSRTTOLLVM_ENTRYLOWERING_H
#define LIB_CONVERSION_DSRTTOLLVM_ENTRYLOWERING_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"

namespace mlir::deepseek {

/// The names under which the model calls the runtime (dsrt/abi.h).
constexpr StringLiteral kWeightsFunction = "dsrt_weights";
constexpr StringLiteral kWorkspaceFunction = "dsrt_workspace";
constexpr StringLiteral kExpectFunction = "dsrt_expect";

/// What the lowering of a host function must know of the module.
struct ModuleTables {
  /// Index of a weight into the weight table, by symbol.
  llvm::StringMap<int64_t> weights;
  /// LLVM global that holds a weight given inline or a constant, by symbol.
  llvm::StringMap<StringAttr> globals;
  /// LLVM global that holds the location of a dsrt.expect, as text.
  llvm::DenseMap<Operation *, StringAttr> locations;
  /// How many dispatches name a kernel.
  llvm::MapVector<StringAttr, int64_t> callSites;
};

/// The dtype code of dsrt/abi.h, or -1.
int64_t getDtypeCode(Type element);

/// Lowers a host function on memrefs to
/// `name(call, args: dsrt_buffer[], results: dsrt_buffer[]) -> status`.
/// Values are followed through the function as (address, sizes); there is one
/// case per op a host function may hold after stage `buffers`.
class EntryLowering {
public:
  EntryLowering(func::FuncOp func, ModuleTables &tables);

  FailureOr<LLVM::LLVMFuncOp> run();

private:
  /// A contiguous buffer; `sizes` of all dimensions.
  struct Buffer {
    Value data;
    SmallVector<Value> sizes;
  };

  void createFunction();
  void unpackArguments();
  LogicalResult lower(Operation *op);
  LogicalResult lowerArith(Operation *op);
  LogicalResult lowerDispatch(Operation *op);
  LogicalResult lowerExpect(Operation *op);
  LogicalResult lowerCopy(memref::CopyOp op);
  LogicalResult lowerReturn(func::ReturnOp op);
  void lowerWorkspace(Operation *op);
  LogicalResult lowerGetWeight(Operation *op);
  void testStatus(Value status);

  Value constant(int64_t value, unsigned width = 64);
  Value fieldAddress(Value array, int64_t index, int64_t field);
  Value byteOffset(Value base, int64_t bytes);
  Value load(Type type, Value address);
  Value scalar(Value value) { return scalars.lookup(value); }
  Value elementCount(const Buffer &buffer);

  func::FuncOp func;
  ModuleTables &tables;
  MLIRContext *context;
  OpBuilder b;
  Location loc;
  LLVM::LLVMPointerType pointer;
  IntegerType i64, i32;
  LLVM::LLVMFuncOp lowered;
  Block *failure_ = nullptr; // returns the status it is given
  Value weights, workspace;
  DenseMap<Value, Buffer> buffers;
  DenseMap<Value, Value> scalars;
};

} // namespace mlir::deepseek

#endif // LIB_CONVERSION_DSRTTOLLVM_ENTRYLOWERING_H
