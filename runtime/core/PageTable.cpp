//===- PageTable.cpp - Which page of the cache holds what -----------------===//
//
// Free pages are a stack: the page given back last is used first, its memory is
// still warm and already belongs to the process.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/PageTable.h"

#include <cstddef>

namespace dsrt {

PageTable::PageTable(int64_t sequences, int64_t pagesPerSequence,
                     int64_t pageSize)
    : pagesPerSequence(pagesPerSequence), pageSize(pageSize),
      entries(sequences), pages(sequences * pagesPerSequence) {
  unused.reserve(pages.size());
  for (int64_t page = sequences * pagesPerSequence; page-- > 0;)
    unused.push_back(static_cast<int32_t>(page));
}

int32_t PageTable::add() {
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (!entries[i].live) {
      entries[i] = {true, 0, 0};
      return static_cast<int32_t>(i);
    }
  return -1;
}

void PageTable::remove(int32_t sequence) {
  Sequence &entry = entries[sequence];
  while (entry.pageCount > 0)
    unused.push_back(page(sequence, --entry.pageCount));
  entry = {};
}

bool PageTable::contains(int64_t sequence) const {
  return sequence >= 0 && sequence < static_cast<int64_t>(entries.size()) &&
         entries[sequence].live;
}

void PageTable::reserve(int32_t sequence, int64_t length) {
  Sequence &entry = entries[sequence];
  for (int64_t wanted = pageCount(length); entry.pageCount < wanted;) {
    pages[sequence * pagesPerSequence + entry.pageCount++] = unused.back();
    unused.pop_back();
  }
}

} // namespace dsrt
