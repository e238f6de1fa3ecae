//===- PageTable.h - Which page of the cache holds what ---------*- C++ -*-===//
//
// The latent cache is cut into pages of equal size; a sequence owns as many as
// its length needs. This is the bookkeeping: pages are numbers, the memory
// behind them is the session's. Allocates only in its constructor.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_PAGETABLE_H
#define DSRT_CORE_PAGETABLE_H

#include <cstdint>
#include <vector>

namespace dsrt {

class PageTable {
public:
  /// Room for `sequences` sequences of at most `pagesPerSequence` pages.
  PageTable(int64_t sequences, int64_t pagesPerSequence, int64_t pageSize);

  /// A new, empty sequence, or -1 when all are in use.
  int32_t add();
  /// Gives the pages back.
  void remove(int32_t sequence);
  bool contains(int64_t sequence) const;

  int64_t length(int32_t sequence) const { return entries[sequence].length; }
  void setLength(int32_t sequence, int64_t length) {
    entries[sequence].length = length;
  }

  /// Owns pages for `length` tokens; at most what the constructor was told.
  void reserve(int32_t sequence, int64_t length);
  int64_t tokensPerPage() const { return pageSize; }
  int64_t pageCount(int64_t length) const {
    return (length + pageSize - 1) / pageSize;
  }
  int32_t page(int32_t sequence, int64_t index) const {
    return pages[sequence * pagesPerSequence + index];
  }
  /// The row of the cache that token `position` of the sequence has.
  int32_t slot(int32_t sequence, int64_t position) const {
    return static_cast<int32_t>(page(sequence, position / pageSize) * pageSize +
                                position % pageSize);
  }

private:
  struct Sequence {
    bool live = false;
    int64_t length = 0;
    int64_t pageCount = 0;
  };
  int64_t pagesPerSequence;
  int64_t pageSize;
  std::vector<Sequence> entries;
  std::vector<int32_t> pages;  // [sequences, pagesPerSequence]
  std::vector<int32_t> unused; // a stack
};

} // namespace dsrt

#endif // DSRT_CORE_PAGETABLE_H
