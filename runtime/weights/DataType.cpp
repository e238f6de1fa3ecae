//===- DataType.cpp - The element types of safetensors --------------------===//
//
// One table in the order of the enum.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/DataType.h"

#include "dsrt/abi.h"

namespace dsrt {

namespace {
struct Row {
  const char *name;
  unsigned bits;
};
} // namespace

static const Row kTypes[] = {
    {"unknown", 0}, {"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},
    {"F6_E3M2", 6}, {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},
    {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"I16", 16},    {"U16", 16},    {"F16", 16},        {"BF16", 16},
    {"I32", 32},    {"U32", 32},    {"F32", 32},        {"C64", 64},
    {"F64", 64},    {"I64", 64},    {"U64", 64}};

DataType dataTypeByName(std::string_view name) {
  for (size_t i = 1; i < sizeof(kTypes) / sizeof(kTypes[0]); ++i)
    if (name == kTypes[i].name)
      return static_cast<DataType>(i);
  return DataType::Unknown;
}

const char *dataTypeName(DataType type) {
  return kTypes[static_cast<size_t>(type)].name;
}

std::string dataTypeText(DataType type) {
  std::string text = dataTypeName(type);
  for (char &c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

unsigned dataTypeBits(DataType type) {
  return kTypes[static_cast<size_t>(type)].bits;
}

DataType dataTypeOfAbi(int64_t dtype) {
  switch (dtype) {
  case DSRT_F32:
    return DataType::F32;
  case DSRT_BF16:
    return DataType::BF16;
  case DSRT_F16:
    return DataType::F16;
  case DSRT_F8E4M3:
    return DataType::F8_E4M3;
  case DSRT_F8E5M2:
    return DataType::F8_E5M2;
  case DSRT_F8E8M0:
    return DataType::F8_E8M0;
  case DSRT_I32:
    return DataType::I32;
  case DSRT_I64:
    return DataType::I64;
  case DSRT_I8:
    return DataType::I8;
  default:
    return DataType::Unknown;
  }
}

} // namespace dsrt
