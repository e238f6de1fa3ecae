//===- Pieces.cpp - Tensors cut to what fits a buffer ---------------------===//
//
// Files are read with pread, not through their mapping: the buffers bound what
// is resident, and a file that was shortened is an error.
//
//===----------------------------------------------------------------------===//

#include "runtime/quantize/Pieces.h"

#include "runtime/weights/Quote.h"

#include <algorithm>
#include <cstring>

namespace dsrt {

// Large enough for a disk, small enough for a processor's cache to help.
static constexpr int64_t kBufferBytes = int64_t(4) << 20;

static int64_t elementBytes(DataType type) { return dataTypeBits(type) / 8; }

/// The wider of an element's two types; both buffers hold as many elements.
static int64_t widestElement(const TensorPlan &tensor) {
  return tensor.change == Change::Dequantize
             ? elementBytes(DataType::BF16)
             : elementBytes(tensor.source->dtype);
}

static void cutMatrix(const TensorPlan &tensor, Piece piece,
                      std::vector<Piece> &pieces) {
  const int64_t allRows = tensor.source->shape[0],
                allColumns = tensor.source->shape[1];
  // Whole rows of blocks if a buffer holds one, else parts of one.
  const int64_t blocks =
      kBufferBytes / widestElement(tensor) / (kBlockSize * kBlockSize);
  const int64_t blockColumns = std::max<int64_t>(blocksOf(allColumns), 1);
  const int64_t columns = std::min(blocks, blockColumns) * kBlockSize;
  const int64_t rows = std::max<int64_t>(blocks / blockColumns, 1) * kBlockSize;
  for (int64_t i = 0; i < allRows; i += rows)
    for (int64_t j = 0; j < allColumns; j += columns) {
      piece.row = i;
      piece.column = j;
      piece.rows = std::min(rows, allRows - i);
      piece.columns = std::min(columns, allColumns - j);
      pieces.push_back(piece);
    }
}

std::vector<Piece> cutShard(const ShardPlan &shard, uint32_t number) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < shard.tensors.size(); ++i) {
    const TensorPlan &tensor = shard.tensors[i];
    Piece piece = {number, static_cast<uint32_t>(i)};
    if (tensor.change != Change::Copy) {
      cutMatrix(tensor, piece, pieces);
      continue;
    }
    const auto bytes = static_cast<int64_t>(tensor.source->bytes());
    for (int64_t at = 0; at < bytes; at += kBufferBytes) {
      piece.column = at;
      piece.columns = std::min(kBufferBytes, bytes - at);
      pieces.push_back(piece);
    }
  }
  // A file is done with its last piece, so it has one.
  if (pieces.empty())
    pieces.push_back({number, 0});
  return pieces;
}

uint64_t bytesRead(const TensorPlan &tensor, const Piece &piece) {
  const int64_t bytes =
      tensor.change == Change::Copy ? 1 : elementBytes(tensor.source->dtype);
  return static_cast<uint64_t>(piece.rows * piece.columns * bytes);
}

Result<PieceWorker> PieceWorker::create(ScaleFormat format) {
  PieceWorker worker;
  worker.format = format;
  worker.input = allocateAligned(kBufferBytes);
  worker.output = allocateAligned(kBufferBytes);
  if (!worker.input || !worker.output)
    return error(DSRT_OUT_OF_MEMORY, "no memory for buffers of {} bytes",
                 2 * kBufferBytes);
  return worker;
}

namespace {
/// A rectangle of a matrix that begins at `start` of a file.
struct Rectangle {
  uint64_t start;
  int64_t elementBytes, allColumns, row, column, rows, columns;
};
} // namespace

/// Of the piece itself, or with `inBlocks` of its scales.
static Rectangle rectangleOf(const TensorPlan &tensor, const Piece &piece,
                             uint64_t start, DataType type, bool inBlocks) {
  const int64_t allColumns = tensor.source->shape[1];
  if (!inBlocks)
    return {start,        elementBytes(type), allColumns,   piece.row,
            piece.column, piece.rows,         piece.columns};
  return {start,
          elementBytes(type),
          blocksOf(allColumns),
          piece.row / kBlockSize,
          piece.column / kBlockSize,
          blocksOf(piece.rows),
          blocksOf(piece.columns)};
}

/// Calls `body(place in the buffer, bytes, place in the file)` for each part of
/// the rectangle that lies together in the file.
template <typename Body>
static Status forRuns(const Rectangle &rectangle, Body body) {
  const bool isOne = rectangle.columns == rectangle.allColumns;
  const int64_t runs = isOne ? 1 : rectangle.rows;
  const int64_t bytes =
      (isOne ? rectangle.rows : 1) * rectangle.columns * rectangle.elementBytes;
  if (bytes == 0)
    return Status();
  for (int64_t i = 0; i < runs; ++i) {
    const int64_t first =
        (rectangle.row + i) * rectangle.allColumns + rectangle.column;
    DSRT_TRY(body(i * bytes, static_cast<uint64_t>(bytes),
                  rectangle.start +
                      static_cast<uint64_t>(first * rectangle.elementBytes)));
  }
  return Status();
}

static Status readRectangle(const File &file, const Rectangle &rectangle,
                            uint8_t *buffer) {
  return forRuns(rectangle,
                 [&](int64_t place, uint64_t bytes, uint64_t offset) {
                   return file.read(buffer + place, bytes, offset);
                 });
}

static Status writeRectangle(const File &file, const Rectangle &rectangle,
                             const void *buffer) {
  const auto *bytesOf = static_cast<const uint8_t *>(buffer);
  return forRuns(rectangle,
                 [&](int64_t place, uint64_t bytes, uint64_t offset) {
                   return file.write(bytesOf + place, bytes, offset);
                 });
}

static Status notFinite(const TensorPlan &tensor, const Piece &piece,
                        int64_t position, const char *found) {
  return error(DSRT_MALFORMED,
               "tensor {} at [{}, {}]: expected a finite number, found {}; the "
               "checkpoint is damaged",
               quote(tensor.source->name), piece.row + position / piece.columns,
               piece.column + position % piece.columns, found);
}

Status PieceWorker::copy(const TensorPlan &tensor, const Piece &piece) {
  const auto at = static_cast<uint64_t>(piece.column),
             bytes = static_cast<uint64_t>(piece.columns);
  DSRT_TRY(in->read(input.get(), bytes, sourceOffset + at));
  return out->write(input.get(), bytes, tensor.target + at);
}

Status PieceWorker::quantize(const TensorPlan &tensor, const Piece &piece) {
  const DataType type = tensor.source->dtype;
  const BlockGrid grid = {piece.rows, piece.columns};
  scales.resize(static_cast<size_t>(grid.blocks()));
  DSRT_TRY(readRectangle(
      *in, rectangleOf(tensor, piece, sourceOffset, type, false), input.get()));
  if (!quantizeBlocks(kernel, grid, type, input.get(), format, output.get(),
                      scales.data()))
    return notFinite(tensor, piece,
                     findNotFinite(type, input.get(), grid.rows * grid.columns),
                     "NaN or an infinity");
  DSRT_TRY(writeRectangle(
      *out, rectangleOf(tensor, piece, tensor.target, DataType::F8_E4M3, false),
      output.get()));
  return writeRectangle(
      *out, rectangleOf(tensor, piece, tensor.scaleTarget, DataType::F32, true),
      scales.data());
}

/// The first code of the piece that gives no number of BF16.
static int64_t findNotFiniteCode(const uint8_t *codes, BlockGrid grid,
                                 const std::vector<float> &scales) {
  uint16_t value;
  int64_t position = 0;
  for (; position < grid.rows * grid.columns; ++position) {
    const int64_t row = position / grid.columns,
                  column = position % grid.columns;
    const int64_t block =
        row / kBlockSize * grid.blockColumns() + column / kBlockSize;
    if (!dequantizeBlocks(Kernel::Baseline, {1, 1}, codes + position,
                          &scales[static_cast<size_t>(block)], &value))
      break;
  }
  return position;
}

Status PieceWorker::dequantize(const TensorPlan &tensor, const Piece &piece) {
  const BlockGrid grid = {piece.rows, piece.columns};
  scales.resize(static_cast<size_t>(grid.blocks()));
  DSRT_TRY(readRectangle(
      *in, rectangleOf(tensor, piece, sourceOffset, DataType::F8_E4M3, false),
      input.get()));
  // The scales may lie in another file; they are few, and mapped.
  DSRT_TRY(forRuns(rectangleOf(tensor, piece, 0, DataType::F32, true),
                   [&](int64_t place, uint64_t bytes, uint64_t offset) {
                     std::memcpy(reinterpret_cast<uint8_t *>(scales.data()) +
                                     place,
                                 tensor.scale->data + offset, bytes);
                     return Status();
                   }));
  auto *values = reinterpret_cast<uint16_t *>(output.get());
  if (!dequantizeBlocks(kernel, grid, input.get(), scales.data(), values))
    return notFinite(tensor, piece,
                     findNotFiniteCode(input.get(), grid, scales),
                     "a code of NaN, or a product beyond BF16");
  return writeRectangle(
      *out, rectangleOf(tensor, piece, tensor.target, DataType::BF16, false),
      values);
}

Status PieceWorker::run(const ShardPlan &shard, const Piece &piece,
                        const File &inFile, const File &outFile) {
  const TensorPlan &tensor = shard.tensors[piece.tensor];
  in = &inFile;
  out = &outFile;
  sourceOffset = shard.source->dataOffset() + tensor.source->begin;
  switch (tensor.change) {
  case Change::Copy:
    return copy(tensor, piece);
  case Change::Quantize:
    return quantize(tensor, piece);
  case Change::Dequantize:
    return dequantize(tensor, piece);
  }
  return Status();
}

} // namespace dsrt
