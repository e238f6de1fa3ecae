//===- RowBuilder.cpp - A row spread over threads -------------------------===//

#include "lib/Target/NVPTX/Kernels/Rows/RowBuilder.h"

#include "lib/Target/NVPTX/Kernels/ViewElements.h"
#include "lib/Target/NVPTX/Kernels/Words.h"

using namespace mlir;
using namespace mlir::deepseek;

static constexpr int64_t kWarp = 32;
/// Of what teams have in shared memory.
static constexpr int64_t kAlignment = 16;

RowBuilder::RowBuilder(KernelBuilder &k, const RowKernel &kernel, int64_t teams,
                       Val rows, Val row)
    : k(k), kernel(kernel), vector(kernel.getVector()), teams(teams),
      team(k.getThreads() / teams), rows(rows), row(row) {
  member = teams == 1 ? k.threadId() : k.lane();
  if (teams > 1)
    teamNumber = k.warp();
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

int64_t RowBuilder::pieceBytes(Type element) const {
  return vector * element.getIntOrFloatBitWidth() / 8;
}

Vals RowBuilder::unpack(const RowValue &row, size_t piece) {
  return unpackWords(k, row.element, row.pieces[piece], vector);
}

Vals RowBuilder::pack(Type element, ArrayRef<Val> values) {
  return packWords(k, element, values);
}

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

int64_t RowBuilder::countPieces(int64_t elements) const {
  return llvm::divideCeil(elements / vector, team);
}

Val RowBuilder::pieceNumber(size_t piece) {
  return piece == 0 ? member : member + piece * team;
}

std::optional<Val> RowBuilder::isWithin(int64_t elements, size_t piece) {
  int64_t all = elements / vector;
  if (static_cast<int64_t>(piece + 1) * team <= all)
    return std::nullopt;
  return pieceNumber(piece) < k.i32(all);
}

void RowBuilder::ifWithin(int64_t elements, size_t piece,
                          llvm::function_ref<void()> body) {
  if (std::optional<Val> within = isWithin(elements, piece))
    k.ifThen(*within, body);
  else
    body();
}

/// `load` where the piece is within the row, else zeros.
static Vals loadWithin(KernelBuilder &k, std::optional<Val> within,
                       llvm::function_ref<Vals()> load) {
  if (!within)
    return load();
  size_t words = 0;
  return k.ifElse(
      *within,
      [&] {
        Vals loaded = load();
        words = loaded.size();
        return loaded;
      },
      [&] { return Vals(words, k.i32(0)); });
}

Vals RowBuilder::loadPiece(Type element, int64_t elements, size_t piece,
                           Val address) {
  int64_t bytes = pieceBytes(element);
  return loadWithin(k, isWithin(elements, piece), [&] {
    return loadWords(k, bytes, k.at(address, pieceNumber(piece) * bytes));
  });
}

RowValue RowBuilder::load(Type element, int64_t elements, Val address) {
  RowValue result{element, elements, {}};
  for (int64_t piece = 0; piece < countPieces(elements); ++piece)
    result.pieces.push_back(loadPiece(element, elements, piece, address));
  return result;
}

void RowBuilder::store(const RowValue &row, Val address) {
  int64_t bytes = pieceBytes(row.element);
  for (size_t piece = 0; piece < row.pieces.size(); ++piece)
    ifWithin(row.elements, piece, [&] {
      storeWords(k, bytes, row.pieces[piece],
                 k.at(address, pieceNumber(piece) * bytes));
    });
}

Val RowBuilder::rowAddress(Value argument, Val number, int64_t rowElements) {
  int64_t bytes =
      rowElements *
      getElementTypeOrSelf(argument.getType()).getIntOrFloatBitWidth() / 8;
  return k.at(k.param(cast<BlockArgument>(argument).getArgNumber()),
              k.toI64(number) * bytes);
}

RowValue RowBuilder::loadView(Value value) {
  const ArgumentView &view = *kernel.findView(value);
  ViewElements ofRow(view, 1);
  Type element = getElementTypeOrSelf(value.getType());
  int64_t size = element.getIntOrFloatBitWidth() / 8;
  Val begin = k.at(k.param(view.argument),
                   k.toI64(row) * (view.strides.front() * size));
  RowValue result{element, ofRow.count(), {}};
  for (int64_t piece = 0; piece < countPieces(result.elements); ++piece)
    result.pieces.push_back(
        loadWithin(k, isWithin(result.elements, piece), [&] {
          Val index = pieceNumber(piece) * vector;
          Val offset = ofRow.emitOffset(k, index) * size;
          return loadWords(k, vector * size, k.at(begin, offset));
        }));
  return result;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

void RowBuilder::loadOperands() {
  for (Operation *op : kernel.getOps()) {
    RowOperands operands = *getRowOperands(op);
    for (Value value : operands.scalars)
      if (!scalars.count(value))
        scalars[value] = k.load(
            k.getI32Type(),
            k.at(k.param(kernel.findView(value)->argument), k.toI64(row) * 4));
    for (Value value : operands.rows)
      if (kernel.findView(value) && !values.count(value))
        values[value] = loadView(value);
    for (Value value : operands.vectors)
      if (!values.count(value))
        values[value] =
            load(getElementTypeOrSelf(value.getType()),
                 cast<RankedTensorType>(value.getType()).getDimSize(0),
                 k.param(cast<BlockArgument>(value).getArgNumber()));
  }
}

void RowBuilder::copyViews() {
  for (auto [value, out] : kernel.getCopies()) {
    auto found = values.find(value);
    RowValue row = found == values.end() ? loadView(value) : found->second;
    Value argument = kernel.getArgument(out);
    store(row, rowAddress(argument, this->row, row.elements));
  }
}

RowValue RowBuilder::get(Value value) const {
  return values.lookup(kernel.resolve(value));
}

Val RowBuilder::getScalar(Value value) const { return scalars.lookup(value); }

void RowBuilder::set(Value value, const RowValue &row) {
  values[value] = row;
  for (unsigned out : kernel.getOuts(value))
    store(row, rowAddress(kernel.getArgument(out), this->row, row.elements));
}

RowValue RowBuilder::map(ArrayRef<RowValue> operands, Type element,
                         llvm::function_ref<Val(ArrayRef<Val>)> function) {
  RowValue result{element, operands.front().elements, {}};
  for (size_t piece = 0; piece < operands.front().pieces.size(); ++piece) {
    SmallVector<Vals> inputs;
    for (const RowValue &operand : operands)
      inputs.push_back(unpack(operand, piece));
    Vals outputs;
    for (int64_t i = 0; i < vector; ++i) {
      Vals arguments;
      for (const Vals &input : inputs)
        arguments.push_back(input[i]);
      outputs.push_back(function(arguments));
    }
    result.pieces.push_back(pack(element, outputs));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The team
//===----------------------------------------------------------------------===//

Val RowBuilder::teamSum(Val value) {
  return teams == 1 ? k.blockSum(value) : k.warpSum(value);
}

void RowBuilder::teamBarrier() {
  if (teams == 1 && team > kWarp)
    k.barrier();
  else
    k.warpSync();
}

Val RowBuilder::teamShared(int64_t bytes) {
  bytes = llvm::alignTo(bytes, kAlignment);
  Val base = k.shared(bytes * teams, kAlignment);
  return teams == 1 ? base : k.at(base, teamNumber * bytes);
}
