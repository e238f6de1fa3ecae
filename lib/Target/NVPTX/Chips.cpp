//===- Chips.cpp - NVIDIA chips that code is generated for ----------------===//
//
// Minima of the PTX versions: gpu features of a chip that an emitter uses, each
// tried with LLVM 22 and ptxas 13: e4m3 conversions ptx81 (sm_89), ptx78
// (sm_90); mma.sync e4m3 ptx84; wgmma and TMA ptx80; TMA into .shared::cta
// ptx86.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Target/NVPTX/Chips.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

// Parts of the cost columns, from their makers' data sheets: A100 80 GB, L40S,
// H100 SXM, B200, RTX 5090.
static constexpr Chip kChips[] = {
    {"sm_80", "ptx78", false, false, false, false, 163 * 1024, 108, 2.0e12,
     312e12},
    {"sm_89", "ptx84", true, true, false, false, 99 * 1024, 142, 0.86e12,
     733e12},
    {"sm_90a", "ptx86", true, true, true, true, 227 * 1024, 132, 3.35e12,
     1979e12},
    {"sm_100a", "ptx86", true, true, true, false, 227 * 1024, 148, 8.0e12,
     4500e12},
    {"sm_120a", "ptx87", true, true, true, false, 99 * 1024, 170, 1.79e12,
     838e12},
};

ArrayRef<Chip> deepseek::getChips() { return kChips; }

const Chip *deepseek::findChip(StringRef name) {
  const Chip *chip = llvm::find_if(
      kChips, [&](const Chip &chip) { return chip.name == name; });
  return chip == std::end(kChips) ? nullptr : chip;
}

llvm::Expected<SmallVector<const Chip *>> deepseek::parseChips(StringRef list) {
  std::string known = llvm::join(
      llvm::map_range(kChips, [](const Chip &chip) { return chip.name.str(); }),
      ", ");
  SmallVector<StringRef> names;
  list.split(names, ',');
  SmallVector<const Chip *> chips;
  for (StringRef name : names) {
    const Chip *chip = findChip(name.trim());
    if (!chip)
      return llvm::createStringError(
          "unknown chip '%s' of target nvptx, expected one or more of %s, "
          "separated by commas",
          name.str().c_str(), known.c_str());
    if (llvm::is_contained(chips, chip))
      return llvm::createStringError("chip '%s' is given twice",
                                     chip->name.data());
    chips.push_back(chip);
  }
  return chips;
}
