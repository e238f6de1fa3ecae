//===- MmaStage.h - Chunks of the operands in shared memory -----*- C++ -*-===//
//
// A stage has, for each range of the inner dimension whose turn it is, a chunk
// of the weight and of x and their scales: first all chunks of the weight, then
// those of x, then the scales of x, then those of the weight.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_MMASTAGE_H
#define LIB_TARGET_NVPTX_KERNELS_MMASTAGE_H

#include "lib/Target/NVPTX/Kernels/LinearCta.h"
#include "lib/Target/NVPTX/Kernels/MmaFragments.h"

namespace mlir::deepseek {

class MmaStage {
public:
  MmaStage(KernelBuilder &k, const LinearProblem &problem, const MmaTile &tile,
           LinearCta &cta, MmaFragments &fragments);

  /// Starts the copies of chunk number `chunk` of every range into `stage`, by
  /// all threads. What is beyond rows, outputs or the inner dimension is zero.
  void copyChunk(Val stage, Val chunk);

  /// Where the operands of range `range` are.
  Val weight(Val stage, Val range);
  Val input(Val stage, Val range);
  /// Of outputs 16 number + [0, 16); of tokens [token, token + 2), as a vector.
  Val loadWeightScale(Val stage, Val range, Val number);
  Val loadInputScales(Val stage, Val range, Val token);

  int64_t chunksPerRange() const { return rangeChunks; }

private:
  void forUnits(int64_t count, llvm::function_ref<void(Val, int64_t)> body);
  std::pair<Val, Val> rangeOf(Val unit, int64_t unitsPerRange);
  Val chunkOf(Val range, Val chunk);
  Val isWithin(Val present, Val range, Val chunk, Val byteInChunk,
               int64_t elementBytes);
  void copy(Val target, Val source, Val present, int64_t bytes);
  void copyWeight(Val stage, Val chunk);
  void copyTransposedWeight(Val stage, Val chunk);
  void copyInput(Val stage, Val chunk);
  void copyInputScales(Val stage, Val chunk);
  void copyWeightScales(Val stage, Val chunk);

  KernelBuilder &k;
  const LinearProblem &problem;
  const MmaTile tile;
  const MmaOperands operands;
  LinearCta &cta;
  MmaFragments &fragments;
  int64_t rangeChunks;
  int64_t weightBytes, inputBytes; // of a range
  int64_t inputStart, inputScaleStart, weightScaleStart;
};

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_MMASTAGE_H
