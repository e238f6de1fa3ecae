//===- MmaFragments.cpp - Operands of mma.sync out of a stage -------------===//
//
// mma.sync takes 16 outputs and 8 tokens, and along the inner dimension 32
// bytes of each. With q = lane / 4 and p = lane % 4 a lane has of the weight
// bytes [4 p, 4 p + 4) and [16 + 4 p, ..) of outputs q and q + 8, of x those of
// token q: what ldmatrix gives.
//
// Which inner index meets which place of mma.sync is free as long as weight and
// x agree. Where FP8 is widened, one register becomes two of a following
// mma.sync:
//
//   e4m3 x e4m3 as f16       bytes (0, 2) and (1, 3), of both
//   e4m3 x bf16 as bf16      bytes (0, 1) and (2, 3); x is then read as the 8
//                            bytes that have the same indices
//   transposed e4m3 x bf16   ldmatrix.trans takes two outputs for one: bytes
//                            (0, 2) are of output 2 q, (1, 3) of 2 q + 1,
//                            instead of q and q + 8
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Kernels/MmaFragments.h"

using namespace mlir;
using namespace mlir::deepseek;

MmaFragments::MmaFragments(KernelBuilder &k, const MmaOperands &operands,
                           const MmaTile &tile, Val warpM, Val warpN)
    : k(k), operands(operands), tile(tile) {
  Val lane = k.lane();
  Val low = lane & 7;
  // Weight: lanes of ldmatrix.x4 in the order (rows 0, vector 0), (rows 8,
  // vector 0), (rows 0, vector 1), (rows 8, vector 1).
  Val first = warpM * tile.fragmentsM(); // in 16 outputs
  if (!operands.transposed) {
    Val row = first * 16 + (lane & 15);
    weightLane = placeWeight(row, lane >> 4);
  } else if (operands.fp8Weight) {
    weightLane = placeWeight(lane, first);
  } else {
    Val row = low + ((lane >> 4) << k.i32(3));
    weightLane = placeWeight(row, first * 2 + ((lane >> 3) & 1));
  }
  // x: (rows 0, vector 0), (rows 0, vector 1), (rows 8, vector 0), ...
  Val token = warpN * (tile.fragmentsN() * 8);
  if (operands.pairedBytes()) {
    inputLane = placeInput(token + (lane >> 2), (lane >> 1) & 1) +
                ((lane & 1) << k.i32(3));
  } else {
    Val row = token + low + ((lane >> 4) << k.i32(3));
    inputLane = placeInput(row, (lane >> 3) & 1);
  }
}

Val MmaFragments::placeWeight(Val row, Val vector) {
  int64_t rows = operands.transposed ? operands.chunk : tile.outputs;
  return (vector >> 3) * (rows * kRowBytes) + row * kRowBytes +
         ((vector & 7) ^ (row & 7)) * kVectorBytes;
}

Val MmaFragments::placeInput(Val row, Val vector) {
  Val swizzle = operands.pairedBytes() ? (row & 3) << k.i32(1) : row & 7;
  return (vector >> 3) * (tile.tokens * kRowBytes) + row * kRowBytes +
         ((vector & 7) ^ swizzle) * kVectorBytes;
}

SmallVector<Fragment> MmaFragments::loadWeight(Val chunk, int64_t m,
                                               int64_t step) {
  // Steps and fragments are powers of two that the swizzle only permutes.
  Val offset;
  if (!operands.transposed)
    offset = (weightLane ^ k.i32(step * 2 * kVectorBytes)) + m * 16 * kRowBytes;
  else if (operands.fp8Weight)
    offset = (weightLane ^ k.i32(m * kVectorBytes)) + step * 32 * kRowBytes;
  else
    offset = (weightLane ^ k.i32(m * 2 * kVectorBytes)) + step * 16 * kRowBytes;
  SmallVector<Val> raw =
      k.loadMatrices(k.at(chunk, offset), operands.transposed);
  if (operands.isWidened())
    return widenWeight(raw);
  return {Fragment(raw.begin(), raw.end())};
}

SmallVector<Fragment> MmaFragments::widenWeight(ArrayRef<Val> raw) {
  SmallVector<Fragment> products;
  for (int64_t part = 0; part < 2; ++part) {
    Val a = raw[2 * part], b = raw[2 * part + 1];
    if (operands.fp8Input) {
      auto [evenA, oddA] = k.e4m3ToScaledF16(a);
      auto [evenB, oddB] = k.e4m3ToScaledF16(b);
      products.push_back({evenA, evenB, oddA, oddB});
    } else if (operands.transposed) {
      products.push_back({k.e4m3ToBf16(a << k.i32(8)), k.e4m3ToBf16(a),
                          k.e4m3ToBf16(b << k.i32(8)), k.e4m3ToBf16(b)});
    } else {
      Fragment fragment;
      for (int64_t selector : {0x1404, 0x3424})
        for (Val quad : {a, b})
          fragment.push_back(
              k.e4m3ToBf16(k.permuteBytes(quad, k.i32(0), selector)));
      products.push_back(fragment);
    }
  }
  return products;
}

SmallVector<Fragment> MmaFragments::widenInput(Val low, Val high) {
  SmallVector<Fragment> products;
  for (Val quad : {low, high}) {
    auto [even, odd] = k.e4m3ToScaledF16(quad);
    products.push_back({even, odd});
  }
  return products;
}

SmallVector<SmallVector<Fragment>>
MmaFragments::loadInput(Val chunk, int64_t n, int64_t count, int64_t step) {
  SmallVector<SmallVector<Fragment>> result(count);
  // x in bf16 has 32 bytes for each product, in FP8 for both.
  bool isShared = operands.isWidened() && operands.fp8Input;
  int64_t pieces = operands.isWidened() && !isShared ? 2 : 1;
  for (int64_t part = 0; part < pieces; ++part) {
    int64_t piece = step * pieces + part;
    Val offset = (inputLane ^ k.i32(piece % 4 * 2 * kVectorBytes)) +
                 (n * 8 + piece / 4 * tile.tokens) * kRowBytes;
    if (operands.pairedBytes()) {
      auto type = VectorType::get(2, k.getI32Type());
      for (int64_t i = 0; i < count; ++i) {
        Val pair = k.load(type, k.at(chunk, offset + i * 8 * kRowBytes), 8);
        result[i].push_back({k.extract(pair, 0), k.extract(pair, 1)});
      }
      continue;
    }
    SmallVector<Val> raw =
        k.loadMatrices(k.at(chunk, offset), /*transposed=*/false, 2 * count);
    for (int64_t i = 0; i < count; ++i) {
      if (isShared)
        result[i] = widenInput(raw[2 * i], raw[2 * i + 1]);
      else
        result[i].push_back({raw[2 * i], raw[2 * i + 1]});
    }
  }
  return result;
}

SmallVector<Val> MmaFragments::multiply(const Fragment &weight,
                                        const Fragment &input,
                                        ArrayRef<Val> sums) {
  if (operands.fp8Mma)
    return k.mmaE4m3(weight, input, sums);
  if (operands.fp8Input)
    return k.mmaF16(weight, input, sums);
  return k.mmaBf16(weight, input, sums);
}

Val MmaFragments::outputOf(int64_t half) {
  Val row = k.lane() >> 2;
  if (operands.transposed && operands.fp8Weight)
    return row * 2 + half;
  return row + half * 8;
}
