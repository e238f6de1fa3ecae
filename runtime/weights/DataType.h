//===- DataType.h - The element types of safetensors ------------*- C++ -*-===//
//
// All types of the format, whether a model can use them or not: the sizes are
// needed to check a file.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_WEIGHTS_DATATYPE_H
#define DSRT_WEIGHTS_DATATYPE_H

#include <cstdint>
#include <string>
#include <string_view>

namespace dsrt {

enum class DataType : uint8_t {
  Unknown,
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64
};

/// By the format's spelling, "F8_E4M3"; Unknown for any other text.
DataType dataTypeByName(std::string_view name);

/// The format's spelling.
const char *dataTypeName(DataType type);

/// As messages write it: "f8_e4m3".
std::string dataTypeText(DataType type);

/// Bits of an element (of a real or complex number), 0 for Unknown.
unsigned dataTypeBits(DataType type);

/// The type of a DSRT_* number of abi.h, Unknown where the format has none.
DataType dataTypeOfAbi(int64_t dtype);

} // namespace dsrt

#endif // DSRT_WEIGHTS_DATATYPE_H
