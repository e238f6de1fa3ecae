//===- Quantize.cpp - Rows in FP8 -----------------------------------------===//
//
//   quantize:  block of b elements = b / vector neighbouring threads
//              amax  = max over them of |x[i]|, by shuffles
//              scale = max(amax, 1e-4) / 448, rounded up to a power of two if
//                      the format says so
//              q[i]  = e4m3(x[i] / scale), the quotient correctly rounded
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/BlockScales.h"
#include "lib/Target/NVPTX/Kernels/Rows/RowBuilder.h"

using namespace mlir;
using namespace mlir::deepseek;

void deepseek::emitRow(RowBuilder &b, QuantizeOp op) {
  KernelBuilder &k = b.k;
  RowValue x = b.get(op.getX());
  auto type = cast<RankedTensorType>(op.getQ().getType());
  BlockScaledAttr scaling = getBlockScaled(type);
  int64_t threads = scaling.getBlock().back() / b.vector;
  int64_t blocks = llvm::divideCeil(x.elements, scaling.getBlock().back());
  Type scaleType = getElementTypeOrSelf(op.getScale().getType());

  RowValue q{type.getElementType(), x.elements, {}};
  Vals scales;
  for (size_t piece = 0; piece < x.pieces.size(); ++piece) {
    Vals values = b.unpack(x, piece);
    Val amax = k.abs(values.front());
    for (Val value : ArrayRef(values).drop_front())
      amax = k.max(amax, k.abs(value));
    for (int64_t mask = threads / 2; mask; mask /= 2)
      amax = k.max(amax, k.shuffleXor(amax, mask));
    Val scale =
        blockScale(k, amax, scaling.getFormat() == ScaleFormat::PowerOfTwo);
    for (Val &value : values)
      value = value / scale;
    q.pieces.push_back(b.pack(q.element, values));
    scales.push_back(scale);
  }
  b.set(op.getQ(), q);

  for (unsigned out : b.kernel.getOuts(op.getScale()))
    for (size_t piece = 0; piece < scales.size(); ++piece)
      b.ifWithin(x.elements, piece, [&] {
        Val block = b.pieceNumber(piece) / threads;
        Val index = scaling.getLayout() == ScaleLayout::RowMajor
                        ? b.getRow() * blocks + block
                        : block * b.getRows() + b.getRow();
        auto store = [&] {
          storeBlockScale(k, scaleType, scales[piece], k.param(out), index);
        };
        // One of a block's threads.
        if (threads == 1)
          store();
        else
          k.ifThen(b.getMember() % threads == 0, store);
      });
}
