//===- Words.cpp - Neighbouring elements in registers ---------------------===//

#include "lib/Target/NVPTX/Kernels/Words.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::deepseek;

static constexpr int64_t kAccessBytes = 16;

SmallVector<Val> deepseek::loadWords(KernelBuilder &k, int64_t bytes,
                                     Val address) {
  if (bytes < 4)
    return {k.toI32(k.load(k.getIntegerType(bytes * 8), address, bytes))};
  SmallVector<Val> words;
  int64_t step = std::min(bytes, kAccessBytes);
  for (int64_t at = 0; at < bytes; at += step) {
    Val from = k.at(address, at);
    if (step == 4) {
      words.push_back(k.load(k.getI32Type(), from, step));
      continue;
    }
    Val loaded = k.load(VectorType::get(step / 4, k.getI32Type()), from, step);
    for (int64_t i = 0; i < step / 4; ++i)
      words.push_back(k.extract(loaded, i));
  }
  return words;
}

void deepseek::storeWords(KernelBuilder &k, int64_t bytes, ArrayRef<Val> words,
                          Val address) {
  if (bytes < 4) {
    Value narrow =
        arith::TruncIOp::create(k, k.getIntegerType(bytes * 8), words.front());
    return k.store(k.val(narrow), address, bytes);
  }
  int64_t step = std::min(bytes, kAccessBytes);
  for (int64_t at = 0; at < bytes; at += step) {
    ArrayRef<Val> part = words.slice(at / 4, step / 4);
    k.store(step == 4 ? part.front() : k.makeVector(part), k.at(address, at),
            step);
  }
}

SmallVector<Val> deepseek::unpackWords(KernelBuilder &k, Type element,
                                       ArrayRef<Val> words, int64_t count) {
  SmallVector<Val> values;
  for (Val word : words) {
    if (element.isF32()) {
      values.push_back(k.bitcast(word, k.getF32Type()));
    } else if (element.isBF16()) {
      auto [low, high] = k.unpackBf16(word);
      values.append({low, high});
    } else {
      values.append(k.unpackE4m3(word));
    }
  }
  values.resize(count);
  return values;
}

SmallVector<Val> deepseek::packWords(KernelBuilder &k, Type element,
                                     ArrayRef<Val> values) {
  SmallVector<Val> words, pairs;
  if (element.isF32()) {
    for (Val value : values)
      words.push_back(k.bitcast(value, k.getI32Type()));
    return words;
  }
  for (size_t i = 0; i < values.size(); i += 2) {
    Val low = values[i],
        high = i + 1 < values.size() ? values[i + 1] : k.f32(0);
    pairs.push_back(element.isBF16() ? k.packBf16(low, high)
                                     : k.toI32(k.packE4m3(low, high)));
  }
  if (element.isBF16())
    return pairs;
  for (size_t i = 0; i < pairs.size(); i += 2)
    words.push_back(i + 1 < pairs.size() ? pairs[i] | (pairs[i + 1] << 16)
                                         : pairs[i]);
  return words;
}
