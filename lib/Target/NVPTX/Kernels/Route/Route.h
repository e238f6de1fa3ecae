//===- Route.h - The launches of any_route ----------------------*- C++ -*-===//
//
// AnyRoute.cpp has their pseudo-code.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_ROUTE_ROUTE_H
#define LIB_TARGET_NVPTX_KERNELS_ROUTE_ROUTE_H

#include "lib/Target/NVPTX/Launcher.h"

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

namespace mlir::deepseek {

/// Which lanes of a warp hold which experts: group g those of lanes
/// [g * lanesPerGroup, (g + 1) * lanesPerGroup), `perLane` each, in order; what
/// is left of the last lanes is empty.
struct LaneShape {
  int64_t experts, groups, groupSize, lanesPerGroup, perLane;
};
LaneShape getLaneShape(RouteOp op);

/// Whether the launches below can do the op.
bool canRoute(RouteOp op);
bool canDispatch(MoEDispatchOp op);

/// 16-byte vectors of a row (or smaller ones, where 16 do not divide it).
int64_t getRowVectors(MoEDispatchOp op);

/// The argument of the kernel in which a value lies.
using PlaceOf = llvm::function_ref<unsigned(Value)>;

void emitRoute(LaunchBuilder &launch, RouteOp op, int64_t tokensPerCta,
               PlaceOf place);
void emitSort(LaunchBuilder &launch, MoEDispatchOp op, int64_t threads,
              PlaceOf place);
void emitCopy(LaunchBuilder &launch, MoEDispatchOp op, int64_t threads,
              PlaceOf place);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_ROUTE_ROUTE_H
