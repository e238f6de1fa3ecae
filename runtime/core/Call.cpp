//===- Call.cpp - The functions that a model's code calls -----------------===//
//
// The second half of abi.h. All are called from compiled code, so none throws.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Call.h"

#include "dsrt/dsrt.h"
#include "runtime/core/ElementTypes.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>

const void *const *dsrt_weights(dsrt_call *call) { return call->weights; }

void *dsrt_workspace(dsrt_call *call) { return call->workspace; }

dsrt_status dsrt_parallel(dsrt_call *call, dsrt_range range, void *context,
                          int64_t count, int64_t grain) {
  call->team->run(range, context, count, grain);
  return DSRT_OK;
}

/// Code for the host has no use for these, and no device to do it.
static dsrt_status failWithoutDevice(dsrt_call *call, const char *function) {
  call->failure =
      fmt::format("the model calls {}, but runs on no device", function);
  return DSRT_UNSUPPORTED;
}

int64_t dsrt_loaded_image(dsrt_call *) { return -1; }

dsrt_status dsrt_launch(dsrt_call *call, int64_t, const int64_t[3],
                        const void *const *) {
  return failWithoutDevice(call, "dsrt_launch");
}

dsrt_status dsrt_copy(dsrt_call *call, void *, const void *, int64_t) {
  return failWithoutDevice(call, "dsrt_copy");
}

dsrt_status dsrt_constant(dsrt_call *call, const void *, int64_t, void **) {
  return failWithoutDevice(call, "dsrt_constant");
}

void *dsrt_scratch(dsrt_call *) { return nullptr; }

dsrt_status dsrt_tensor_map(dsrt_call *call, const dsrt_tensor_map_desc *,
                            void *) {
  return failWithoutDevice(call, "dsrt_tensor_map");
}

namespace {

/// |actual|actual - expected| <= atol + rtol * |expected|, or the same bits.
/// Two NaNs are close, two equal infinities too.
bool holds(const dsrt_expectation &expectation, int64_t i) {
  if (expectation.exact) {
    const int64_t bytes = dsrt::elementBytes(expectation.dtype);
    return std::memcmp(
               static_cast<const char *>(expectation.actual) + i * bytes,
               static_cast<const char *>(expectation.expected) + i * bytes,
               static_cast<size_t>(bytes)) == 0;
  }
  const double actual =
      dsrt::elementValue(expectation.dtype, expectation.actual, i);
  const double expected =
      dsrt::elementValue(expectation.dtype, expectation.expected, i);
  if (std::isnan(expected))
    return std::isnan(actual);
  return actual == expected ||
         std::fabs(actual - expected) <=
             expectation.atol + expectation.rtol * std::fabs(expected);
}

} // namespace

dsrt_status dsrt_expect(dsrt_call *call, const dsrt_expectation *expectation) {
  int64_t first = -1, wrong = 0;
  for (int64_t i = 0; i < expectation->count; ++i)
    if (!holds(*expectation, i) && ++wrong == 1)
      first = i;
  if (!wrong)
    return DSRT_OK;
  call->failure = fmt::format(
      "{}: expected {}{} at element {}, got {} ({} of {} elements differ)",
      expectation->location, expectation->exact ? "exactly " : "",
      dsrt::elementValue(expectation->dtype, expectation->expected, first),
      first, dsrt::elementValue(expectation->dtype, expectation->actual, first),
      wrong, expectation->count);
  return DSRT_EXPECTATION_FAILED;
}
