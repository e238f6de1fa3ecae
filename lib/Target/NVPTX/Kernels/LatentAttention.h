//===- LatentAttention.h - Kernels of latent_attention ----------*- C++ -*-===//
//
// What they share besides Attention.h: the problem, how the cached rows of a
// query row are divided into chunks, and the launcher.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_LATENTATTENTION_H
#define LIB_TARGET_NVPTX_KERNELS_LATENTATTENTION_H

#include "lib/Target/NVPTX/Emitter.h"
#include "lib/Target/NVPTX/Kernels/Attention.h"

namespace mlir::deepseek {

/// latent_attention of bf16: heads, latent size C, C + R, rows of a page.
struct LatentShape {
  int64_t heads, latent, width, page;
  double scale;

  int64_t rowBytes() const { return width * 2; }
};

/// The problem, if latent_attention of bf16 and of static sizes is all that the
/// kernel does.
std::optional<LatentShape> getLatentShape(func::FuncOp kernel);

/// The cached rows that a query row sees are cut into chunks of `chunk`,
/// counted from position 0. A step of up to `splitRows` query rows is split:
/// each chunk is a CTA's, if there are `partials` chunks at most, and a second
/// launch merges them. Otherwise one CTA walks over a query row's chunks. The
/// bits are the same.
struct Splitting {
  int64_t chunk, splitRows, partials;
};

/// For CTAs of `blockHeads` heads.
Splitting chooseSplitting(const LatentShape &shape, const Chip &chip,
                          int64_t blockHeads);

/// As parameters of a configuration; and back, with errors on `kernel`.
void addParameters(const Splitting &splitting, Builder &b,
                   SmallVectorImpl<NamedAttribute> &parameters);
FailureOr<Splitting> readSplitting(func::FuncOp kernel,
                                   DictionaryAttr parameters, int64_t tile);

/// Parameters of the device function that walks or splits: addresses, the last
/// one that of the result or of the partial values; number of sequences and of
/// pages that a sequence has room for.
enum LatentParameter {
  kQueryLatent,
  kQueryRope,
  kCache,
  kTable,
  kCuQueries,
  kCuRows,
  kTarget,
  kSequences,
  kPages
};

/// A CTA's query row and first head. Late rows see most and start first.
struct LatentBlock {
  Val token, firstHead;
  QueryRow row;
};
LatentBlock findLatentBlock(KernelBuilder &k, const LatentShape &shape,
                            int64_t blockHeads);

/// The page that holds the cached row `position` of the block's sequence.
Val loadPage(KernelBuilder &k, const LatentShape &shape,
             const LatentBlock &block, Val position);

/// Where the partial values of the CTA's chunk (its y index) begin.
Val partialAddress(KernelBuilder &k, const LatentShape &shape,
                   const LatentBlock &block, Val head);

/// Writes the launcher, and device functions by `write(k, isSplit)` for CTAs of
/// `blockHeads` heads and `threads` threads.
void launchLatentAttention(
    LaunchBuilder &launch, const LatentShape &shape, const Splitting &splitting,
    int64_t blockHeads, int64_t threads,
    llvm::function_ref<void(KernelBuilder &, bool)> write);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_LATENTATTENTION_H
