//===- Status.h - What a function that can fail returns ---------*- C++ -*-===//
//
// A code of dsrt.h and a message, or a value. Nothing in the runtime throws
// across a file or aborts on input: functions return these.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_STATUS_H
#define DSRT_CORE_STATUS_H

#include "dsrt/dsrt.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

namespace dsrt {

class [[nodiscard]] Status {
public:
  Status() = default;
  Status(dsrt_status code, std::string message)
      : statusCode(code), text(std::move(message)) {}

  bool ok() const { return statusCode == DSRT_OK; }
  dsrt_status code() const { return statusCode; }
  const std::string &message() const { return text; }

private:
  dsrt_status statusCode = DSRT_OK;
  std::string text;
};

/// A failure; the message is lower case, one line, without a full stop.
template <typename... Args>
Status error(dsrt_status code, fmt::format_string<Args...> format,
             Args &&...args) {
  return Status(code, fmt::format(format, std::forward<Args>(args)...));
}

/// A value or the failure to make one.
template <typename T>
class [[nodiscard]] Result {
public:
  Result(T value) : held(std::move(value)) {}
  Result(Status failure) : failure(std::move(failure)) {}

  bool ok() const { return held.has_value(); }
  const Status &status() const { return failure; }
  T &operator*() { return *held; }
  const T &operator*() const { return *held; }
  T *operator->() { return &*held; }
  const T *operator->() const { return &*held; }

private:
  std::optional<T> held;
  Status failure;
};

} // namespace dsrt

/// Returns the failure of `expr` from the enclosing function.
#define DSRT_TRY(expr)                                                         \
  do {                                                                         \
    ::dsrt::Status dsrtTryStatus = (expr);                                     \
    if (!dsrtTryStatus.ok())                                                   \
      return dsrtTryStatus;                                                    \
  } while (false)

#endif // DSRT_CORE_STATUS_H
