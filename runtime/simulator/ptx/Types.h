//===- Types.h - Types and state spaces of PTX ------------------*- C++ -*-===//
//
// The types that instructions and declarations name. Packed types (f16x2) and
// the narrow floats of conversions and matrix instructions are types as well.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_PTX_TYPES_H
#define DSRT_SIMULATOR_PTX_TYPES_H

#include <optional>
#include <string_view>

namespace dsrt::simulator {

enum class Type {
  Pred,
  B8,
  B16,
  B32,
  B64,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  BF16,
  F32,
  F64,
  F16x2,
  BF16x2,
  TF32,
  E4M3,
  E5M2,
  E4M3x2,
  E5M2x2
};

enum class Space { Generic, Global, Shared, Cluster, Local, Const, Param };

/// Bytes of a value. A predicate has none: it is a bit of a lane mask.
unsigned sizeOf(Type type);
bool isSigned(Type type);
bool isFloat(Type type);
/// "f32".
std::string_view nameOf(Type type);
/// The type that "f32" names.
std::optional<Type> typeNamed(std::string_view name);

std::string_view nameOf(Space space);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_PTX_TYPES_H
