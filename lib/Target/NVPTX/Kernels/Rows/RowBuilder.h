//===- RowBuilder.h - A row spread over threads -----------------*- C++ -*-===//
//
// Writes the device function of any_rows, op by op. A row belongs to a team:
// the threads of a CTA, or a warp. It is cut into pieces of `vector`
// neighbouring elements; piece p is held by thread p % team, in registers, in
// the type that the value has in memory. What lies past the end of a row reads
// as 0.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_ROWS_ROWBUILDER_H
#define LIB_TARGET_NVPTX_KERNELS_ROWS_ROWBUILDER_H

#include "lib/Target/NVPTX/KernelBuilder.h"
#include "lib/Target/NVPTX/Kernels/Rows/RowKernel.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

namespace mlir::deepseek {

using Vals = SmallVector<Val>;

/// A value's row in registers: for each of a thread's pieces the i32 words that
/// hold its elements.
struct RowValue {
  Type element;
  int64_t elements = 0;
  SmallVector<Vals> pieces;
};

class RowBuilder {
public:
  /// `rows` counts them all; `row` is this team's.
  RowBuilder(KernelBuilder &k, const RowKernel &kernel, int64_t teams, Val rows,
             Val row);

  /// Loads all that ops take by row, before anything is stored.
  void loadOperands();
  /// Loads and stores what the kernel only copies.
  void copyViews();

  //===--------------------------------------------------------------------===//
  // Values
  //===--------------------------------------------------------------------===//

  RowValue get(Value value) const;
  /// The i32 that a tensor has for this row.
  Val getScalar(Value value) const;
  /// Remembers `row` as `value`, and stores it where the kernel returns it.
  void set(Value value, const RowValue &row);
  /// A vector that serves every row.
  RowValue getVector(Value value) const { return get(value); }

  /// The f32 of a piece's elements, and the words of a piece in type `element`,
  /// rounded.
  Vals unpack(const RowValue &row, size_t piece);
  Vals pack(Type element, ArrayRef<Val> values);
  /// Element by element, in f32, rounded once.
  RowValue map(ArrayRef<RowValue> operands, Type element,
               llvm::function_ref<Val(ArrayRef<Val>)> function);

  //===--------------------------------------------------------------------===//
  // Pieces in memory
  //===--------------------------------------------------------------------===//

  int64_t countPieces(int64_t elements) const;
  /// The number of this thread's piece within the row.
  Val pieceNumber(size_t piece);
  /// Whether that is within a row of `elements`; null if it always is.
  std::optional<Val> isWithin(int64_t elements, size_t piece);
  /// A row of `elements` in memory without gaps.
  RowValue load(Type element, int64_t elements, Val address);
  void store(const RowValue &row, Val address);
  /// One piece of it; zeros past the end.
  Vals loadPiece(Type element, int64_t elements, size_t piece, Val address);
  /// Runs `body` in the threads whose piece is within the row.
  void ifWithin(int64_t elements, size_t piece,
                llvm::function_ref<void()> body);
  /// Address of row `number` of an argument, of `rowElements` elements.
  Val rowAddress(Value argument, Val number, int64_t rowElements);

  //===--------------------------------------------------------------------===//
  // The team
  //===--------------------------------------------------------------------===//

  int64_t getTeam() const { return team; }
  Val getMember() const { return member; }
  Val getRow() const { return row; }
  Val getRows() const { return rows; }
  Val teamSum(Val value);
  void teamBarrier();
  /// Shared memory of this team.
  Val teamShared(int64_t bytes);

  KernelBuilder &k;
  const RowKernel &kernel;
  const int64_t vector;

private:
  RowValue loadView(Value value);
  int64_t pieceBytes(Type element) const;

  int64_t teams, team;
  Val rows, row, member, teamNumber;
  DenseMap<Value, RowValue> values;
  DenseMap<Value, Val> scalars;
};

//===----------------------------------------------------------------------===//
// One function for each op
//===----------------------------------------------------------------------===//

void emitRow(RowBuilder &b, EmbeddingOp op);
void emitRow(RowBuilder &b, RMSNormOp op);
void emitRow(RowBuilder &b, QuantizeOp op);
void emitRow(RowBuilder &b, SwigluOp op);
void emitRow(RowBuilder &b, RopeOp op);
void emitRow(RowBuilder &b, MoECombineOp op);
void emitRow(RowBuilder &b, CacheAppendOp op);
/// An op of arith on floats.
void emitElementwiseRow(RowBuilder &b, Operation *op);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_ROWS_ROWBUILDER_H
