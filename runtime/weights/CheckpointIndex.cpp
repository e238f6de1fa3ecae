//===- CheckpointIndex.cpp - model.safetensors.index.json -----------------===//
//
// Parser events fill the table directly: the index of a large model is ten
// megabytes long. Only `weight_map` is read; `total_size` is known to be wrong
// in published files.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/CheckpointIndex.h"

#include "runtime/weights/Quote.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

namespace dsrt {

namespace {

/// Handler of nlohmann's SAX interface; its method names are that interface's.
class IndexParser : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit IndexParser(const std::string &path) : path(path) {}

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("a truth value"); }
  bool number_integer(number_integer_t) override { return value("a number"); }
  bool number_unsigned(number_unsigned_t) override { return value("a number"); }
  bool number_float(number_float_t, const string_t &) override {
    return value("a number");
  }
  bool string(string_t &text) override;
  bool binary(binary_t &) override { return value("binary data"); }
  bool start_object(std::size_t) override;
  bool key(string_t &text) override;
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override;
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string &lastToken,
                   const nlohmann::json::exception &) override {
    return fail("not valid JSON at byte {}: found {}", position,
                quote(lastToken));
  }

  CheckpointIndex index;
  Status status;
  bool hasMap = false;

private:
  bool inMap() const { return depth == 2 && mapOpen; }
  bool value(const char *found);
  bool close() {
    if (--depth == 1)
      mapOpen = false;
    return true;
  }
  template <typename... Args>
  bool fail(fmt::format_string<Args...> format, Args &&...args) {
    status = error(DSRT_MALFORMED, "{}: {}", quote(path),
                   fmt::format(format, std::forward<Args>(args)...));
    return false;
  }

  const std::string &path;
  size_t depth = 0;
  bool mapOpen = false; // the container at depth 2 is the value of weight_map
  std::string name;     // the last key of the top object, or of weight_map
  std::unordered_map<std::string, uint32_t> fileNumbers;
};

} // namespace

bool IndexParser::value(const char *found) {
  if (depth == 0)
    return fail("expected an object, found {}", found);
  if (depth == 1 && name == "weight_map")
    return fail("expected weight_map to be an object, found {}", found);
  if (inMap())
    return fail("expected the name of the file that holds tensor {}, found {}",
                quote(name), found);
  return true;
}

bool IndexParser::string(string_t &text) {
  if (!inMap())
    return value("a string");
  auto [entry, isNew] =
      fileNumbers.try_emplace(text, static_cast<uint32_t>(index.files.size()));
  if (isNew) {
    // A checkpoint is one folder: whoever made it has no say over others.
    if (text.empty() || text == "." || text == ".." ||
        text.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      return fail(
          "tensor {}: expected the plain name of a file in this folder, "
          "found {}",
          quote(name), quote(text));
    index.files.push_back(text);
  }
  index.entries.push_back({std::move(name), entry->second});
  return true;
}

bool IndexParser::start_object(std::size_t) {
  if (inMap())
    return value("an object");
  if (depth == 1 && name == "weight_map")
    mapOpen = hasMap = true;
  ++depth;
  return true;
}

bool IndexParser::start_array(std::size_t) {
  if (!value("an array"))
    return false;
  ++depth;
  return true;
}

bool IndexParser::key(string_t &text) {
  if (depth == 1 && hasMap && text == "weight_map")
    return fail("weight_map is given twice");
  if (depth == 1 || inMap())
    name = std::move(text);
  return true;
}

Result<CheckpointIndex> parseCheckpointIndex(std::string_view text,
                                             const std::string &path) {
  // To the parser a zero byte is the end.
  if (size_t zero = text.find('\0'); zero != std::string_view::npos)
    return error(DSRT_MALFORMED, "{}: not valid JSON: byte {} is zero",
                 quote(path), zero);
  IndexParser parser(path);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &parser))
    return parser.status;
  if (!parser.hasMap)
    return error(DSRT_MALFORMED,
                 "{}: expected an object weight_map, found none", quote(path));
  return std::move(parser.index);
}

} // namespace dsrt
