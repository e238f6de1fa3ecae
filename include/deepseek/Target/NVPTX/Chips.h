//===- Chips.h - NVIDIA chips that code is generated for --------*- C++ -*-===//
//
// The one table of what a chip has. LLVM aborts on an instruction that a chip
// or a PTX version lacks, so nothing is emitted that this table does not allow.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_TARGET_NVPTX_CHIPS_H
#define DEEPSEEK_TARGET_NVPTX_CHIPS_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace mlir::deepseek {

struct Chip {
  /// As ptxas and LLVM spell it: "sm_90a".
  StringLiteral name;
  /// PTX ISA version of the text, in LLVM's spelling without the '+': "ptx86".
  StringLiteral ptx;
  /// cvt between e4m3 and f16; without it FP8 is decoded in integer arithmetic.
  bool fp8Convert;
  /// mma.sync with e4m3 operands.
  bool fp8Mma;
  /// TMA, mbarrier transactions, clusters, programmatic dependent launch.
  bool tma;
  /// wgmma, which only sm_90a has.
  bool wgmma;
  /// Bytes of dynamic shared memory that one CTA can have.
  int64_t sharedBytes;
  /// Of the part that the cost functions have in mind: multiprocessors, bytes/s
  /// of its memory, dense FLOP/s of FP8 (of f16 where it has none).
  int64_t multiprocessors;
  double bandwidth;
  double flops;
};

/// All chips, oldest first.
ArrayRef<Chip> getChips();

/// The chip of that name, or null.
const Chip *findChip(StringRef name);

/// The chips of a list "sm_90a,sm_80", in the list's order; an error if it is
/// empty, names a chip twice or one that is not in the table.
llvm::Expected<SmallVector<const Chip *>> parseChips(StringRef list);

} // namespace mlir::deepseek

#endif // DEEPSEEK_TARGET_NVPTX_CHIPS_H
