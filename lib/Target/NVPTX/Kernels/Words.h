//===- Words.h - Neighbouring elements in registers -------------*- C++ -*-===//
//
// Up to eight neighbouring elements of f32, bf16 or e4m3 are moved and held as
// the i32 words that hold them in memory (fewer than four bytes: the low part
// of one word).
//
//===----------------------------------------------------------------------===//

#ifndef LIB_TARGET_NVPTX_KERNELS_WORDS_H
#define LIB_TARGET_NVPTX_KERNELS_WORDS_H

#include "lib/Target/NVPTX/KernelBuilder.h"

namespace mlir::deepseek {

/// `bytes` (1, 2, 4, 8, 16 or 32) at a multiple of them, up to 16 an access.
SmallVector<Val> loadWords(KernelBuilder &k, int64_t bytes, Val address);
void storeWords(KernelBuilder &k, int64_t bytes, ArrayRef<Val> words,
                Val address);

/// The f32 of the first `count` elements of words.
SmallVector<Val> unpackWords(KernelBuilder &k, Type element,
                             ArrayRef<Val> words, int64_t count);
/// The words of f32 values, rounded to nearest even; e4m3 saturates.
SmallVector<Val> packWords(KernelBuilder &k, Type element,
                           ArrayRef<Val> values);

} // namespace mlir::deepseek

#endif // LIB_TARGET_NVPTX_KERNELS_WORDS_H
