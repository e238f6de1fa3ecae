//===- Fp8Table.cpp - FP8 weights by table look-up ------------------------===//
//
// Of 64 weights, two look-ups give the high and the low bytes of the bf16
// numbers. Interleaving works within 128 bits, so the weights are transposed
// first (4 x 4 groups of four): then the four interleaved vectors hold weights
// 0-15, 16-31, 32-47 and 48-63 in order, bf16 bits above 16 zero bits: f32.
//
//===----------------------------------------------------------------------===//

#include "Fp8Table.h"

#include "LoopPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace mlir;
using namespace mlir::deepseek;

static constexpr int64_t kCodes = 128; // without the sign
static constexpr int64_t kTableBytes = 2 * kCodes;
/// Stack memory for the tables of one product.
static constexpr int64_t kMaxBlocks = (64 << 10) / kTableBytes;

bool deepseek::hasByteTables(Operation *op) {
  StringAttr target;
  for (; op && !target; op = op->getParentOp())
    target = op->getAttrOfType<StringAttr>("deepseek.target");
  StringRef chip = target ? target.getValue() : StringRef();
  if (!chip.consume_front("host:"))
    return false;
  if (chip == "native")
    return llvm::sys::getHostCPUFeatures().lookup("avx512vbmi");
  SmallVector<StringRef> known, features;
  llvm::X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
  if (!llvm::is_contained(known, chip))
    return false;
  llvm::X86::getFeaturesForCPU(chip, features);
  return llvm::is_contained(features, "avx512vbmi");
}

/// The operand whose block argument `value` is, if it is used only once.
static OpOperand *operandOf(linalg::GenericOp op, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != &op.getRegion().front() ||
      !argument.hasOneUse() || argument.getArgNumber() >= op.getNumDpsInputs())
    return nullptr;
  return op.getDpsInputOperand(argument.getArgNumber());
}

std::optional<Fp8Table> Fp8Table::match(linalg::GenericOp op, unsigned dim,
                                        int64_t size) {
  if (ShapedType::isDynamic(size) || size % kStep != 0)
    return std::nullopt;
  std::optional<Fp8Table> table = matchScaled(op, dim, size);
  if (!table)
    table = matchPlain(op);
  // The weights of a look-up are neighbours; where outputs are the lanes they
  // are looked up outside of any sum.
  bool inLanes = linalg::isParallelIterator(op.getIteratorTypesArray()[dim]);
  if (!table || !isContiguous(op, *table->data, dim) ||
      (inLanes && op.getNumReductionLoops() != 0))
    return std::nullopt;
  return table;
}

/// The one e4m3 operand that is widened.
std::optional<Fp8Table> Fp8Table::matchPlain(linalg::GenericOp op) {
  Fp8Table table;
  for (auto widened : op.getRegion().front().getOps<arith::ExtFOp>()) {
    if (!widened.getType().isF32() ||
        !isa<Float8E4M3FNType>(widened.getIn().getType()))
      continue;
    if (table.data)
      return std::nullopt;
    table.data = operandOf(op, widened.getIn());
    table.widened = widened;
    for (Operation *user : widened->getUsers())
      if (isa<arith::TruncFOp>(user) && user->getResult(0).getType().isBF16())
        table.rounded = user;
    if (!table.data)
      return std::nullopt;
  }
  return table.data ? std::optional(table) : std::nullopt;
}

std::optional<Fp8Table> Fp8Table::matchScaled(linalg::GenericOp op,
                                              unsigned dim, int64_t size) {
  Fp8Table table;
  for (auto truncate : op.getRegion().front().getOps<arith::TruncFOp>()) {
    auto product = truncate.getIn().getDefiningOp<arith::MulFOp>();
    auto widened =
        product ? product.getLhs().getDefiningOp<arith::ExtFOp>() : nullptr;
    if (!truncate.getType().isBF16() || !widened || !product->hasOneUse() ||
        !widened->hasOneUse() || !widened.getType().isF32() ||
        !isa<Float8E4M3FNType>(widened.getIn().getType()))
      continue;
    table.data = operandOf(op, widened.getIn());
    table.scales = operandOf(op, product.getRhs());
    table.widened = widened;
    table.product = product;
    table.rounded = truncate;
  }
  if (!table.data || !table.scales)
    return std::nullopt;
  auto type = dyn_cast<MemRefType>(table.scales->get().getType());
  AffineMap map = op.getMatchingIndexingMap(table.scales);
  if (!type || type.getRank() != 1 || !type.getElementType().isF32())
    return std::nullopt;
  auto binary = dyn_cast<AffineBinaryOpExpr>(map.getResult(0));
  auto divisor =
      binary ? dyn_cast<AffineConstantExpr>(binary.getRHS()) : nullptr;
  if (!divisor || binary.getKind() != AffineExprKind::FloorDiv ||
      binary.getLHS() != getAffineDimExpr(dim, op.getContext()) ||
      divisor.getValue() % kStep != 0)
    return std::nullopt;
  table.blockSize = divisor.getValue();
  table.blocks = llvm::divideCeil(size, table.blockSize);
  if (table.blocks > kMaxBlocks)
    return std::nullopt;
  return table;
}

/// The values of the e4m3 codes from `first` on.
static Value codeValues(OpBuilder &b, Location loc, int64_t first) {
  SmallVector<float> values;
  for (int64_t code = first; code < first + kLanes; ++code) {
    APFloat value(APFloat::Float8E4M3FN(), APInt(8, code));
    values.push_back(value.convertToFloat());
  }
  auto type = VectorType::get(kLanes, b.getF32Type());
  return arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(type, ArrayRef<float>(values)));
}

void Fp8Table::emitTables(OpBuilder &b, Location loc) {
  if (!scales)
    return;
  auto index = [&](int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value).getResult();
  };
  auto vector = [](Type element) { return VectorType::get(kLanes, element); };
  Type i8 = b.getI8Type(), i16 = b.getI16Type();
  tables = memref::AllocaOp::create(b, loc,
                                    MemRefType::get({blocks, kTableBytes}, i8),
                                    b.getI64IntegerAttr(64));
  auto loop = scf::ForOp::create(b, loc, index(0), index(blocks), index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value block = loop.getInductionVar();
  Value scale = memref::LoadOp::create(b, loc, scales->get(), block);
  scale = vector::BroadcastOp::create(b, loc, vector(b.getF32Type()), scale);
  Value eight = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(vector(i16), b.getI16IntegerAttr(8)));
  for (int64_t code = 0; code < kCodes; code += kLanes) {
    Value product =
        arith::MulFOp::create(b, loc, codeValues(b, loc, code), scale);
    Value number =
        arith::TruncFOp::create(b, loc, vector(b.getBF16Type()), product);
    Value bits = arith::BitcastOp::create(b, loc, vector(i16), number);
    Value high = arith::ShRUIOp::create(b, loc, bits, eight);
    for (auto [half, offset] : {std::pair(high, code), {bits, kCodes + code}}) {
      Value bytes = arith::TruncIOp::create(b, loc, vector(i8), half);
      vector::StoreOp::create(b, loc, bytes, tables,
                              ValueRange{block, index(offset)});
    }
  }
}

/// Within each 128 bits, the elements of one half of `a` and `b` in turn.
static Value interleave(OpBuilder &builder, Location loc, Value a, Value b,
                        bool upper) {
  auto type = cast<VectorType>(a.getType());
  int64_t count = type.getNumElements();
  int64_t perLane = 128 / type.getElementTypeBitWidth();
  SmallVector<int64_t> mask;
  for (int64_t lane = 0; lane < count; lane += perLane)
    for (int64_t i = 0; i < perLane / 2; ++i) {
      int64_t from = lane + i + (upper ? perLane / 2 : 0);
      mask.append({from, count + from});
    }
  return vector::ShuffleOp::create(builder, loc, a, b, mask);
}

/// 64 bytes of the table of a block, or of the constant table, from `offset`
/// on.
Value Fp8Table::part(OpBuilder &b, Location loc, Value block,
                     int64_t offset) const {
  auto bytes = VectorType::get(kStep, b.getI8Type());
  if (scales) {
    Value at = arith::ConstantIndexOp::create(b, loc, offset);
    return vector::LoadOp::create(b, loc, bytes, tables, ValueRange{block, at});
  }
  SmallVector<int8_t> values;
  for (int64_t code = offset % kCodes; int64_t(values.size()) < kStep; ++code) {
    APFloat value(APFloat::Float8E4M3FN(), APInt(8, code));
    uint32_t bits = llvm::bit_cast<uint32_t>(value.convertToFloat());
    values.push_back(int8_t(bits >> (offset < kCodes ? 24 : 16)));
  }
  return arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(bytes, ArrayRef<int8_t>(values)));
}

SmallVector<Value> Fp8Table::lookUp(OpBuilder &b, Location loc,
                                    ValueRange indices, Value position) const {
  auto bytes = VectorType::get(kStep, b.getI8Type());
  auto words = VectorType::get(kStep / 2, b.getI16Type());
  auto groups = VectorType::get(kStep / 4, b.getI32Type());
  auto cast = [&](VectorType type, Value value) -> Value {
    return vector::BitCastOp::create(b, loc, type, value);
  };
  Value codes = vector::LoadOp::create(
      b, loc, VectorType::get(kStep, getElementTypeOrSelf(data->get())),
      data->get(), indices);
  codes = cast(groups, arith::BitcastOp::create(b, loc, bytes, codes));
  SmallVector<int64_t> transpose;
  for (int64_t i = 0; i < kLanes; ++i)
    transpose.push_back(i % 4 * 4 + i / 4);
  codes = vector::ShuffleOp::create(b, loc, codes, codes, transpose);
  codes = cast(bytes, codes);

  Value block;
  if (scales)
    block = arith::DivUIOp::create(
        b, loc, position, arith::ConstantIndexOp::create(b, loc, blockSize));
  auto table = [&](int64_t offset) { return part(b, loc, block, offset); };
  // The instruction ignores the sign bits of its indices.
  auto find = [&](int64_t offset) -> Value {
    return LLVM::CallIntrinsicOp::create(
               b, loc, bytes,
               b.getStringAttr("llvm.x86.avx512.vpermi2var.qi.512"),
               ValueRange{table(offset), codes, table(offset + kStep)})
        .getResult(0);
  };
  Value signBit = arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(bytes, b.getIntegerAttr(b.getI8Type(), 0x80)));
  Value high = find(0), low = find(kCodes);
  Value sign = arith::AndIOp::create(b, loc, codes, signBit);
  high = arith::XOrIOp::create(b, loc, high, sign);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(words));
  SmallVector<Value> result;
  for (bool upper : {false, true}) {
    Value pairs = cast(words, interleave(b, loc, low, high, upper));
    for (bool upperPairs : {false, true})
      result.push_back(cast(VectorType::get(kLanes, b.getF32Type()),
                            interleave(b, loc, zero, pairs, upperPairs)));
  }
  return result;
}

Value Fp8Table::asBF16(OpBuilder &b, Location loc, Value weights) const {
  auto vector = [](Type element) { return VectorType::get(kLanes, element); };
  Value bits =
      arith::BitcastOp::create(b, loc, vector(b.getI32Type()), weights);
  Value sixteen = arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(vector(b.getI32Type()), b.getI32IntegerAttr(16)));
  bits = arith::ShRUIOp::create(b, loc, bits, sixteen);
  bits = arith::TruncIOp::create(b, loc, vector(b.getI16Type()), bits);
  return arith::BitcastOp::create(b, loc, vector(b.getBF16Type()), bits);
}
