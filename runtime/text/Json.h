//===- Json.h - JSON files read with one clear error ------------*- C++ -*-===//
//
// Builds a nlohmann::json document from parser events, so that a repeated key,
// deep nesting or bad syntax is a Status and never an exception. The builder is
// a base class: TokenizerFile takes its two large tables out of the stream.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_TEXT_JSON_H
#define DSRT_TEXT_JSON_H

#include "runtime/core/Status.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace dsrt {

/// Handler of nlohmann's SAX interface; its method names are that interface's.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit JsonBuilder(std::string name) : name(std::move(name)) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t &) override {
    return add(value);
  }
  bool string(string_t &value) override { return add(std::move(value)); }
  bool binary(binary_t &) override { return false; }
  bool start_object(std::size_t) override;
  bool key(string_t &value) override;
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override;
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string &lastToken,
                   const nlohmann::json::exception &exception) override;

  nlohmann::json root;
  Status status;

protected:
  bool fail(dsrt::Status failure);

  std::string name;                   // of the file, for messages
  std::vector<nlohmann::json *> open; // the containers around the next value
  std::vector<std::string> path;      // the last key of each open container

private:
  bool add(nlohmann::json value);
  bool openContainer(nlohmann::json container);
  bool close();

  nlohmann::json *slot = nullptr; // where the last key's value goes
};

/// The document that `text` is.
Result<nlohmann::json> parseJson(std::string_view text,
                                 const std::string &name);

/// A value as it is quoted in a message: one line, shortened.
std::string quoteJson(const nlohmann::json &value);
/// A piece of a file as it is quoted in a message.
std::string quoteText(std::string_view text);

/// The content of a file; DSRT_NOT_FOUND when there is none.
Result<std::string> readTextFile(const std::string &path);

} // namespace dsrt

#endif // DSRT_TEXT_JSON_H
