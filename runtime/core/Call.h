//===- Call.h - What a model's code sees of its caller ----------*- C++ -*-===//
//
// The opaque dsrt_call of abi.h.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_CALL_H
#define DSRT_CORE_CALL_H

#include "dsrt/abi.h"
#include "runtime/core/ThreadTeam.h"
#include "runtime/device/Device.h"

#include <string>

struct dsrt_call {
  const void *const *weights = nullptr;
  void *workspace = nullptr;
  dsrt::ThreadTeam *team = nullptr;
  dsrt::Device *device = nullptr;
  std::string failure; // the text of what failed
};

#endif // DSRT_CORE_CALL_H
