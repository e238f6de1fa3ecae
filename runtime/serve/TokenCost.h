//===- TokenCost.h - What a token costs -------------------------*- C++ -*-===//
//
// Bytes read and operations done per token, from the tables of a model.
//
// Counted: every weight that the entry reads once, of a stacked weight (experts)
// as many as a token uses, of the embedding one row; two operations per element
// of a matrix. Not counted: activations, the products of attention with the
// cache, and the weights of the MTP module.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_TOKENCOST_H
#define DSRT_SERVE_TOKENCOST_H

#include "runtime/core/Module.h"

namespace dsrt {

struct TokenCost {
  double weightBytes = 0;
  double operations = 0;
  int64_t expertsPerToken = 0; // 0: the model has none
};

TokenCost tokenCost(const Module &module);

/// Bytes that one token has in the caches of the entry.
int64_t cacheBytesPerToken(const Module &module, const dsrt_entry &entry);

/// Bytes of a weight, with all of its stack.
double weightBytes(const dsrt_weight &weight);

} // namespace dsrt

#endif // DSRT_SERVE_TOKENCOST_H
