//===- Program.h - Decoded kernels ------------------------------*- C++ -*-===//
//
// A kernel is a list of instructions that name the slots of a warp's register
// file. A slot holds the 32 lanes of a register side by side; constants and
// special registers have slots too, so that every operand is read alike.
// Functions that a kernel calls are expanded where they are called.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_PROGRAM_H
#define DSRT_SIMULATOR_MACHINE_PROGRAM_H

#include "runtime/simulator/ptx/Syntax.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dsrt::simulator {

class Warp;
struct Instruction;

constexpr unsigned kLanes = 32;
using LaneMask = uint32_t;
constexpr LaneMask kAllLanes = ~LaneMask(0);

/// What a warp does after an instruction.
enum class Flow {
  Next,  // goes on
  Again, // waits: this instruction is executed again later
  Jumped // has set where its lanes go on
};

using Handler = Flow (*)(Warp &, const Instruction &, LaneMask active);

/// A register: a byte offset into a warp's register file. A predicate's slot
/// holds one lane mask.
using Slot = uint32_t;
constexpr Slot kNoSlot = ~Slot(0);

/// Instruction indices.
using CodeIndex = uint32_t;
constexpr CodeIndex kNoTarget = ~CodeIndex(0);

enum class Rounding { NearestEven, NearestAway, Zero, Down, Up };

/// How a floating-point instruction rounds.
struct FloatMode {
  Rounding rounding = Rounding::NearestEven;
  bool flush = false;     // .ftz: subnormal f32 become zero
  bool saturate = false;  // .sat: clamped to [0, 1]
  bool propagate = false; // .NaN: min and max of a NaN are NaN
  bool finite = false;    // .satfinite: too large becomes the largest
  bool relu = false;      // .relu: negative becomes zero

  bool plain() const {
    return rounding == Rounding::NearestEven && !flush && !saturate &&
           !propagate && !finite && !relu;
  }
};

/// base + offset; without a base an address known beforehand.
struct Address {
  Slot base = kNoSlot;
  bool narrow = false; // the base is a register of 32 bits
  int64_t offset = 0;
};

struct Instruction {
  Handler execute = nullptr;
  Slot guard = kNoSlot;
  bool guardNegated = false;

  // The operands, in the order of the text: destinations first. What else there
  // is depends on the instruction and is described where it is executed.
  std::array<Slot, 6> operand = {kNoSlot, kNoSlot, kNoSlot,
                                 kNoSlot, kNoSlot, kNoSlot};
  std::vector<Slot> list;
  std::array<Address, 3> address;
  Space space = Space::Generic;
  Type type = Type::B32;
  Type sourceType = Type::B32;
  FloatMode mode;
  unsigned variant = 0;
  int64_t immediate = 0;
  bool strong = false; // a memory access that others may make at the same time
  bool orders = false; // and an acquire or release

  // Branches.
  std::vector<CodeIndex> targets;
  CodeIndex reconverge = kNoTarget;
  bool exits = false;
  bool usesAsyncProxy = false; // a bulk copy or a wgmma

  // The text.
  unsigned line = 0;
  SourceLocation location;
  std::string_view opcode;
};

enum class SpecialRegister {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  ClusteridX,
  ClusteridY,
  ClusteridZ,
  NclusteridX,
  NclusteridY,
  NclusteridZ,
  ClusterCtaidX,
  ClusterCtaidY,
  ClusterCtaidZ,
  ClusterNctaidX,
  ClusterNctaidY,
  ClusterNctaidZ,
  ClusterCtarank,
  ClusterNctarank,
  Laneid,
  Warpid,
  Nwarpid,
  Smid,
  Nsmid,
  LanemaskEq,
  LanemaskLt,
  LanemaskLe,
  LanemaskGt,
  LanemaskGe,
  DynamicSmemSize,
  TotalSmemSize
};

struct Kernel {
  struct Parameter {
    uint64_t offset;
    uint64_t bytes;
  };

  std::string name;
  std::vector<Parameter> parameters;
  uint64_t parameterBytes = 0;
  std::vector<Instruction> code;
  /// The register file of a warp that starts: constants are in their slots.
  std::vector<uint8_t> registers;
  std::vector<std::pair<SpecialRegister, Slot>> specials;
  uint64_t sharedBytes = 0;    // declared in the text
  uint64_t localBytes = 0;     // of a thread
  unsigned sharedUnit = 16;    // bytes of the least access to shared memory
  unsigned globalUnit = 16;    // the same of global memory
  bool usesAsyncProxy = false; // some instruction does
  std::optional<std::array<unsigned, 3>> maxThreads;
  std::optional<std::array<unsigned, 3>> requiredThreads;
  std::optional<std::array<unsigned, 3>> clusterSize;
  std::map<unsigned, std::string> sourceFiles; // of .loc
  /// Of each instruction, whether a warp has executed it.
  mutable std::vector<uint8_t> executed;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_PROGRAM_H
