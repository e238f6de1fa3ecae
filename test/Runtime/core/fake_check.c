/*===- fake_check.c - A test program by hand ------------------------------===*\
|*
|* What the compiler makes of a module with check.expect_close and no language
|* model: an entry without arguments. TOLERANCE decides whether it passes.
|*
\*===----------------------------------------------------------------------===*/

#include "dsrt/abi.h"

#include <stddef.h>

static dsrt_status numbers(dsrt_call *call, const dsrt_buffer *args,
                           dsrt_buffer *results) {
  (void)args, (void)results;
  static const float actual[3] = {1.0f, 2.0f, 3.5f};
  static const float expected[3] = {1.0f, 2.0f, 3.0f};
  dsrt_expectation expectation = {
      "check.mlir:7:3", actual, expected, DSRT_F32, 3, TOLERANCE, 0.0, 0};
  return dsrt_expect(call, &expectation);
}

static const dsrt_entry entries[] = {{"numbers", numbers, NULL, NULL, 0, 0, 0}};

static const dsrt_module module = {DSRT_MAGIC, DSRT_ABI_VERSION,
                                   "checks",   "host:test",
                                   "",         "",
                                   NULL,       NULL,
                                   entries,    NULL,
                                   0,          0,
                                   1,          0,
                                   -1,         0,
                                   0,          0,
                                   "avx-none-knows", 0,
                                   NULL,       NULL,
                                   0,          0};

__attribute__((visibility("default"))) const dsrt_module *
dsrt_module_query(uint32_t max_abi_version) {
  (void)max_abi_version;
  return &module;
}
