//===- Json.cpp - JSON files read with one clear error --------------------===//
//
// The document builder, and what messages and readers share.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Json.h"
#include "runtime/text/Utf8.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <sys/stat.h>

using namespace dsrt;
using nlohmann::json;

// Deeper than any published file, and far from what a stack could not hold.
static constexpr size_t maxDepth = 64;
static constexpr size_t maxQuoted = 80;
static constexpr int64_t maxFileBytes = int64_t(1) << 30;

bool JsonBuilder::fail(dsrt::Status failure) {
  status = std::move(failure);
  return false;
}

bool JsonBuilder::add(json value) {
  if (open.empty())
    root = std::move(value);
  else if (open.back()->is_array())
    open.back()->push_back(std::move(value));
  else
    *slot = std::move(value);
  return true;
}

bool JsonBuilder::openContainer(json container) {
  if (open.size() == maxDepth)
    return fail(error(DSRT_MALFORMED,
                      "{}: more than {} levels of nesting, expected a "
                      "published file",
                      name, maxDepth));
  json *place = &root;
  if (!open.empty() && open.back()->is_array()) {
    open.back()->push_back(nullptr);
    place = &open.back()->back();
  } else if (!open.empty()) {
    place = slot;
  }
  *place = std::move(container);
  open.push_back(place);
  path.emplace_back();
  return true;
}

bool JsonBuilder::start_object(std::size_t) {
  return openContainer(json::object());
}

bool JsonBuilder::start_array(std::size_t) {
  return openContainer(json::array());
}

bool JsonBuilder::key(string_t &value) {
  auto [position, isNew] =
      open.back()->get_ref<json::object_t &>().emplace(value, nullptr);
  if (!isNew)
    return fail(error(DSRT_MALFORMED, "{}: the key '{}' occurs twice", name,
                      quoteText(value)));
  slot = &position->second;
  path.back() = value;
  return true;
}

bool JsonBuilder::close() {
  open.pop_back();
  path.pop_back();
  return true;
}

bool JsonBuilder::parse_error(std::size_t position, const std::string &,
                              const json::exception &exception) {
  // "[json.exception...] parse error at ...: syntax error while ... - reason;
  // last read: '...'": the reason is what helps.
  std::string_view text = exception.what();
  size_t start = text.find(" - ");
  text.remove_prefix(start == text.npos ? 0 : start + 3);
  text = text.substr(0, text.find("; last read"));
  return fail(error(DSRT_MALFORMED, "{}: not valid JSON at byte {}: {}", name,
                    position, quoteText(text)));
}

Result<json> dsrt::parseJson(std::string_view text, const std::string &name) {
  JsonBuilder builder(name);
  json::sax_parse(text, &builder);
  if (!builder.status.ok())
    return builder.status;
  return std::move(builder.root);
}

std::string dsrt::quoteText(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, maxQuoted))
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  if (text.size() > maxQuoted) {
    // Not half a character before the dots.
    while (!out.empty() && (out.back() & 0xC0) == 0x80)
      out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0)
      out.pop_back();
    out += "...";
  }
  return out;
}

std::string dsrt::quoteJson(const json &value) {
  if (value.is_structured())
    return value.is_array() ? "an array" : "an object";
  return quoteText(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

Result<std::string> dsrt::readTextFile(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return error(errno == ENOENT || errno == ENOTDIR ? DSRT_NOT_FOUND
                                                     : DSRT_IO_ERROR,
                 "cannot open '{}': {}", path, std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    return error(DSRT_IO_ERROR, "cannot read '{}': not a file", path);
  if (info.st_size > maxFileBytes)
    return error(DSRT_LIMIT_EXCEEDED,
                 "'{}' has {} bytes, expected at most {} for a text file", path,
                 info.st_size, maxFileBytes);
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(
      std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file)
    return error(DSRT_IO_ERROR, "cannot open '{}': {}", path,
                 std::strerror(errno));
  std::string text(static_cast<size_t>(info.st_size), '\0');
  if (std::fread(text.data(), 1, text.size(), file.get()) != text.size())
    return error(DSRT_IO_ERROR,
                 "cannot read '{}': the file is shorter than {} "
                 "bytes",
                 path, text.size());
  return text;
}
