//===- Hopper.h - Barriers, TMA, clusters and wgmma -------------*- C++ -*-===//
//
// What sm_90a has beyond KernelBuilder, in the words of its pseudo-code:
//
//   Ring ring(k, stages, /*producers=*/1, /*consumers=*/8);
//   k.ifThen(thread == 0, [&] { ring.initialize(); });
//   k.barrier();
//   ...                                   // producer, round i
//   ring.waitEmpty(i);
//   ring.expect(i, bytes);
//   tmaLoad(k, map, {x, y}, buffer, ring.full(i));
//   ...                                   // consumer, round i
//   ring.waitFull(i);
//   SmallVector<Val> sums = wgmma(k, e4m3, 64, {a}, b);
//   ring.release(i);
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_HOPPER_H
#define LIB_TARGET_NVPTX_HOPPER_H

#include "lib/Target/NVPTX/KernelBuilder.h"

namespace mlir::deepseek {

/// Two barriers for each stage of a ring of buffers in shared memory: `full`,
/// on which producers arrive when they have filled it, and `empty`, on which
/// consumers arrive when they have read it. Round i (from 0, i32) uses stage
/// i % stages.
class Ring {
public:
  /// Arrivals that complete a round of a stage. A stage that TMA fills in
  /// several CTAs of the cluster at once (`ctas`) is empty when the consumers
  /// of all of them have read it.
  Ring(KernelBuilder &k, int64_t stages, int64_t producers, int64_t consumers,
       int64_t ctas = 1);

  /// By one thread; then all threads need a barrier.
  void initialize();

  Val stage(Val round);
  /// The barrier that TMA loads of the round report to.
  Val full(Val round);
  Val empty(Val round);

  void waitEmpty(Val round);
  void waitFull(Val round);
  /// A producer's arrival that also announces bytes of TMA loads.
  void expect(Val round, int64_t bytes);
  /// A producer's arrival after ordinary stores.
  void arrive(Val round);
  /// A consumer's arrival, by all lanes of a warp, after what they all have
  /// read.
  void release(Val round);

private:
  Val parity(Val round);

  KernelBuilder &k;
  int64_t stages, producers, consumers, ctas;
  Val fullBarriers, emptyBarriers;
};

/// Until the barrier's phase of that parity (i32) has completed.
void waitBarrier(KernelBuilder &k, Val barrier, Val parity);

/// Copies the box of `map` (a parameter) at `coordinates` (innermost first)
/// into shared memory; its bytes are reported to `barrier`. One thread.
void tmaLoad(KernelBuilder &k, Val map, ArrayRef<Val> coordinates, Val target,
             Val barrier);

/// The same into the CTAs 0 .. ctas - 1 of the cluster: to the address and the
/// barrier that are there what `target` and `barrier` are here.
void tmaLoadToCluster(KernelBuilder &k, Val map, ArrayRef<Val> coordinates,
                      Val target, Val barrier, int64_t ctas);

/// True in one lane of the warp, the same each time.
Val electLane(KernelBuilder &k);

/// More or fewer registers a thread; all warps of a warpgroup.
void setMaxRegisters(KernelBuilder &k, int64_t count, bool increase);

/// Programmatic dependent launch: the next kernel may start; what earlier
/// kernels wrote is visible.
void launchDependents(KernelBuilder &k);
void waitForEarlierKernels(KernelBuilder &k);

/// All threads of the cluster; what they wrote to shared memory is visible.
void clusterBarrier(KernelBuilder &k);
Val clusterRank(KernelBuilder &k);
/// The address in the CTA `rank` of the cluster of what is at `shared` here.
Val clusterAddress(KernelBuilder &k, Val shared, Val rank);

/// Describes a matrix in shared memory for wgmma: rows of 128 bytes, swizzled
/// by 128 bytes as TMA writes them, from an address of a multiple of 1024
/// bytes.
Val matrixDescriptor(KernelBuilder &k, Val shared);

/// The products a[i] * b^T of matrices of 128 bytes a row (K-major): 64 rows of
/// each a[i] times `columns` rows of b, as one warpgroup. The sums start from
/// zero and are complete when they are returned: columns / 2 of them for each
/// a[i], of which number 4 j + 2 h + c is row 16 warp + 8 h + lane / 4, column
/// 8 j + 2 (lane % 4) + c. `element` is f8E4M3FN or bf16.
///
/// All of it is one piece of assembly: no sum that wgmma is still writing is
/// ever a value that LLVM could copy.
SmallVector<Val> wgmma(KernelBuilder &k, Type element, int64_t columns,
                       ArrayRef<Val> a, Val b);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_HOPPER_H
