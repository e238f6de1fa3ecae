//===- KernelBuilder.h - Device functions that read like formulas -*- C++ -*-=//
//
// Builds one device function of a gpu.module at the level of arith, scf, llvm
// and nvvm. Numbers are `Val`s, which have the operators of C++; loops and
// conditions take their bodies as functions:
//
//   KernelBuilder k(launch, "rows", {k.global(), k.global(), k.i32Type()},
//   128); Val row = k.blockId(0); k.forLoop(k.threadId(), k.i32(256),
//   k.i32(128), [&](Val i) {
//     Val x = k.loadAs(f32, k.at(k.param(0), (row * 256 + i) * 2), bf16);
//     k.storeAs(bf16, x * 2.0, k.at(k.param(1), (row * 256 + i) * 2)); });
//
// Integers are 32 bits wide and unsigned where it matters, unless they come
// from i64(). Addresses are byte addresses. Nothing here knows a model.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELBUILDER_H
#define LIB_TARGET_NVPTX_KERNELBUILDER_H

#include "deepseek/Target/NVPTX/Chips.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::deepseek {

class KernelBuilder;
class LaunchBuilder;

/// A number in a kernel: an SSA value and the builder that its operators use.
class Val {
public:
  Val() = default;
  Val(KernelBuilder &builder, Value value) : builder(&builder), value(value) {}

  operator Value() const { return value; }
  Type getType() const { return value.getType(); }
  KernelBuilder &getBuilder() const { return *builder; }

private:
  KernelBuilder *builder = nullptr;
  Value value;
};

// Integers: unsigned division, remainder, comparison and right shift. Floats:
// IEEE, round to nearest. A C++ number takes the type of the other operand.
Val operator+(Val a, Val b);
Val operator-(Val a, Val b);
Val operator*(Val a, Val b);
Val operator/(Val a, Val b);
Val operator%(Val a, Val b);
Val operator&(Val a, Val b);
Val operator|(Val a, Val b);
Val operator^(Val a, Val b);
Val operator<<(Val a, Val b);
Val operator>>(Val a, Val b);
Val operator<(Val a, Val b);
Val operator<=(Val a, Val b);
Val operator>(Val a, Val b);
Val operator>=(Val a, Val b);
Val operator==(Val a, Val b);
Val operator!=(Val a, Val b);
/// A constant of the type of `like`.
Val constantLike(Val like, double value);
#define DS_NUMBER_OPERATOR(op)                                                 \
  inline Val operator op(Val a, double b) { return a op constantLike(a, b); }
DS_NUMBER_OPERATOR(+)
DS_NUMBER_OPERATOR(-)
DS_NUMBER_OPERATOR(*)
DS_NUMBER_OPERATOR(/)
DS_NUMBER_OPERATOR(%)
DS_NUMBER_OPERATOR(&)
DS_NUMBER_OPERATOR(|)
DS_NUMBER_OPERATOR(^)
DS_NUMBER_OPERATOR(<<)
DS_NUMBER_OPERATOR(>>)
DS_NUMBER_OPERATOR(<)
DS_NUMBER_OPERATOR(<=)
DS_NUMBER_OPERATOR(>)
DS_NUMBER_OPERATOR(>=)
DS_NUMBER_OPERATOR(==)
DS_NUMBER_OPERATOR(!=)
#undef DS_NUMBER_OPERATOR

class KernelBuilder : public ImplicitLocOpBuilder {
public:
  /// Starts the device function `<kernel>_<suffix>` (or `<kernel>` without one)
  /// in the device module of `launch`, of `threads` threads a CTA. finish(), or
  /// LaunchBuilder::launch, ends it.
  KernelBuilder(LaunchBuilder &launch, StringRef suffix,
                ArrayRef<Type> parameters, int64_t threads);

  const Chip &chip;

  //===--------------------------------------------------------------------===//
  // Types and parameters
  //===--------------------------------------------------------------------===//

  /// An address in global memory, as a parameter.
  static Type globalType(MLIRContext *context);
  /// A tensor map, as a parameter: 128 bytes by value.
  static Type tensorMapType(MLIRContext *context);
  Val param(unsigned index);
  int64_t getThreads() const { return threads; }
  /// CTAs of a cluster, before launch. Needs chip.tma.
  void setCluster(int64_t x) { cluster = x; }
  int64_t getCluster() const { return cluster; }
  /// Asks for programmatic dependent launch: the kernel must execute
  /// griddepcontrol.wait before it touches what another kernel wrote.
  void setDependent() { dependent = true; }
  bool isDependent() const { return dependent; }

  //===--------------------------------------------------------------------===//
  // Numbers
  //===--------------------------------------------------------------------===//

  Val val(Value value) { return Val(*this, value); }
  Val i32(int64_t value);
  Val i64(int64_t value);
  Val f32(double value);
  Val i1(bool value);
  Val toI64(Val value); // zero-extended
  Val toI32(Val value); // truncated
  /// An f32 of an integer (signed), f16 or bf16.
  Val toF32(Val value);
  /// Rounded to nearest even.
  Val truncF(Val value, Type type);
  Val bitcast(Value value, Type type);

  Val fma(Val a, Val b, Val c);
  Val min(Val a, Val b); // integers: unsigned
  Val max(Val a, Val b);
  Val abs(Val a);
  Val neg(Val a);
  Val select(Val condition, Val a, Val b);
  Val ceilDiv(Val a, int64_t b);
  Val signedLess(Val a, Val b);
  /// sqrt.rn; approximations to about 2 ulp: ex2.approx, lg2.approx,
  /// rcp.approx.
  Val sqrt(Val a);
  Val exp2(Val a);
  Val log2(Val a);
  Val rcp(Val a);
  /// exp by exp2; sigmoid as 1 / (1 + exp(-x)), divided with div.rn.
  Val exp(Val a);
  Val sigmoid(Val a);

  //===--------------------------------------------------------------------===//
  // FP8 and BF16 in registers
  //===--------------------------------------------------------------------===//

  /// The f32 values of the two bf16 (low half first) of an i32.
  std::pair<Val, Val> unpackBf16(Val pair);
  /// The i32 with bf16(low), bf16(high), rounded to nearest even.
  Val packBf16(Val low, Val high);
  /// The f32 values of the four e4m3 of an i32, lowest byte first. Exact; by
  /// cvt where the chip has it, else in integer arithmetic.
  SmallVector<Val, 4> unpackE4m3(Val quad);
  /// The i16 with e4m3(low), e4m3(high): saturating, nearest even.
  Val packE4m3(Val low, Val high);

  //===--------------------------------------------------------------------===//
  // Memory
  //===--------------------------------------------------------------------===//

  /// `pointer` plus `bytes` (any address space; i32, zero-extended, or i64).
  Val at(Val pointer, Val bytes);
  Val at(Val pointer, int64_t bytes);
  /// Reserves dynamic shared memory; its address. All of it together is the
  /// kernel's shared_bytes.
  Val shared(int64_t bytes, int64_t alignment = 16);
  int64_t getSharedBytes() const { return sharedBytes; }
  /// The 32-bit address of shared memory, for descriptors.
  Val sharedAddress(Val pointer);

  Val load(Type type, Val pointer, int64_t alignment = 0);
  /// ld.global.nc: memory that no thread of this launch writes. LLVM may move it
  /// up, above griddepcontrol.wait too: in a dependent kernel only of what no
  /// launch of the step writes.
  Val loadConstant(Type type, Val pointer, int64_t alignment = 0);
  void store(Val value, Val pointer, int64_t alignment = 0);
  /// An element of type f32, bf16, f16 or f8E4M3FN as f32, and back.
  Val loadElement(Type element, Val pointer);
  void storeElement(Type element, Val value, Val pointer);
  /// A vector's element; a vector of values.
  Val extract(Val vector, int64_t index);
  Val makeVector(ArrayRef<Val> values);

  //===--------------------------------------------------------------------===//
  // Tensor cores and asynchronous copies (KernelBuilderMatrix.cpp)
  //===--------------------------------------------------------------------===//

  /// ldmatrix.b16: `count` (2, 4) 8 x 8 matrices of 16-bit elements out of shared
  /// memory, as i32 pairs. Lane l gives the address of row l % 8 of matrix l /
  /// 8; of each matrix it gets row l / 4, columns 2 (l % 4) and the next, or,
  /// if transposed, column l / 4, rows 2 (l % 4) and the next.
  SmallVector<Val> loadMatrices(Val shared, bool transposed = false,
                                int64_t count = 4);
  /// mma.m16n8k16 of bf16 pairs with f32 sums: a[16, 16] b[16, 8] + c[16, 8],
  /// of 4, 2 and 4 registers. `a` is loadMatrices of row blocks (0, 0), (8, 0),
  /// (0, 8), (8, 8); lane l has c of row l / 4 and l / 4 + 8, columns 2 (l % 4)
  /// and the next.
  SmallVector<Val> mmaBf16(ArrayRef<Val> a, ArrayRef<Val> b, ArrayRef<Val> c);
  /// The same product of 32 bytes a row of f16, or of f8E4M3FN (m16n8k32,
  /// chip.fp8Mma): registers are 4 bytes of what loadMatrices gives.
  SmallVector<Val> mmaF16(ArrayRef<Val> a, ArrayRef<Val> b, ArrayRef<Val> c);
  SmallVector<Val> mmaE4m3(ArrayRef<Val> a, ArrayRef<Val> b, ArrayRef<Val> c);
  /// prmt: byte i of the result is the byte of b:a that digit i of `selector`,
  /// the lowest first, names.
  Val permuteBytes(Val a, Val b, int64_t selector);
  /// The f16 pairs of the e4m3 in bytes (0, 2) and (1, 3), times 2^-8. Exact;
  /// NaN becomes a number.
  std::pair<Val, Val> e4m3ToScaledF16(Val quad);
  /// The bf16 pair of the e4m3 in bytes (1, 3). Exact; NaN becomes a number.
  Val e4m3ToBf16(Val quad);
  /// cp.async of `size` bytes: the first `bytes` (i32) from `global`, the
  /// others zero; 0 reads nothing. 16 bytes go past L1; 4 and 8 are possible.
  void copyAsync(Val shared, Val global, Val bytes, int64_t size = 16);
  /// Ends a group of copies.
  void commitCopies();
  /// Waits until all but the `pending` last groups of this thread have arrived.
  void waitForCopies(int64_t pending);

  //===--------------------------------------------------------------------===//
  // Threads
  //===--------------------------------------------------------------------===//

  Val threadId();                      // %tid.x
  Val blockId(int dim);                // %ctaid
  Val gridSize(int dim);               // %nctaid
  Val lane();                          // %tid.x & 31
  Val warp();                          // %tid.x / 32, uniform in the warp
  void barrier();                      // all threads
  void barrier(Val id, int64_t count); // bar.sync id, count
  void warpSync();
  Val shuffleXor(Val value, int64_t mask);
  Val shuffleIndex(Val value, Val lane);
  /// Over the 32 lanes, in all of them, by a fixed tree.
  Val warpSum(Val value);
  Val warpMax(Val value);
  /// Over all threads, in all of them, by a fixed tree. Uses shared memory and
  /// two barriers; all threads must come here.
  Val blockSum(Val value);
  Val blockMax(Val value);

  //===--------------------------------------------------------------------===//
  // Control
  //===--------------------------------------------------------------------===//

  using Body = llvm::function_ref<void(Val)>;
  using CarriedBody = llvm::function_ref<SmallVector<Val>(Val, ArrayRef<Val>)>;
  void forLoop(Val low, Val high, Val step, Body body);
  /// With values from iteration to iteration; returns the last ones.
  SmallVector<Val> forLoop(Val low, Val high, Val step, ArrayRef<Val> initial,
                           CarriedBody body);
  void ifThen(Val condition, llvm::function_ref<void()> body);
  /// Both branches return values of the same types.
  SmallVector<Val> ifElse(Val condition,
                          llvm::function_ref<SmallVector<Val>()> then,
                          llvm::function_ref<SmallVector<Val>()> otherwise);
  /// Repeats `body` until it returns true (an i1).
  void repeatUntil(llvm::function_ref<Val()> body);

  /// PTX text with operands `$0...`: `outputs` first. `constraints` as in LLVM:
  /// "=r,r,l". Convergent and with side effects.
  SmallVector<Val> ptx(StringRef text, StringRef constraints,
                       ArrayRef<Type> outputs, ArrayRef<Val> inputs);
  /// A call of an LLVM intrinsic by name.
  Val intrinsic(StringRef name, Type result, ArrayRef<Val> operands);
  /// One that returns a structure.
  SmallVector<Val> intrinsic(StringRef name, ArrayRef<Type> results,
                             ArrayRef<Val> operands);

  /// Ends the function. Done by LaunchBuilder::launch if not before.
  void finish();
  LLVM::LLVMFuncOp getFunction() { return function; }

private:
  Val binary(Val a, Val b);
  Val blockReduce(Val value, bool isMax);

  LLVM::LLVMFuncOp function;
  Value sharedBase;
  int64_t threads;
  int64_t cluster = 1;
  int64_t sharedBytes = 0;
  bool dependent = false;
  bool finished = false;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELBUILDER_H
