//===- Options.cpp - The command line of a command ------------------------===//
//
// Options are long or short names followed by their value, "--name=value" too.
// One word without a name is accepted where the command declares it.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace dsrt {

namespace {

template <typename T>
std::optional<T> parseNumber(const std::string &text) {
  T value;
  const char *end = text.data() + text.size();
  auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || rest != end)
    return std::nullopt;
  return value;
}

std::string join(const std::vector<std::string> &words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string wrap(const std::string &text, size_t indent, size_t width) {
  std::string result;
  size_t column = 0, at = 0;
  while (at < text.size()) {
    size_t end = std::min(text.find_first_of(" \n", at), text.size());
    size_t length = end - at;
    if (column > 0 && column + 1 + length > width) {
      result += '\n' + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      result += ' ';
      ++column;
    }
    result.append(text, at, length);
    column += length;
    at = end + 1;
    if (end < text.size() && text[end] == '\n') {
      result += '\n' + std::string(indent, ' ');
      column = 0;
    }
  }
  return result;
}

} // namespace

Options::Options(std::string program, std::string usage, std::string text)
    : program(std::move(program)), usage(std::move(usage)),
      text(std::move(text)) {}

void Options::add(const char *name, const char *metavar, const char *helpText,
                  bool takesValue,
                  std::function<Status(const std::string &)> set) {
  options.push_back({name, metavar, helpText, takesValue, std::move(set)});
}

void Options::positional(const char *metavar,
                         std::optional<std::string> &value) {
  positionalName = metavar;
  positionalValue = &value;
}

void Options::flag(const char *name, bool &value, const char *helpText) {
  add(name, "", helpText, false, [&value](const std::string &) {
    value = true;
    return Status();
  });
}

void Options::string(const char *name, const char *metavar,
                     std::optional<std::string> &value, const char *helpText) {
  add(name, metavar, helpText, true, [&value](const std::string &argument) {
    value = argument;
    return Status();
  });
}

void Options::choice(const char *name, std::vector<std::string> accepted,
                     std::string &value, const char *helpText) {
  std::string metavar = fmt::format("{}", fmt::join(accepted, "|"));
  add(name, metavar.c_str(), helpText, true,
      [name, accepted, &value](const std::string &argument) {
        if (std::find(accepted.begin(), accepted.end(), argument) ==
            accepted.end())
          return error(DSRT_INVALID_ARGUMENT,
                       "{}: expected one of {}, got '{}'", name, join(accepted),
                       argument);
        value = argument;
        return Status();
      });
}

void Options::flagOrChoice(const char *name, const char *plain,
                           std::vector<std::string> accepted,
                           std::optional<std::string> &value,
                           const char *helpText) {
  std::string metavar = fmt::format("[={}]", fmt::join(accepted, "|"));
  add(name, metavar.c_str(), helpText, false,
      [name, plain, accepted, &value](const std::string &argument) {
        value = argument.empty() ? plain : argument;
        if (*value == plain || std::find(accepted.begin(), accepted.end(),
                                         *value) != accepted.end())
          return Status();
        return error(DSRT_INVALID_ARGUMENT, "{}: expected one of {}, got '{}'",
                     name, join(accepted), argument);
      });
}

namespace {
Status setInteger(const char *name, int64_t smallest, int64_t largest,
                  const std::string &argument, int64_t &value) {
  std::optional<int64_t> number = parseNumber<int64_t>(argument);
  if (number && *number >= smallest && *number <= largest) {
    value = *number;
    return Status();
  }
  if (largest == std::numeric_limits<int64_t>::max())
    return error(DSRT_INVALID_ARGUMENT,
                 "{}: expected an integer of at least {}, got '{}'", name,
                 smallest, argument);
  return error(DSRT_INVALID_ARGUMENT,
               "{}: expected an integer from {} to {}, got '{}'", name,
               smallest, largest, argument);
}
} // namespace

void Options::integer(const char *name, const char *metavar, int64_t smallest,
                      int64_t largest, int64_t &value, const char *helpText) {
  add(name, metavar, helpText, true, [=, &value](const std::string &argument) {
    return setInteger(name, smallest, largest, argument, value);
  });
}

void Options::integer(const char *name, const char *metavar, int64_t smallest,
                      int64_t largest, std::optional<int64_t> &value,
                      const char *helpText) {
  add(name, metavar, helpText, true, [=, &value](const std::string &argument) {
    int64_t number = 0;
    Status status = setInteger(name, smallest, largest, argument, number);
    if (status.ok())
      value = number;
    return status;
  });
}

void Options::real(const char *name, const char *metavar, double smallest,
                   double largest, std::optional<double> &value,
                   const char *helpText) {
  add(name, metavar, helpText, true, [=, &value](const std::string &argument) {
    std::optional<double> number = parseNumber<double>(argument);
    // Written so that NaN is refused.
    if (!number || !(*number >= smallest && *number <= largest))
      return error(DSRT_INVALID_ARGUMENT,
                   "{}: expected a number from {} to {}, got '{}'", name,
                   smallest, largest, argument);
    value = *number;
    return Status();
  });
}

Status Options::parse(const std::vector<std::string> &arguments) {
  auto find = [&](const std::string &name) {
    return std::find_if(options.begin(), options.end(),
                        [&](const Option &o) { return o.name == name; });
  };
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i], value;
    if (name == "--help" || name == "-h") {
      help = true;
      return Status();
    }
    if (positionalValue && name.rfind('-', 0) != 0) {
      if (positionalValue->has_value())
        return error(DSRT_INVALID_ARGUMENT,
                     "expected one {}, got '{}' and '{}'", positionalName,
                     **positionalValue, name);
      *positionalValue = name;
      continue;
    }
    size_t equals = name.find('=');
    bool inlineValue = name.rfind("--", 0) == 0 && equals != std::string::npos;
    if (inlineValue) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    auto option = find(name);
    if (option == options.end()) {
      std::vector<std::string> names;
      for (const Option &known : options)
        names.push_back(known.name);
      return error(
          DSRT_INVALID_ARGUMENT,
          "there is no option '{}'; the options of this command are {}", name,
          join(names));
    }
    if (!option->takesValue && inlineValue &&
        option->metavar.rfind("[=", 0) != 0)
      return error(DSRT_INVALID_ARGUMENT, "{}: takes no value, got '{}'", name,
                   value);
    if (option->takesValue && !inlineValue) {
      // A prompt may begin with a dash, but not be the name of an option.
      const bool hasValue = i + 1 < arguments.size();
      if (hasValue &&
          (arguments[i + 1] == "--help" || arguments[i + 1] == "-h"))
        continue;
      if (!hasValue || find(arguments[i + 1]) != options.end())
        return error(DSRT_INVALID_ARGUMENT, "{}: expected a value: {}", name,
                     option->metavar);
      value = arguments[++i];
    }
    DSRT_TRY(option->set(value));
  }
  return Status();
}

std::string Options::helpText() const {
  constexpr size_t column = 26, width = 54;
  std::string result =
      fmt::format("usage: {} {}\n\n{}\n\n", program, usage, wrap(text, 0, 80));
  for (const Option &option : options) {
    const bool joined = option.metavar.rfind("[=", 0) == 0;
    std::string left =
        fmt::format("  {}{}{}", option.name, joined ? "" : " ", option.metavar);
    if (left.size() + 2 > column)
      left += '\n' + std::string(column, ' ');
    else
      left.resize(column, ' ');
    result += left + wrap(option.help, column, width) + '\n';
  }
  std::string left = "  --help";
  left.resize(column, ' ');
  return result + left + "this text\n";
}

Result<std::vector<int32_t>> parseIds(const std::string &text,
                                      const std::string &origin) {
  std::vector<int32_t> ids;
  constexpr const char *separators = ", \t\r\n";
  for (size_t at = 0;;) {
    at = text.find_first_not_of(separators, at);
    if (at == std::string::npos)
      return ids;
    size_t end = std::min(text.find_first_of(separators, at), text.size());
    std::string word = text.substr(at, end - at);
    std::optional<int32_t> id = parseNumber<int32_t>(word);
    if (!id || *id < 0)
      return error(DSRT_INVALID_ARGUMENT,
                   "{}: expected token ids such as 0,12,7, got '{}'", origin,
                   word.substr(0, 40));
    ids.push_back(*id);
    at = end;
  }
}

} // namespace dsrt
