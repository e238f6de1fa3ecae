//===- Files.cpp - Tensors in files ---------------------------------------===//
//
// Between the runtime's tensors, which lie in mapped files, and the
// reference's.
//
//===----------------------------------------------------------------------===//

#include "Files.h"

#include "runtime/weights/Checkpoint.h"
#include "runtime/weights/safetensors/Writer.h"

#include <cstring>

using namespace mlir;
using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;
using DataType = ::dsrt::DataType;

/// Both names of each element type; an index is written as an i64.
static constexpr std::pair<ElementType, DataType> kTypes[] = {
    {ElementType::F64, DataType::F64},
    {ElementType::F32, DataType::F32},
    {ElementType::BF16, DataType::BF16},
    {ElementType::F16, DataType::F16},
    {ElementType::F8E4M3FN, DataType::F8_E4M3},
    {ElementType::F8E5M2, DataType::F8_E5M2},
    {ElementType::F8E8M0, DataType::F8_E8M0},
    {ElementType::I64, DataType::I64},
    {ElementType::I32, DataType::I32},
    {ElementType::I16, DataType::I16},
    {ElementType::I8, DataType::I8},
    {ElementType::I1, DataType::BOOL},
    {ElementType::Index, DataType::I64},
};

static std::optional<ElementType> getElementType(DataType type) {
  for (auto [element, data] : kTypes)
    if (data == type)
      return element;
  return std::nullopt;
}

static DataType getDataType(ElementType type) {
  for (auto [element, data] : kTypes)
    if (element == type)
      return data;
  return DataType::Unknown;
}

/// A view of a mapped tensor that keeps `owner` alive; a copy where the file
/// left it unaligned. None for a type that the reference does not have.
template <typename Owner>
static std::optional<Tensor> makeView(const ::dsrt::Tensor &tensor,
                                      const std::shared_ptr<Owner> &owner) {
  std::optional<ElementType> type = getElementType(tensor.dtype);
  if (!type)
    return std::nullopt;
  auto *bytes = reinterpret_cast<const char *>(tensor.data);
  if (reinterpret_cast<uintptr_t>(bytes) % byteSize(*type) == 0)
    return Tensor::view(*type, tensor.shape,
                        std::shared_ptr<const char>(owner, bytes));
  Tensor copy(*type, tensor.shape);
  std::memcpy(copy.mutableData(), bytes, copy.bytes());
  return copy;
}

llvm::Expected<TensorMap> reference::readTensors(const std::string &path) {
  auto opened = ::dsrt::SafetensorsFile::open(path);
  if (!opened.ok())
    return makeError(opened.status().message());
  auto file = std::make_shared<::dsrt::SafetensorsFile>(std::move(*opened));
  TensorMap tensors;
  // A tensor of a type that no value has is left out: naming it is an error
  // then.
  for (const ::dsrt::Tensor &tensor : file->tensors())
    if (std::optional<Tensor> view = makeView(tensor, file))
      tensors[tensor.name] = std::move(*view);
  return tensors;
}

llvm::Error reference::writeTensors(const std::string &path,
                                    const TensorMap &tensors) {
  std::vector<::dsrt::TensorToWrite> list;
  for (const auto &[name, tensor] : tensors)
    list.push_back({name,
                    getDataType(tensor.type()),
                    {tensor.shape().begin(), tensor.shape().end()},
                    tensor.data()});
  ::dsrt::Status status = ::dsrt::writeSafetensors(path, list);
  if (!status.ok())
    return makeError(status.message());
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

static std::string describe(WeightOp weight) {
  std::string text;
  llvm::raw_string_ostream(text) << weight.getType();
  return text;
}

/// One tensor of a checkpoint, which must have the type and shape given.
static llvm::Expected<Tensor>
loadTensor(const std::shared_ptr<::dsrt::Checkpoint> &checkpoint,
           const std::string &key, WeightOp weight, ArrayRef<int64_t> shape) {
  ::dsrt::CheckpointTensor found = checkpoint->find(key);
  if (!found)
    return makeError("'" + key + "' is not in " + checkpoint->folder());
  std::optional<Tensor> tensor = makeView(*found.tensor, checkpoint);
  auto type = cast<RankedTensorType>(weight.getType());
  if (!tensor || tensor->shape() != shape ||
      !isValueOf(Tensor(tensor->type(), {}), type.getElementType()))
    return makeError("'" + key + "' expected for " + describe(weight) +
                     ", got " + found.tensor->typeText() + " in " +
                     found.file->path());
  return std::move(*tensor);
}

static llvm::Expected<Tensor>
loadWeight(const std::shared_ptr<::dsrt::Checkpoint> &checkpoint,
           WeightOp weight) {
  std::string key = weight.getKey()->str();
  auto type = cast<RankedTensorType>(weight.getType());
  size_t star = key.find('*');
  if (star == std::string::npos)
    return loadTensor(checkpoint, key, weight, type.getShape());
  std::optional<ElementType> element =
      reference::getElementType(type.getElementType());
  if (!element)
    return makeError("'" + key + "' has an element type that is not supported");
  Tensor stacked(*element, type.getShape());
  char *out = stacked.mutableData();
  for (int64_t e = 0; e < stacked.dim(0); ++e) {
    std::string one = key;
    one.replace(star, 1, std::to_string(e));
    auto part =
        loadTensor(checkpoint, one, weight, type.getShape().drop_front());
    if (!part)
      return part.takeError();
    std::memcpy(out + e * part->bytes(), part->data(), part->bytes());
  }
  return stacked;
}

llvm::Expected<WeightLoader> reference::openWeights(const std::string &source) {
  auto opened = ::dsrt::Checkpoint::open(source);
  if (!opened.ok())
    return makeError(opened.status().message());
  auto checkpoint = std::make_shared<::dsrt::Checkpoint>(std::move(*opened));
  return WeightLoader(
      [checkpoint](WeightOp weight) { return loadWeight(checkpoint, weight); });
}
