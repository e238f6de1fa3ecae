//===- Sm90Product.h - Products by wgmma: shared parts ----------*- C++ -*-===//
//
// One form of kernel for the products of sm_90a, in FP8 with block scales or in
// bf16. The weight is the M side of wgmma (128 rows of it a CTA, or 128 of gate
// and the matching 128 of up), the tokens are the N side, in tiles of 8 to 128.
// A token's sums are the same in every tile, so what is computed for a token
// depends on nothing but its row.
//
// Sm90ProductPlan.cpp chooses tiles and launches, Sm90Product.cpp writes the
// device function.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_SM90PRODUCT_H
#define LIB_TARGET_NVPTX_KERNELS_SM90PRODUCT_H

#include "lib/Target/NVPTX/Emitter.h"
#include "lib/Target/NVPTX/KernelBuilder.h"
#include "lib/Target/NVPTX/LinearProblem.h"

namespace mlir::deepseek {

/// Weight rows of a tile, and bytes of K: in FP8 both are the block of the
/// weight's scales.
constexpr int64_t kTileRows = 128, kBlockBytes = 128;

/// A problem in tiles.
struct ProductShape {
  explicit ProductShape(const LinearProblem &problem);

  /// Weights that are multiplied side by side: 2 (gate, up) or 1.
  int64_t parts;
  /// Of x and the weights; elements of K of a block.
  int64_t elementBytes, blockElements;
  /// Blocks of K, tiles of weight rows.
  int64_t blocks, weightTiles;
  bool scaled;

  /// Shared memory of weights and x in all stages, or of the sums that take
  /// their place; and with all that stands beside it.
  int64_t getTileBytes(int64_t tokens, int64_t stages) const;
  int64_t getSharedBytes(int64_t tokens, int64_t stages) const;
};

/// How a product is cut; parameters of a configuration.
struct ProductPlan {
  /// Blocks of K (of 128 bytes) of one partial sum. Partial sums are made one
  /// by one and added in order, for every number of tokens.
  int64_t range;
  /// Tokens a CTA, ascending, and stages of its ring.
  SmallVector<int64_t> tiles, stages;
  /// CTAs of neighbouring weight rows that share the largest tile of tokens:
  /// each reads its part for all of them.
  int64_t sharers;
};

/// One device function: its tile, and whether the partial sums are made by the
/// CTAs of a cluster or by one CTA one after the other.
struct ProductVariant {
  int64_t tokens, stages;
  int64_t ranges, blocksPerRange;
  bool clustered;
  /// CTAs that a multiprocessor has registers for.
  int64_t occupancy;
  /// Whether the producers give registers to the consumers.
  bool movesRegisters;

  /// CTAs of a cluster that have the same tokens and different weight rows.
  int64_t sharers;

  /// CTAs that compute one tile; CTAs of a cluster. One of both is 1.
  int64_t ctasPerTile() const { return clustered ? ranges : 1; }
  int64_t clusterSize() const { return ctasPerTile() * sharers; }
};

/// Chooses a plan and launches; the emitters differ in what they take.
class Sm90ProductEmitter : public KernelEmitter {
public:
  bool match(func::FuncOp kernel, const Chip &chip) const override;
  Configuration configure(func::FuncOp kernel, const Chip &chip) const override;
  LogicalResult emit(func::FuncOp kernel, DictionaryAttr parameters,
                     LaunchBuilder &launch) const override;

private:
  virtual bool writes(const LinearProblem &problem) const = 0;
};

/// Parameters of the device function: maps of x and each piece of the
/// weight; addresses of the scales of x and of each piece, y, y's scales,
/// offsets; the number of rows. Those that the problem lacks are y.
SmallVector<Type> getSm90ProductParameters(MLIRContext *context,
                                           const LinearProblem &problem);

/// Writes the body of `k`, of getSm90ProductThreads() threads.
void buildSm90Product(KernelBuilder &k, const LinearProblem &problem,
                      const ProductVariant &variant);
int64_t getSm90ProductThreads();

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_SM90PRODUCT_H
