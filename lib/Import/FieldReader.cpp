//===- FieldReader.cpp - Typed fields of a JSON object --------------------===//
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "FieldReader.h"

#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace llvm;
using namespace mlir::deepseek;

const json::Value *FieldReader::find(StringRef field) const {
  const json::Value *value = object->get(field);
  return value && value->kind() != json::Value::Null ? value : nullptr;
}

/// A value as an error shows it: nothing long, nothing over several lines.
static std::string show(const json::Value *value) {
  if (!value)
    return "nothing";
  if (value->getAsObject())
    return "an object";
  if (const json::Array *array = value->getAsArray();
      array && array->size() > 4)
    return ("a list of " + Twine(array->size())).str();
  std::string text;
  raw_string_ostream(text) << *value;
  constexpr size_t kLongest = 80;
  if (text.size() > kLongest)
    text = json::fixUTF8(text.substr(0, kLongest)) + "...";
  return text;
}

void FieldReader::expected(StringRef field, const Twine &expected) {
  if (!error->empty())
    return;
  *error = (file + ": field '" + prefix + field + "': expected " + expected +
            ", got " + show(object->get(field)))
               .str();
}

std::optional<int64_t> FieldReader::asInteger(const json::Value &value) {
  // Out of this range LLVM's own conversion of a float is undefined.
  constexpr double kLimit = 9e18;
  std::optional<double> number = value.getAsNumber();
  if (!number || !(std::abs(*number) < kLimit))
    return std::nullopt;
  return value.getAsInteger();
}

int64_t FieldReader::integer(StringRef field, int64_t low, int64_t high,
                             std::optional<int64_t> byDefault) {
  const json::Value *value = find(field);
  if (!value && byDefault)
    return *byDefault;
  std::optional<int64_t> number;
  if (value)
    number = asInteger(*value);
  if (number && *number >= low && *number <= high)
    return *number;
  expected(field, "an integer from " + Twine(low) + " to " + Twine(high));
  return byDefault.value_or(low);
}

std::optional<int64_t> FieldReader::integerOrNull(StringRef field, int64_t low,
                                                  int64_t high) {
  if (has(field) && !find(field))
    return std::nullopt;
  if (!has(field)) {
    expected(field, "an integer from " + Twine(low) + " to " + Twine(high) +
                        " or null");
    return std::nullopt;
  }
  return integer(field, low, high);
}

double FieldReader::number(StringRef field, double low, double high,
                           std::optional<double> byDefault) {
  const json::Value *value = find(field);
  if (!value && byDefault)
    return *byDefault;
  std::optional<double> number;
  if (value)
    number = value->getAsNumber();
  if (number && std::isfinite(*number) && *number >= low && *number <= high)
    return *number;
  std::string range;
  raw_string_ostream(range)
      << "a number from " << json::Value(low) << " to " << json::Value(high);
  expected(field, range);
  return byDefault.value_or(low);
}

bool FieldReader::boolean(StringRef field, bool byDefault) {
  const json::Value *value = find(field);
  if (!value)
    return byDefault;
  if (std::optional<bool> flag = value->getAsBoolean())
    return *flag;
  expected(field, "true or false");
  return byDefault;
}

std::string FieldReader::string(StringRef field,
                                std::optional<StringRef> byDefault) {
  const json::Value *value = find(field);
  if (!value && byDefault)
    return byDefault->str();
  std::optional<StringRef> text;
  if (value)
    text = value->getAsString();
  if (text)
    return text->str();
  expected(field, "a string");
  return "";
}

std::optional<FieldReader> FieldReader::nested(StringRef field) {
  const json::Value *value = find(field);
  if (!value)
    return std::nullopt;
  if (const json::Object *inner = value->getAsObject())
    return FieldReader(*inner, file, prefix + field.str() + ".", *error);
  expected(field, "an object or null");
  return std::nullopt;
}
