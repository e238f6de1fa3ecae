//===- InitializedBytes.h - Which bytes were written ------------*- C++ -*-===//
//
// One bit per byte. Threads that write neighbouring bytes share a word of bits,
// so bits are set atomically, once.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_INITIALIZEDBYTES_H
#define DSRT_SIMULATOR_MACHINE_INITIALIZEDBYTES_H

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace dsrt::simulator {

class InitializedBytes {
public:
  explicit InitializedBytes(uint64_t size)
      : bits(static_cast<uint8_t *>(std::calloc(size / 8 + 1, 1))) {
    if (!bits)
      throw std::bad_alloc();
  }

  void clear(uint64_t offset, uint64_t count) {
    forBytes(offset, count, [](uint8_t &byte, uint8_t mask) {
      __atomic_fetch_and(&byte, static_cast<uint8_t>(~mask), __ATOMIC_RELAXED);
      return true;
    });
  }

  void set(uint64_t offset, uint64_t count) {
    forBytes(offset, count, [](uint8_t &byte, uint8_t mask) {
      if ((__atomic_load_n(&byte, __ATOMIC_RELAXED) & mask) != mask)
        __atomic_fetch_or(&byte, mask, __ATOMIC_RELAXED);
      return true;
    });
  }

  bool areSet(uint64_t offset, uint64_t count) const {
    return forBytes(offset, count, [](uint8_t &byte, uint8_t mask) {
      return (__atomic_load_n(&byte, __ATOMIC_RELAXED) & mask) == mask;
    });
  }

private:
  /// Calls 'function' with each byte of bits and which of them are meant, until
  /// it returns false.
  template <typename F>
  bool forBytes(uint64_t offset, uint64_t count, F function) const {
    for (uint64_t end = offset + count; offset < end;) {
      uint64_t first = offset % 8;
      uint64_t here = std::min(8 - first, end - offset);
      auto mask = static_cast<uint8_t>(((1u << here) - 1) << first);
      if (!function(bits.get()[offset / 8], mask))
        return false;
      offset += here;
    }
    return true;
  }

  struct Free {
    void operator()(uint8_t *memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t, Free> bits;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_INITIALIZEDBYTES_H
