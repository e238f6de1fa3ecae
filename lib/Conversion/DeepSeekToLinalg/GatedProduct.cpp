//===- GatedProduct.cpp - swiglu, alone and at the end of a product -------===//
//
// In a kernel that ends a product with swiglu (Epilogues.h) a tile of gate and
// the tile of up that belongs to it are computed together, and only what swiglu
// makes of them is written: gate and up are rounded as they would be, but never
// stored. A `quantize` behind it, whose blocks are rows of such tiles, is done
// likewise.
//
//===----------------------------------------------------------------------===//

#include "Quant.h"

#include "deepseek/Conversion/DeepSeekToLinalg.h"
#include "deepseek/Transforms/Epilogues.h"

#include <numeric>

using namespace mlir;
using namespace mlir::deepseek;

/// `silu(gate) * up` of f32.
static Value emitGate(TileBuilder &b, Value gate, Value up) {
  Value e = math::ExpOp::create(b, arith::NegFOp::create(b, gate));
  Value silu =
      arith::DivFOp::create(b, gate, arith::AddFOp::create(b, b.f32(1), e));
  return arith::MulFOp::create(b, silu, up);
}

static SmallVector<Value> lowerAlone(TileBuilder &b, SwigluOp op) {
  Type type = getElementTypeOrSelf(op->getResult(0).getType());
  Value out = destinationLike(b, op->getResult(0), op.getGate());
  return {b.parallelRows(out, [&](ValueRange at, Value row) {
    Window window(at.size() + 1);
    for (auto [dim, index] : llvm::enumerate(at))
      window.at(dim, index);
    auto rowOf = [&](Value x) { return at.empty() ? x : b.slice(x, window); };
    return b.elementwise(
        {rowOf(op.getGate()), rowOf(op.getUp())}, row, [&](ValueRange args) {
          return b.round(emitGate(b, b.widen(args[0]), b.widen(args[1])), type);
        });
  })};
}

//===----------------------------------------------------------------------===//
// Products with an epilogue
//===----------------------------------------------------------------------===//

namespace {

/// A product whose outputs are gates, then ups.
class GatedProduct {
public:
  GatedProduct(TileBuilder &b, const Product &product, SwigluOp swiglu);

  /// The loops: `body` gets the column of the first output of a tile, the
  /// tile's weights, its activations and which rows they are.
  SmallVector<Value>
  forTiles(ValueRange outs, int64_t tile,
           function_ref<Parts(ValueRange outs, Value column,
                              ArrayRef<MatrixTile> weights, Window rows)>
               body);

  /// f32 sums of gate and up become those of swiglu, rounded as it is.
  Value combine(ValueRange sums);

  int64_t tileOf(int64_t limit) const;

  TileBuilder &b;
  Product product;
  int64_t width = 0; ///< number of gates
  Value x;

private:
  Matrix half(int64_t number);

  Type inner, outer;   ///< of what the product gives and of what swiglu gives
  int64_t firstUp = 0; ///< row of the first up in `up`; set by half()
  Matrix gate, up;
};

} // namespace

/// What gates (0) or ups (1) are multiplied with, if that is a tensor of its
/// own; else all of the weight.
Matrix GatedProduct::half(int64_t number) {
  auto partOf = [&](Value whole) -> Value {
    auto concat = whole.getDefiningOp<tensor::ConcatOp>();
    if (!concat || concat.getInputs().size() != 2 ||
        int64_t(concat.getDim()) + 2 != concat.getType().getRank() ||
        concat.getInputs()[0].getType() != concat.getInputs()[1].getType())
      return {};
    return concat.getInputs()[number];
  };
  Value w = partOf(product.w);
  Value scale = product.isScaled() ? partOf(product.wScale) : Value();
  firstUp = width;
  if (!product.isScaled()) {
    firstUp = w ? 0 : width;
    return w ? Matrix(b, w) : Matrix(b, product.w);
  }
  if (!w || !scale)
    return Matrix(b, product.w, product.wScale);
  firstUp = 0;
  return Matrix(b, w, scale);
}

GatedProduct::GatedProduct(TileBuilder &b, const Product &product,
                           SwigluOp swiglu)
    : b(b), product(product),
      width(cast<RankedTensorType>(swiglu.getType()).getDimSize(1)),
      x(b.plain(product.x)),
      inner(getElementTypeOrSelf(product.op->getResult(0).getType())),
      outer(getElementTypeOrSelf(swiglu.getType())), gate(half(0)),
      up(half(1)) {}

int64_t GatedProduct::tileOf(int64_t limit) const {
  return deepseek::tileOf(std::gcd(gate.rowTile(limit), width), limit);
}

Value GatedProduct::combine(ValueRange sums) {
  return b.elementwise(sums[1], sums[0], [&](ValueRange args) {
    Value left = b.widen(b.round(args[1], inner));
    Value right = b.widen(b.round(args[0], inner));
    return b.widen(b.round(emitGate(b, left, right), outer));
  });
}

SmallVector<Value> GatedProduct::forTiles(
    ValueRange outs, int64_t tile,
    function_ref<Parts(ValueRange, Value, ArrayRef<MatrixTile>, Window)> body) {
  auto run = [&](ValueRange outs, Value column, Value item, Window rows) {
    OpFoldResult second = b.add(column, b.getIndexAttr(firstUp));
    return body(
        outs, column,
        {gate.tile(b, item, column, tile), up.tile(b, item, second, tile)},
        rows);
  };
  OpFoldResult columns = b.getIndexAttr(width);
  if (!product.offsets)
    return b.parallelMany(
        {columns}, {tile}, outs, [&](ValueRange at, ValueRange outs) {
          return run(outs, at[0], {},
                     Window(2).range(0, b.getIndexAttr(0), b.size(x, 0)));
        });
  int64_t groups = cast<RankedTensorType>(product.w.getType()).getDimSize(0);
  return b.parallelMany(
      {columns, b.getIndexAttr(groups)}, {tile, 1}, outs,
      [&](ValueRange at, ValueRange outs) {
        Value begin = b.indexAt(product.offsets, at[1]);
        Value end = b.indexAt(product.offsets, b.add(at[1], b.getIndexAttr(1)));
        return run(outs, at[0], at[1],
                   Window(2).range(0, begin, b.sub(end, begin)));
      });
}

static SmallVector<Value> lowerGated(TileBuilder &b, SwigluOp op,
                                     const Product &product) {
  GatedProduct gated(b, product, op);
  int64_t tile = gated.tileOf(kOutputTile);
  Value out = destinationLike(b, op->getResult(0), gated.x);
  return gated.forTiles(
      out, tile,
      [&](ValueRange outs, Value column, ArrayRef<MatrixTile> weights,
          Window rows) -> Parts {
        Window window = rows;
        window.range(1, column, b.getIndexAttr(tile));
        Value some = b.slice(gated.x, rows), part = b.slice(outs[0], window);
        Value count = b.toValue(rows.sizes[0]);
        auto combine = [&](ValueRange sums) { return gated.combine(sums); };
        if (!product.isScaled())
          return {
              {window, emitProduct(b, some, weights, part, count, combine)}};
        RowScales scales = RowScales(product.x, product.xScale)
                               .rows(b, rows.offsets[0], rows.sizes[0]);
        return {{window, emitScaledProduct(b, some, scales, weights, part,
                                           count, combine)}};
      });
}

//===----------------------------------------------------------------------===//
// ... and a quantization behind it
//===----------------------------------------------------------------------===//

/// Quantizes each row of f32 `values`, one block, into codes and scales.
static SmallVector<Value> quantizeRows(TileBuilder &b, Value values,
                                       int64_t rows, RankedTensorType type,
                                       ValueRange places) {
  OpFoldResult one = b.getIndexAttr(1);
  Type scaleType = getElementTypeOrSelf(places[1].getType());
  return b.serial(
      b.getIndexAttr(0), b.getIndexAttr(rows), 1, places,
      [&](Value row, ValueRange carried) -> SmallVector<Value> {
        Window window = Window(2).range(0, row, one);
        BlockSource source{{b.slice(values, window)},
                           {b.getMultiDimIdentityMap(2)},
                           [&](ValueRange args) { return args[0]; }};
        QuantizedBlock block =
            quantizeBlock(b, source, type, b.slice(carried[0], window));
        Value scale = b.round(block.scale, scaleType);
        return {b.put(block.codes, carried[0], window),
                b.insert(scale, carried[1], {row, b.index(0)})};
      });
}

/// The product and the swiglu that `op` quantizes tile by tile.
static std::pair<Product, SwigluOp> getQuantized(QuantizeOp op) {
  auto swiglu = op.getX().getDefiningOp<SwigluOp>();
  Value source = swiglu ? getGatedSource(swiglu) : Value();
  Product product(source ? source.getDefiningOp() : nullptr);
  bool only = product.op && getOnlySwiglu(source) == swiglu &&
              llvm::all_of(swiglu->getUsers(), [&](Operation *user) {
                return user == op || isa<tensor::DimOp>(user);
              });
  if (!only || !product.hasStaticWeight() || !quantizesTiles(op, product) ||
      !isScaledByRow(product.x))
    return {Product(nullptr), SwigluOp()};
  return {product, swiglu};
}

static SmallVector<Value> lowerQuantizedProduct(TileBuilder &b, QuantizeOp op) {
  auto [product, swiglu] = getQuantized(op);
  if (!product.op)
    return {};
  auto type = cast<RankedTensorType>(op.getQ().getType());
  int64_t tile = getBlockScaled(type).getBlock().back();
  GatedProduct gated(b, product, swiglu);
  Value codes = destinationLike(b, op->getResult(0), gated.x);
  Value scales = destinationLike(b, op->getResult(1), gated.x);
  RowScales xScales(product.x, product.xScale);
  return gated.forTiles(
      {codes, scales}, tile,
      [&](ValueRange outs, Value column, ArrayRef<MatrixTile> weights,
          Window rows) -> Parts {
        Window window = rows, place = rows;
        window.range(1, column, b.getIndexAttr(tile));
        place.range(1, b.div(column, tile), b.getIndexAttr(1));
        RowScales some = xScales.rows(b, rows.offsets[0], rows.sizes[0]);
        SmallVector<Value> parts = forRowBlocks(
            b, b.slice(gated.x, rows),
            {b.slice(outs[0], window), b.slice(outs[1], place)},
            b.toValue(rows.sizes[0]),
            [&](Value block, OpFoldResult row, int64_t size, ValueRange outs) {
              OpFoldResult count = b.getIndexAttr(size);
              RowScales scales = some.rows(b, row, count);
              Value values = gated.combine(
                  {emitScaledSum(b, block, scales, weights[0], size),
                   emitScaledSum(b, block, scales, weights[1], size)});
              Window at = Window(2).range(0, row, count);
              SmallVector<Value> done =
                  quantizeRows(b, values, size, type,
                               {b.slice(outs[0], at), b.slice(outs[1], at)});
              return SmallVector<Value>{b.put(done[0], outs[0], at),
                                        b.put(done[1], outs[1], at)};
            });
        return {{window, parts[0]}, {place, parts[1]}};
      });
}

//===----------------------------------------------------------------------===//
// Which is it
//===----------------------------------------------------------------------===//

static bool hasEpilogue(const Product &product) {
  return product.op && product.hasStaticWeight() &&
         (!product.isScaled() || isScaledByRow(product.x)) &&
         getOnlySwiglu(product.op->getResult(0));
}

bool deepseek::hasEpilogue(Operation *product) {
  return ::hasEpilogue(Product(product));
}

static SmallVector<Value> lowerSwiglu(TileBuilder &b, SwigluOp op) {
  Value source = getGatedSource(op);
  Product product(source ? source.getDefiningOp() : nullptr);
  if (!::hasEpilogue(product))
    return lowerAlone(b, op);
  // Where it is quantized, that is what is lowered.
  for (Operation *user : op->getUsers())
    if (auto quantize = dyn_cast<QuantizeOp>(user);
        quantize && getQuantized(quantize).second == op)
      return {};
  return lowerGated(b, op, product);
}

void deepseek::populateGatedProductToLinalg(RewritePatternSet &patterns) {
  patterns.add<LowerOp<SwigluOp, lowerSwiglu>>(patterns.getContext());
  patterns.add<LowerOp<QuantizeOp, lowerQuantizedProduct>>(
      patterns.getContext(), /*benefit=*/2);
}
