//===- MmaStage.cpp - Chunks of the operands in shared memory -------------===//
//
// A thread copies 16 bytes at a time, of scales 4. What does not depend on the
// chunk is computed once, before the loop over them.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/MmaStage.h"

using namespace mlir;
using namespace mlir::deepseek;

static int64_t scaleBytes(const MmaOperands &operands, const MmaTile &tile) {
  int64_t count = operands.fp8Weight ? tile.outputs / 16 : 0;
  count += operands.fp8Input ? tile.tokens : 0;
  return llvm::alignTo(tile.warpsK * count * 4, kRowBytes);
}

int64_t deepseek::getStageBytes(const MmaOperands &operands,
                                const MmaTile &tile) {
  int64_t rows = tile.outputs + tile.tokens * operands.xRows;
  return tile.warpsK * rows * kRowBytes + scaleBytes(operands, tile);
}

MmaStage::MmaStage(KernelBuilder &k, const LinearProblem &problem,
                   const MmaTile &tile, LinearCta &cta, MmaFragments &fragments)
    : k(k), problem(problem), tile(tile), operands(problem, k.chip), cta(cta),
      fragments(fragments),
      rangeChunks(llvm::divideCeil(operands.chunks, tile.ranges)),
      weightBytes(tile.outputs * kRowBytes),
      inputBytes(tile.tokens * operands.xRows * kRowBytes),
      inputStart(tile.warpsK * weightBytes),
      inputScaleStart(inputStart + tile.warpsK * inputBytes),
      weightScaleStart(inputScaleStart + (operands.fp8Input
                                              ? tile.warpsK * tile.tokens * 4
                                              : 0)) {}

Val MmaStage::weight(Val stage, Val range) {
  return k.at(stage, range * weightBytes);
}

Val MmaStage::input(Val stage, Val range) {
  return k.at(stage, range * inputBytes + inputStart);
}

Val MmaStage::loadWeightScale(Val stage, Val range, Val number) {
  Val element = range * (tile.outputs / 16) + number;
  return k.load(k.getF32Type(), k.at(stage, element * 4 + weightScaleStart));
}

Val MmaStage::loadInputScales(Val stage, Val range, Val token) {
  Val element = range * tile.tokens + token;
  return k.load(VectorType::get(2, k.getF32Type()),
                k.at(stage, element * 4 + inputScaleStart), 8);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// One unit a thread at a time: unit `thread` + `first`.
void MmaStage::forUnits(int64_t count,
                        llvm::function_ref<void(Val, int64_t)> body) {
  int64_t threads = tile.threads();
  Val thread = k.threadId();
  for (int64_t first = 0; first < count; first += threads) {
    if (first + threads <= count)
      body(thread, first);
    else
      k.ifThen(thread < count - first, [&] { body(thread, first); });
  }
}

std::pair<Val, Val> MmaStage::rangeOf(Val unit, int64_t unitsPerRange) {
  if (tile.warpsK == 1)
    return {k.i32(0), unit};
  return {unit / unitsPerRange, unit % unitsPerRange};
}

/// The chunk of all that is number `chunk` of a range.
Val MmaStage::chunkOf(Val range, Val chunk) {
  return range * rangeChunks + chunk;
}

/// `present`, and that byte of the chunk is in the inner dimension.
Val MmaStage::isWithin(Val present, Val range, Val chunk, Val byteInChunk,
                       int64_t elementBytes) {
  bool isWhole =
      problem.inner % operands.chunk == 0 && operands.chunks % tile.ranges == 0;
  if (isWhole)
    return present;
  Val byte =
      chunkOf(range, chunk) * (operands.chunk * elementBytes) + byteInChunk;
  return k.select(present, byte < problem.inner * elementBytes, k.i1(false));
}

void MmaStage::copy(Val target, Val source, Val present, int64_t bytes) {
  k.copyAsync(target, source, k.select(present, k.i32(bytes), k.i32(0)), bytes);
}

void MmaStage::copyWeight(Val stage, Val chunk) {
  int64_t units = tile.outputs * kRowVectors;
  int64_t threadRows = tile.threads() / kRowVectors;
  forUnits(tile.warpsK * units, [&](Val thread, int64_t first) {
    // A thread always copies the same vector of a row.
    Val range = k.i32(0), row = thread / kRowVectors;
    Val vector = thread % kRowVectors;
    int64_t more = first / kRowVectors, span = threadRows;
    if (tile.warpsK > 1) {
      Val number = row + more;
      range = number / tile.outputs;
      row = number % tile.outputs;
      more = 0;
      span = tile.outputs;
    }
    auto [source, isOutput] = cta.weightRow(row, more, span);
    Val byte = vector * kVectorBytes;
    Val start = k.toI64(byte + range * (rangeChunks * kRowBytes));
    Val present = isWithin(isOutput, range, chunk, byte, operands.wBytes);
    Val place = fragments.placeWeight(row + more, vector);
    copy(k.at(stage, range * weightBytes + place),
         k.at(k.at(source, start), chunk * kRowBytes), present, kVectorBytes);
  });
}

void MmaStage::copyTransposedWeight(Val stage, Val chunk) {
  int64_t vectors = tile.outputs * operands.wBytes / kVectorBytes;
  Val firstOutput;
  CtaPiece piece = cta.pieceOf(k.i32(0), firstOutput);
  forUnits(operands.chunk * vectors, [&](Val thread, int64_t first) {
    Val row = thread / vectors + first / vectors, vector = thread % vectors;
    Val inner = chunk * operands.chunk + row;
    Val byte = firstOutput * operands.wBytes + vector * kVectorBytes;
    Val present = k.select(byte < piece.outputs * operands.wBytes,
                           inner < problem.inner, k.i1(false));
    Val source =
        k.at(piece.weight, k.toI64(inner) * piece.rowStride + k.toI64(byte));
    copy(k.at(stage, fragments.placeWeight(row, vector)), source, present,
         kVectorBytes);
  });
}

void MmaStage::copyInput(Val stage, Val chunk) {
  int64_t vectors = operands.xRows * kRowVectors;
  int64_t chunkBytes = operands.xRows * kRowBytes;
  int64_t rowBytes = problem.xRowStride * operands.xBytes;
  forUnits(tile.warpsK * tile.tokens * vectors, [&](Val thread, int64_t first) {
    Val range = k.i32(0), token = thread / vectors, vector = thread % vectors;
    int64_t more = first / vectors;
    if (tile.warpsK > 1) {
      Val number = token + more;
      range = number / tile.tokens;
      token = number % tile.tokens;
      more = 0;
    }
    Val byte = vector * kVectorBytes;
    Val start = k.toI64(byte + range * (rangeChunks * chunkBytes));
    Val row = k.toI64(token) * rowBytes + more * rowBytes;
    Val present = isWithin(token + more < cta.rows.count, range, chunk, byte,
                           operands.xBytes);
    Val place = fragments.placeInput(token + more, vector);
    copy(k.at(stage, range * inputBytes + place + inputStart),
         k.at(k.at(cta.x, row + start), chunk * chunkBytes), present,
         kVectorBytes);
  });
}

void MmaStage::copyInputScales(Val stage, Val chunk) {
  int64_t blocks = llvm::divideCeil(problem.inner, problem.blockColumns);
  forUnits(tile.warpsK * tile.tokens, [&](Val thread, int64_t first) {
    Val unit = thread + first;
    auto [range, token] = rangeOf(unit, tile.tokens);
    Val block = chunkOf(range, chunk) * operands.chunk / problem.blockColumns;
    Val present = isWithin(token < cta.rows.count, range, chunk, k.i32(0),
                           operands.xBytes);
    copy(k.at(stage, unit * 4 + inputScaleStart),
         k.at(cta.xScale, (token * blocks + block) * 4), present, 4);
  });
}

/// One for each 16 outputs, which all have it.
void MmaStage::copyWeightScales(Val stage, Val chunk) {
  int64_t count = tile.outputs / 16;
  forUnits(tile.warpsK * count, [&](Val thread, int64_t first) {
    Val unit = thread + first;
    auto [range, number] = rangeOf(unit, count);
    Val output;
    CtaPiece piece = cta.pieceOf(number * 16, output);
    Val inner = chunkOf(range, chunk) * operands.chunk;
    Val row = piece.rowOffset + (problem.transposed ? inner : output);
    Val column = problem.transposed ? output : inner;
    Val element = row / problem.blockRows * piece.scaleRowStride +
                  column / problem.blockColumns;
    Val present = isWithin(output < piece.outputs, range, chunk, k.i32(0),
                           operands.wBytes);
    copy(k.at(stage, unit * 4 + weightScaleStart),
         k.at(piece.scales, element * 4), present, 4);
  });
}

void MmaStage::copyChunk(Val stage, Val chunk) {
  if (problem.transposed)
    copyTransposedWeight(stage, chunk);
  else
    copyWeight(stage, chunk);
  copyInput(stage, chunk);
  if (operands.fp8Input)
    copyInputScales(stage, chunk);
  if (operands.fp8Weight)
    copyWeightScales(stage, chunk);
}
