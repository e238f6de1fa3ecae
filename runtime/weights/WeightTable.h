//===- WeightTable.h - What tensors a program needs -------------*- C++ -*-===//
//
// The weight table of abi.h: that of a compiled model, or one made for a
// program that is not compiled, so that both get the same bytes.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_WEIGHTTABLE_H
#define DSRT_WEIGHTS_WEIGHTTABLE_H

#include "dsrt/abi.h"
#include "runtime/core/Status.h"
#include "runtime/weights/DataType.h"

#include <map>
#include <vector>

namespace dsrt {

struct WeightTable {
  const dsrt_weight *rows = nullptr;
  uint64_t count = 0;
  const char *strings = nullptr;

  const char *key(uint64_t row) const { return strings + rows[row].key; }
  /// The name of the last tensor of a stacked row, empty if it has none of its
  /// own.
  std::string_view lastKey(uint64_t row) const {
    int64_t key = rows[row].last_key;
    return key < 0 ? std::string_view() : strings + key;
  }
};

/// One tensor of a checkpoint that a table asks for: a row, or an element of a
/// stacked row.
struct WantedTensor {
  std::string name; // without '*'
  DataType dtype = DataType::Unknown;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
  uint64_t row = 0;
  int64_t scaleOf = -1; // row of the weight these are the scales of
  bool powerOfTwo = false;
};

/// All tensors but derived ones, in the order of rows and of the stacked index. An error if the
/// table contradicts itself.
Result<std::vector<WantedTensor>> expandTable(const WeightTable &table);

/// Makes a table row by row.
class WeightTableBuilder {
public:
  /// Adds a weight and returns its row. A '*' in the key makes it stacked, with
  /// shape[0] tensors; `X_scale_inv` are the scales of the weight `X`, which
  /// may be added before or after it. `lastKey` names the last stacked tensor.
  uint64_t add(const std::string &key, int64_t dtype,
               const std::vector<int64_t> &shape, bool powerOfTwo = false,
               const std::string &lastKey = "");
  /// Valid until the next `add`, as long as the builder lives.
  WeightTable table();

private:
  int64_t append(const std::string &text);

  std::vector<dsrt_weight> rows;
  std::string strings;
  std::map<std::pair<std::string, std::string>, uint64_t> rowOf; // by keys
};

/// True for a key of scales, as published checkpoints name them.
bool isScaleKey(std::string_view key);

} // namespace dsrt

#endif // DSRT_WEIGHTS_WEIGHTTABLE_H
