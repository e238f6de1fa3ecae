//===- WeightTable.cpp - The weights that a module declares ---------------===//
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "WeightTable.h"

using namespace mlir;
using namespace mlir::deepseek;

StringRef WeightTable::declare(StringRef symbol, StringRef key,
                               RankedTensorType type, bool quantizable) {
  WeightOp &weight = weights[symbol];
  if (!weight) {
    OpBuilder builder(module.getContext());
    if (last)
      builder.setInsertionPointAfter(last);
    else
      builder.setInsertionPointToStart(module.getBody());
    Location loc = NameLoc::get(builder.getStringAttr(key));
    weight = WeightOp::create(builder, loc, symbol, type,
                              builder.getStringAttr(key), ElementsAttr(),
                              /*last_key=*/StringAttr());
    if (quantizable)
      weight->setAttr(kQuantizableAttr, builder.getUnitAttr());
    last = weight;
  }
  return weight.getSymName();
}
