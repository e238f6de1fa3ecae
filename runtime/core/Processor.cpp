//===- Processor.cpp - What this machine's processor can do ---------------===//
//
// Compares the features that a module says its code needs with those of the
// processor, so that a foreign model is refused instead of dying of an illegal
// instruction.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Processor.h"

#include <sstream>

namespace dsrt {

/// Names are LLVM's. One that is not known here cannot be checked and passes.
static bool lacks(const std::string &feature) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#define DSRT_LACKS(name)                                                       \
  if (feature == name)                                                         \
    return !__builtin_cpu_supports(name);
  DSRT_LACKS("sse4.2")
  DSRT_LACKS("popcnt")
  DSRT_LACKS("lzcnt")
  DSRT_LACKS("avx")
  DSRT_LACKS("f16c")
  DSRT_LACKS("fma")
  DSRT_LACKS("avx2")
  DSRT_LACKS("bmi")
  DSRT_LACKS("bmi2")
  DSRT_LACKS("avx512f")
  DSRT_LACKS("avx512cd")
  DSRT_LACKS("avx512bw")
  DSRT_LACKS("avx512dq")
  DSRT_LACKS("avx512vl")
  DSRT_LACKS("avx512vbmi")
  DSRT_LACKS("avx512vbmi2")
  DSRT_LACKS("avx512vnni")
  DSRT_LACKS("avx512bitalg")
  DSRT_LACKS("avx512vpopcntdq")
  DSRT_LACKS("avx512bf16")
  DSRT_LACKS("avx512fp16")
  DSRT_LACKS("gfni")
#undef DSRT_LACKS
#else
  (void)feature;
#endif
  return false;
}

Status checkProcessor(const char *features, const std::string &path) {
  std::istringstream words(features);
  std::string missing;
  for (std::string feature; words >> feature;)
    if (lacks(feature))
      missing += (missing.empty() ? "" : ", ") + feature;
  if (missing.empty())
    return Status();
  return error(DSRT_UNSUPPORTED,
               "'{}' was compiled for a processor with {}, which this one lacks; "
               "compile it here, or with --chip=x86-64-v3 or x86-64-v2",
               path, missing);
}

} // namespace dsrt
