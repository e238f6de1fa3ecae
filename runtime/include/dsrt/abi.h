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
#define DSRT_ABI_VERSION 3u
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
                                   equal to shape where that is not -1; 0 for
                                   an index that a device's entry ignores */
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

/* Code for one chip. A module for GPUs has at least one; the runtime loads the
 * best that the device can run. */
typedef struct dsrt_image {
  const char *chip;     /* "sm_90a" */
  const char *ptx;      /* text with its NUL */
  uint64_t ptx_bytes;   /* the NUL included */
  const void *cubin;    /* machine code for that chip, or null */
  uint64_t cubin_bytes; /* 0: none */
} dsrt_image;
DSRT_STATIC_ASSERT(sizeof(dsrt_image) == 40, "dsrt_image");

/* A device function of an image: what a launch of it needs besides grid and
 * arguments. */
typedef struct dsrt_device_kernel {
  int64_t name;         /* in the image; offset into dsrt_module.strings */
  int64_t location;     /* "file:line:column op" of the graph op; offset too */
  int64_t image;        /* index into dsrt_module.images */
  int64_t block[3];     /* threads of a CTA */
  int64_t cluster[3];   /* CTAs of a cluster; 1, 1, 1: none */
  int64_t shared_bytes; /* dynamic */
  int64_t dependent;    /* 1: it may start before the launch ahead of it is
                           done, and waits itself (programmatic dependent
                           launch) */
} dsrt_device_kernel;
DSRT_STATIC_ASSERT(sizeof(dsrt_device_kernel) == 88, "dsrt_device_kernel");

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
  const char *target; /* "host:x86-64-v3", "nvptx:sm_90a,sm_80" */
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
  /* Of a module for GPUs; a module for the host has none of these. */
  uint64_t scratch_bytes; /* what dsrt_scratch gives, exact */
  const dsrt_image *images;
  const dsrt_device_kernel *device_kernels;
  uint64_t image_count;
  uint64_t device_kernel_count;
} dsrt_module;
DSRT_STATIC_ASSERT(sizeof(dsrt_module) == 184, "dsrt_module");

/* The one exported symbol. `max_abi_version` is the runtime's; a module that
 * needs a newer one still answers, so that the runtime can name both. */
const dsrt_module *dsrt_module_query(uint32_t max_abi_version);

/*===----------------------------------------------------------------------===*\
|* What a compiled model calls
\*===----------------------------------------------------------------------===*/

/* Addresses of all weights, by index into dsrt_module.weights. On a device they
 * are the device's, 128-byte aligned, and a stacked weight is one contiguous
 * tensor. */
const void *const *dsrt_weights(dsrt_call *call);

/* The workspace: dsrt_entry.workspace_bytes bytes, 64-byte aligned; device
 * memory on a device. */
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

/*===----------------------------------------------------------------------===*\
|* What a compiled model for GPUs calls besides
|*
|* Work goes to one stream in the order of the calls; nothing waits for it but
|* the end of a step.
\*===----------------------------------------------------------------------===*/

/* Index into dsrt_module.images of the code that is loaded. */
int64_t dsrt_loaded_image(dsrt_call *call);

/* Launches a row of dsrt_module.device_kernels. args[i] points to the value of
 * parameter i, as in cuLaunchKernel. A grid with a 0 launches nothing. */
dsrt_status dsrt_launch(dsrt_call *call, int64_t device_kernel,
                        const int64_t grid[3], const void *const *args);

/* Copies between buffers of the device that do not overlap. */
dsrt_status dsrt_copy(dsrt_call *call, void *target, const void *source,
                      int64_t bytes);

/* The device address of a constant of the artifact, uploaded when it is first
 * asked for; at least 128-byte aligned. */
dsrt_status dsrt_constant(dsrt_call *call, const void *host, int64_t bytes,
                          void **device);

/* Memory between the launches of one kernel: dsrt_module.scratch_bytes bytes of
 * the device, 128-byte aligned; its contents do not outlive the kernel. */
void *dsrt_scratch(dsrt_call *call);

/* What cuTensorMapEncodeTiled is told. */
typedef struct dsrt_tensor_map_desc {
  const void *address; /* on the device */
  int64_t dtype;
  int64_t rank;
  int64_t sizes[5];      /* elements, innermost first */
  int64_t strides[5];    /* bytes; [0] is unused */
  int64_t box[5];        /* elements */
  int64_t swizzle_bytes; /* 0, 32, 64 or 128 */
} dsrt_tensor_map_desc;
DSRT_STATIC_ASSERT(sizeof(dsrt_tensor_map_desc) == 152, "dsrt_tensor_map_desc");

/* Fills 128 bytes, 64-byte aligned: a parameter of a kernel. */
dsrt_status dsrt_tensor_map(dsrt_call *call, const dsrt_tensor_map_desc *desc,
                            void *map);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* DSRT_ABI_H */
