/*===- dsrt/abi.h - The contract of a compiled model and its runtime -------===*\
|*
|* The compiler and the runtime share this file and nothing else. A compiled
|* model exports one symbol, dsrt_module_query; what its code calls is declared
|* at the end. C11; plain structs of fixed-width integers and pointers to
|* constant data; every size is asserted below.
|*
|* An application includes dsrt/dsrt.h instead.
|*
\*===----------------------------------------------------------------------===*/

#ifndef DSRT_ABI_H
#define DSRT_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define DSRT_STATIC_ASSERT static_assert
#else
#define DSRT_STATIC_ASSERT _Static_assert
#endif

#define DSRT_MAGIC 0x54525344u /* "DSRT", little endian */
#define DSRT_ABI_VERSION 2u
#define DSRT_MAX_RANK 4

/* 0 is success; the codes are those of dsrt.h. */
typedef int32_t dsrt_status;

/* Element types of buffers. */
enum {
  DSRT_F32 = 0,
  DSRT_BF16 = 1,
  DSRT_F16 = 2,
  DSRT_F8E4M3 = 3,
  DSRT_F8E5M2 = 4,
  DSRT_F8E8M0 = 5,
  DSRT_I32 = 6,
  DSRT_I64 = 7,
  DSRT_I8 = 8,
  DSRT_INDEX = 9 /* a scalar argument: it has no data, its value is sizes[0] */
};

/*===----------------------------------------------------------------------===*\
|* What a compiled model exports
\*===----------------------------------------------------------------------===*/

/* A contiguous row-major buffer. */
typedef struct dsrt_buffer {
  void *data;
  int64_t sizes[DSRT_MAX_RANK]; /* the first `rank` of the description count */
} dsrt_buffer;
DSRT_STATIC_ASSERT(sizeof(dsrt_buffer) == 40, "dsrt_buffer");

/* An argument or result of an entry. Tables hold no pointers: `name` is an
 * offset into dsrt_module.strings. */
typedef struct dsrt_value {
  int64_t name;
  int64_t dtype;
  int64_t rank;
  int64_t shape[DSRT_MAX_RANK]; /* -1: known when the entry is called */
  int64_t bound[DSRT_MAX_RANK]; /* the largest size the memory plan allows;
                                   equal to shape where that is not -1 */
} dsrt_value;
DSRT_STATIC_ASSERT(sizeof(dsrt_value) == 88, "dsrt_value");

/* A weight, read from the checkpoint by key, or derived: the result of the name
 * `key` of the entry "prepare", which has no arguments and is run once, after the
 * other weights are known. A key with a '*' stacks the tensors that differ in that
 * index: shape[0] of them, each shape[1..]; its address is that of a table of
 * shape[0] pointers. The last of them can be a tensor with a name of its own: the
 * shared expert behind the routed ones. */
typedef struct dsrt_weight {
  int64_t key; /* offset into dsrt_module.strings */
  int64_t dtype;
  int64_t rank;
  int64_t shape[DSRT_MAX_RANK];
  int64_t stacked;   /* 1: shape[0] tensors of experts, as a '*' in the key says */
  int64_t scale_of;  /* index of the weight these are the scales of, or -1 */
  int64_t power_of_two; /* 1: scales that must be powers of two (ue8m0) */
  int64_t last_key; /* offset of the name of the last stacked tensor, or -1 */
  int64_t derived;      /* 1: computed by the entry "prepare"; its address is that of
                           the whole, stacked or not */
  int64_t readers;      /* bit i: entry i of the table reads it */
} dsrt_weight;
DSRT_STATIC_ASSERT(sizeof(dsrt_weight) == 104, "dsrt_weight");

/* A kernel, for the command describe. */
typedef struct dsrt_kernel {
  int64_t name;      /* offset into dsrt_module.strings */
  int64_t call_sites; /* how many dispatches of all entries name it */
} dsrt_kernel;
DSRT_STATIC_ASSERT(sizeof(dsrt_kernel) == 16, "dsrt_kernel");

/* One invocation: workspace, weights, thread team. Opaque to the model. */
typedef struct dsrt_call dsrt_call;

/* `args` in the order of the entry's table; `results` is filled with buffers
 * that lie in the workspace (valid until the next call with that workspace) or
 * that are arguments updated in place (the caches). */
typedef dsrt_status (*dsrt_entry_function)(dsrt_call *call,
                                           const dsrt_buffer *args,
                                           dsrt_buffer *results);

typedef struct dsrt_entry {
  const char *name;
  dsrt_entry_function function;
  const dsrt_value *args;
  const dsrt_value *results;
  uint64_t arg_count;
  uint64_t result_count;
  uint64_t workspace_bytes; /* of this entry, exact for sizes at their bounds */
} dsrt_entry;
DSRT_STATIC_ASSERT(sizeof(dsrt_entry) == 56, "dsrt_entry");

typedef struct dsrt_module {
  uint32_t magic;
  uint32_t abi_version;
  const char *name;   /* of the model: "deepseek_v3" */
  const char *target; /* "host:x86-64-v3" */
  const char *source; /* where weights and tokenizer lie unless told otherwise:
                         a checkpoint folder, "seed:N" or "splat:X" */
  const char *strings;
  const dsrt_weight *weights;
  const dsrt_kernel *kernels;
  const dsrt_entry *entries;
  const int64_t *eos_tokens;
  uint64_t weight_count;
  uint64_t kernel_count;
  uint64_t entry_count;
  uint64_t eos_count;
  int64_t bos_token;      /* -1: none */
  int64_t context_length; /* tokens per sequence the plan allows */
  uint64_t workspace_bytes; /* the largest of the entries but "prepare" */
  int64_t experts_per_token; /* how many of a stacked weight's tensors one token
                                uses, without the last_key's; 0: no experts */
  const char *cpu_features; /* that the code needs, separated by spaces:
                               "avx2 fma"; a machine without one cannot run it */
} dsrt_module;
DSRT_STATIC_ASSERT(sizeof(dsrt_module) == 144, "dsrt_module");

/* The one exported symbol. `max_abi_version` is the runtime's; a module that
 * needs a newer one still answers, so that the runtime can name both. */
const dsrt_module *dsrt_module_query(uint32_t max_abi_version);

/*===----------------------------------------------------------------------===*\
|* What a compiled model calls
\*===----------------------------------------------------------------------===*/

/* Addresses of all weights, by index into dsrt_module.weights. */
const void *const *dsrt_weights(dsrt_call *call);

/* The workspace: dsrt_entry.workspace_bytes bytes, 64-byte aligned. */
void *dsrt_workspace(dsrt_call *call);

/* Runs range(context, begin, end) over [0, count) on the thread team, in pieces
 * of at least `grain` items (the last may be smaller). Returns when all are
 * done. Which thread runs which piece must not change any result. */
typedef void (*dsrt_range)(void *context, int64_t begin, int64_t end);
dsrt_status dsrt_parallel(dsrt_call *call, dsrt_range range, void *context,
                          int64_t count, int64_t grain);

/* check.expect_close and check.expect_eq. */
typedef struct dsrt_expectation {
  const char *location; /* "file:line:column" of the check op */
  const void *actual;
  const void *expected;
  int64_t dtype;
  int64_t count;
  double atol;
  double rtol;
  int64_t exact; /* 1: bitwise equality, atol and rtol are unused */
} dsrt_expectation;
DSRT_STATIC_ASSERT(sizeof(dsrt_expectation) == 64, "dsrt_expectation");
dsrt_status dsrt_expect(dsrt_call *call, const dsrt_expectation *expectation);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* DSRT_ABI_H */
