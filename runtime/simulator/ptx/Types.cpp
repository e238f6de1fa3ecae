//===- Types.cpp - Types and state spaces of PTX --------------------------===//
//
// One table, in the order of the enumeration.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/ptx/Types.h"

using namespace dsrt::simulator;

namespace {
struct TypeFacts {
  Type type;
  std::string_view name;
  unsigned size;
  bool isSigned;
  bool isFloat;
};
} // namespace

static constexpr TypeFacts kTypes[] = {
    {Type::Pred, "pred", 0, false, false},
    {Type::B8, "b8", 1, false, false},
    {Type::B16, "b16", 2, false, false},
    {Type::B32, "b32", 4, false, false},
    {Type::B64, "b64", 8, false, false},
    {Type::U8, "u8", 1, false, false},
    {Type::U16, "u16", 2, false, false},
    {Type::U32, "u32", 4, false, false},
    {Type::U64, "u64", 8, false, false},
    {Type::S8, "s8", 1, true, false},
    {Type::S16, "s16", 2, true, false},
    {Type::S32, "s32", 4, true, false},
    {Type::S64, "s64", 8, true, false},
    {Type::F16, "f16", 2, false, true},
    {Type::BF16, "bf16", 2, false, true},
    {Type::F32, "f32", 4, false, true},
    {Type::F64, "f64", 8, false, true},
    {Type::F16x2, "f16x2", 4, false, true},
    {Type::BF16x2, "bf16x2", 4, false, true},
    {Type::TF32, "tf32", 4, false, true},
    {Type::E4M3, "e4m3", 1, false, true},
    {Type::E5M2, "e5m2", 1, false, true},
    {Type::E4M3x2, "e4m3x2", 2, false, true},
    {Type::E5M2x2, "e5m2x2", 2, false, true},
};

static const TypeFacts &factsOf(Type type) {
  return kTypes[static_cast<int>(type)];
}

unsigned dsrt::simulator::sizeOf(Type type) { return factsOf(type).size; }
bool dsrt::simulator::isSigned(Type type) { return factsOf(type).isSigned; }
bool dsrt::simulator::isFloat(Type type) { return factsOf(type).isFloat; }

std::string_view dsrt::simulator::nameOf(Type type) {
  return factsOf(type).name;
}

std::optional<Type> dsrt::simulator::typeNamed(std::string_view name) {
  for (const TypeFacts &facts : kTypes)
    if (facts.name == name)
      return facts.type;
  return std::nullopt;
}

std::string_view dsrt::simulator::nameOf(Space space) {
  constexpr std::string_view names[] = {
      "generic", "global", "shared", "cluster", "local", "const", "param"};
  return names[static_cast<int>(space)];
}
