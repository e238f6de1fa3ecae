//===- Fragment.h - Matrices in registers -----------------------*- C++ -*-===//
//
// What the matrix instructions of warps and of warpgroups share.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_INSTRUCTIONS_FRAGMENT_H
#define DSRT_SIMULATOR_INSTRUCTIONS_FRAGMENT_H

#include "runtime/simulator/machine/Warp.h"
#include "runtime/simulator/numeric/FastFormat.h"
#include "runtime/simulator/numeric/FloatFormat.h"

namespace dsrt::simulator {

/// The number of each code of e4m3 or e5m2.
inline const double *narrowNumbers(Type type) {
  struct Numbers {
    explicit Numbers(Type type) {
      for (unsigned code = 0; code < 256; ++code)
        of[code] = toDouble(exactOf(formatOf(type), code));
    }
    double of[256];
  };
  static const Numbers e4m3(Type::E4M3), e5m2(Type::E5M2);
  return type == Type::E4M3 ? e4m3.of : e5m2.of;
}

/// Calls 'take' with k and the number of each value in the fragment register
/// 'bits', whose first one is value 'first' of its row.
template <typename F>
inline void unpackFragment(Type type, uint32_t bits, unsigned first, F take) {
  switch (type) {
  case Type::E4M3:
  case Type::E5M2: {
    const double *numbers = narrowNumbers(type);
    for (unsigned k = 0; k < 4; ++k)
      take(first + k, numbers[bits >> (8 * k) & 0xff]);
    return;
  }
  case Type::TF32: // the low bits do not count
    return take(first, singleOfBits(bits & ~uint32_t(0x1fff)));
  default:
    for (unsigned k = 0; k < 2; ++k) {
      auto code = static_cast<uint16_t>(bits >> (16 * k));
      take(first + k,
           type == Type::BF16 ? singleOfBfloat(code) : singleOfHalf(code));
    }
  }
}

/// Register q of a lane holds a quarter of the 16 bytes of row lane / 4, and
/// registers go down the 'groups' of 8 rows first. Calls 'take' with row, k and
/// value.
template <typename F>
inline void gather(Warp &warp, const Slot *slots, unsigned groups,
                   unsigned registers, Type type, F take) {
  unsigned perRegister = 4 / sizeOf(type);
  for (unsigned q = 0; q < registers; ++q) {
    const auto *bits = warp.lanes<uint32_t>(slots[q]);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      unsigned row = lane / 4 + 8 * (q % groups);
      unsigned first =
          (lane % 4) * perRegister + 4 * perRegister * (q / groups);
      unpackFragment(type, bits[lane], first,
                     [&](unsigned k, double value) { take(row, k, value); });
    }
  }
}

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_INSTRUCTIONS_FRAGMENT_H
