//===- Groups.cpp - The opcodes of the simulator --------------------------===//
//
// The table, and the opcodes whose type decides on the group.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"

using namespace dsrt::simulator;

static void decodeArithmetic(Decoder &decoder) {
  Type type = decoder.takeType();
  if (type == Type::F32 || type == Type::F64)
    decodeFloatArithmetic(decoder, type);
  else if (isFloat(type))
    decodeHalfArithmetic(decoder, type);
  else
    decodeIntegerArithmetic(decoder, type);
}

void dsrt::simulator::addArithmetic(OpcodeTable &table) {
  for (std::string_view name : {"add", "sub", "mul", "mad", "fma", "div", "rem",
                                "neg", "abs", "min", "max"})
    table[name] = decodeArithmetic;
}

static OpcodeTable makeTable() {
  OpcodeTable table;
  addArithmetic(table);
  addBits(table);
  addComparisons(table);
  addConversions(table);
  addTranscendentals(table);
  addMoves(table);
  addMemory(table);
  addControl(table);
  addSynchronization(table);
  addWarpWide(table);
  addAtomics(table);
  addAsyncCopies(table);
  addMbarriers(table);
  addMatrices(table);
  addWarpgroupMatrices(table);
  return table;
}

DecodeFunction dsrt::simulator::findDecodeFunction(std::string_view opcode) {
  static const OpcodeTable table = makeTable();
  auto found = table.find(opcode.substr(0, opcode.find('.')));
  return found == table.end() ? nullptr : found->second;
}
