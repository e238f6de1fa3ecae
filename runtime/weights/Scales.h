//===- Scales.h - Checks the scales of FP8 weights --------------*- C++ -*-===//
//
// One bad scale turns a whole block of a weight into NaN or zero, and the
// model's text into noise: it is refused at the start.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_SCALES_H
#define DSRT_WEIGHTS_SCALES_H

#include "runtime/weights/safetensors/Reader.h"

namespace dsrt {

struct ScaleTensor {
  const Tensor *tensor;
  const SafetensorsFile *file;
  const void *data; // aligned for the type
  bool powerOfTwo;  // all must be powers of two
};

/// Finite and above zero, all of them; the first that is not is named. Types
/// other than F32 and BF16 are not looked at.
Status checkScales(const std::vector<ScaleTensor> &scales);

} // namespace dsrt

#endif // DSRT_WEIGHTS_SCALES_H
