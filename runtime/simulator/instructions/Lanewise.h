//===- Lanewise.h - Instructions of each lane alone -------------*- C++ -*-===//
//
// Handlers of one, two and three sources out of a function on values.
//
// 32 lanes are what vectors are for: the hot handlers are compiled twice, and
// the form that this processor can run is chosen when the library is loaded.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_INSTRUCTIONS_LANEWISE_H
#define DSRT_SIMULATOR_INSTRUCTIONS_LANEWISE_H

#include "runtime/simulator/decode/Decoder.h"
#include "runtime/simulator/machine/Warp.h"

namespace dsrt::simulator {

#if defined(__x86_64__)
template <Handler Body>
__attribute__((target("arch=x86-64-v3"), flatten)) Flow
vectorized(Warp &warp, const Instruction &i, LaneMask active) {
  return Body(warp, i, active);
}
#endif

/// The handler for this processor.
template <Handler Body>
Handler fastest() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3"))
    return vectorized<Body>;
#endif
  return Body;
}

template <typename Result, typename T, typename F>
Flow mapUnary(Warp &warp, const Instruction &i, LaneMask active, F function) {
  auto *result = warp.lanes<Result>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  forLanes(active, [&](unsigned lane) { result[lane] = function(a[lane]); });
  return Flow::Next;
}

template <typename Result, typename T, typename F>
Flow mapBinary(Warp &warp, const Instruction &i, LaneMask active, F function) {
  auto *result = warp.lanes<Result>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *b = warp.lanes<T>(i.operand[2]);
  forLanes(active,
           [&](unsigned lane) { result[lane] = function(a[lane], b[lane]); });
  return Flow::Next;
}

template <typename Result, typename T, typename F>
Flow mapTernary(Warp &warp, const Instruction &i, LaneMask active, F function) {
  auto *result = warp.lanes<Result>(i.operand[0]);
  const auto *a = warp.lanes<T>(i.operand[1]);
  const auto *b = warp.lanes<T>(i.operand[2]);
  const auto *c = warp.lanes<T>(i.operand[3]);
  forLanes(active, [&](unsigned lane) {
    result[lane] = function(a[lane], b[lane], c[lane]);
  });
  return Flow::Next;
}

namespace detail {
template <typename F, typename T>
Flow unary(Warp &warp, const Instruction &i, LaneMask active) {
  return mapUnary<T, T>(warp, i, active, F());
}
template <typename F, typename T>
Flow binary(Warp &warp, const Instruction &i, LaneMask active) {
  return mapBinary<T, T>(warp, i, active, F());
}
template <typename F, typename T>
Flow ternary(Warp &warp, const Instruction &i, LaneMask active) {
  return mapTernary<T, T>(warp, i, active, F());
}
} // namespace detail

/// The handlers of a function object without state.
template <typename F, typename T>
const Handler unary = fastest<detail::unary<F, T>>();
template <typename F, typename T>
const Handler binary = fastest<detail::binary<F, T>>();
template <typename F, typename T>
const Handler ternary = fastest<detail::ternary<F, T>>();

/// Reads a destination and 'count' sources, all of one type.
inline void takeOperands(Decoder &decoder, Type type, unsigned count) {
  decoder.destination(type);
  for (unsigned k = 0; k < count; ++k)
    decoder.source(type);
}

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_INSTRUCTIONS_LANEWISE_H
