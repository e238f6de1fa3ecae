//===- Conversion.h - Checkpoints to FP8 and back ---------------*- C++ -*-===//
//
// A folder with BF16 safetensors becomes one in the official FP8 layout, or the
// other way round. Memory is bounded by the threads, not by the checkpoint.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_QUANTIZE_CONVERSION_H
#define DSRT_QUANTIZE_CONVERSION_H

#include "runtime/quantize/Plan.h"

#include <csignal>

namespace dsrt {

struct ConversionOptions {
  std::string in, out;
  Direction direction = Direction::Quantize;
  ScaleFormat format = ScaleFormat::Any; // of Quantize
  int64_t threads = 0;                   // 0: as many as suit the machine
};

/// `interrupted` is looked at all the time; once it is not zero, what is done
/// is kept and an error says how to go on. Returns a line that sums up.
Result<std::string>
convertCheckpoint(const ConversionOptions &options,
                  const volatile std::sig_atomic_t &interrupted);

} // namespace dsrt

#endif // DSRT_QUANTIZE_CONVERSION_H
