//===- Scopes.cpp - What the names of a kernel mean -----------------------===//
//
// A branch waits for its label until the scope that may hold the label ends,
// then for the scope around it, up to the function.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/decode/Scopes.h"
#include "runtime/simulator/machine/AddressSpace.h"
#include "runtime/simulator/ptx/Lexer.h"

#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

static uint64_t alignTo(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

void Scopes::enter(bool function) {
  scopes.emplace_back();
  scopes.back().function = function;
}

void Scopes::leave() {
  const Scope &scope = scopes.back();
  std::vector<Branch> pending;
  for (Branch &branch : branches) {
    if (branch.depth < scopes.size()) {
      pending.push_back(branch);
      continue;
    }
    auto label = scope.labels.find(branch.label);
    if (label != scope.labels.end()) {
      kernel.code[branch.instruction].targets[branch.target] = label->second;
    } else if (scope.function) {
      throw PtxError(branch.line, fmt::format("expected a label of the "
                                              "function, got '{}'",
                                              branch.label));
    } else {
      --branch.depth;
      pending.push_back(branch);
    }
  }
  branches = std::move(pending);
  scopes.pop_back();
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

Slot Scopes::allocateBytes(uint64_t bytes, uint64_t alignment) {
  uint64_t slot = alignTo(kernel.registers.size(), alignment);
  constexpr uint64_t largest = uint64_t(1) << 30;
  if (slot + bytes > largest)
    throw PtxError(0, fmt::format("expected fewer registers in {}: those of a "
                                  "warp fill more than 1 GiB",
                                  kernel.name));
  // A register that is read before it is written has a value that stands out.
  kernel.registers.resize(slot, 0xcd);
  kernel.registers.resize(slot + bytes, 0xcd);
  return static_cast<Slot>(slot);
}

static unsigned slotBytes(Type type) {
  return type == Type::Pred ? sizeof(LaneMask) : sizeOf(type) * kLanes;
}

Slot Scopes::allocate(Type type) {
  return allocateBytes(slotBytes(type), type == Type::Pred ? 4 : 64);
}

void Scopes::declareRegisters(const RegisterSyntax &syntax) {
  Scope &scope = scopes.back();
  if (syntax.type == Type::B8 || syntax.type == Type::U8 ||
      syntax.type == Type::S8)
    throw PtxError(syntax.line, "expected registers of at least 16 bits");
  if (!syntax.count) {
    RegisterInfo info{allocate(syntax.type), syntax.type};
    if (!scope.registers.emplace(syntax.name, info).second)
      throw PtxError(syntax.line,
                     fmt::format("register {} is declared twice", syntax.name));
    return;
  }
  unsigned stride = slotBytes(syntax.type);
  Slot first = allocateBytes(uint64_t(stride) * *syntax.count,
                             syntax.type == Type::Pred ? 4 : 64);
  CountedRegisters registers{first, stride, *syntax.count, syntax.type};
  if (!scope.counted.emplace(syntax.name, registers).second)
    throw PtxError(syntax.line,
                   fmt::format("registers {} are declared twice", syntax.name));
}

void Scopes::declareSymbol(std::string_view name, Symbol symbol,
                           unsigned line) {
  if (!scopes.back().symbols.emplace(name, symbol).second)
    throw PtxError(line, fmt::format("{} is declared twice", name));
}

Symbol Scopes::placeShared(const VariableSyntax &variable) {
  if (variable.unsized) {
    dynamicAlignment = std::max(dynamicAlignment, variable.alignment());
    return {Space::Shared, 0, /*dynamic=*/true};
  }
  uint64_t offset = alignTo(kernel.sharedBytes, variable.alignment());
  kernel.sharedBytes = offset + variable.bytes();
  if (kernel.sharedBytes > kMaxSharedBytes)
    throw PtxError(variable.line,
                   fmt::format("expected at most {} bytes of shared memory in "
                               "{}, got {}",
                               kMaxSharedBytes, kernel.name,
                               kernel.sharedBytes));
  return {Space::Shared, kSharedBase + offset};
}

uint64_t Scopes::allocateLocal(uint64_t bytes, unsigned alignment) {
  uint64_t offset = alignTo(kernel.localBytes, alignment);
  kernel.localBytes = offset + bytes;
  return offset;
}

void Scopes::declareVariable(const VariableSyntax &syntax) {
  constexpr uint64_t largestLocal = 512 * 1024;
  if (syntax.space == Space::Shared)
    return declareSymbol(syntax.name, placeShared(syntax), syntax.line);
  // The parameters of a call are local memory of the caller.
  uint64_t address = allocateLocal(syntax.bytes(), syntax.alignment());
  if (kernel.localBytes > largestLocal)
    throw PtxError(syntax.line,
                   fmt::format("expected at most {} bytes of local memory in "
                               "{}, got {}",
                               largestLocal, kernel.name, kernel.localBytes));
  declareSymbol(syntax.name, {Space::Local, address}, syntax.line);
}

void Scopes::declareLabel(const LabelSyntax &syntax) {
  auto index = static_cast<CodeIndex>(kernel.code.size());
  if (!scopes.back().labels.emplace(syntax.name, index).second)
    throw PtxError(syntax.line,
                   fmt::format("label {} is declared twice", syntax.name));
}

void Scopes::declareTargets(const BranchTargetsSyntax &syntax) {
  scopes.back().targets.emplace(syntax.name, &syntax);
}

void Scopes::branchTo(std::string_view label, unsigned line) {
  size_t target = 0;
  auto instruction = static_cast<CodeIndex>(kernel.code.size());
  for (const Branch &branch : branches)
    target += branch.instruction == instruction;
  branches.push_back({instruction, target, label, line, scopes.size()});
}

//===----------------------------------------------------------------------===//
// Look-up
//===----------------------------------------------------------------------===//

template <typename T>
const T *Scopes::find(std::unordered_map<std::string_view, T> Scope::*names,
                      std::string_view name) const {
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    auto found = (*scope.*names).find(name);
    if (found != (*scope.*names).end())
      return &found->second;
    if (scope->function)
      break;
  }
  return nullptr;
}

static bool isDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<RegisterInfo> Scopes::findRegister(std::string_view name) const {
  if (const RegisterInfo *info = find(&Scope::registers, name))
    return *info;
  // %r12 may be number 12 of %r<...> or number 2 of %r1<...>.
  uint64_t index = 0, power = 1;
  for (size_t split = name.size(); split > 1 && isDigit(name[split - 1]);) {
    --split;
    index += power * (name[split] - '0');
    power *= 10;
    if (power > 10000000)
      break;
    if (name[split] == '0' && split + 1 < name.size())
      continue; // no leading zeros
    const CountedRegisters *counted =
        find(&Scope::counted, name.substr(0, split));
    if (counted && index < counted->count)
      return RegisterInfo{counted->first +
                              static_cast<Slot>(index) * counted->stride,
                          counted->type};
  }
  return std::nullopt;
}

std::optional<Symbol> Scopes::findSymbol(std::string_view name) {
  if (const Symbol *symbol = find(&Scope::symbols, name))
    return *symbol;
  auto placed = module.placed.find(name);
  if (placed != module.placed.end())
    return placed->second;
  auto mine = sharedOfModule.find(name);
  if (mine != sharedOfModule.end())
    return mine->second;
  auto shared = module.shared.find(name);
  if (shared == module.shared.end())
    return std::nullopt;
  return sharedOfModule.emplace(name, placeShared(*shared->second))
      .first->second;
}

const BranchTargetsSyntax *Scopes::findTargets(std::string_view name) const {
  const BranchTargetsSyntax *const *targets = find(&Scope::targets, name);
  return targets ? *targets : nullptr;
}

static const std::map<std::string_view, SpecialRegister> kSpecialRegisters = {
    {"%tid.x", SpecialRegister::TidX},
    {"%tid.y", SpecialRegister::TidY},
    {"%tid.z", SpecialRegister::TidZ},
    {"%ntid.x", SpecialRegister::NtidX},
    {"%ntid.y", SpecialRegister::NtidY},
    {"%ntid.z", SpecialRegister::NtidZ},
    {"%ctaid.x", SpecialRegister::CtaidX},
    {"%ctaid.y", SpecialRegister::CtaidY},
    {"%ctaid.z", SpecialRegister::CtaidZ},
    {"%nctaid.x", SpecialRegister::NctaidX},
    {"%nctaid.y", SpecialRegister::NctaidY},
    {"%nctaid.z", SpecialRegister::NctaidZ},
    {"%clusterid.x", SpecialRegister::ClusteridX},
    {"%clusterid.y", SpecialRegister::ClusteridY},
    {"%clusterid.z", SpecialRegister::ClusteridZ},
    {"%nclusterid.x", SpecialRegister::NclusteridX},
    {"%nclusterid.y", SpecialRegister::NclusteridY},
    {"%nclusterid.z", SpecialRegister::NclusteridZ},
    {"%cluster_ctaid.x", SpecialRegister::ClusterCtaidX},
    {"%cluster_ctaid.y", SpecialRegister::ClusterCtaidY},
    {"%cluster_ctaid.z", SpecialRegister::ClusterCtaidZ},
    {"%cluster_nctaid.x", SpecialRegister::ClusterNctaidX},
    {"%cluster_nctaid.y", SpecialRegister::ClusterNctaidY},
    {"%cluster_nctaid.z", SpecialRegister::ClusterNctaidZ},
    {"%cluster_ctarank", SpecialRegister::ClusterCtarank},
    {"%cluster_nctarank", SpecialRegister::ClusterNctarank},
    {"%laneid", SpecialRegister::Laneid},
    {"%warpid", SpecialRegister::Warpid},
    {"%nwarpid", SpecialRegister::Nwarpid},
    {"%smid", SpecialRegister::Smid},
    {"%nsmid", SpecialRegister::Nsmid},
    {"%lanemask_eq", SpecialRegister::LanemaskEq},
    {"%lanemask_lt", SpecialRegister::LanemaskLt},
    {"%lanemask_le", SpecialRegister::LanemaskLe},
    {"%lanemask_gt", SpecialRegister::LanemaskGt},
    {"%lanemask_ge", SpecialRegister::LanemaskGe},
    {"%dynamic_smem_size", SpecialRegister::DynamicSmemSize},
    {"%total_smem_size", SpecialRegister::TotalSmemSize},
};

std::optional<Slot> Scopes::specialRegister(std::string_view name) {
  auto known = kSpecialRegisters.find(name);
  if (known == kSpecialRegisters.end())
    return std::nullopt;
  auto [entry, isNew] = specials.try_emplace(known->second, kNoSlot);
  if (isNew) {
    entry->second = allocate(Type::B32);
    kernel.specials.emplace_back(known->second, entry->second);
  }
  return entry->second;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

void Scopes::writeConstant(Slot slot, uint64_t bits, unsigned bytes) {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    std::memcpy(kernel.registers.data() + slot + lane * bytes, &bits, bytes);
}

Slot Scopes::constant(uint64_t bits, unsigned bytes) {
  if (bytes < 8)
    bits &= (uint64_t(1) << (8 * bytes)) - 1;
  auto [entry, isNew] = constants.try_emplace({bits, bytes}, kNoSlot);
  if (isNew) {
    entry->second = allocateBytes(uint64_t(bytes) * kLanes, 64);
    writeConstant(entry->second, bits, bytes);
  }
  return entry->second;
}

Slot Scopes::predicateConstant(bool value) {
  auto [entry, isNew] = constants.try_emplace({value, 0}, kNoSlot);
  if (isNew) {
    LaneMask mask = value ? kAllLanes : 0;
    entry->second = allocate(Type::Pred);
    std::memcpy(kernel.registers.data() + entry->second, &mask, sizeof mask);
  }
  return entry->second;
}

Slot Scopes::symbolConstant(Symbol symbol, int64_t offset, unsigned bytes) {
  if (!symbol.dynamic)
    return constant(symbol.address + offset, bytes);
  Slot slot = allocateBytes(uint64_t(bytes) * kLanes, 64);
  dynamicAddresses.push_back({slot, bytes, offset});
  return slot;
}

void Scopes::finish() {
  if (dynamicAddresses.empty())
    return;
  kernel.sharedBytes = alignTo(kernel.sharedBytes, dynamicAlignment);
  for (const DynamicAddress &address : dynamicAddresses)
    writeConstant(address.slot,
                  kSharedBase + kernel.sharedBytes + address.offset,
                  address.bytes);
}
