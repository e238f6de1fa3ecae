//===- Plan.h - What becomes of each tensor of a checkpoint -----*- C++ -*-===//
//
// Everything that is known before a byte of a weight is read: the headers of
// the new files, where each tensor goes, the new config and index. All that can
// be refused by then is refused.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_QUANTIZE_PLAN_H
#define DSRT_QUANTIZE_PLAN_H

#include "runtime/quantize/Fp8Blocks.h"
#include "runtime/weights/Checkpoint.h"

namespace dsrt {

enum class Direction { Quantize, Dequantize };

enum class Change { Copy, Quantize, Dequantize };

struct TensorPlan {
  const Tensor *source;
  Change change;
  const Tensor *scale = nullptr; // of a weight to dequantize
  uint64_t target = 0;           // where the result begins in the new file
  uint64_t scaleTarget = 0;      // and its scales, if it is quantized
};

struct ShardPlan {
  std::string name; // of both files
  const SafetensorsFile *source;
  std::string header;              // all bytes before the data
  uint64_t bytes;                  // of the new file
  std::vector<TensorPlan> tensors; // in the order of the old data
};

struct Plan {
  std::vector<ShardPlan> shards;
  std::string config;
  std::string index;                // empty if there is none
  std::vector<std::string> folders; // below the checkpoint's, outer ones first
  std::vector<std::string> files;   // to be copied as they are
  ScaleFormat format = ScaleFormat::Any;      // of the scales, old or new
  uint64_t tensorCount = 0, changedCount = 0; // of the old checkpoint
};

/// `format` matters to Quantize only. The plan points into the checkpoint.
Result<Plan> makePlan(const Checkpoint &checkpoint, Direction direction,
                      ScaleFormat format);

} // namespace dsrt

#endif // DSRT_QUANTIZE_PLAN_H
