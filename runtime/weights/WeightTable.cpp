//===- WeightTable.cpp - What tensors a program needs ---------------------===//
//
// A table comes out of a file, too: it is checked before it is used.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/WeightTable.h"

#include "runtime/weights/Quote.h"

#include <algorithm>

namespace dsrt {

static constexpr std::string_view kScaleSuffix = "_scale_inv";

bool isScaleKey(std::string_view key) {
  return key.size() > kScaleSuffix.size() &&
         key.substr(key.size() - kScaleSuffix.size()) == kScaleSuffix;
}

static Status checkRow(const WeightTable &table, uint64_t index) {
  const dsrt_weight &row = table.rows[index];
  std::string_view key = table.key(index);
  bool stacked = row.stacked != 0;
  auto wrong = [&](const char *what) {
    return error(DSRT_MALFORMED, "the model's weight table: {}: {}", quote(key),
                 what);
  };
  if (dataTypeOfAbi(row.dtype) == DataType::Unknown)
    return wrong("an element type that weights cannot have");
  if (row.rank < (stacked ? 1 : 0) || row.rank > DSRT_MAX_RANK)
    return wrong("a rank out of range");
  for (int64_t i = 0; i < row.rank; ++i)
    if (row.shape[i] < 0)
      return wrong("a negative size");
  if (!row.derived &&
      std::count(key.begin(), key.end(), '*') != (stacked ? 1 : 0))
    return wrong("expected one '*' in a stacked key, and none in others");
  // Each element is at least an entry of the index: no checkpoint has more.
  constexpr int64_t kMaxStacked = 1 << 20;
  if (stacked && row.shape[0] > kMaxStacked)
    return wrong("more stacked tensors than a checkpoint can have");
  if (row.last_key < -1 ||
      (row.last_key >= 0 && (!stacked || row.shape[0] == 0)))
    return wrong("a last tensor where none is stacked");
  if (row.scale_of < -1 || row.scale_of >= static_cast<int64_t>(table.count))
    return wrong("scales of a weight that is not in the table");
  return Status();
}

/// The bytes of a tensor, false if they overflow.
static bool countBytes(WantedTensor &tensor) {
  tensor.bytes = dataTypeBits(tensor.dtype) / 8;
  for (int64_t size : tensor.shape)
    if (__builtin_mul_overflow(tensor.bytes, static_cast<uint64_t>(size),
                               &tensor.bytes))
      return false;
  return true;
}

Result<std::vector<WantedTensor>> expandTable(const WeightTable &table) {
  std::vector<WantedTensor> result;
  for (uint64_t i = 0; i < table.count; ++i) {
    if (Status status = checkRow(table, i); !status.ok())
      return status;
    const dsrt_weight &row = table.rows[i];
    if (row.derived)
      continue;
    WantedTensor tensor;
    tensor.name = table.key(i);
    tensor.dtype = dataTypeOfAbi(row.dtype);
    tensor.shape.assign(row.shape + (row.stacked ? 1 : 0),
                        row.shape + row.rank);
    tensor.row = i;
    tensor.scaleOf = row.scale_of;
    tensor.powerOfTwo = row.power_of_two != 0;
    if (!countBytes(tensor))
      return error(DSRT_MALFORMED,
                   "the model's weight table: {}: the size of {} overflows 64 "
                   "bits",
                   quote(tensor.name), shapeText(tensor.shape));
    if (!row.stacked) {
      result.push_back(std::move(tensor));
      continue;
    }
    size_t star = tensor.name.find('*');
    std::string_view last = table.lastKey(i);
    for (int64_t e = 0; e < row.shape[0]; ++e) {
      result.push_back(tensor);
      if (!last.empty() && e + 1 == row.shape[0])
        result.back().name = last;
      else
        result.back().name.replace(star, 1, std::to_string(e));
    }
  }
  return result;
}

int64_t WeightTableBuilder::append(const std::string &text) {
  auto offset = static_cast<int64_t>(strings.size());
  strings += text;
  strings += '\0';
  return offset;
}

uint64_t WeightTableBuilder::add(const std::string &key, int64_t dtype,
                                 const std::vector<int64_t> &shape,
                                 bool powerOfTwo, const std::string &lastKey) {
  dsrt_weight row = {};
  row.key = append(key);
  row.dtype = dtype;
  row.rank = static_cast<int64_t>(shape.size());
  // A rank that the row cannot hold is left for expandTable to refuse.
  std::copy_n(shape.begin(), std::min<size_t>(shape.size(), DSRT_MAX_RANK),
              row.shape);
  row.stacked = key.find('*') != std::string::npos;
  row.scale_of = -1;
  row.power_of_two = powerOfTwo;
  row.last_key = lastKey.empty() ? -1 : append(lastKey);
  rowOf.emplace(std::pair(key, lastKey), rows.size());
  rows.push_back(row);
  return rows.size() - 1;
}

/// The name of the weight whose scales have the name `key`.
static std::string weightOfScales(std::string_view key) {
  return std::string(key.substr(0, key.size() - kScaleSuffix.size()));
}

WeightTable WeightTableBuilder::table() {
  WeightTable result = {rows.data(), rows.size(), strings.data()};
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string_view key = result.key(i), last = result.lastKey(i);
    if (!isScaleKey(key) || (!last.empty() && !isScaleKey(last)))
      continue;
    auto weight = rowOf.find(
        {weightOfScales(key), last.empty() ? "" : weightOfScales(last)});
    if (weight != rowOf.end())
      rows[i].scale_of = static_cast<int64_t>(weight->second);
  }
  return result;
}

} // namespace dsrt
