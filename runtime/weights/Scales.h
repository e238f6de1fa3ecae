//===- Scales.h - Checks the scales of FP8 weights --------------*- C++ -*-===//
//
// One bad scale turns a whole block of a weight into NaN or zero, and the
// model's text into noise; scales that were rounded without their codes bend
// every weight by up to a factor of two, and the text only gets worse. Both are
// refused at the start.
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
  DataType dtype;   // of the data, which may be a widened copy
  bool powerOfTwo;  // all must be powers of two that ue8m0 has
};

/// Finite and above zero, all of them; the first that is not is named. Types
/// other than F32, BF16 and F8_E8M0 are not looked at.
Status checkScales(const std::vector<ScaleTensor> &scales);

/// An E4M3 weight whose scales must be powers of two.
struct PowerOfTwoWeight {
  const Tensor *codes;
  const Tensor *scales;
  const SafetensorsFile *file; // of the codes
};

/// Refuses weights whose scales were rounded to powers of two while the codes
/// stayed as they were; looks at a few blocks only. `checkScales` comes first.
Status checkCodesAreRequantized(const std::vector<PowerOfTwoWeight> &weights);

} // namespace dsrt

#endif // DSRT_WEIGHTS_SCALES_H
