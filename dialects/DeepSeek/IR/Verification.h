//===- Verification.h - What the verifiers share ----------------*- C++ -*-===//
//
// Shapes written as letters, as in the constraints of the ops' documentation,
// and the checks that more than one family of ops needs. Private to the
// dialect.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_DEEPSEEK_IR_VERIFICATION_H
#define DIALECTS_DEEPSEEK_IR_VERIFICATION_H

#include "dialects/DeepSeek/IR/DeepSeekDialect.h"

#include "llvm/ADT/StringMap.h"

namespace mlir::deepseek {

/// One dimension of a shape written as letters: `factor * letter + offset`. An
/// empty letter, printed as `text`, is any size.
struct LetterDim {
  LetterDim(const char *letter) : letter(letter), text(letter) {}
  LetterDim(StringRef letter, int64_t factor, int64_t offset, std::string text)
      : letter(letter), factor(factor), offset(offset), text(std::move(text)) {}

  StringRef letter;
  int64_t factor = 1;
  int64_t offset = 0;
  std::string text;
};

/// Any size.
inline LetterDim anyDim() { return LetterDim("", 1, 0, "_"); }

/// Matches shapes against letters. The first static size a letter meets is its
/// size from then on; a dynamic size fits every size.
class ShapeLetters {
public:
  explicit ShapeLetters(Operation *op) : op(op) {}

  /// Checks `shape(name) = dims` for the ranked tensor `value`.
  LogicalResult match(StringRef name, Value value, ArrayRef<LetterDim> dims);

  /// The same if the number of dimensions differs from op to op: `shape(name) =
  /// dims` where `dims` are sizes, dynamic ones included.
  LogicalResult matchSizes(StringRef name, Value value,
                           ArrayRef<int64_t> sizes);

  /// Gives a letter its size, which may be dynamic.
  void bind(StringRef letter, int64_t size);

  /// The size of a letter, dynamic if it is not known.
  int64_t size(StringRef letter) const;

  /// `a + offset`, `a + b` and `a * b`, of which the letters on the right are
  /// used as they are known now.
  LetterDim plus(StringRef letter, int64_t offset) const;
  LetterDim sum(StringRef a, StringRef b) const;
  LetterDim product(StringRef a, StringRef b) const;

private:
  /// Whether a static size fits a dimension; binds its letter.
  bool fits(const LetterDim &dim, int64_t size);

  Operation *op;
  llvm::StringMap<int64_t> sizes;
};

/// "[2, ?]".
std::string printShape(ArrayRef<int64_t> shape);

/// Which finite numbers an attribute may be.
enum class Sign { Any, NotNegative, Positive };

/// Checks that the attribute `name` is a finite number of a sign.
LogicalResult verifyFinite(Operation *op, StringRef name, const APFloat &value,
                           Sign sign);

/// Checks that `value` is a latent cache; binds its widths to the letters C and
/// R.
LogicalResult verifyCache(Operation *op, ShapeLetters &letters, Value value);

/// Checks that `value`, the operand or result `name`, has the element type and
/// the encoding of `like`.
LogicalResult verifySameElements(Operation *op, StringRef name, Value value,
                                 StringRef likeName, Value like);

/// Checks `scale`, the scales of `q`: in the order of its layout, and f8E8M0FNU
/// only for powers of two.
LogicalResult verifyScale(Operation *op, StringRef name,
                          TypedValue<RankedTensorType> scale, StringRef qName,
                          TypedValue<RankedTensorType> q);

} // namespace mlir::deepseek

#endif // DIALECTS_DEEPSEEK_IR_VERIFICATION_H
