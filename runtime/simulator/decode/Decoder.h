//===- Decoder.h - Text of an instruction to what is executed ---*- C++ -*-===//
//
// Decodes one instruction. A decode function takes the modifiers that it knows
// and then the operands; whatever it leaves, of either, is an error. So a form
// of an opcode that is not implemented can not be mistaken for one that is.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DECODE_DECODER_H
#define DSRT_SIMULATOR_DECODE_DECODER_H

#include "runtime/simulator/decode/Scopes.h"
#include "runtime/simulator/machine/Program.h"

#include <string_view>
#include <vector>

namespace dsrt::simulator {

class Decoder {
public:
  Decoder(const InstructionSyntax &syntax, Scopes &scopes);

  /// The first word of the opcode.
  std::string_view base() const { return baseName; }
  /// The result.
  Instruction instruction;

  // Modifiers.

  /// Takes the modifier if it is there.
  bool take(std::string_view modifier);
  /// Takes the one that is there of several; its index. An error if none is.
  unsigned takeOneOf(std::initializer_list<std::string_view> modifiers);
  /// The same; 'otherwise' if none is.
  unsigned takeOneOf(std::initializer_list<std::string_view> modifiers,
                     unsigned otherwise);
  /// Takes the first type among the modifiers.
  Type takeType();
  std::optional<Type> takeOptionalType();
  /// .global and the like; generic if none is there.
  Space takeSpace();
  /// .rn, .rz, .rm, .rp
  std::optional<Rounding> takeRounding();
  /// .v2, .v4, .v8; 1 if none is there.
  unsigned takeVector();
  /// The first modifier that starts with 'prefix', without it.
  std::string_view takePrefixed(std::string_view prefix);

  /// The instruction accesses 'bytes' bytes: races are looked for in units of
  /// no more, in the memory that it may access.
  void noteAccess(unsigned bytes);

  // Operands, in order.

  bool hasOperand() const { return position < syntax.operands.size(); }
  const OperandSyntax &peekOperand() const;
  bool secondOperandIsList() const {
    return position + 1 < syntax.operands.size() &&
           syntax.operands[position + 1].kind == OperandSyntax::Kind::List;
  }
  /// Adds an operand: a register of exactly the type's size, or a constant.
  void source(Type type);
  /// Adds an operand: a register to write. '_' is allowed.
  void destination(Type type);
  /// Adds a destination and its second part behind '|', if there is one.
  void destinationPair(Type first, Type second);
  /// The same without an operand of the instruction.
  Slot readSource(Type type);
  Slot readDestination(Type type);
  /// A register of at least the type's size.
  RegisterInfo readWide(Type type);
  std::vector<RegisterInfo> readWideList(Type type);
  /// A predicate that may be negated.
  Slot readPredicate(bool &negated);
  std::vector<Slot> readSourceList(Type type);
  std::vector<Slot> readDestinationList(Type type);
  Address readAddress();
  /// [tensor map, {coordinates}], which become the instruction's list.
  Address readTensorAddress();
  int64_t readImmediate();
  std::vector<CodeIndex> readTargets();
  const OperandSyntax &readOperand();

  /// Throws unless all modifiers and operands are taken.
  void finish();

  [[noreturn]] void fail(const std::string &message) const;
  /// This form of the opcode is not known.
  [[noreturn]] void unknownForm() const;
  Scopes &names() { return scopes; }

private:
  void addOperand(Slot slot);
  Slot sourceOf(const OperandSyntax &operand, Type type);
  Slot destinationOf(const OperandSyntax &operand, Type type);
  RegisterInfo wideOf(const OperandSyntax &operand, Type type);
  Slot constantOf(const OperandSyntax &operand, Type type);
  Address addressOf(const OperandSyntax &operand);
  void resolveBase(Address &address, const OperandSyntax &operand);

  const InstructionSyntax &syntax;
  Scopes &scopes;
  std::string_view baseName;
  struct Modifier {
    std::string_view text;
    bool taken;
  };
  std::vector<Modifier> modifiers;
  size_t position = 0;
  unsigned operandCount = 0;
};

using DecodeFunction = void (*)(Decoder &);

/// How an opcode is decoded, by its first word. Null: unknown.
DecodeFunction findDecodeFunction(std::string_view opcode);

/// A handler chosen by a type: 'choose' gets a value of the C++ type.
template <typename F>
Handler forInteger(const Decoder &decoder, Type type, F choose) {
  switch (type) {
  case Type::U16:
    return choose(uint16_t());
  case Type::S16:
    return choose(int16_t());
  case Type::U32:
    return choose(uint32_t());
  case Type::S32:
    return choose(int32_t());
  case Type::U64:
    return choose(uint64_t());
  case Type::S64:
    return choose(int64_t());
  default:
    decoder.unknownForm();
  }
}

/// The same for types of bits, with integers counting as theirs.
template <typename F>
Handler forBits(const Decoder &decoder, Type type, F choose) {
  switch (sizeOf(type)) {
  case 2:
    return choose(uint16_t());
  case 4:
    return choose(uint32_t());
  case 8:
    return choose(uint64_t());
  default:
    decoder.unknownForm();
  }
}

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_DECODE_DECODER_H
