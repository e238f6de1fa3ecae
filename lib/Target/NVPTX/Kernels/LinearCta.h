//===- LinearCta.h - What a CTA of a product works on -----------*- C++ -*-===//
//
// Parameters, grid and addresses of a device function that computes a linear
// problem in tiles of outputs and tokens: CTA (token tile, output tile, head).
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_LINEARCTA_H
#define LIB_TARGET_NVPTX_KERNELS_LINEARCTA_H

#include "lib/Target/NVPTX/Kernels/GroupTiles.h"
#include "lib/Target/NVPTX/Kernels/LinearResult.h"

namespace mlir::deepseek {

/// A piece of the weight as a CTA sees it, at its group or head.
struct CtaPiece {
  Val weight, scales; // addresses
  Val rowStride;      // bytes, i64
  Val outputs, start; // how many; column of y of the first
  Val rowOffset, scaleRowStride;
};

class LinearCta {
public:
  /// Tiles have so many rows of the weight (gate and up together, if gated) and
  /// so many rows of x.
  LinearCta(LaunchBuilder &launch, const LinearProblem &problem,
            int64_t outputs, int64_t tokens);

  ArrayRef<Type> parameterTypes() const { return types; }
  /// Calls `body` for the CTA's tile; no thread does if it has none. The
  /// members below are those of the tile.
  void build(KernelBuilder &k, llvm::function_ref<void()> body);
  void launchAll(KernelBuilder &k);

  /// Output number `row` of the tile: its piece, and which of its outputs it
  /// is. It is none if that is not below piece.outputs.
  CtaPiece pieceOf(Val row, Val &output);
  /// Address of output `row` + `more` of the tile, and whether there is one.
  /// `row` is below `span`, and so little depends on `more`: an offset.
  std::pair<Val, Val> weightRow(Val row, int64_t more, int64_t span);
  /// The end: the sums at `sums`, of `ranges` ranges, become y. A barrier
  /// before.
  SumTile sumTile(Val sums, int64_t ranges);
  void storeResult(const SumTile &tile);

  /// Rows of x; addresses of the first row and of its scales.
  RowTile rows;
  Val x, xScale;

private:
  unsigned add(Type type, Value value);
  CtaPiece pieceAt(unsigned number);
  CtaPiece choosePiece(Val &outputTile);
  void place(Val outputTile);

  KernelBuilder *builder = nullptr;
  LaunchBuilder &launch;
  const LinearProblem &problem;
  int64_t outputs, tokens;
  SmallVector<Type> types;
  SmallVector<Value> values;
  unsigned xParam, xScaleParam, yParam, yScaleParam, rowsParam, offsetsParam;
  SmallVector<std::pair<unsigned, unsigned>> pieceParams;
  SmallVector<CtaPiece, 2> pieces; // gate and up, or one
  Val firstOutput;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_LINEARCTA_H
