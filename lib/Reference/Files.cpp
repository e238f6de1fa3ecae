//===- Files.cpp - Tensors in files ---------------------------------------===//
//
// Between the runtime's tensors, which lie in mapped files, and the
// reference's.
//
//===----------------------------------------------------------------------===//

#include "deepseek/Reference/Files.h"

#include "runtime/weights/Weights.h"
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

static std::optional<ElementType> fromDataType(DataType type) {
  for (auto [element, data] : kTypes)
    if (data == type)
      return element;
  return std::nullopt;
}

static DataType toDataType(ElementType type) {
  for (auto [element, data] : kTypes)
    if (element == type)
      return data;
  return DataType::Unknown;
}

/// Bytes that `owner` keeps alive; a copy where they are not aligned.
static Tensor makeView(ElementType type, ArrayRef<int64_t> shape,
                       const void *data,
                       const std::shared_ptr<const void> &owner) {
  auto *bytes = static_cast<const char *>(data);
  if (reinterpret_cast<uintptr_t>(bytes) % byteSize(type) == 0)
    return Tensor::view(type, shape, std::shared_ptr<const char>(owner, bytes));
  Tensor copy(type, shape);
  std::memcpy(copy.mutableData(), bytes, copy.bytes());
  return copy;
}

llvm::Expected<TensorMap> reference::readTensors(const std::string &path) {
  auto opened = ::dsrt::SafetensorsFile::open(path);
  if (!opened.ok())
    return makeError(opened.status().message());
  auto file = std::make_shared<::dsrt::SafetensorsFile>(std::move(*opened));
  TensorMap tensors;
  // A tensor of a type that no value has is left out: who names it finds none.
  for (const ::dsrt::Tensor &tensor : file->tensors())
    if (std::optional<ElementType> type = fromDataType(tensor.dtype))
      tensors[tensor.name] = makeView(*type, tensor.shape, tensor.data, file);
  return tensors;
}

llvm::Error reference::writeTensors(const std::string &path,
                                    const TensorMap &tensors) {
  std::vector<::dsrt::TensorToWrite> list;
  for (const auto &[name, tensor] : tensors)
    list.push_back({name,
                    toDataType(tensor.type()),
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

/// The number that abi.h gives an element type, -1 if a weight cannot have it.
static int64_t getAbiType(std::optional<ElementType> type) {
  for (int64_t dtype = DSRT_F32; type && dtype <= DSRT_I8; ++dtype)
    if (::dsrt::dataTypeOfAbi(dtype) == toDataType(*type))
      return dtype;
  return -1;
}

/// True if the weights whose scales these are have scales that are powers of
/// two.
static bool hasPowerOfTwoScales(ModuleOp module, WeightOp scales) {
  StringRef key = *scales.getKey(), last = scales.getLastKey().value_or("");
  if (!key.consume_back("_scale_inv"))
    return false;
  last.consume_back("_scale_inv");
  for (auto weight : module.getOps<WeightOp>())
    if (weight.getKey() == key && weight.getLastKey().value_or("") == last)
      if (BlockScaledAttr scaled = getBlockScaled(weight.getType()))
        return scaled.getFormat() == ScaleFormat::PowerOfTwo;
  return false;
}

namespace {

/// The weights of a module, as a compiled model would have them.
struct BoundWeights {
  std::unique_ptr<::dsrt::Weights> weights;
  llvm::DenseMap<Operation *, uint64_t> rows;
};

} // namespace

static llvm::Expected<Tensor>
loadWeight(const std::shared_ptr<BoundWeights> &bound, WeightOp weight) {
  auto found = bound->rows.find(weight);
  if (found == bound->rows.end())
    return makeError("'" + weight.getSymName() + "' is not in the table");
  const void *data = bound->weights->addresses()[found->second];
  auto type = cast<RankedTensorType>(weight.getType());
  ElementType element = *reference::getElementType(type.getElementType());
  if (!weight.getKey()->contains('*'))
    return makeView(element, type.getShape(), data, bound);
  Tensor stacked(element, type.getShape());
  char *out = stacked.mutableData();
  int64_t bytes = stacked.bytes() / stacked.dim(0);
  auto *parts = static_cast<const void *const *>(data);
  for (int64_t e = 0; e < stacked.dim(0); ++e)
    std::memcpy(out + e * bytes, parts[e], bytes);
  return stacked;
}

llvm::Expected<WeightLoader> reference::openWeights(ModuleOp module,
                                                    const std::string &source) {
  auto bound = std::make_shared<BoundWeights>();
  ::dsrt::WeightTableBuilder builder;
  for (auto weight : module.getOps<WeightOp>()) {
    if (!weight.getKey())
      continue;
    auto type = cast<RankedTensorType>(weight.getType());
    int64_t dtype =
        getAbiType(reference::getElementType(type.getElementType()));
    if (dtype < 0 || type.getRank() > DSRT_MAX_RANK)
      return makeError("'" + *weight.getKey() +
                       "' has a type that no weight can have");
    bound->rows[weight] =
        builder.add(weight.getKey()->str(), dtype, type.getShape().vec(),
                    hasPowerOfTwoScales(module, weight),
                    weight.getLastKey().value_or("").str());
  }
  auto weights = ::dsrt::Weights::bind(builder.table(), source);
  if (!weights.ok())
    return makeError(weights.status().message());
  bound->weights = std::move(*weights);
  return WeightLoader(
      [bound](WeightOp weight) { return loadWeight(bound, weight); });
}
