//===- Mbarrier.h - Barriers in shared memory -------------------*- C++ -*-===//
//
// What copies that happen by themselves need of them.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_INSTRUCTIONS_MBARRIER_H
#define DSRT_SIMULATOR_INSTRUCTIONS_MBARRIER_H

#include "runtime/simulator/machine/Cta.h"

namespace dsrt::simulator {

/// A fault unless a barrier lies at the address that asynchronous work may use.
void checkAsyncBarrier(Warp &warp, const Instruction &instruction,
                       unsigned lane, uint64_t address);
/// Counts the bytes of a copy that has ended at its barrier.
void countCopiedBytes(const BulkCopy &copy);
/// The threads have made the barriers known that they initialized.
void publishBarriers(Warp &warp, LaneMask threads);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_INSTRUCTIONS_MBARRIER_H
