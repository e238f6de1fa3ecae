/*===- fake_model.c - A model by hand, for tests of the runtime
-------------===*\
|*
|* Has the entries, tables and caches of a compiled model, and arithmetic simple
|* enough to know its answers: a token's cache row holds its id and position,
|* and the hidden state of a row is what it reads back through the block table:
|*
|*   s = 0; for every kept position p of its sequence up to its own:
|*     s = (7 * s + id(p) + p) mod 97
|*   hidden = [s, id, position, entry]     logits[v] = -|v - next|,
|*     next = (s + position + 1) mod V, and V is 32
|*
|* so that a wrong page, slot, prefix sum or position changes the answer. Every
|* row it reads is checked to be the position it should be, else the entry
|* fails. FAKE_* macros make the broken variants.
|*
\*===----------------------------------------------------------------------===*/

#include "dsrt/abi.h"

#include <stddef.h>

#ifdef FAKE_REAL_VOCABULARY
enum { V = 2048 };
#define WEIGHT_KEY "model.norm.weight"
#else
enum { V = 32 };
#define WEIGHT_KEY "model.embed_tokens.weight"
#endif
enum { H = 4, PAGE = 64, ROW = 2, MAX_TOKENS = 16, MAX_SEQUENCES = 4 };
#ifndef FAKE_CONTEXT
#define FAKE_CONTEXT 320
#endif
enum { CONTEXT = FAKE_CONTEXT, PAGES = CONTEXT / PAGE, PREFILL_KV = 16 };

#ifndef FAKE_ABI_VERSION
#define FAKE_ABI_VERSION DSRT_ABI_VERSION
#endif
#ifdef FAKE_NAN
#define FAKE_LOGIT(value) ((value) * __builtin_nanf(""))
#else
#define FAKE_LOGIT(value) (value)
#endif
#ifndef FAKE_FEATURES
#define FAKE_FEATURES ""
#endif
#ifndef FAKE_MAGIC
#define FAKE_MAGIC DSRT_MAGIC
#endif
#ifndef FAKE_CACHE_WIDTH
#define FAKE_CACHE_WIDTH ROW
#endif
#ifndef FAKE_DERIVED_SIZE
#define FAKE_DERIVED_SIZE 4
#endif
#ifndef FAKE_PREPARE_STATUS
#define FAKE_PREPARE_STATUS 0
#endif
#ifndef FAKE_PREPARE_BYTES
#define FAKE_PREPARE_BYTES 64
#endif
#ifndef FAKE_SOURCE
#define FAKE_SOURCE "splat:1"
#endif
#ifdef FAKE_UNKNOWN_ARGUMENT
#define TOKENS_NAME "tomatoes"
#else
#define TOKENS_NAME "tokens"
#endif

/* The string table, and the offset of each name in it. */
struct strings {
  char tokens[9], positions[10], slots[6], block_table[12], cu_q_lens[10],
      cu_kv_lens[11], kv_total[9], logit_rows[11], hidden[7], logits[7],
      cache0[8], cache1[8], hidden0[9], embedding[26], kernel[12], experts[40],
      shared[46], doubled[8], append[7], hidden_rows[12], scale[6], overrun[8],
      check[14], location[23];
};
static const struct strings strings = {
    TOKENS_NAME,   "positions",
    "slots",       "block_table",
    "cu_q_lens",   "cu_kv_lens",
    "kv_total",    "logit_rows",
    "hidden",      "logits",
    "cache.0",     "cache.1",
    "hidden.0",    WEIGHT_KEY,
    "fake_hidden", "model.layers.0.mlp.experts.*.up.weight",
    "model.layers.0.mlp.shared_experts.up.weight",
    "doubled",     "append",
    "hidden_rows", "scale",
    "overrun",     "check_weights",
    "fake.mlir:7:3 test.op"};
#define NAME(field) ((int64_t)offsetof(struct strings, field))

#define I32_1(field, bound)                                                    \
  {                                                                            \
    NAME(field), DSRT_I32, 1, {-1, 0, 0, 0}, { bound, 0, 0, 0 }                \
  }
#ifdef FAKE_DEVICE
#define KV_BOUND(bound) 0 /* it is not read */
#else
#define KV_BOUND(bound) bound
#endif
#define INPUTS(kv_bound)                                                       \
  {NAME(tokens), DSRT_I32, 1, {-1, 0, 0, 0}, {MAX_TOKENS, 0, 0, 0}},           \
      I32_1(positions, MAX_TOKENS), I32_1(slots, MAX_TOKENS),                  \
      {NAME(block_table),                                                      \
       DSRT_I32,                                                               \
       2,                                                                      \
       {-1, -1, 0, 0},                                                         \
       {MAX_SEQUENCES, PAGES, 0, 0}},                                          \
      I32_1(cu_q_lens, MAX_SEQUENCES + 1),                                     \
      I32_1(cu_kv_lens, MAX_SEQUENCES + 1),                                    \
      {NAME(kv_total), DSRT_INDEX, 0, {0, 0, 0, 0}, {KV_BOUND(kv_bound), 0, 0, 0}},      \
      I32_1(logit_rows, MAX_TOKENS)
#define CACHE(field)                                                           \
  {                                                                            \
    NAME(field), DSRT_F32, 3, {-1, PAGE, FAKE_CACHE_WIDTH, 0}, {               \
      0, PAGE, FAKE_CACHE_WIDTH, 0                                             \
    }                                                                          \
  }
#define FLOATS(field, width)                                                   \
  {                                                                            \
    NAME(field), DSRT_F32, 2, {-1, width, 0, 0}, { MAX_TOKENS, width, 0, 0 }   \
  }

static const dsrt_value prefill_args[] = {INPUTS(PREFILL_KV), CACHE(cache0)};
static const dsrt_value decode_args[] = {INPUTS(MAX_SEQUENCES * CONTEXT),
                                         CACHE(cache0)};
static const dsrt_value results[] = {FLOATS(logits, V), FLOATS(hidden, H),
                                     CACHE(cache0), FLOATS(hidden0, H)};
static const dsrt_value mtp_args[] = {INPUTS(MAX_SEQUENCES * CONTEXT),
                                      FLOATS(hidden, H), CACHE(cache1)};
static const dsrt_value mtp_results[] = {FLOATS(logits, V), FLOATS(hidden, H),
                                         CACHE(cache1)};

enum { LOGITS_BYTES = MAX_TOKENS * V * 4, HIDDEN_BYTES = MAX_TOKENS * H * 4 };
enum { WORKSPACE = LOGITS_BYTES + 2 * HIDDEN_BYTES };

#ifdef FAKE_DEVICE
#include "fake_device.h"
#else

struct rows {
  const dsrt_buffer *args, *cache;
  float *hidden, *embedding;
  int entry, failed;
};

/* The hidden state of the rows [begin, end) of the step. */
static void hidden_rows(void *context, int64_t begin, int64_t end) {
  struct rows *rows = context;
  const dsrt_buffer *args = rows->args;
  const int32_t *tokens = args[0].data, *positions = args[1].data;
  const int32_t *table = args[3].data, *q = args[4].data, *kv = args[5].data;
  const float *cache = rows->cache->data;
  for (int64_t t = begin; t < end; ++t) {
    int64_t b = 0;
    while (q[b + 1] <= t)
      ++b;
    int64_t length = kv[b + 1] - kv[b];
    int64_t position = length - (q[b + 1] - t);
    if (position != positions[t])
      rows->failed = 1;
    int64_t s = 0;
    for (int64_t p = 0; p <= position; ++p) {
      int64_t page = table[b * args[3].sizes[1] + p / PAGE];
      const float *row = cache + (page * PAGE + p % PAGE) * FAKE_CACHE_WIDTH;
      if (row[1] != (float)p)
        rows->failed = 1;
      s = (7 * s + (int64_t)row[0] + p) % 97;
    }
    float *hidden = rows->hidden + t * H;
    hidden[0] = (float)s;
    hidden[1] = (float)tokens[t];
    hidden[2] = (float)position;
    hidden[3] = (float)rows->entry;
    if (rows->embedding)
      for (int64_t i = 0; i < H; ++i)
        rows->embedding[t * H + i] = (float)tokens[t];
  }
}

static dsrt_status step(dsrt_call *call, const dsrt_buffer *args,
                        const dsrt_buffer *cache, dsrt_buffer *results,
                        int entry) {
  int64_t T = args[0].sizes[0], R = args[7].sizes[0];
  const int32_t *tokens = args[0].data, *positions = args[1].data;
  const int32_t *slots = args[2].data, *logit_rows = args[7].data;
  char *workspace = dsrt_workspace(call);
  float *logits = (float *)workspace;
  float *hidden = (float *)(workspace + LOGITS_BYTES);
  float *embedding = (float *)(workspace + LOGITS_BYTES + HIDDEN_BYTES);
  int32_t B = (int32_t)args[4].sizes[0] - 1;
  if (args[6].sizes[0] != ((const int32_t *)args[5].data)[B])
    return 9;
#ifndef FAKE_REAL_VOCABULARY
  const float *const *weights = (const float *const *)dsrt_weights(call);
  if (weights[0][0] != 1.0f || weights[2][H - 1] != 2.0f)
    return 9;
#endif

  for (int64_t t = 0; t < T; ++t) {
    float *row = (float *)cache->data + (int64_t)slots[t] * FAKE_CACHE_WIDTH;
    row[0] = (float)tokens[t];
    row[1] = (float)positions[t];
  }
  struct rows rows = {args, cache, hidden, embedding, entry, 0};
  dsrt_status status = dsrt_parallel(call, hidden_rows, &rows, T, 1);
  if (status)
    return status;
  if (rows.failed)
    return 9;
  for (int64_t r = 0; r < R; ++r) {
    const float *h = hidden + logit_rows[r] * H;
    int next = (int)(h[0] + h[2] + 1) % V;
    for (int v = 0; v < V; ++v)
      logits[r * V + v] = FAKE_LOGIT((float)(v < next ? v - next : next - v));
  }
  results[0] = (dsrt_buffer){logits, {R, V, 0, 0}};
  results[1] = (dsrt_buffer){hidden, {T, H, 0, 0}};
  results[2] = *cache;
  if (entry < 2)
    results[3] = (dsrt_buffer){embedding, {T, H, 0, 0}};
  return 0;
}

static dsrt_status prefill(dsrt_call *call, const dsrt_buffer *args,
                           dsrt_buffer *results) {
  const int32_t *kv = args[5].data;
  if (kv[args[5].sizes[0] - 1] != args[0].sizes[0])
    return 9; /* not fresh */
  return step(call, args, &args[8], results, 0);
}

static dsrt_status decode(dsrt_call *call, const dsrt_buffer *args,
                          dsrt_buffer *results) {
  return step(call, args, &args[8], results, 1);
}

/* Fails unless it is given the main model's hidden state of the same row. */
static dsrt_status mtp(dsrt_call *call, const dsrt_buffer *args,
                       dsrt_buffer *results) {
  const float *hidden = args[8].data;
  const int32_t *positions = args[1].data;
  for (int64_t t = 0; t < args[0].sizes[0]; ++t)
    if (hidden[t * H + 2] != (float)positions[t])
      return 9;
  return step(call, args, &args[9], results, 2);
}

#ifndef FAKE_REAL_VOCABULARY
/* The derived weight: twice the first row of the embedding. */
static dsrt_status prepare(dsrt_call *call, const dsrt_buffer *args,
                           dsrt_buffer *results) {
  (void)args;
  const float *const *weights = (const float *const *)dsrt_weights(call);
  float *doubled = dsrt_workspace(call);
  for (int64_t i = 0; i < H; ++i)
    doubled[i] = 2 * weights[0][i];
  results[0] = (dsrt_buffer){doubled, {H, 0, 0, 0}};
  return FAKE_PREPARE_STATUS;
}
#endif
#endif

#ifndef FAKE_REAL_VOCABULARY
static const dsrt_value prepare_results[] = {
    {NAME(doubled), DSRT_F32, 1, {FAKE_DERIVED_SIZE, 0, 0, 0}, {H, 0, 0, 0}}};
#endif

static const dsrt_entry entries[] = {
    {"prefill", prefill, prefill_args, results, 9, 4, WORKSPACE},
    {"decode", decode, decode_args, results, 9, 4, WORKSPACE},
    {"mtp", mtp, mtp_args, mtp_results, 10, 3, WORKSPACE},
#ifndef FAKE_REAL_VOCABULARY
    {"prepare", prepare, NULL, prepare_results, 0, 1, FAKE_PREPARE_BYTES},
#endif
};

static const dsrt_weight weights[] = {
#ifdef FAKE_REAL_VOCABULARY
    {NAME(embedding), DSRT_BF16, 1, {256, 0, 0, 0}, 0, -1, 0, -1, 0, 7},
#else
    {NAME(embedding), DSRT_F32, 2, {V, H, 0, 0}, 0, -1, 0, -1, 0, 7},
    {NAME(experts), DSRT_BF16, 3, {8, 4, H, 0}, 1, -1, 0, NAME(shared), 0, 7},
    {NAME(doubled), DSRT_F32, 1, {H, 0, 0, 0}, 0, -1, 0, -1, 1, 7},
#endif
};
static const dsrt_kernel kernels[] = {{NAME(kernel), 3}};
#ifdef FAKE_DEVICE
#define FAKE_TARGET "nvptx:" FAKE_CHIP
/* Machine code that only a GPU would look at. */
static dsrt_image images[] = {{FAKE_CHIP, fake_ptx, 0, "\x7f" "ELF", 4}};
#define DEVICE_TABLES HIDDEN_BYTES, images, device_kernels, 1, DEVICE_KERNELS
#else
#define FAKE_TARGET "host:test"
#define DEVICE_TABLES 0, NULL, NULL, 0, 0
#endif
static const int64_t eos_tokens[] = {31};

static const dsrt_module module = {FAKE_MAGIC,
                                   FAKE_ABI_VERSION,
                                   "fake",
                                   FAKE_TARGET,
                                   FAKE_SOURCE,
                                   (const char *)&strings,
                                   weights,
                                   kernels,
                                   entries,
                                   eos_tokens,
                                   sizeof(weights) / sizeof(weights[0]),
                                   1,
                                   sizeof(entries) / sizeof(entries[0]),
                                   1,
                                   0,
                                   CONTEXT,
                                   WORKSPACE,
                                   2,
                                   FAKE_FEATURES,
                                   DEVICE_TABLES};

__attribute__((visibility("default"))) const dsrt_module *
dsrt_module_query(uint32_t max_abi_version) {
  (void)max_abi_version;
#ifdef FAKE_DEVICE
  images[0].ptx_bytes = (uint64_t)(fake_ptx_end - fake_ptx) - FAKE_MISSING_NUL;
#endif
  return &module;
}
