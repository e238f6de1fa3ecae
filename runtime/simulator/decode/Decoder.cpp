//===- Decoder.cpp - Text of an instruction to what is executed -----------===//
//
// Modifiers may be taken in any order, types are taken from left to right.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/decode/Decoder.h"
#include "runtime/simulator/ptx/Lexer.h"

#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace dsrt::simulator;

/// The parts of "ld.global.L1::no_allocate.b32".
static std::vector<std::string_view> split(std::string_view opcode) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t dot = opcode.find('.');
    parts.push_back(opcode.substr(0, dot));
    if (dot == std::string_view::npos)
      return parts;
    opcode = opcode.substr(dot + 1);
  }
}

Decoder::Decoder(const InstructionSyntax &syntax, Scopes &scopes)
    : syntax(syntax), scopes(scopes) {
  std::vector<std::string_view> parts = split(syntax.opcode);
  baseName = parts[0];
  for (size_t i = 1; i < parts.size(); ++i)
    modifiers.push_back({parts[i], false});
  instruction.line = syntax.line;
  instruction.location = syntax.location;
  instruction.opcode = syntax.opcode;
  instruction.guardNegated = syntax.guardNegated;
  if (syntax.guard.empty())
    return;
  std::optional<RegisterInfo> guard = scopes.findRegister(syntax.guard);
  if (!guard || guard->type != Type::Pred)
    fail(fmt::format("expected a predicate register before {}, got '{}'",
                     syntax.opcode, syntax.guard));
  instruction.guard = guard->slot;
}

void Decoder::fail(const std::string &message) const {
  throw PtxError(syntax.line, message);
}

void Decoder::unknownForm() const {
  fail(fmt::format("the simulator does not know the instruction '{}'",
                   syntax.opcode));
}

void Decoder::finish() {
  for (const Modifier &modifier : modifiers)
    if (!modifier.taken)
      unknownForm();
  if (hasOperand())
    fail(fmt::format("expected {} operands of {}, got {}", position,
                     syntax.opcode, syntax.operands.size()));
}

//===----------------------------------------------------------------------===//
// Modifiers
//===----------------------------------------------------------------------===//

bool Decoder::take(std::string_view text) {
  for (Modifier &modifier : modifiers) {
    if (!modifier.taken && modifier.text == text)
      return modifier.taken = true;
  }
  return false;
}

unsigned
Decoder::takeOneOf(std::initializer_list<std::string_view> candidates) {
  constexpr unsigned none = ~0u;
  unsigned index = takeOneOf(candidates, none);
  if (index == none)
    fail(fmt::format("expected one of .{} in '{}'",
                     fmt::join(candidates, ", ."), syntax.opcode));
  return index;
}

unsigned Decoder::takeOneOf(std::initializer_list<std::string_view> candidates,
                            unsigned otherwise) {
  unsigned index = 0;
  for (std::string_view candidate : candidates) {
    if (take(candidate))
      return index;
    ++index;
  }
  return otherwise;
}

std::optional<Type> Decoder::takeOptionalType() {
  for (Modifier &modifier : modifiers) {
    if (modifier.taken)
      continue;
    if (std::optional<Type> type = typeNamed(modifier.text)) {
      modifier.taken = true;
      return type;
    }
  }
  return std::nullopt;
}

Type Decoder::takeType() {
  std::optional<Type> type = takeOptionalType();
  if (!type)
    fail(fmt::format("expected a type in '{}'", syntax.opcode));
  return *type;
}

Space Decoder::takeSpace() {
  constexpr Space spaces[] = {Space::Global,  Space::Shared, Space::Shared,
                              Space::Cluster, Space::Local,  Space::Const,
                              Space::Param,   Space::Param,  Space::Generic};
  return spaces[takeOneOf({"global", "shared", "shared::cta", "shared::cluster",
                           "local", "const", "param", "param::entry"},
                          8)];
}

std::optional<Rounding> Decoder::takeRounding() {
  constexpr Rounding roundings[] = {Rounding::NearestEven, Rounding::Zero,
                                    Rounding::Down, Rounding::Up};
  unsigned index = takeOneOf({"rn", "rz", "rm", "rp"}, 4);
  return index < 4 ? std::optional<Rounding>(roundings[index]) : std::nullopt;
}

unsigned Decoder::takeVector() {
  constexpr unsigned sizes[] = {2, 4, 8, 1};
  return sizes[takeOneOf({"v2", "v4", "v8"}, 3)];
}

std::string_view Decoder::takePrefixed(std::string_view prefix) {
  for (Modifier &modifier : modifiers) {
    if (!modifier.taken && modifier.text.substr(0, prefix.size()) == prefix) {
      modifier.taken = true;
      return modifier.text.substr(prefix.size());
    }
  }
  unknownForm();
}

void Decoder::noteAccess(unsigned bytes) {
  Space space = instruction.space;
  bool generic = space == Space::Generic;
  if (generic || space == Space::Shared || space == Space::Cluster)
    scopes.noteSharedAccess(bytes);
  if (generic || space == Space::Global)
    scopes.noteGlobalAccess(bytes);
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

const OperandSyntax &Decoder::peekOperand() const {
  if (!hasOperand())
    fail(fmt::format("expected more than {} operands of {}", position,
                     syntax.opcode));
  return syntax.operands[position];
}

const OperandSyntax &Decoder::readOperand() {
  const OperandSyntax &operand = peekOperand();
  ++position;
  return operand;
}

void Decoder::addOperand(Slot slot) {
  instruction.operand.at(operandCount++) = slot;
}

void Decoder::source(Type type) { addOperand(readSource(type)); }
void Decoder::destination(Type type) { addOperand(readDestination(type)); }

void Decoder::destinationPair(Type first, Type second) {
  const OperandSyntax &operand = readOperand();
  bool pair = operand.kind == OperandSyntax::Kind::Pair;
  addOperand(destinationOf(pair ? operand.elements[0] : operand, first));
  addOperand(pair ? destinationOf(operand.elements[1], second)
                  : scopes.allocate(second));
}

Slot Decoder::readSource(Type type) { return sourceOf(readOperand(), type); }

Slot Decoder::readDestination(Type type) {
  return destinationOf(readOperand(), type);
}

Slot Decoder::constantOf(const OperandSyntax &operand, Type type) {
  const Literal &literal = operand.number;
  if (type == Type::Pred)
    return scopes.predicateConstant(literal.bits != 0);
  uint64_t bits = literal.bits;
  bool isDouble = literal.kind == Literal::Kind::Double;
  if (isDouble && type == Type::F32) {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    auto rounded = static_cast<float>(value);
    bits = 0;
    std::memcpy(&bits, &rounded, sizeof rounded);
  } else if (literal.kind == Literal::Kind::Single && sizeOf(type) != 4) {
    fail("expected a constant of the operand's width, got an f32");
  } else if (isDouble && sizeOf(type) != 8) {
    fail("expected a constant of the operand's width, got an f64");
  } else if (literal.kind == Literal::Kind::Integer && isFloat(type) &&
             (type == Type::F32 || type == Type::F64)) {
    fail(fmt::format("expected a floating-point constant, got {}", bits));
  }
  return scopes.constant(bits, sizeOf(type));
}

Slot Decoder::sourceOf(const OperandSyntax &operand, Type type) {
  if (operand.kind == OperandSyntax::Kind::Number && !operand.negated)
    return constantOf(operand, type);
  if (operand.kind != OperandSyntax::Kind::Name || operand.negated)
    fail(fmt::format("expected a register or a constant as operand of {}",
                     syntax.opcode));
  if (operand.offset == 0) {
    if (std::optional<RegisterInfo> reg = scopes.findRegister(operand.name)) {
      if (sizeOf(reg->type) != sizeOf(type))
        fail(fmt::format("expected an operand of type {}, got {} of type {}",
                         nameOf(type), operand.name, nameOf(reg->type)));
      return reg->slot;
    }
    if (sizeOf(type) == 4) {
      if (std::optional<Slot> slot = scopes.specialRegister(operand.name))
        return *slot;
    }
  }
  std::optional<Symbol> symbol = scopes.findSymbol(operand.name);
  if (!symbol || sizeOf(type) < 4)
    fail(fmt::format("expected a register, a special register of the "
                     "operand's width or a variable, got '{}'",
                     operand.name));
  return scopes.symbolConstant(*symbol, operand.offset, sizeOf(type));
}

Slot Decoder::destinationOf(const OperandSyntax &operand, Type type) {
  if (operand.kind == OperandSyntax::Kind::Name && !operand.negated) {
    if (operand.name == "_")
      return scopes.allocate(type);
    std::optional<RegisterInfo> reg = scopes.findRegister(operand.name);
    if (reg && operand.offset == 0) {
      if (sizeOf(reg->type) != sizeOf(type))
        fail(fmt::format("expected a register of type {}, got {} of type {}",
                         nameOf(type), operand.name, nameOf(reg->type)));
      return reg->slot;
    }
  }
  fail(fmt::format("expected a register to write by {}", syntax.opcode));
}

RegisterInfo Decoder::readWide(Type type) {
  return wideOf(readOperand(), type);
}

std::vector<RegisterInfo> Decoder::readWideList(Type type) {
  const OperandSyntax &operand = readOperand();
  std::vector<RegisterInfo> registers;
  if (operand.elements.empty())
    fail("expected a list of at least one register");
  for (const OperandSyntax &element : operand.elements)
    registers.push_back(wideOf(element, type));
  return registers;
}

RegisterInfo Decoder::wideOf(const OperandSyntax &operand, Type type) {
  if (operand.kind == OperandSyntax::Kind::Number)
    return {constantOf(operand, type), type};
  if (operand.kind == OperandSyntax::Kind::Name && operand.name == "_")
    return {scopes.allocate(type), type};
  std::optional<RegisterInfo> reg = scopes.findRegister(operand.name);
  if (!reg) {
    if (std::optional<Slot> slot = scopes.specialRegister(operand.name))
      reg = RegisterInfo{*slot, Type::U32};
  }
  if (!reg || operand.kind != OperandSyntax::Kind::Name ||
      sizeOf(reg->type) < sizeOf(type))
    fail(fmt::format("expected a register of at least {} bits, got '{}'",
                     8 * sizeOf(type), operand.name));
  return *reg;
}

Slot Decoder::readPredicate(bool &negated) {
  OperandSyntax operand = readOperand();
  negated = operand.negated;
  operand.negated = false;
  return sourceOf(operand, Type::Pred);
}

std::vector<Slot> Decoder::readSourceList(Type type) {
  const OperandSyntax &operand = readOperand();
  std::vector<Slot> slots;
  if (operand.kind != OperandSyntax::Kind::List)
    fail(fmt::format("expected a list in braces as operand of {}",
                     syntax.opcode));
  for (const OperandSyntax &element : operand.elements)
    slots.push_back(sourceOf(element, type));
  return slots;
}

std::vector<Slot> Decoder::readDestinationList(Type type) {
  const OperandSyntax &operand = readOperand();
  std::vector<Slot> slots;
  if (operand.kind != OperandSyntax::Kind::List)
    fail(fmt::format("expected a list in braces as result of {}",
                     syntax.opcode));
  for (const OperandSyntax &element : operand.elements)
    slots.push_back(destinationOf(element, type));
  return slots;
}

void Decoder::resolveBase(Address &address, const OperandSyntax &operand) {
  if (std::optional<RegisterInfo> reg = scopes.findRegister(operand.name)) {
    if (sizeOf(reg->type) != 8 && sizeOf(reg->type) != 4)
      fail(fmt::format("expected an address in a register of 32 or 64 bits, "
                       "got {}",
                       operand.name));
    address.base = reg->slot;
    address.narrow = sizeOf(reg->type) == 4;
    return;
  }
  std::optional<Symbol> symbol = scopes.findSymbol(operand.name);
  if (!symbol)
    fail(fmt::format("expected a register or a variable as address, got '{}'",
                     operand.name));
  // The parameters of calls are local memory.
  if (instruction.space == Space::Param && symbol->space == Space::Local)
    instruction.space = Space::Local;
  if (symbol->dynamic)
    address.base = scopes.symbolConstant(*symbol, 0, 8);
  else
    address.offset += static_cast<int64_t>(symbol->address);
}

Address Decoder::readAddress() {
  const OperandSyntax &operand = readOperand();
  if (operand.kind != OperandSyntax::Kind::Address || !operand.elements.empty())
    fail(fmt::format("expected an address in brackets as operand of {}",
                     syntax.opcode));
  return addressOf(operand);
}

Address Decoder::readTensorAddress() {
  const OperandSyntax &operand = readOperand();
  if (operand.kind != OperandSyntax::Kind::Address || operand.elements.empty())
    fail(fmt::format("expected a tensor map and coordinates in brackets as "
                     "operand of {}",
                     syntax.opcode));
  for (const OperandSyntax &coordinate : operand.elements)
    instruction.list.push_back(sourceOf(coordinate, Type::S32));
  return addressOf(operand);
}

Address Decoder::addressOf(const OperandSyntax &operand) {
  Address address;
  address.offset = operand.offset;
  if (!operand.name.empty())
    resolveBase(address, operand);
  return address;
}

int64_t Decoder::readImmediate() {
  const OperandSyntax &operand = readOperand();
  if (operand.kind != OperandSyntax::Kind::Number ||
      operand.number.kind != Literal::Kind::Integer)
    fail(fmt::format("expected an integer constant as operand of {}",
                     syntax.opcode));
  return static_cast<int64_t>(operand.number.bits);
}

std::vector<CodeIndex> Decoder::readTargets() {
  const OperandSyntax &operand = readOperand();
  std::vector<std::string_view> labels = {operand.name};
  if (operand.kind != OperandSyntax::Kind::Name)
    fail(fmt::format("expected a label as operand of {}", syntax.opcode));
  if (const BranchTargetsSyntax *targets = scopes.findTargets(operand.name))
    labels = targets->targets;
  for (std::string_view label : labels)
    scopes.branchTo(label, syntax.line);
  return std::vector<CodeIndex>(labels.size(), kNoTarget);
}
