//===- DebugLocations.h - From device code to graph ops ---------*- C++ -*-===//

#ifndef LIB_TARGET_NVPTX_DEBUGLOCATIONS_H
#define LIB_TARGET_NVPTX_DEBUGLOCATIONS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::deepseek {

/// Where the graph op of a location stands: its file, or, if it was imported,
/// the name that it has in the checkpoint ("model.layers.3.self_attn") as a
/// file of one line.
FileLineColLoc getSource(Location location);

/// Gives all ops of device functions a place in the source of their function,
/// and the functions scopes, so that the PTX has lines `.loc`.
void attachDebugLocations(gpu::GPUModuleOp module);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_DEBUGLOCATIONS_H
