//===- Processor.h - What this machine's processor can do -------*- C++ -*-===//

#ifndef DSRT_CORE_PROCESSOR_H
#define DSRT_CORE_PROCESSOR_H

#include "runtime/core/Status.h"

#include <string>

namespace dsrt {

/// An error if this processor lacks one of `features` (dsrt_module.cpu_features),
/// so that `path` would die of an illegal instruction.
Status checkProcessor(const char *features, const std::string &path);

} // namespace dsrt

#endif // DSRT_CORE_PROCESSOR_H
