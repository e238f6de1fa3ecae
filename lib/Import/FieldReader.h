//===- FieldReader.h - Typed fields of a JSON object ------------*- C++ -*-===//
//
// Reads the fields of a config with their type, range and default, and words
// the errors. The first error stays; what is read after it has a harmless
// value, so that a reader is a plain list of fields and asks once, at the end.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_IMPORT_FIELDREADER_H
#define LIB_IMPORT_FIELDREADER_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <optional>
#include <string>

namespace mlir::deepseek {

class FieldReader {
public:
  /// Reads the fields of `object`; `file` and `prefix` (with its dot) are for
  /// the errors. `error` is shared by the readers of nested objects.
  FieldReader(const llvm::json::Object &object, llvm::StringRef file,
              std::string prefix, std::string &error)
      : object(&object), file(file), prefix(std::move(prefix)), error(&error) {}

  /// The field's value, or null if it is absent or JSON's null.
  const llvm::json::Value *find(llvm::StringRef field) const;

  /// Whether the field is there, be it null.
  bool has(llvm::StringRef field) const { return object->get(field); }

  /// An integer of [low, high], which may be written as 128.0. Without a
  /// default the field must be there.
  int64_t integer(llvm::StringRef field, int64_t low, int64_t high,
                  std::optional<int64_t> byDefault = std::nullopt);

  /// An integer as above, or null for none; the field must be there.
  std::optional<int64_t> integerOrNull(llvm::StringRef field, int64_t low,
                                       int64_t high);

  /// A finite number of [low, high].
  double number(llvm::StringRef field, double low, double high,
                std::optional<double> byDefault = std::nullopt);

  bool boolean(llvm::StringRef field, bool byDefault);

  std::string string(llvm::StringRef field,
                     std::optional<llvm::StringRef> byDefault = std::nullopt);

  /// Reader of the nested object `field`, or nothing if that is absent or null.
  std::optional<FieldReader> nested(llvm::StringRef field);

  /// Records `FILE: field 'x': expected <expected>, got <the field's value>`.
  void expected(llvm::StringRef field, const llvm::Twine &expected);

  /// An integer that JSON may have written as 128.0.
  static std::optional<int64_t> asInteger(const llvm::json::Value &value);

private:
  const llvm::json::Object *object;
  llvm::StringRef file;
  std::string prefix;
  std::string *error;
};

} // namespace mlir::deepseek

#endif // LIB_IMPORT_FIELDREADER_H
