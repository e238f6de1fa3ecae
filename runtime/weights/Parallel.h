//===- Parallel.h - A loop on several threads -------------------*- C++ -*-===//
//
// For the work of opening a model, before there is a thread team.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_PARALLEL_H
#define DSRT_WEIGHTS_PARALLEL_H

#include <cstddef>
#include <functional>

namespace dsrt {

/// Runs body(0) ... body(count - 1), each once, in any order.
void parallelFor(size_t count, const std::function<void(size_t)> &body);

} // namespace dsrt

#endif // DSRT_WEIGHTS_PARALLEL_H
