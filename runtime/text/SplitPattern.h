//===- SplitPattern.h - A regular expression that splits text ---*- C++ -*-===//
//
// The Split steps of a pre-tokenizer. tokenizer.json files are written for
// Oniguruma's Ruby syntax over Unicode; PCRE2 runs them here, after a
// translation of what the two read differently. What the translation does not
// know is an error, never another split.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_SPLITPATTERN_H
#define DSRT_TEXT_SPLITPATTERN_H

#include "runtime/core/Status.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace dsrt {

/// An expression of Oniguruma as one of PCRE2 with UTF, UCP and MULTILINE set.
Result<std::string> translateRegex(std::string_view pattern);

class SplitPattern {
public:
  /// Memory of one thread's matches.
  class Scratch {
  public:
    Scratch();
    ~Scratch();
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

  private:
    friend class SplitPattern;
    struct State;
    std::unique_ptr<State> state;
  };

  struct Match {
    size_t begin;
    size_t end;
    bool found;
  };

  static Result<SplitPattern> compile(std::string_view pattern);

  /// The first match in `text` at or after `from`. Text before `from` is seen
  /// by look-behind, text outside of `text` by nothing.
  Result<Match> find(std::string_view text, size_t from,
                     Scratch &scratch) const;

private:
  SplitPattern() = default;

  std::string source; // for messages
  std::shared_ptr<const void> code;
};

} // namespace dsrt

#endif // DSRT_TEXT_SPLITPATTERN_H
