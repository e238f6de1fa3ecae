//===- Header.cpp - The header of a safetensors file ----------------------===//
//
// Parser events fill the tensors directly, without a document in between: a
// header may list tens of thousands of them.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/safetensors/Header.h"

#include "runtime/weights/Quote.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dsrt {

std::string Tensor::typeText() const {
  std::string type = dtype == DataType::Unknown
                         ? fmt::format("type {}", quote(typeName))
                         : dataTypeText(dtype);
  return type + " " + shapeText(shape);
}

namespace {

/// Handler of nlohmann's SAX interface; its method names are that interface's.
class HeaderParser : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit HeaderParser(const std::string &file) : file(file) {}

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("a truth value"); }
  bool number_integer(number_integer_t value) override {
    // nlohmann reports numbers below zero here and all others as unsigned.
    return scalar(value < 0 ? "a negative number" : "a number");
  }
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t, const string_t &) override {
    return scalar("a number that is no 64-bit integer");
  }
  bool string(string_t &value) override;
  bool binary(binary_t &) override { return scalar("binary data"); }
  bool start_object(std::size_t) override;
  bool key(string_t &value) override;
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override;
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string &lastToken,
                   const nlohmann::json::exception &) override {
    return fail("the header is not valid JSON at its byte {}: found {}",
                position, quote(lastToken));
  }

  SafetensorsHeader header;
  Status status;

private:
  /// Where the parser is; Skipped: in a field that the format does not define.
  enum class Place { Outside, Top, Metadata, Tensor, Shape, Offsets, Skipped };
  enum class Field { Type, Shape, Offsets, Other };

  bool scalar(const char *found);
  bool close();
  bool finishTensor();
  bool unexpected(const char *found);
  template <typename... Args>
  bool fail(fmt::format_string<Args...> format, Args &&...args) {
    status = error(DSRT_MALFORMED, "{}: {}", quote(file),
                   fmt::format(format, std::forward<Args>(args)...));
    return false;
  }

  const std::string &file;
  Place place = Place::Outside;
  Field field = Field::Other;
  int skipDepth = 0;
  bool hasMetadata = false;
  bool seen[3] = {};             // the fields of this tensor, by Field
  std::vector<uint64_t> offsets; // of this tensor
  std::string entry;             // the key in `__metadata__`
};

} // namespace

bool HeaderParser::unexpected(const char *found) {
  switch (place) {
  case Place::Outside:
    return fail("expected the header to be an object, found {}", found);
  case Place::Top:
    return fail("tensor {}: expected an object, found {}",
                quote(header.tensors.back().name), found);
  case Place::Metadata:
    return fail("expected __metadata__ to map strings to strings, found {} for "
                "{}",
                found, quote(entry));
  default:
    break;
  }
  const char *name = field == Field::Type    ? "dtype"
                     : field == Field::Shape ? "shape"
                                             : "data_offsets";
  const char *expected =
      field == Field::Type ? "a string" : "an array of integers from 0";
  return fail("tensor {}: expected {} to be {}, found {}",
              quote(header.tensors.back().name), name, expected, found);
}

bool HeaderParser::scalar(const char *found) {
  if (place == Place::Skipped ||
      (place == Place::Tensor && field == Field::Other))
    return true;
  if (place == Place::Top && header.tensors.empty())
    return fail("expected __metadata__ to be an object, found {}", found);
  return unexpected(found);
}

bool HeaderParser::number_unsigned(number_unsigned_t value) {
  if (place == Place::Offsets) {
    offsets.push_back(value);
    return true;
  }
  if (place == Place::Shape) {
    if (value > static_cast<uint64_t>(INT64_MAX))
      return unexpected("a number above 2^63 - 1");
    header.tensors.back().shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  return scalar("a number");
}

bool HeaderParser::string(string_t &value) {
  if (place == Place::Metadata) {
    if (header.metadata.emplace(entry, std::move(value)).second)
      return true;
    return fail("__metadata__ has {} twice", quote(entry));
  }
  if (place == Place::Tensor && field == Field::Type) {
    Tensor &tensor = header.tensors.back();
    tensor.dtype = dataTypeByName(value);
    if (tensor.dtype == DataType::Unknown)
      tensor.typeName = std::move(value);
    return true;
  }
  return scalar("a string");
}

bool HeaderParser::key(string_t &value) {
  switch (place) {
  case Place::Top:
    if (value == "__metadata__") {
      if (hasMetadata)
        return fail("the header has __metadata__ twice");
      hasMetadata = true;
      entry = value;
      return true;
    }
    entry.clear();
    header.tensors.emplace_back();
    header.tensors.back().name = std::move(value);
    offsets.clear();
    std::fill(std::begin(seen), std::end(seen), false);
    return true;
  case Place::Metadata:
    entry = std::move(value);
    return true;
  case Place::Tensor:
    field = value == "dtype"          ? Field::Type
            : value == "shape"        ? Field::Shape
            : value == "data_offsets" ? Field::Offsets
                                      : Field::Other;
    if (field == Field::Other)
      return true;
    if (std::exchange(seen[static_cast<size_t>(field)], true))
      return fail("tensor {} has {} twice", quote(header.tensors.back().name),
                  value);
    return true;
  default:
    return true; // within a skipped object
  }
}

bool HeaderParser::start_object(std::size_t) {
  if (place == Place::Outside) {
    place = Place::Top;
    return true;
  }
  if (place == Place::Top) {
    place = entry == "__metadata__" ? Place::Metadata : Place::Tensor;
    return true;
  }
  if (place == Place::Skipped ||
      (place == Place::Tensor && field == Field::Other)) {
    place = Place::Skipped;
    ++skipDepth;
    return true;
  }
  return unexpected("an object");
}

bool HeaderParser::start_array(std::size_t) {
  if (place == Place::Skipped ||
      (place == Place::Tensor && field == Field::Other)) {
    place = Place::Skipped;
    ++skipDepth;
    return true;
  }
  if (place == Place::Tensor && field != Field::Type) {
    place = field == Field::Shape ? Place::Shape : Place::Offsets;
    return true;
  }
  if (place == Place::Top && entry == "__metadata__")
    return fail("expected __metadata__ to be an object, found an array");
  return unexpected("an array");
}

bool HeaderParser::close() {
  switch (place) {
  case Place::Skipped:
    if (--skipDepth == 0)
      place = Place::Tensor;
    return true;
  case Place::Shape:
  case Place::Offsets:
    place = Place::Tensor;
    return true;
  case Place::Tensor:
    place = Place::Top;
    return finishTensor();
  case Place::Metadata:
    place = Place::Top;
    return true;
  default:
    place = Place::Outside;
    return true;
  }
}

bool HeaderParser::finishTensor() {
  Tensor &tensor = header.tensors.back();
  static const char *const fields[] = {"dtype", "shape", "data_offsets"};
  for (size_t i = 0; i < 3; ++i)
    if (!seen[i])
      return fail("tensor {} has no {}", quote(tensor.name), fields[i]);
  if (offsets.size() != 2)
    return fail("tensor {}: expected 2 data_offsets, found {}",
                quote(tensor.name), offsets.size());
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  return true;
}

/// The tensor by itself: its offsets, and their distance against the shape.
static Status checkTensor(const Tensor &tensor, uint64_t dataBytes,
                          const std::string &file) {
  if (tensor.begin > tensor.end)
    return error(DSRT_MALFORMED,
                 "{}: tensor {}: expected data_offsets in ascending order, "
                 "found [{}, {}]",
                 quote(file), quote(tensor.name), tensor.begin, tensor.end);
  if (tensor.end > dataBytes)
    return error(
        DSRT_MALFORMED,
        "{}: tensor {} ends at byte {} of the data, but the file holds "
        "{} bytes of data; it is incomplete",
        quote(file), quote(tensor.name), tensor.end, dataBytes);
  if (tensor.dtype == DataType::Unknown)
    return Status();
  uint64_t bits = dataTypeBits(tensor.dtype);
  bool overflow = false;
  for (int64_t size : tensor.shape)
    overflow |=
        __builtin_mul_overflow(bits, static_cast<uint64_t>(size), &bits);
  if (overflow)
    return error(DSRT_MALFORMED,
                 "{}: tensor {}: the size of {} overflows 64 bits", quote(file),
                 quote(tensor.name), tensor.typeText());
  if (bits % 8 != 0 || bits / 8 != tensor.bytes())
    return error(DSRT_MALFORMED,
                 "{}: tensor {}: {} needs {} {}, but its data_offsets [{}, {}] "
                 "span {} bytes",
                 quote(file), quote(tensor.name), tensor.typeText(),
                 bits % 8 ? bits : bits / 8, bits % 8 ? "bits" : "bytes",
                 tensor.begin, tensor.end, tensor.bytes());
  return Status();
}

/// The tensors among each other: each begins where the one before it ends.
static Status checkLayout(const std::vector<Tensor> &tensors,
                          uint64_t dataBytes, const std::string &file) {
  uint64_t position = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor &tensor = tensors[i];
    if (tensor.begin < position)
      return error(DSRT_MALFORMED,
                   "{}: tensor {} (bytes {} to {} of the data) overlaps tensor "
                   "{} (bytes {} to {})",
                   quote(file), quote(tensor.name), tensor.begin, tensor.end,
                   quote(tensors[i - 1].name), tensors[i - 1].begin,
                   tensors[i - 1].end);
    if (tensor.begin > position)
      return error(
          DSRT_MALFORMED,
          "{}: bytes {} to {} of the data, before tensor {}, belong to "
          "no tensor",
          quote(file), position, tensor.begin, quote(tensor.name));
    position = tensor.end;
  }
  if (position != dataBytes)
    return error(DSRT_MALFORMED,
                 "{}: expected {} bytes of data as the header lists, found {}",
                 quote(file), position, dataBytes);
  return Status();
}

Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view text,
                                                 uint64_t dataBytes,
                                                 const std::string &file) {
  if (text.empty() || text.front() != '{')
    return error(DSRT_MALFORMED,
                 "{}: expected the header to begin with '{{', found {}",
                 quote(file), quote(text.substr(0, 1)));
  // To the parser a zero byte is the end.
  if (size_t zero = text.find('\0'); zero != std::string_view::npos)
    return error(DSRT_MALFORMED,
                 "{}: the header is not valid JSON: byte {} of it is zero",
                 quote(file), zero);
  HeaderParser parser(file);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &parser))
    return parser.status;
  std::vector<Tensor> &tensors = parser.header.tensors;
  for (const Tensor &tensor : tensors)
    if (Status status = checkTensor(tensor, dataBytes, file); !status.ok())
      return status;
  auto before = [](const Tensor &a, const Tensor &b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  };
  if (!std::is_sorted(tensors.begin(), tensors.end(), before))
    std::sort(tensors.begin(), tensors.end(), before);
  if (Status status = checkLayout(tensors, dataBytes, file); !status.ok())
    return status;
  return std::move(parser.header);
}

} // namespace dsrt
