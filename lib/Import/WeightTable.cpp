//===- WeightTable.cpp - The weights that a module declares ---------------===//
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "WeightTable.h"

using namespace mlir;
using namespace mlir::deepseek;

StringRef WeightTable::declare(StringRef symbol, StringRef key,
                               RankedTensorType type) {
  WeightOp &weight = weights[symbol];
  if (!weight) {
    Location loc = NameLoc::get(builder.getStringAttr(key));
    weight = WeightOp::create(builder, loc, symbol, type,
                              builder.getStringAttr(key), ElementsAttr());
    // Behind its elders: the builder would put each before the one before.
    builder.setInsertionPointAfter(weight);
  }
  return weight.getSymName();
}
