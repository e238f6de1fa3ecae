//===- GroupTiles.cpp - Tiles of rows that are in groups ------------------===//
//
//   lane l: groups [l * n, l * n + n)     n = groups / 32, rounded up
//           tiles[l] = sum of ceil(size / tileRows) of its groups
//           before = sum of tiles[0 .. l - 1]
//           the lane with before <= index < before + tiles[l] walks its groups
//   all lanes: its answer
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/GroupTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::deepseek;

Value deepseek::mostGroupTiles(LaunchBuilder &launch, Value rows,
                               int64_t groups, int64_t tileRows) {
  // Each group's last tile may have one row only; each tile has a row.
  Value extra = launch.i64(groups * (tileRows - 1));
  Value padded = arith::AddIOp::create(launch, rows, extra);
  Value full = arith::DivUIOp::create(launch, padded, launch.i64(tileRows));
  return launch.min(rows, full);
}

/// Sum over the lanes below this one, and over this one too.
static std::pair<Val, Val> sumBefore(KernelBuilder &k, Val value) {
  Val lane = k.lane(), sum = value;
  for (int64_t distance = 1; distance < 32; distance *= 2) {
    Val other = k.shuffleIndex(sum, (lane - distance) & 31);
    sum = sum + k.select(lane >= distance, other, k.i32(0));
  }
  return {sum - value, sum};
}

RowTile deepseek::findGroupTile(KernelBuilder &k, Val offsets, int64_t groups,
                                int64_t tileRows, Val index) {
  int64_t own = llvm::divideCeil(groups, 32);
  Val firstGroup = k.lane() * own;
  SmallVector<Val> bounds, tiles;
  for (int64_t i = 0; i <= own; ++i) {
    Val group = k.min(firstGroup + i, k.i32(groups));
    // Not constant: the kernel before may write them while this one starts.
    bounds.push_back(k.load(k.getI32Type(), k.at(offsets, group * 4)));
  }
  Val total = k.i32(0);
  for (int64_t i = 0; i < own; ++i) {
    tiles.push_back(k.ceilDiv(bounds[i + 1] - bounds[i], tileRows));
    total = total + tiles.back();
  }
  auto [before, after] = sumBefore(k, total);
  Val isMine = k.select(index >= before, index < after, k.i1(false));

  Val group = k.i32(0), first = k.i32(0), count = k.i32(0);
  Val rest = index - before; // tiles of mine before it
  Val found = k.i1(false);
  for (int64_t i = 0; i < own; ++i) {
    Val isHere = k.select(found, k.i1(false), rest < tiles[i]);
    Val start = bounds[i] + rest * tileRows;
    group = k.select(isHere, firstGroup + i, group);
    first = k.select(isHere, start, first);
    count =
        k.select(isHere, k.min(bounds[i + 1] - start, k.i32(tileRows)), count);
    found = k.select(isHere, k.i1(true), found);
    rest = k.select(found, rest, rest - tiles[i]);
  }
  auto share = [&](Val value) {
    return k.warpSum(k.select(isMine, value, k.i32(0)));
  };
  return {share(k.i32(1)) != 0, share(group), share(first), share(count)};
}
