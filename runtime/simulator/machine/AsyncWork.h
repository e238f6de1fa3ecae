//===- AsyncWork.h - What a cluster's hardware does by itself ---*- C++ -*-===//
//
// Bulk copies between their issue and their end. Copies into shared memory end
// in an order and at times drawn from the seed; those out of it when their
// group is waited for, since until then nothing may write what they read.
// Whatever touches the bytes too early is a fault, not only a wrong result.
//
// Bulk copies and wgmma access memory through the asynchronous proxy: they see
// what a thread has written only if the thread has executed fence.proxy.async
// after it.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_ASYNCWORK_H
#define DSRT_SIMULATOR_MACHINE_ASYNCWORK_H

#include "runtime/simulator/machine/Program.h"

#include <memory>
#include <random>

namespace dsrt::simulator {

class Cta;
class Cluster;
class Warp;

/// Bytes that lie together on both sides of a copy: offsets in the shared
/// memory of a CTA, or addresses of global memory.
struct CopyRun {
  uint64_t from;
  uint64_t to;
  uint32_t bytes;
};
/// As 'from': out of bounds of the tensor, zeros.
constexpr uint64_t kZeros = ~uint64_t(0);

struct BulkCopy {
  BulkCopy(Warp &warp, const Instruction &instruction, unsigned lane)
      : warp(&warp), instruction(&instruction), lane(lane) {}

  Warp *warp; // of the thread that issued it
  const Instruction *instruction;
  unsigned lane;
  Cta *from = nullptr; // null: global memory
  Cta *to = nullptr;
  std::vector<CopyRun> runs;
  /// Tells the barrier that the bytes have come; null: the copy belongs to a
  /// group instead.
  void (*completed)(const BulkCopy &copy) = nullptr;
  uint64_t barrier = 0;
  uint64_t group = 0;
  bool hasRead = false;
  std::vector<uint8_t> data; // what was read
};

/// mbarrier.init by a thread that has not made it known to the proxy yet.
struct NewBarrier {
  const Warp *warp;
  unsigned lane;
  const Cta *cta;
  uint64_t offset;
};

class AsyncWork {
public:
  AsyncWork(Cluster &cluster, uint64_t seed) : cluster(cluster), random(seed) {}

  /// Takes a copy over; its bytes are in flight from now on. Throws Fault, as
  /// all that follows.
  void begin(BulkCopy copy);
  /// Ends some of the copies: at least one if the warps are idle and any can
  /// end, all if this is the last time. True if any has ended.
  bool advance(bool idle, bool last);
  /// Ends a thread's copies of groups before 'group'; only their reads if
  /// 'readOnly'.
  void finishGroups(const Warp &warp, unsigned lane, uint64_t group,
                    bool readOnly);

  /// A fault unless asynchronous work may read the bytes of shared memory: they
  /// were written, and a thread that did so has executed a proxy fence since.
  void checkRead(Warp &warp, const Instruction &i, unsigned lane,
                 const Cta &cta, uint64_t offset, uint64_t bytes) const;
  /// What is wrong with a read of bytes that count as not written.
  std::string describeUnwritten(const Cta &cta, uint64_t offset,
                                uint64_t bytes) const;
  /// What is wrong with a write to bytes that are in flight.
  std::string describeInFlight(const Cta &cta, uint64_t offset,
                               uint64_t bytes) const;

  std::vector<NewBarrier> newBarriers;

private:
  /// A fault if a thread has written the bytes without a proxy fence since.
  void checkFences(const Warp &warp, const Instruction &i, unsigned lane,
                   const Cta &cta, uint64_t offset, uint64_t bytes) const;
  const BulkCopy *find(const Cta &cta, uint64_t offset, uint64_t bytes,
                       bool writes) const;
  void beginWrite(BulkCopy &copy);
  void read(BulkCopy &copy);
  void write(BulkCopy &copy);
  void remove(const std::vector<BulkCopy *> &ended);

  Cluster &cluster;
  std::vector<std::unique_ptr<BulkCopy>> copies; // in the order of issue
  std::mt19937_64 random;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_ASYNCWORK_H
