//===- DerivedWeights.h - Weights computed at the start ---------*- C++ -*-===//
//
// Runs the entry "prepare" of a model once, on all cores or the GPU, and keeps
// the workspace that its results, the derived weights, lie in.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_DERIVEDWEIGHTS_H
#define DSRT_CORE_DERIVEDWEIGHTS_H

#include "runtime/core/Memory.h"
#include "runtime/core/Module.h"

namespace dsrt {

/// The name of the entry that computes derived weights.
constexpr const char *kPrepareEntry = "prepare";

/// An error unless each derived weight of the module is a result of the entry.
Status checkDerivedWeights(const Module &module);

/// Computes the derived weights of a module, of which all others are bound, and
/// sets their addresses; returns the memory they lie in. On the processor
/// `report`, if not null, is called from another thread, from two seconds on.
Result<Memory> computeDerivedWeights(const Module &module, Device &device,
                                     std::vector<const void *> &addresses,
                                     const Reporter &report);

} // namespace dsrt

#endif // DSRT_CORE_DERIVEDWEIGHTS_H
