//===- Weights.h - The addresses of a program's weights ---------*- C++ -*-===//
//
// Binds every row of a weight table to the tensors of a checkpoint, in place in
// its mapped files, or to made-up values. Everything that the table says about
// a tensor is checked.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_WEIGHTS_H
#define DSRT_WEIGHTS_WEIGHTS_H

#include "runtime/weights/Checkpoint.h"
#include "runtime/weights/WeightTable.h"
#include "runtime/weights/synthetic/SyntheticWeights.h"

#include <memory>
#include <optional>

namespace dsrt {

class Weights {
public:
  /// `source` is a checkpoint folder, "seed:N" or "splat:X".
  Weights() = default;
  static Result<std::unique_ptr<Weights>> bind(const WeightTable &table,
                                               const std::string &source);

  /// One per row. Of a stacked row: the address of a table of pointers, one per
  /// stacked tensor. Null of a derived row. Valid as long as this object
  /// lives.
  const void *const *addresses() const { return rowAddresses.data(); }

  /// What whoever runs the program may want to know; not errors.
  const std::vector<std::string> &notes() const { return messages; }

private:
  Status bindCheckpoint(const std::vector<WantedTensor> &wanted);
  Status findTensors(const std::vector<WantedTensor> &wanted,
                     std::vector<CheckpointTensor> &found) const;
  Status place(const WantedTensor &wanted, const CheckpointTensor &found,
               uint64_t &copiedBytes);
  Status checkQuantized(const std::vector<WantedTensor> &wanted,
                        const std::vector<CheckpointTensor> &found) const;
  void noteUnused(const std::vector<WantedTensor> &wanted,
                  const std::vector<CheckpointTensor> &found);
  void fillRows(const WeightTable &table);

  std::optional<Checkpoint> checkpoint;
  std::optional<SyntheticWeights> synthetic;
  std::vector<AlignedBuffer> copies; // of tensors not usable in place
  std::vector<const void *> tensors; // one per tensor that the table asks for
  std::vector<const void *> rowAddresses;
  std::vector<std::string> messages;
};

} // namespace dsrt

#endif // DSRT_WEIGHTS_WEIGHTS_H
