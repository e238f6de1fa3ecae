//===- Options.h - The command line of a command ----------------*- C++ -*-===//
//
// A command declares its options, each with the place its value goes and a
// sentence of help; parsing checks every value against what the option accepts.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_OPTIONS_H
#define DSRT_SERVE_OPTIONS_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace dsrt {

class Options {
public:
  /// `usage` is what follows the program's name; `text` is a paragraph of help.
  Options(std::string program, std::string usage, std::string text);

  /// The one word that belongs to no option.
  void positional(const char *metavar, std::optional<std::string> &value);
  void flag(const char *name, bool &value, const char *help);
  void string(const char *name, const char *metavar,
              std::optional<std::string> &value, const char *help);
  void choice(const char *name, std::vector<std::string> accepted,
              std::string &value, const char *help);
  /// A flag that may have a value: `plain` without one, as in --name; else one
  /// of `accepted`, as in --name=VALUE.
  void flagOrChoice(const char *name, const char *plain,
                    std::vector<std::string> accepted,
                    std::optional<std::string> &value, const char *help);
  void integer(const char *name, const char *metavar, int64_t smallest,
               int64_t largest, int64_t &value, const char *help);
  void integer(const char *name, const char *metavar, int64_t smallest,
               int64_t largest, std::optional<int64_t> &value,
               const char *help);
  /// A number within [smallest, largest].
  void real(const char *name, const char *metavar, double smallest,
            double largest, std::optional<double> &value, const char *help);

  /// Fills the values; `helpWanted` is set by --help.
  Status parse(const std::vector<std::string> &arguments);
  bool helpWanted() const { return help; }
  std::string helpText() const;

private:
  struct Option {
    std::string name, metavar, help;
    bool takesValue; // else it may have one where `metavar` begins with "[="
    std::function<Status(const std::string &)> set;
  };
  void add(const char *name, const char *metavar, const char *help,
           bool takesValue, std::function<Status(const std::string &)> set);

  std::string program, usage, text;
  std::vector<Option> options;
  const char *positionalName = nullptr;
  std::optional<std::string> *positionalValue = nullptr;
  bool help = false;
};

/// "0,12,7" or "0 12 7" -> ids. `origin` names the text in errors.
Result<std::vector<int32_t>> parseIds(const std::string &text,
                                      const std::string &origin);

} // namespace dsrt

#endif // DSRT_SERVE_OPTIONS_H
