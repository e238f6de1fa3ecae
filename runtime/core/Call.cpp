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

/// Keeps the message of a status that goes through compiled code.
static dsrt_status keep(dsrt_call *call, const dsrt::Status &status) {
  if (!status.ok())
    call->failure = status.message();
  return status.code();
}

int64_t dsrt_loaded_image(dsrt_call *call) {
  return call->device->loadedImage();
}

dsrt_status dsrt_launch(dsrt_call *call, int64_t device_kernel,
                        const int64_t grid[3], const void *const *args) {
  return keep(call, call->device->launch(device_kernel, grid, args));
}

dsrt_status dsrt_copy(dsrt_call *call, void *target, const void *source,
                      int64_t bytes) {
  return keep(call,
              call->device->copy(target, source, static_cast<uint64_t>(bytes)));
}

dsrt_status dsrt_constant(dsrt_call *call, const void *host, int64_t bytes,
                          void **device) {
  dsrt::Result<void *> address =
      call->device->constant(host, static_cast<uint64_t>(bytes));
  if (address.ok())
    *device = *address;
  return keep(call, address.status());
}

void *dsrt_scratch(dsrt_call *call) { return call->device->scratch(); }

dsrt_status dsrt_tensor_map(dsrt_call *call, const dsrt_tensor_map_desc *desc,
                            void *map) {
  return keep(call, call->device->encodeTensorMap(*desc, map));
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

/// Compares buffers of the host.
static dsrt_status expect(dsrt_call *call,
                          const dsrt_expectation *expectation) {
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

dsrt_status dsrt_expect(dsrt_call *call, const dsrt_expectation *expectation) {
  if (call->device->isHost())
    return expect(call, expectation);
  const uint64_t bytes =
      static_cast<uint64_t>(expectation->count) *
      static_cast<uint64_t>(dsrt::elementBytes(expectation->dtype));
  std::vector<char> actual(bytes), expected(bytes);
  const dsrt::Status copied = [&]() -> dsrt::Status {
    dsrt::Device &device = *call->device;
    DSRT_TRY(device.download(actual.data(), expectation->actual, bytes));
    DSRT_TRY(device.download(expected.data(), expectation->expected, bytes));
    return device.synchronize();
  }();
  if (!copied.ok())
    return keep(call, copied);
  dsrt_expectation onHost = *expectation;
  onHost.actual = actual.data();
  onHost.expected = expected.data();
  return expect(call, &onHost);
}
