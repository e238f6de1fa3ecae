//===- Pieces.h - Tensors cut to what fits a buffer -------------*- C++ -*-===//
//
// Every piece is read, changed and written on its own, by any thread, in any
// order. Pieces are cut at the edges of blocks, so that the cut changes no bit.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_QUANTIZE_PIECES_H
#define DSRT_QUANTIZE_PIECES_H

#include "runtime/quantize/OutputFolder.h"
#include "runtime/quantize/Plan.h"
#include "runtime/weights/AlignedBuffer.h"

namespace dsrt {

/// A rectangle of a matrix; of a tensor that is copied, `columns` bytes.
struct Piece {
  uint32_t shard, tensor; // numbers within the plan
  int64_t row = 0, column = 0, rows = 1, columns = 0;
};

/// In the order of the old data; at least one.
std::vector<Piece> cutShard(const ShardPlan &shard, uint32_t number);

/// Bytes that the piece takes from the old file.
uint64_t bytesRead(const TensorPlan &tensor, const Piece &piece);

/// What a thread changes pieces with.
class PieceWorker {
public:
  /// An error if there is no memory.
  static Result<PieceWorker> create(ScaleFormat format);

  Status run(const ShardPlan &shard, const Piece &piece, const File &in,
             const File &out);

private:
  Status copy(const TensorPlan &tensor, const Piece &piece);
  Status quantize(const TensorPlan &tensor, const Piece &piece);
  Status dequantize(const TensorPlan &tensor, const Piece &piece);

  Kernel kernel = usableKernels().back();
  ScaleFormat format = ScaleFormat::Any;
  AlignedBuffer input, output;
  std::vector<float> scales;
  const File *in = nullptr, *out = nullptr; // of the piece
  uint64_t sourceOffset = 0;                // of its tensor, in the old file
};

} // namespace dsrt

#endif // DSRT_QUANTIZE_PIECES_H
