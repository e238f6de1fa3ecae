//===- Fp8Blocks.h - Matrices in blocks of one scale ------------*- C++ -*-===//
//
// The arithmetic of the official FP8 layout: E4M3 codes, and for each block of
// 128 x 128 of them the f32 number that multiplies them. The last block of a
// dimension may be smaller.
//
// Every kernel gives the same bits; see Numerics.md.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_QUANTIZE_FP8BLOCKS_H
#define DSRT_QUANTIZE_FP8BLOCKS_H

#include "runtime/weights/DataType.h"

#include <cstdint>
#include <vector>

namespace dsrt {

inline constexpr int64_t kBlockSize = 128;

inline int64_t blocksOf(int64_t size) {
  return size / kBlockSize + (size % kBlockSize != 0);
}

enum class ScaleFormat { Any, PowerOfTwo };

/// To nearest even; beyond 448 it saturates; NaN is 0x7f.
uint8_t toE4M3(float x);
float fromE4M3(uint8_t code);

/// `largest / 448`, rounded up to a power of two if asked for; 1 where that
/// would be zero, which no scale can be.
float scaleOfBlock(float largest, ScaleFormat format);

/// For which processor the loops are compiled.
enum class Kernel { Baseline, X86V3, X86V4 };

/// Those that this processor can run, the fastest last.
std::vector<Kernel> usableKernels();

/// A matrix, rows one after the other: its blocks, left to right, top to
/// bottom.
struct BlockGrid {
  int64_t rows, columns;

  int64_t blockColumns() const { return blocksOf(columns); }
  int64_t blocks() const { return blocksOf(rows) * blockColumns(); }
};

/// `x` holds BF16, F16 or F32. False if there is NaN or an infinity in it.
bool quantizeBlocks(Kernel kernel, BlockGrid grid, DataType type, const void *x,
                    ScaleFormat format, uint8_t *codes, float *scales);

/// To BF16: `code * scale` in f32, to nearest even. False if there is a code
/// for NaN, or a product that BF16 cannot hold.
bool dequantizeBlocks(Kernel kernel, BlockGrid grid, const uint8_t *codes,
                      const float *scales, uint16_t *x);

/// The position of the first of `count` elements (BF16, F16 or F32) that is NaN
/// or infinite, or `count`.
int64_t findNotFinite(DataType type, const void *x, int64_t count);

} // namespace dsrt

#endif // DSRT_QUANTIZE_FP8BLOCKS_H
