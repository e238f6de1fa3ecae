//===- Groups.h - The opcodes of the simulator ------------------*- C++ -*-===//
//
// Each group of instructions adds its opcodes, by their first words.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_INSTRUCTIONS_GROUPS_H
#define DSRT_SIMULATOR_INSTRUCTIONS_GROUPS_H

#include "runtime/simulator/decode/Decoder.h"

#include <unordered_map>

namespace dsrt::simulator {

using OpcodeTable = std::unordered_map<std::string_view, DecodeFunction>;

void addArithmetic(OpcodeTable &table);
void addBits(OpcodeTable &table);
void addComparisons(OpcodeTable &table);
void addConversions(OpcodeTable &table);
void addTranscendentals(OpcodeTable &table);
void addMoves(OpcodeTable &table);
void addMemory(OpcodeTable &table);
void addControl(OpcodeTable &table);
void addSynchronization(OpcodeTable &table);
void addWarpWide(OpcodeTable &table);
void addAtomics(OpcodeTable &table);
void addAsyncCopies(OpcodeTable &table);
void addMbarriers(OpcodeTable &table);
void addMatrices(OpcodeTable &table);
void addWarpgroupMatrices(OpcodeTable &table);

// Opcodes that several groups share: each decodes its types.
void decodeIntegerArithmetic(Decoder &decoder, Type type);
void decodeFloatArithmetic(Decoder &decoder, Type type);
void decodeHalfArithmetic(Decoder &decoder, Type type);
/// ex2 and tanh of f16 and bf16; false for other types.
bool decodeHalfFunction(Decoder &decoder, Type type);

/// What follows cp.async.bulk.
void decodeBulkCopy(Decoder &decoder);

/// The sum of two f16 or bf16.
uint16_t addRounded(Type format, uint16_t a, uint16_t b);

/// A fault unless the active lanes are those of the mask that each of them has
/// in the slot.
void checkMembers(Warp &warp, const Instruction &instruction, Slot slot,
                  LaneMask active);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_INSTRUCTIONS_GROUPS_H
