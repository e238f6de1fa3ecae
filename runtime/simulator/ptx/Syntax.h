//===- Syntax.h - The structure of a PTX text -------------------*- C++ -*-===//
//
// What the parser makes: declarations and statements as written, with names
// unresolved. All names point into the text.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_PTX_SYNTAX_H
#define DSRT_SIMULATOR_PTX_SYNTAX_H

#include "runtime/simulator/ptx/Types.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace dsrt::simulator {

/// A number as written. Its bits depend on the type of the operand it is for.
struct Literal {
  enum class Kind { Integer, Single, Double };
  Kind kind = Kind::Integer;
  uint64_t bits = 0; // of Single: the 32 bits of the f32
};

struct OperandSyntax {
  enum class Kind {
    Name,    // %r1, symbol, symbol+4, !%p1
    Number,  // 12, 0f3F800000
    List,    // {%r1, %r2}, and the arguments of a call
    Address, // [%rd1+8], [symbol], [%rd1, {%r1, %r2}]
    Pair     // %p1|%p2
  };
  Kind kind = Kind::Name;
  unsigned line = 0;
  std::string_view name; // of an address: its base, empty if it is a number
  bool negated = false;
  Literal number;
  int64_t offset = 0;                  // added to a name or to an address
  std::vector<OperandSyntax> elements; // of a list, a pair; coordinates
};

/// Where the compiler says that code comes from (.loc).
struct SourceLocation {
  unsigned file = 0; // 0: unknown
  unsigned line = 0;
  unsigned column = 0;
};

struct InstructionSyntax {
  unsigned line;
  SourceLocation location;
  std::string_view guard; // the predicate register, empty without one
  bool guardNegated = false;
  std::string_view opcode; // with all its modifiers
  std::vector<OperandSyntax> operands;
};

struct RegisterSyntax {
  unsigned line;
  std::string_view name;
  std::optional<unsigned> count; // %r<12> declares %r0 to %r11
  Type type;
};

/// One value of an initializer: a number, or the address of a symbol.
struct InitialValue {
  Literal number;
  std::string_view symbol;
  int64_t offset = 0;
  bool generic = false;
};

struct VariableSyntax {
  unsigned line = 0;
  Space space = Space::Generic;
  std::string_view name;
  Type type = Type::B8;
  unsigned align = 0; // 0: that of the type
  uint64_t count = 1; // elements
  bool external = false;
  bool unsized = false; // name[]: dynamic shared memory
  std::vector<InitialValue> initializer;

  uint64_t bytes() const { return count * sizeOf(type); }
  unsigned alignment() const { return align ? align : sizeOf(type); }
};

struct LabelSyntax {
  unsigned line;
  std::string_view name;
};

/// label: .branchtargets L1, L2;
struct BranchTargetsSyntax {
  std::string_view name;
  std::vector<std::string_view> targets;
};

struct BlockSyntax;

struct StatementSyntax {
  enum class Kind { Instruction, Register, Variable, Label, Targets, Block };
  Kind kind;
  // Exactly the one that 'kind' names is set.
  std::unique_ptr<InstructionSyntax> instruction;
  std::unique_ptr<RegisterSyntax> reg;
  std::unique_ptr<VariableSyntax> variable;
  std::unique_ptr<LabelSyntax> label;
  std::unique_ptr<BranchTargetsSyntax> targets;
  std::unique_ptr<BlockSyntax> block;
};

struct BlockSyntax {
  std::vector<StatementSyntax> statements;
};

/// An .entry or a .func.
struct FunctionSyntax {
  unsigned line = 0;
  std::string_view name;
  bool entry = false;
  std::vector<VariableSyntax> results;
  std::vector<VariableSyntax> parameters;
  std::optional<std::array<unsigned, 3>> maxThreads;
  std::optional<std::array<unsigned, 3>> requiredThreads;
  std::optional<std::array<unsigned, 3>> clusterSize;
  std::optional<unsigned> maxRegisters;
  std::unique_ptr<BlockSyntax> body; // null: a declaration
};

struct ModuleSyntax {
  unsigned version = 0; // 8.3 is 83
  std::string_view target;
  std::vector<VariableSyntax> variables;
  std::vector<FunctionSyntax> functions;
  std::map<unsigned, std::string_view> files; // of .loc
};

/// Throws PtxError. 'text' must outlive the result.
ModuleSyntax parsePtx(std::string_view text);

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_PTX_SYNTAX_H
