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
constexpr StringLiteral kCopyFunction = "dsrt_copy";
constexpr StringLiteral kConstantFunction = "dsrt_constant";

/// What the lowering of a host function must know of the module.
struct ModuleTables {
  /// Buffers are memory of a device.
  bool device = false;
  /// Index of a weight into the weight table, by symbol.
  llvm::StringMap<int64_t> weights;
  /// LLVM global that holds a weight given inline or a constant, by symbol.
  llvm::StringMap<StringAttr> globals;
  /// LLVM global that holds the location of a dsrt.expect, as text.
  llvm::DenseMap<Operation *, StringAttr> locations;
  /// How many dispatches name a kernel.
  llvm::MapVector<StringAttr, int64_t> callSites;
};

/// Lowers a host function on memrefs to
/// `name(call, args: dsrt_buffer[], results: dsrt_buffer[]) -> status`.
/// Values are followed through the function as (address, sizes); there is one
/// case per op a host function may hold after stage `buffers`.
class EntryLowering {
public:
  EntryLowering(func::FuncOp func, ModuleTables &tables);

  FailureOr<LLVM::LLVMFuncOp> run();

private:
  /// How a value is made where it is used: `base` plus bytes, or what lies
  /// there; without a base the number itself. Made anew for each op, it never
  /// lives across a call, and so the registers of thousands of calls are easily
  /// allocated.
  struct Source {
    Value base;
    int64_t offset = 0;
    bool loaded = false;
  };
  /// A contiguous buffer; `sizes` of all dimensions.
  struct Buffer {
    Source data;
    SmallVector<Source> sizes;
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
  Source makeConstant(StringAttr global, MemRefType type);
  void testStatus(Value status);

  Value constant(int64_t value, unsigned width = 64);
  static int64_t fieldOffset(int64_t index, int64_t field);
  Value byteOffset(Value base, int64_t bytes);
  Value make(const Source &source, Type type);
  Value makeSize(const Source &size) { return make(size, i64); }
  Value makeAddress(const Buffer &buffer) { return make(buffer.data, pointer); }
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
  DenseMap<Value, Source> scalars;
  /// What the op at hand has loaded: base and offset.
  DenseMap<std::pair<Value, int64_t>, Value> loads;
};

} // namespace mlir::deepseek

#endif // LIB_CONVERSION_DSRTTOLLVM_ENTRYLOWERING_H
