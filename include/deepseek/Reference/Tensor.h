//===- Tensor.h - A tensor of the reference evaluator -----------*- C++ -*-===//
//
// A shape, an element type and row-major bytes. Copies share their bytes; a
// copy is made when a shared tensor is written. Conversions between element
// types are exact or round to nearest even; there is no arithmetic here.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSEEK_REFERENCE_TENSOR_H
#define DEEPSEEK_REFERENCE_TENSOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mlir {
class Type;
class MLIRContext;
class ElementsAttr;
} // namespace mlir

namespace mlir::deepseek::reference {

enum class ElementType : uint8_t {
  F64,
  F32,
  BF16,
  F16,
  F8E4M3FN,
  F8E5M2,
  F8E8M0,
  I64,
  I32,
  I16,
  I8,
  I1,
  Index,
};

/// Bytes of one element; an I1 takes one byte, an Index eight.
int64_t byteSize(ElementType type);
bool isFloat(ElementType type);
/// The type as MLIR writes it: "bf16", "f8E4M3FN", "index".
llvm::StringRef name(ElementType type);
std::optional<ElementType> getElementType(Type type);

using Shape = llvm::SmallVector<int64_t, 4>;

/// "[3, 16]".
std::string toString(llvm::ArrayRef<int64_t> shape);

/// The number of elements, or an error for a negative size or one that no
/// program of this kind can mean (above 2^36 elements).
llvm::Expected<int64_t> countElements(llvm::ArrayRef<int64_t> shape);

//===----------------------------------------------------------------------===//
// Conversions of one number
//===----------------------------------------------------------------------===//

/// The value of `bits` (an element of `type`, little-endian in the low bytes).
float decodeBFloat16(uint16_t bits);
float decodeFloat16(uint16_t bits);
/// The values of all codes; `type` is one of the three 8-bit types.
const std::array<float, 256> &getFloat8Table(ElementType type);

/// Round to nearest even. E4M3 saturates to 448 (also from infinity); F16, BF16
/// and E5M2 overflow to infinity; E8M0 takes the nearest power of two.
uint16_t encodeBFloat16(float value);
uint16_t encodeFloat16(float value);
uint8_t encodeFloat8(ElementType type, float value);

//===----------------------------------------------------------------------===//
// Tensor
//===----------------------------------------------------------------------===//

class Tensor {
public:
  Tensor() = default;
  /// All zeros.
  Tensor(ElementType type, llvm::ArrayRef<int64_t> shape);
  /// Bytes that `owner` keeps alive and that are never written.
  static Tensor view(ElementType type, llvm::ArrayRef<int64_t> shape,
                     std::shared_ptr<const char> bytes);
  static Tensor scalar(ElementType type, double value);
  static Tensor index(int64_t value);
  /// Rounds each value once to `type`.
  static Tensor fromFloats(ElementType type, llvm::ArrayRef<int64_t> shape,
                           llvm::ArrayRef<float> values);
  static Tensor fromInts(ElementType type, llvm::ArrayRef<int64_t> shape,
                         llvm::ArrayRef<int64_t> values);
  /// The value of a constant; an error for an attribute without elements here.
  static llvm::Expected<Tensor> fromAttribute(ElementsAttr attribute);

  ElementType type() const { return elementType; }
  llvm::ArrayRef<int64_t> shape() const { return sizes; }
  int64_t rank() const { return sizes.size(); }
  int64_t dim(int64_t i) const { return sizes[i]; }
  int64_t size() const { return count; }
  int64_t bytes() const { return count * byteSize(elementType); }
  /// "tensor<3x16xf32>".
  std::string describe() const;

  const char *data() const { return storage.get(); }
  /// Bytes to write to; makes them this tensor's own first.
  char *mutableData();

  /// The same elements under another shape of the same size.
  Tensor reshaped(llvm::ArrayRef<int64_t> shape) const;

  double getFloat(int64_t i) const;
  int64_t getInt(int64_t i) const;
  void setFloat(int64_t i, double value);
  void setInt(int64_t i, int64_t value);

  /// Elements `begin .. begin + n` as f32, exactly (f64 is rounded).
  void readFloats(int64_t begin, int64_t n, float *out) const;
  /// Rounds `n` values to the element type, once.
  void writeFloats(int64_t begin, int64_t n, const float *values);

private:
  ElementType elementType = ElementType::F32;
  Shape sizes;
  int64_t count = 0;
  bool readOnly = false;
  std::shared_ptr<char> storage;
};

/// The elements of a tensor as f32; no copy if they are f32 already.
class Floats {
public:
  explicit Floats(const Tensor &tensor);
  const float *data() const { return begin; }
  float operator[](int64_t i) const { return begin[i]; }

private:
  Tensor source;
  std::vector<float> buffer;
  const float *begin;
};

/// The elements of an integer tensor.
std::vector<int64_t> toInts(const Tensor &tensor);

/// An error with a message, as every function of the reference reports it.
llvm::Error makeError(const llvm::Twine &message);

} // namespace mlir::deepseek::reference

#endif // DEEPSEEK_REFERENCE_TENSOR_H
