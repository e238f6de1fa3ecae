//===- RepeatedPool.h - A little memory that looks like a lot ---*- C++ -*-===//
//
// 64 MiB of values whose pages appear again and again in a range of addresses
// as large as needed.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_SYNTHETIC_REPEATEDPOOL_H
#define DSRT_WEIGHTS_SYNTHETIC_REPEATEDPOOL_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <functional>

namespace dsrt {

class RepeatedPool {
public:
  /// Of distinct memory. Larger than the last-level cache of most machines, so
  /// that timings with made-up weights are those of memory.
  static constexpr uint64_t kBytes = 64ull << 20;
  /// What `fill` is given at a time.
  static constexpr uint64_t kPiece = 1ull << 20;

  using Fill = std::function<void(uint8_t *data, uint64_t offset)>;

  RepeatedPool() = default;
  ~RepeatedPool();
  RepeatedPool(RepeatedPool &&other) noexcept;
  RepeatedPool &operator=(RepeatedPool &&other) noexcept;

  /// `fill` is called for each piece, from several threads. Afterwards at least
  /// `reach` bytes can be read from any offset below kBytes on.
  static Result<RepeatedPool> create(uint64_t reach, const Fill &fill);

  const uint8_t *data() const { return address; }

private:
  uint8_t *address = nullptr;
  uint64_t bytes = 0;
};

} // namespace dsrt

#endif // DSRT_WEIGHTS_SYNTHETIC_REPEATEDPOOL_H
