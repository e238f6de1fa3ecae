//===- LinearCta.cpp - What a CTA of a product works on -------------------===//
//
//   token tile:  rows [n * tokens, ..) of x, or, if grouped, the n-th tile that
//                has a row, found from the offsets
//   output tile: of one piece, or as many outputs of gate as of up
//   head:        its columns of x and y, its part of the weight
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/LinearCta.h"

using namespace mlir;
using namespace mlir::deepseek;

static int64_t bytesOf(Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

unsigned LinearCta::add(Type type, Value value) {
  types.push_back(type);
  values.push_back(value);
  return types.size() - 1;
}

LinearCta::LinearCta(LaunchBuilder &launch, const LinearProblem &problem,
                     int64_t outputs, int64_t tokens)
    : launch(launch), problem(problem), outputs(outputs), tokens(tokens) {
  Type global = KernelBuilder::globalType(launch.getContext());
  auto addData = [&](unsigned argument) {
    return add(global, launch.data(argument));
  };
  xParam = addData(problem.x);
  yParam = addData(problem.y);
  if (problem.xScale)
    xScaleParam = addData(*problem.xScale);
  if (problem.yScale)
    yScaleParam = addData(*problem.yScale);
  for (const WeightPiece &piece : problem.pieces) {
    unsigned weight = addData(piece.argument);
    pieceParams.emplace_back(weight, piece.scales ? addData(*piece.scales) : 0);
  }
  if (problem.offsets)
    offsetsParam = addData(*problem.offsets);
  rowsParam = add(launch.getI32Type(), launch.toI32(launch.size(problem.y, 0)));
}

void LinearCta::build(KernelBuilder &k, llvm::function_ref<void()> body) {
  builder = &k;
  Val tile = k.blockId(0);
  if (problem.isGrouped()) {
    rows =
        findGroupTile(k, k.param(offsetsParam), problem.groups, tokens, tile);
    k.ifThen(rows.exists, [&] {
      place(k.blockId(1));
      body();
    });
    return;
  }
  Val first = tile * tokens;
  rows = {k.i1(true), k.blockId(2), first,
          k.min(k.param(rowsParam) - first, k.i32(tokens))};
  place(k.blockId(1));
  body();
}

void LinearCta::launchAll(KernelBuilder &k) {
  Value rowCount = launch.size(problem.y, 0);
  Value rowTiles = problem.isGrouped() ? mostGroupTiles(launch, rowCount,
                                                        problem.groups, tokens)
                                       : launch.ceilDiv(rowCount, tokens);
  int64_t outputTiles = 0;
  if (problem.isGated())
    outputTiles = llvm::divideCeil(problem.outputs, outputs);
  else
    for (const WeightPiece &piece : problem.pieces)
      outputTiles += llvm::divideCeil(piece.outputs, outputs);
  launch.launch(k,
                {rowTiles, launch.i64(outputTiles), launch.i64(problem.heads)},
                values);
}

CtaPiece LinearCta::pieceAt(unsigned number) {
  KernelBuilder &k = *builder;
  const WeightPiece &piece = problem.pieces[number];
  Val batch = k.toI64(rows.group);
  int64_t bytes = bytesOf(problem.wType);
  CtaPiece result;
  result.weight =
      k.at(k.param(pieceParams[number].first),
           batch * (piece.batchStride * bytes) + piece.offset * bytes);
  if (piece.scales)
    result.scales = k.at(k.param(pieceParams[number].second),
                         batch * (piece.scaleBatchStride * 4));
  result.rowStride = k.i64(piece.rowStride * bytes);
  result.outputs = k.i32(piece.outputs);
  result.rowOffset = k.i32(piece.rowOffset);
  result.scaleRowStride = k.i32(piece.scaleRowStride);
  int64_t start = 0;
  for (unsigned before = 0; before < number && !problem.isGated(); ++before)
    start += problem.pieces[before].outputs;
  result.start = k.i32(start);
  return result;
}

/// `b` where `condition` holds.
static CtaPiece choose(Val condition, const CtaPiece &b, const CtaPiece &a) {
  KernelBuilder &k = condition.getBuilder();
  CtaPiece chosen;
  for (Val CtaPiece::*member :
       {&CtaPiece::weight, &CtaPiece::scales, &CtaPiece::rowStride,
        &CtaPiece::outputs, &CtaPiece::start, &CtaPiece::rowOffset,
        &CtaPiece::scaleRowStride})
    if (Value(a.*member))
      chosen.*member = k.select(condition, b.*member, a.*member);
  return chosen;
}

/// The piece of an output tile, whose number becomes that within the piece.
CtaPiece LinearCta::choosePiece(Val &outputTile) {
  KernelBuilder &k = *builder;
  CtaPiece chosen = pieceAt(0);
  int64_t start = 0;
  Val tileInPiece = outputTile;
  for (unsigned i = 1; i < problem.pieces.size(); ++i) {
    start += llvm::divideCeil(problem.pieces[i - 1].outputs, outputs);
    Val isNext = outputTile >= start;
    chosen = choose(isNext, pieceAt(i), chosen);
    tileInPiece = k.select(isNext, outputTile - start, tileInPiece);
  }
  outputTile = tileInPiece;
  return chosen;
}

void LinearCta::place(Val outputTile) {
  KernelBuilder &k = *builder;
  if (problem.isGated())
    pieces = {pieceAt(0), pieceAt(1)};
  else
    pieces = {choosePiece(outputTile)};
  firstOutput = outputTile * (problem.isGated() ? outputs / 2 : outputs);
  Val firstRow = k.toI64(rows.first);
  Val element = firstRow * problem.xRowStride + problem.xOffset;
  if (problem.heads > 1)
    element = element + k.toI64(rows.group) * problem.xHeadStride;
  x = k.at(k.param(xParam), element * bytesOf(problem.xType));
  if (problem.xScale) {
    int64_t blocks = llvm::divideCeil(problem.inner, problem.blockColumns);
    xScale = k.at(k.param(xScaleParam), firstRow * (blocks * 4));
  }
}

CtaPiece LinearCta::pieceOf(Val row, Val &output) {
  if (!problem.isGated()) {
    output = firstOutput + row;
    return pieces[0];
  }
  int64_t half = outputs / 2;
  output = firstOutput + row % half;
  return choose(row >= half, pieces[1], pieces[0]);
}

SumTile LinearCta::sumTile(Val sums, int64_t ranges) {
  SumTile tile{sums,
               ranges,
               tokens,
               outputs,
               rows.first,
               rows.count,
               pieces[0].start + firstOutput,
               pieces[0].outputs - firstOutput,
               builder->threadId(),
               builder->getThreads()};
  if (problem.heads > 1)
    tile.column = tile.column + rows.group * problem.resultColumns();
  return tile;
}

void LinearCta::storeResult(const SumTile &tile) {
  KernelBuilder &k = *builder;
  storeLinearResult(k, problem, tile, k.param(yParam),
                    problem.yScale ? k.param(yScaleParam) : Val());
}

std::pair<Val, Val> LinearCta::weightRow(Val row, int64_t more, int64_t span) {
  KernelBuilder &k = *builder;
  int64_t half = problem.isGated() ? outputs / 2 : outputs;
  bool isOne = half % span == 0 && more % span == 0; // of gate, or of up
  Val output;
  CtaPiece piece;
  if (isOne) {
    piece = pieces[more >= half ? 1 : 0];
    output = firstOutput + row;
    more %= half;
  } else {
    piece = pieceOf(row + more, output);
    more = 0;
  }
  Val offset = k.toI64(output) * piece.rowStride + piece.rowStride * more;
  return {k.at(piece.weight, offset), output + more < piece.outputs};
}
