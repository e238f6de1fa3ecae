//===- Verification.cpp - What the verifiers share ------------------------===//

#include "dialects/DeepSeek/IR/Verification.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::deepseek;

//===----------------------------------------------------------------------===//
// ShapeLetters
//===----------------------------------------------------------------------===//

std::string deepseek::printShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(shape, os, [&](int64_t size) {
    if (ShapedType::isDynamic(size))
      os << '?';
    else
      os << size;
  });
  os << ']';
  return text;
}

static std::string printLetters(ArrayRef<LetterDim> dims) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(dims, os,
                        [&](const LetterDim &dim) { os << dim.text; });
  os << ']';
  return text;
}

/// `factor * size + offset`, or none if it does not fit 64 bits.
static std::optional<int64_t> evaluate(const LetterDim &dim, int64_t size) {
  int64_t product, sum;
  if (llvm::MulOverflow(dim.factor, size, product) ||
      llvm::AddOverflow(product, dim.offset, sum))
    return std::nullopt;
  return sum;
}

bool ShapeLetters::fits(const LetterDim &dim, int64_t size) {
  if (dim.letter.empty())
    return true;
  int64_t bound = this->size(dim.letter);
  if (!ShapedType::isDynamic(bound))
    return evaluate(dim, bound) == size;
  if (dim.factor == 0)
    return size == dim.offset;
  int64_t rest = size - dim.offset;
  if (rest < 0 || rest % dim.factor != 0)
    return false;
  sizes[dim.letter] = rest / dim.factor;
  return true;
}

LogicalResult ShapeLetters::match(StringRef name, Value value,
                                  ArrayRef<LetterDim> dims) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(value.getType()).getShape();
  if (shape.size() != dims.size())
    return op->emitOpError()
           << "expected shape(" << name << ") = " << printLetters(dims)
           << ", got " << printShape(shape);
  for (auto [dim, size] : llvm::zip_equal(dims, shape)) {
    if (ShapedType::isDynamic(size) || fits(dim, size))
      continue;
    InFlightDiagnostic error = op->emitOpError()
                               << "expected shape(" << name
                               << ") = " << printLetters(dims);
    int64_t bound = this->size(dim.letter);
    if (!ShapedType::isDynamic(bound))
      if (std::optional<int64_t> expected = evaluate(dim, bound))
        error << " with " << dim.text << " = " << *expected;
    return error << ", got " << printShape(shape);
  }
  return success();
}

LogicalResult ShapeLetters::matchSizes(StringRef name, Value value,
                                       ArrayRef<int64_t> expected) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(value.getType()).getShape();
  if (succeeded(verifyCompatibleShape(shape, expected)))
    return success();
  return op->emitOpError() << "expected shape(" << name
                           << ") = " << printShape(expected) << ", got "
                           << printShape(shape);
}

void ShapeLetters::bind(StringRef letter, int64_t size) {
  if (!ShapedType::isDynamic(size))
    sizes[letter] = size;
}

int64_t ShapeLetters::size(StringRef letter) const {
  auto found = sizes.find(letter);
  return found == sizes.end() ? ShapedType::kDynamic : found->second;
}

LetterDim ShapeLetters::plus(StringRef letter, int64_t offset) const {
  return LetterDim(letter, 1, offset, (letter + " + " + Twine(offset)).str());
}

LetterDim ShapeLetters::sum(StringRef a, StringRef b) const {
  std::string text = (a + " + " + b).str();
  if (!ShapedType::isDynamic(size(a)))
    return LetterDim(b, 1, size(a), text);
  if (!ShapedType::isDynamic(size(b)))
    return LetterDim(a, 1, size(b), text);
  return LetterDim("", 1, 0, text);
}

LetterDim ShapeLetters::product(StringRef a, StringRef b) const {
  std::string text = (a + " * " + b).str();
  if (!ShapedType::isDynamic(size(b)))
    return LetterDim(a, size(b), 0, text);
  if (!ShapedType::isDynamic(size(a)))
    return LetterDim(b, size(a), 0, text);
  return LetterDim("", 1, 0, text);
}

//===----------------------------------------------------------------------===//
// Attributes, encodings, element types
//===----------------------------------------------------------------------===//

LogicalResult deepseek::verifyFinite(Operation *op, StringRef name,
                                     const APFloat &value, Sign sign) {
  bool zeroFits = sign != Sign::Positive;
  bool negativeFits = sign == Sign::Any;
  if (value.isFinite() && (zeroFits || !value.isZero()) &&
      (negativeFits || value.isZero() || !value.isNegative()))
    return success();
  SmallString<16> text;
  value.toString(text);
  return op->emitOpError() << "expected a finite"
                           << (sign == Sign::Positive      ? ", positive "
                               : sign == Sign::NotNegative ? ", not negative "
                                                           : " ")
                           << name << ", got " << text;
}

LogicalResult deepseek::verifyCache(Operation *op, ShapeLetters &letters,
                                    Value value) {
  LatentCacheAttr cache = getLatentCache(value.getType());
  if (!cache)
    return op->emitOpError()
           << "expected a cache with a #deepseek.latent_cache encoding, got "
           << value.getType();
  letters.bind("C", cache.getLatent());
  letters.bind("R", cache.getRope());
  return success();
}

LogicalResult deepseek::verifySameElements(Operation *op, StringRef name,
                                           Value value, StringRef likeName,
                                           Value like) {
  auto type = cast<RankedTensorType>(value.getType());
  auto likeType = cast<RankedTensorType>(like.getType());
  if (type.getElementType() == likeType.getElementType() &&
      type.getEncoding() == likeType.getEncoding())
    return success();
  return op->emitOpError() << "expected " << name
                           << " with the element type and encoding of "
                           << likeName << ", " << likeType << ", got " << type;
}
