//===- ElementTypes.h - The element types of buffers ------------*- C++ -*-===//
//
// Names, sizes and values of the element types of abi.h.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_ELEMENTTYPES_H
#define DSRT_CORE_ELEMENTTYPES_H

#include "dsrt/abi.h"

namespace dsrt {

/// The words of messages: "f32", "bf16" ...; "unknown" for other numbers.
const char *elementTypeName(int64_t dtype);

/// Bytes of an element, 0 for DSRT_INDEX and for unknown types.
int64_t elementBytes(int64_t dtype);

/// The exact value of data[index]; 64-bit integers beyond 2^53 are rounded.
double elementValue(int64_t dtype, const void *data, int64_t index);

} // namespace dsrt

#endif // DSRT_CORE_ELEMENTTYPES_H
