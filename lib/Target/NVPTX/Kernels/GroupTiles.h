//===- GroupTiles.h - Tiles of rows that are in groups ----------*- C++ -*-===//
//
// Rows sorted by group, group g in rows [offsets[g], offsets[g + 1]), are
// computed in tiles of so many rows of one group. How many there are the device
// knows alone: the host launches as many as there can be, and every CTA finds
// its own.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_GROUPTILES_H
#define LIB_TARGET_NVPTX_KERNELS_GROUPTILES_H

#include "lib/Target/NVPTX/KernelBuilder.h"
#include "lib/Target/NVPTX/Launcher.h"

namespace mlir::deepseek {

/// The most tiles that `rows` (i64) rows in `groups` groups can be.
Value mostGroupTiles(LaunchBuilder &launch, Value rows, int64_t groups,
                     int64_t tileRows);

/// A tile of rows: [first, first + count) of group `group`; i32.
struct RowTile {
  Val exists; // i1; the others mean nothing if not
  Val group, first, count;
};

/// Tile number `index`, found by each warp alone. `offsets` is an address of
/// groups + 1 i32 in global memory that this launch does not write.
RowTile findGroupTile(KernelBuilder &k, Val offsets, int64_t groups,
                      int64_t tileRows, Val index);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_GROUPTILES_H
