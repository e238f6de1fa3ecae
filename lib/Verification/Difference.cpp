//===- Difference.cpp - How far tensors are apart -------------------------===//

#include "lib/Verification/Difference.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::verification;
using reference::Tensor;
using reference::TensorMap;

void Difference::add(const Difference &other) {
  identical &= other.identical;
  largest = std::max(largest, other.largest);
  sum += other.sum;
  count += other.count;
  magnitude = std::max(magnitude, other.magnitude);
}

static double getElement(const Tensor &tensor, int64_t i) {
  return reference::isFloat(tensor.type())
             ? tensor.getFloat(i)
             : static_cast<double>(tensor.getInt(i));
}

static double getDistance(double before, double after) {
  if (before == after || (std::isnan(before) && std::isnan(after)))
    return 0;
  double distance = std::fabs(before - after);
  return std::isnan(distance) ? INFINITY : distance;
}

Difference verification::compare(const Tensor &before, const Tensor &after) {
  Difference difference;
  difference.count = before.size();
  if (before.type() != after.type() || before.size() != after.size()) {
    difference.identical = false;
    difference.largest = difference.sum = INFINITY;
    return difference;
  }
  difference.identical =
      before.bytes() == 0 ||
      std::memcmp(before.data(), after.data(), before.bytes()) == 0;
  if (difference.identical)
    return difference;
  const int64_t width = reference::byteSize(before.type());
  bool isFound = false;
  for (int64_t i = 0; i < before.size(); ++i) {
    double value = getElement(before, i);
    double distance = getDistance(value, getElement(after, i));
    if (std::isfinite(value))
      difference.magnitude = std::max(difference.magnitude, std::fabs(value));
    difference.sum += distance;
    // The first that has other bits, though it may be as large: -0, or NaN.
    bool isFirst = !isFound && std::memcmp(before.data() + i * width,
                                           after.data() + i * width, width);
    if (isFirst || distance > difference.largest)
      difference.where = i;
    isFound |= isFirst;
    difference.largest = std::max(difference.largest, distance);
  }
  return difference;
}

llvm::Expected<Difference> verification::compare(const TensorMap &before,
                                                 const TensorMap &after) {
  Difference total;
  for (const auto &[name, tensor] : after)
    if (!before.count(name))
      return reference::makeError("returns '" + name +
                                  "', which the stage before does not");
  for (const auto &[name, tensor] : before) {
    auto found = after.find(name);
    if (found == after.end())
      return reference::makeError("does not return '" + name +
                                  "', as the stage before does");
    if (tensor.type() != found->second.type() ||
        tensor.size() != found->second.size())
      return reference::makeError("returns '" + name + "' as " +
                                  found->second.describe() + ", expected " +
                                  tensor.describe());
    total.add(compare(tensor, found->second));
  }
  return total;
}

std::string verification::describe(const Difference &difference,
                                   const Tensor &before, const Tensor &after) {
  if (before.type() != after.type() || before.size() != after.size())
    return before.describe() + " before, " + after.describe() + " after";
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "element [";
  int64_t rest = difference.where, block = before.size();
  for (int64_t d = 0; d < before.rank(); ++d) {
    block /= before.dim(d);
    stream << (d ? ", " : "") << rest / block;
    rest %= block;
  }
  stream << "]: "
         << llvm::format("%.9g before, %.9g after",
                         getElement(before, difference.where),
                         getElement(after, difference.where))
         << llvm::format("; largest value before %.3g", difference.magnitude);
  return text;
}
