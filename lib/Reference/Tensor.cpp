//===- Tensor.cpp - A tensor of the reference evaluator -------------------===//
//
// Storage and element access. The conversions of single numbers are in
// Convert.cpp.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Reference/Tensor.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;
using llvm::ArrayRef;

//===----------------------------------------------------------------------===//
// Element types and shapes
//===----------------------------------------------------------------------===//

int64_t reference::byteSize(ElementType type) {
  switch (type) {
  case ElementType::F64:
  case ElementType::I64:
  case ElementType::Index:
    return 8;
  case ElementType::F32:
  case ElementType::I32:
    return 4;
  case ElementType::BF16:
  case ElementType::F16:
  case ElementType::I16:
    return 2;
  default:
    return 1;
  }
}

bool reference::isFloat(ElementType type) { return type < ElementType::I64; }

StringRef reference::name(ElementType type) {
  static constexpr StringLiteral names[] = {
      "f64", "f32", "bf16", "f16", "f8E4M3FN", "f8E5M2", "f8E8M0FNU",
      "i64", "i32", "i16",  "i8",  "i1",       "index"};
  return names[static_cast<int>(type)];
}

std::optional<ElementType> reference::getElementType(Type type) {
  return llvm::TypeSwitch<Type, std::optional<ElementType>>(type)
      .Case<Float64Type>([](auto) { return ElementType::F64; })
      .Case<Float32Type>([](auto) { return ElementType::F32; })
      .Case<BFloat16Type>([](auto) { return ElementType::BF16; })
      .Case<Float16Type>([](auto) { return ElementType::F16; })
      .Case<Float8E4M3FNType>([](auto) { return ElementType::F8E4M3FN; })
      .Case<Float8E5M2Type>([](auto) { return ElementType::F8E5M2; })
      .Case<Float8E8M0FNUType>([](auto) { return ElementType::F8E8M0; })
      .Case<IndexType>([](auto) { return ElementType::Index; })
      .Case<IntegerType>([](IntegerType integer) -> std::optional<ElementType> {
        if (!integer.isSignless())
          return std::nullopt;
        switch (integer.getWidth()) {
        case 64:
          return ElementType::I64;
        case 32:
          return ElementType::I32;
        case 16:
          return ElementType::I16;
        case 8:
          return ElementType::I8;
        case 1:
          return ElementType::I1;
        default:
          return std::nullopt;
        }
      })
      .Default([](Type) { return std::nullopt; });
}

std::string reference::toString(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

llvm::Expected<int64_t> reference::countElements(ArrayRef<int64_t> shape) {
  constexpr int64_t limit = int64_t(1) << 36;
  int64_t count = 1;
  bool empty = llvm::is_contained(shape, 0);
  for (int64_t size : shape) {
    if (size < 0)
      return makeError("expected sizes of at least 0, got " + toString(shape));
    if (!empty && size > limit / count)
      return makeError(
          "expected a tensor of at most 2^36 elements, got shape " +
          toString(shape));
    count *= empty ? 0 : size;
  }
  return count;
}

llvm::Error reference::makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

static std::shared_ptr<char> allocate(int64_t bytes) {
  // calloc: the kernel hands out zero pages only as they are touched.
  void *memory = std::calloc(std::max<int64_t>(bytes, 1), 1);
  if (!memory) {
    llvm::errs() << "error: out of memory: cannot allocate a tensor of "
                 << bytes << " bytes\n";
    std::exit(1);
  }
  return {static_cast<char *>(memory), std::free};
}

static int64_t product(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

Tensor::Tensor(ElementType type, ArrayRef<int64_t> shape)
    : elementType(type), sizes(shape), count(product(shape)) {
  storage = allocate(bytes());
}

Tensor Tensor::view(ElementType type, ArrayRef<int64_t> shape,
                    std::shared_ptr<const char> bytes) {
  Tensor tensor;
  tensor.elementType = type;
  tensor.sizes = Shape(shape);
  tensor.count = product(shape);
  tensor.readOnly = true;
  tensor.storage = std::const_pointer_cast<char>(bytes);
  return tensor;
}

Tensor Tensor::scalar(ElementType type, double value) {
  Tensor tensor(type, {});
  tensor.setFloat(0, value);
  return tensor;
}

Tensor Tensor::index(int64_t value) {
  Tensor tensor(ElementType::Index, {});
  tensor.setInt(0, value);
  return tensor;
}

Tensor Tensor::fromFloats(ElementType type, ArrayRef<int64_t> shape,
                          ArrayRef<float> values) {
  Tensor tensor(type, shape);
  tensor.writeFloats(0, tensor.size(), values.data());
  return tensor;
}

Tensor Tensor::fromInts(ElementType type, ArrayRef<int64_t> shape,
                        ArrayRef<int64_t> values) {
  Tensor tensor(type, shape);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.setInt(i, values[i]);
  return tensor;
}

llvm::Expected<Tensor> Tensor::fromAttribute(ElementsAttr attribute) {
  auto shaped = cast<ShapedType>(attribute.getType());
  std::optional<ElementType> type = getElementType(shaped.getElementType());
  if (!type)
    return makeError("element type of the constant is not supported");
  llvm::Expected<int64_t> elements = countElements(shaped.getShape());
  if (!elements)
    return elements.takeError();
  Tensor tensor(*type, shaped.getShape());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) != tensor.bytes())
      return makeError(
          "the constant's resource is missing or has another size");
    std::memcpy(tensor.mutableData(), blob->getData().data(), tensor.bytes());
    return tensor;
  }
  auto dense = dyn_cast<DenseIntOrFPElementsAttr>(attribute);
  if (!dense)
    return makeError("expected a dense constant");
  if (*type == ElementType::I1) {
    for (auto [i, value] : llvm::enumerate(dense.getValues<bool>()))
      tensor.setInt(i, value);
    return tensor;
  }
  ArrayRef<char> raw = dense.getRawData();
  int64_t step = dense.isSplat() ? 0 : byteSize(*type);
  char *out = tensor.mutableData();
  for (int64_t i = 0; i < tensor.size(); ++i)
    std::memcpy(out + i * byteSize(*type), raw.data() + i * step,
                byteSize(*type));
  return tensor;
}

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

std::string Tensor::describe() const {
  if (sizes.empty())
    return name(elementType).str();
  std::string text = "tensor<";
  for (int64_t size : sizes)
    text += std::to_string(size) + "x";
  return text + name(elementType).str() + ">";
}

char *Tensor::mutableData() {
  if (readOnly || storage.use_count() > 1) {
    std::shared_ptr<char> own = allocate(bytes());
    std::memcpy(own.get(), storage.get(), bytes());
    storage = std::move(own);
    readOnly = false;
  }
  return storage.get();
}

Tensor Tensor::reshaped(ArrayRef<int64_t> shape) const {
  Tensor result = *this;
  result.sizes = Shape(shape);
  return result;
}

template <typename T>
static T load(const char *data, int64_t i) {
  T value;
  std::memcpy(&value, data + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
static void save(char *data, int64_t i, T value) {
  std::memcpy(data + i * sizeof(T), &value, sizeof(T));
}

double Tensor::getFloat(int64_t i) const {
  if (elementType == ElementType::F64)
    return load<double>(data(), i);
  if (!isFloat(elementType))
    return static_cast<double>(getInt(i));
  float value;
  readFloats(i, 1, &value);
  return value;
}

void Tensor::setFloat(int64_t i, double value) {
  if (elementType == ElementType::F64)
    return save(mutableData(), i, value);
  if (!isFloat(elementType))
    return setInt(i, static_cast<int64_t>(value));
  auto single = static_cast<float>(value);
  writeFloats(i, 1, &single);
}

int64_t Tensor::getInt(int64_t i) const {
  switch (elementType) {
  case ElementType::I64:
  case ElementType::Index:
    return load<int64_t>(data(), i);
  case ElementType::I32:
    return load<int32_t>(data(), i);
  case ElementType::I16:
    return load<int16_t>(data(), i);
  case ElementType::I8:
    return load<int8_t>(data(), i);
  case ElementType::I1:
    return load<int8_t>(data(), i) & 1;
  default:
    return static_cast<int64_t>(getFloat(i));
  }
}

void Tensor::setInt(int64_t i, int64_t value) {
  char *out = mutableData();
  switch (elementType) {
  case ElementType::I64:
  case ElementType::Index:
    return save<int64_t>(out, i, value);
  case ElementType::I32:
    return save<int32_t>(out, i, static_cast<int32_t>(value));
  case ElementType::I16:
    return save<int16_t>(out, i, static_cast<int16_t>(value));
  case ElementType::I8:
    return save<int8_t>(out, i, static_cast<int8_t>(value));
  case ElementType::I1:
    return save<int8_t>(out, i, value & 1);
  default:
    return setFloat(i, static_cast<double>(value));
  }
}

void Tensor::readFloats(int64_t begin, int64_t n, float *out) const {
  const char *in = data() + begin * byteSize(elementType);
  switch (elementType) {
  case ElementType::F32:
    if (n)
      std::memcpy(out, in, n * sizeof(float));
    return;
  case ElementType::F64:
    for (int64_t i = 0; i < n; ++i)
      out[i] = static_cast<float>(load<double>(in, i));
    return;
  case ElementType::BF16:
    for (int64_t i = 0; i < n; ++i)
      out[i] = decodeBFloat16(load<uint16_t>(in, i));
    return;
  case ElementType::F16:
    for (int64_t i = 0; i < n; ++i)
      out[i] = decodeFloat16(load<uint16_t>(in, i));
    return;
  case ElementType::F8E4M3FN:
  case ElementType::F8E5M2:
  case ElementType::F8E8M0:
    for (const auto &table = getFloat8Table(elementType); n-- > 0;)
      *out++ = table[static_cast<uint8_t>(*in++)];
    return;
  default:
    for (int64_t i = 0; i < n; ++i)
      out[i] = static_cast<float>(getInt(begin + i));
  }
}

void Tensor::writeFloats(int64_t begin, int64_t n, const float *values) {
  char *out = mutableData() + begin * byteSize(elementType);
  switch (elementType) {
  case ElementType::F32:
    if (n)
      std::memcpy(out, values, n * sizeof(float));
    return;
  case ElementType::F64:
    for (int64_t i = 0; i < n; ++i)
      save<double>(out, i, values[i]);
    return;
  case ElementType::BF16:
    for (int64_t i = 0; i < n; ++i)
      save<uint16_t>(out, i, encodeBFloat16(values[i]));
    return;
  case ElementType::F16:
    for (int64_t i = 0; i < n; ++i)
      save<uint16_t>(out, i, encodeFloat16(values[i]));
    return;
  case ElementType::F8E4M3FN:
  case ElementType::F8E5M2:
  case ElementType::F8E8M0:
    for (int64_t i = 0; i < n; ++i)
      save<uint8_t>(out, i, encodeFloat8(elementType, values[i]));
    return;
  default:
    for (int64_t i = 0; i < n; ++i)
      setInt(begin + i, static_cast<int64_t>(values[i]));
  }
}

Floats::Floats(const Tensor &tensor) : source(tensor) {
  if (tensor.type() == ElementType::F32) {
    begin = reinterpret_cast<const float *>(source.data());
    return;
  }
  buffer.resize(tensor.size());
  tensor.readFloats(0, tensor.size(), buffer.data());
  begin = buffer.data();
}

std::vector<int64_t> reference::toInts(const Tensor &tensor) {
  std::vector<int64_t> values(tensor.size());
  for (int64_t i = 0; i < tensor.size(); ++i)
    values[i] = tensor.getInt(i);
  return values;
}
