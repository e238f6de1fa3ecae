//===- ApiTensorMap.cpp - Driver interface: tensor maps -------------------===//
//
// Checks all that the documentation asks of a map, and says what is wrong: the
// driver only returns a number. Interleaved layouts, packed types of less than
// a byte and out-of-bounds elements other than zeros are not implemented.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/driver/Api.h"
#include "runtime/simulator/driver/Device.h"
#include "runtime/simulator/machine/TensorMap.h"

#include <cstring>
#include <fmt/format.h>

using namespace dsrt::simulator;

/// Bytes of an element; 0: no such type here.
static unsigned elementBytes(CUtensorMapDataType type) {
  constexpr uint8_t sizes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  auto index = static_cast<unsigned>(type);
  return index < sizeof sizes ? sizes[index] : 0;
}

/// What is wrong with one dimension; empty if nothing is.
static std::string wrongDimension(const TensorMap &map, unsigned k,
                                  uint32_t box, uint32_t step) {
  constexpr uint64_t largestSize = uint64_t(1) << 32;
  constexpr uint64_t strideLimit = uint64_t(1) << 40;
  if (map.sizes[k] == 0 || map.sizes[k] > largestSize)
    return fmt::format("expected 1 to 2^32 elements in dimension {}, got {}", k,
                       map.sizes[k]);
  if (k > 0 && (map.strides[k - 1] % 16 || map.strides[k - 1] >= strideLimit))
    return fmt::format("expected a stride of a multiple of 16 bytes, less than "
                       "2^40, in dimension {}, got {}",
                       k, map.strides[k - 1]);
  if (box == 0 || box > 256)
    return fmt::format("expected a box of 1 to 256 elements in dimension {}, "
                       "got {}",
                       k, box);
  if (step == 0 || step > 8)
    return fmt::format("expected an element stride of 1 to 8 in dimension {}, "
                       "got {}",
                       k, step);
  return "";
}

/// What is wrong with the row that a box has in shared memory.
static std::string wrongRow(const TensorMap &map) {
  unsigned row = map.box[0] * map.elementBytes;
  if (row % 16)
    return fmt::format("expected inner rows of a multiple of 16 bytes, got {}",
                       row);
  if (map.swizzleBytes && row > map.swizzleBytes)
    return fmt::format("expected inner rows of at most the {} bytes of the "
                       "swizzle, got {}",
                       map.swizzleBytes, row);
  return "";
}

/// Fills in the map; returns what is wrong, empty if nothing is.
static std::string encode(TensorMap &map, CUtensorMapDataType type,
                          uint32_t rank, const uint64_t *sizes,
                          const uint64_t *strides, const uint32_t *box,
                          const uint32_t *steps) {
  map.magic = kTensorMapMagic;
  map.elementBytes = static_cast<uint8_t>(elementBytes(type));
  if (map.elementBytes == 0)
    return fmt::format("expected a type of 0 to 12, got {}",
                       static_cast<int>(type));
  if (rank == 0 || rank > kMaxTensorRank)
    return fmt::format("expected 1 to 5 dimensions, got {}", rank);
  map.rank = static_cast<uint8_t>(rank);
  if (map.address % 16)
    return fmt::format("expected an address of a multiple of 16 bytes, got "
                       "0x{:x}",
                       map.address);
  for (unsigned k = 0; k < rank; ++k) {
    map.sizes[k] = sizes[k];
    if (k > 0)
      map.strides[k - 1] = strides[k - 1];
    uint32_t step = k > 0 ? steps[k] : 1; // the first is ignored
    std::string wrong = wrongDimension(map, k, box[k], step);
    if (!wrong.empty())
      return wrong;
    map.box[k] = static_cast<uint16_t>(box[k]);
    map.steps[k] = static_cast<uint8_t>(step);
  }
  return wrongRow(map);
}

CUresult cuTensorMapEncodeTiled(CUtensorMap *result, CUtensorMapDataType type,
                                uint32_t rank, void *address,
                                const uint64_t *sizes, const uint64_t *strides,
                                const uint32_t *box, const uint32_t *steps,
                                CUtensorMapInterleave interleave,
                                CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion promotion,
                                CUtensorMapFloatOOBfill fill) {
  return guarded([&](Device &device) {
    constexpr uint8_t spans[] = {0, 32, 64, 128};
    if (device.capability < 90)
      return CUDA_ERROR_NOT_SUPPORTED;
    TensorMap map = {};
    map.address = reinterpret_cast<uint64_t>(address);
    std::string wrong;
    if (reinterpret_cast<uintptr_t>(result) % 64)
      wrong = "expected a map at a multiple of 64 bytes";
    else if (interleave != CU_TENSOR_MAP_INTERLEAVE_NONE)
      wrong = "expected no interleaving";
    else if (static_cast<unsigned>(swizzle) >= sizeof spans)
      wrong = "expected no swizzle or one of 32, 64 or 128 bytes";
    else if (static_cast<unsigned>(promotion) > 3)
      wrong = "expected an L2 promotion of 0 to 3";
    else if (fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
      wrong = "expected zeros for elements that are out of bounds";
    else {
      map.swizzleBytes = spans[swizzle];
      wrong = encode(map, type, rank, sizes, strides, box, steps);
    }
    if (!wrong.empty()) {
      device.report("cuTensorMapEncodeTiled: " + wrong);
      return CUDA_ERROR_INVALID_VALUE;
    }
    std::memset(result, 0, sizeof *result);
    std::memcpy(result, &map, sizeof map);
    return CUDA_SUCCESS;
  });
}
