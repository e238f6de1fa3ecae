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
#include <memory>
#include <new>

namespace dsrt::simulator {

class InitializedBytes {
public:
  explicit InitializedBytes(uint64_t size)
      : bits(static_cast<uint64_t *>(
            std::calloc(size / kWord + 1, sizeof(uint64_t)))) {
    if (!bits)
      throw std::bad_alloc();
  }

  void clear(uint64_t offset, uint64_t count) {
    forWords(offset, count, [](uint64_t &word, uint64_t mask) {
      __atomic_fetch_and(&word, ~mask, __ATOMIC_RELAXED);
      return true;
    });
  }

  void set(uint64_t offset, uint64_t count) {
    forWords(offset, count, [](uint64_t &word, uint64_t mask) {
      if ((__atomic_load_n(&word, __ATOMIC_RELAXED) & mask) != mask)
        __atomic_fetch_or(&word, mask, __ATOMIC_RELAXED);
      return true;
    });
  }

  bool areSet(uint64_t offset, uint64_t count) const {
    return forWords(offset, count, [](uint64_t &word, uint64_t mask) {
      return (__atomic_load_n(&word, __ATOMIC_RELAXED) & mask) == mask;
    });
  }

private:
  static constexpr uint64_t kWord = 64;

  /// Calls 'function' with each word of bits and which of them are meant, until
  /// it returns false.
  template <typename F>
  bool forWords(uint64_t offset, uint64_t count, F function) const {
    for (uint64_t end = offset + count; offset < end;) {
      uint64_t first = offset % kWord;
      uint64_t here = std::min(kWord - first, end - offset);
      uint64_t mask = ~uint64_t(0) >> (kWord - here) << first;
      if (!function(bits.get()[offset / kWord], mask))
        return false;
      offset += here;
    }
    return true;
  }

  struct Free {
    void operator()(uint64_t *memory) const { std::free(memory); }
  };
  std::unique_ptr<uint64_t, Free> bits;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_INITIALIZEDBYTES_H
