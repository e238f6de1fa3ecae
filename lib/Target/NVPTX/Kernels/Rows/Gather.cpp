//===- Gather.cpp - Rows that are found by number -------------------------===//
//
//   embedding:     y = table[tokens[t]]
//   cache_append:  slot = slots[t]; unless it is negative, the row of the cache
//                  at slot = latent ++ rope
//   moe_combine:   the team looks for its C rows: all p with source[p] / C = t
//                  each rank of them is the number of smaller ones
//                  y[i] = sum over them, ascending, of score * rows[p][i]
//                         (+ shared[i]), in f32, rounded once
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/Rows/RowBuilder.h"

using namespace mlir;
using namespace mlir::deepseek;

static Type elementOf(Value value) {
  return getElementTypeOrSelf(value.getType());
}

void deepseek::emitRow(RowBuilder &b, EmbeddingOp op) {
  int64_t elements = *getRowElements(op.getResult().getType());
  Val address =
      b.rowAddress(op.getTable(), b.getScalar(op.getTokens()), elements);
  RowValue row = b.load(elementOf(op.getTable()), elements, address);
  Type element = elementOf(op.getResult());
  if (row.element != element)
    row = b.map(row, element, [](ArrayRef<Val> args) { return args[0]; });
  b.set(op.getResult(), row);
}

void deepseek::emitRow(RowBuilder &b, CacheAppendOp op) {
  KernelBuilder &k = b.k;
  RowValue latent = b.get(op.getLatent()), rope = b.get(op.getRope());
  int64_t width = latent.elements + rope.elements;
  Val slot = b.getScalar(op.getSlots());
  k.ifThen(k.signedLess(k.i32(-1), slot), [&] {
    Val address = b.rowAddress(op.getCache(), slot, width);
    b.store(latent, address);
    int64_t size = latent.element.getIntOrFloatBitWidth() / 8;
    b.store(rope, k.at(address, latent.elements * size));
  });
}

//===----------------------------------------------------------------------===//
// moe_combine
//===----------------------------------------------------------------------===//

namespace {

/// The rows of one token, ascending, and what each weighs.
struct TokenRows {
  Vals rows, weights;
};

} // namespace

/// The weight of a choice. A shared expert, which is the last, has 1.
static Val weightOf(RowBuilder &b, MoECombineOp op, Val choice) {
  KernelBuilder &k = b.k;
  int64_t routed =
      cast<RankedTensorType>(op.getScores().getType()).getDimSize(1);
  auto load = [&]() -> Vals {
    return {k.load(
        k.getF32Type(),
        k.at(b.rowAddress(op.getScores(), b.getRow(), routed), choice * 4))};
  };
  if (!op.getSharedGroup())
    return load().front();
  return k.ifElse(choice < k.i32(routed), load, [&] { return Vals{k.f32(1)}; })
      .front();
}

/// The rows of this team's token. The lists in shared memory are filled up to a
/// multiple of four, which LLVM reads at once.
static TokenRows findRows(RowBuilder &b, MoECombineOp op, int64_t choices) {
  KernelBuilder &k = b.k;
  Type i32 = k.getI32Type();
  int64_t length = llvm::alignTo(choices, 4);
  Val found = b.teamShared(4 * length), rows = b.teamShared(4 * length),
      weights = b.teamShared(4 * length);
  Val source = k.param(cast<BlockArgument>(op.getSource()).getArgNumber());
  Val first = b.getRow() * choices, member = b.getMember();
  Val isChoice = member < k.i32(choices);
  Val isFill = (member < k.i32(length)) & (isChoice ^ k.i1(true));
  k.forLoop(member, b.getRows() * choices, k.i32(b.getTeam()), [&](Val p) {
    Val choice = k.load(i32, k.at(source, k.toI64(p) * 4)) - first;
    k.ifThen(choice < k.i32(choices),
             [&] { k.store(p, k.at(found, choice * 4)); });
  });
  k.ifThen(isFill, [&] {
    for (Val list : {found, rows, weights})
      k.store(k.i32(0), k.at(list, member * 4));
  });
  b.teamBarrier();
  k.ifThen(isChoice, [&] {
    Val mine = k.load(i32, k.at(found, member * 4)), rank = k.i32(0);
    for (int64_t i = 0; i < choices; ++i)
      rank = rank + k.select(k.load(i32, k.at(found, 4 * i)) < mine, k.i32(1),
                             k.i32(0));
    k.store(mine, k.at(rows, rank * 4));
    k.store(weightOf(b, op, member), k.at(weights, rank * 4));
  });
  b.teamBarrier();
  TokenRows result;
  for (int64_t i = 0; i < choices; ++i) {
    result.rows.push_back(k.load(i32, k.at(rows, 4 * i)));
    result.weights.push_back(k.load(k.getF32Type(), k.at(weights, 4 * i)));
  }
  return result;
}

void deepseek::emitRow(RowBuilder &b, MoECombineOp op) {
  KernelBuilder &k = b.k;
  int64_t choices =
      cast<RankedTensorType>(op.getScores().getType()).getDimSize(1) +
      op.getSharedGroup();
  TokenRows token = findRows(b, op, choices);
  Type element = elementOf(op.getRows());
  int64_t elements = *getRowElements(op.getResult().getType());

  RowValue y{elementOf(op.getResult()), elements, {}};
  for (int64_t piece = 0; piece < b.countPieces(elements); ++piece) {
    // All of a piece's loads are under way before the first is needed.
    RowValue parts{element, elements, {}};
    for (Val row : token.rows)
      parts.pieces.push_back(b.loadPiece(
          element, elements, piece, b.rowAddress(op.getRows(), row, elements)));
    Vals sums(b.vector, k.f32(0));
    for (auto [index, weight] : llvm::enumerate(token.weights))
      for (auto [sum, value] : llvm::zip(sums, b.unpack(parts, index)))
        sum = sum + weight * value;
    if (op.getShared())
      for (auto [sum, value] :
           llvm::zip(sums, b.unpack(b.get(op.getShared()), piece)))
        sum = sum + value;
    y.pieces.push_back(b.pack(y.element, sums));
  }
  b.set(op.getResult(), y);
}
