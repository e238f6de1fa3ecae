//===- Lanewise.h - One instruction against the host ------------*- C++ -*-===//
//
// Puts an instruction into a kernel that applies it to many operands and
// compares each result's bits with a function of the host.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_RUNTIME_SIMULATOR_LANEWISE_H
#define TEST_RUNTIME_SIMULATOR_LANEWISE_H

#include "Gpu.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

namespace dsrt::test {

template <typename T>
uint64_t bitsOf(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <typename T>
T fromBits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// A result's bits of the operands' bits.
using HostFunction = std::function<uint64_t(const uint64_t *)>;

/// 'sizes' in bytes: of the result, then of the operands. In the instruction
/// they are %r, %a, %b and %c; %t0 to %t3 and %p0 to %p3 are free.
void checkInstruction(const std::string &instruction,
                      const std::vector<unsigned> &sizes,
                      const HostFunction &expected);

template <typename R, typename... A, typename F, size_t... I>
void checkLanewise(const std::string &instruction, F expected,
                   std::index_sequence<I...>) {
  checkInstruction(instruction, {sizeof(R), sizeof(A)...},
                   [&](const uint64_t *operands) {
                     return bitsOf<R>(expected(fromBits<A>(operands[I])...));
                   });
}

/// Runs 'instruction' on made-up operands of types A and compares the results,
/// of type R, with 'expected'.
template <typename R, typename... A, typename F>
void checkLanewise(const std::string &instruction, F expected) {
  checkLanewise<R, A...>(instruction, expected,
                         std::index_sequence_for<A...>());
}

} // namespace dsrt::test

#endif // TEST_RUNTIME_SIMULATOR_LANEWISE_H
