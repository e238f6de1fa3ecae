/*===- fake_device.h - The entries of fake_model.c on a GPU
----------------===*\
|*
|* Launchers of the kernels of ../device/kernels.c, whose text the assembler
puts
|* here, and the tables of a module for GPUs. FAKE_DEVICE is defined; the other
|* FAKE_* macros make broken variants.
|*
\*===----------------------------------------------------------------------===*/

/* The text, with its NUL. */
__asm__(".section .rodata\n"
        "fake_ptx:\n"
        ".incbin \"" FAKE_PTX "\"\n"
        ".byte 0\n"
        "fake_ptx_end:\n"
        ".previous\n");
extern const char fake_ptx[] __attribute__((visibility("hidden")));
extern const char fake_ptx_end[] __attribute__((visibility("hidden")));

#ifndef FAKE_CHIP
#define FAKE_CHIP "sm_90"
#endif
#ifndef FAKE_KERNEL_IMAGE
#define FAKE_KERNEL_IMAGE 0
#endif
#ifndef FAKE_SHARED_BYTES
#define FAKE_SHARED_BYTES 65536
#endif
#ifndef FAKE_OVERRUN
#define FAKE_OVERRUN 0
#endif
#ifndef FAKE_MISSING_NUL
#define FAKE_MISSING_NUL 0
#endif
#ifndef FAKE_GRID
#define FAKE_GRID 1
#endif

/* Rows of the table of device functions, and threads of a block. */
enum { APPEND, HIDDEN_ROWS, LOGIT_ROWS, SCALE, CHECK, OVERRUN, DEVICE_KERNELS };
enum { THREADS = 64 };

#define DEVICE_KERNEL(field, threads, cluster, shared, dependent)              \
  {                                                                            \
    NAME(field), NAME(location), FAKE_KERNEL_IMAGE, {threads, 1, 1},           \
        {cluster, 1, 1}, shared, dependent                                     \
  }
static const dsrt_device_kernel device_kernels[] = {
    DEVICE_KERNEL(append, THREADS, 1, 0, 0),
    DEVICE_KERNEL(hidden_rows, THREADS, 2, 0, 0),
    DEVICE_KERNEL(logit_rows, V, 1, FAKE_SHARED_BYTES, 1),
    DEVICE_KERNEL(scale, THREADS, 1, 0, 0),
    DEVICE_KERNEL(check, V, 1, 0, 0),
    DEVICE_KERNEL(overrun, 1, 1, 0, 0)};

/* The twos of the derived weight: a constant of the artifact. */
static const float two[1] = {2.0f};

#define TRY(call)                                                              \
  do {                                                                         \
    dsrt_status status_ = (call);                                              \
    if (status_)                                                               \
      return status_;                                                          \
  } while (0)

static int64_t blocks(int64_t count) { return (count + THREADS - 1) / THREADS; }

static dsrt_status step(dsrt_call *call, const dsrt_buffer *args,
                        const dsrt_buffer *cache, dsrt_buffer *results,
                        int entry) {
  int64_t T = args[0].sizes[0], R = args[7].sizes[0];
  int32_t count = (int32_t)T, pages = (int32_t)args[3].sizes[1];
  if (dsrt_loaded_image(call) != 0 || args[6].sizes[0] != 0)
    return 9; /* kv_total is not read, as its bound says */
  char *workspace = dsrt_workspace(call);
  void *logits = workspace, *hidden = workspace + LOGITS_BYTES;
  void *embedding = workspace + LOGITS_BYTES + HIDDEN_BYTES;
  /* By way of the scratch, so that it is used. */
  char *scratch = dsrt_scratch(call);

  const void *const *weights = dsrt_weights(call);
  const void *checked[] = {&weights[0], &weights[1], &weights[2]};
  TRY(dsrt_launch(call, CHECK, (int64_t[]){1, 1, 1}, checked));
  const void *append[] = {&cache->data, &args[2].data, &args[0].data,
                          &args[1].data, &count};
  TRY(dsrt_launch(call, APPEND, (int64_t[]){blocks(T) * FAKE_GRID, 1, 1},
                  append));
  /* An even number of CTAs: they come in clusters of two. */
  const void *rows[] = {&cache->data,  &args[3].data, &args[4].data,
                        &args[5].data, &args[0].data, &args[1].data,
                        &scratch,      &embedding,    &count,
                        &pages,        &entry};
  TRY(dsrt_launch(call, HIDDEN_ROWS, (int64_t[]){2 * blocks(T), 1, 1}, rows));
  TRY(dsrt_copy(call, hidden, scratch, T * H * 4));
  const void *heads[] = {&hidden, &args[7].data, &logits};
  TRY(dsrt_launch(call, LOGIT_ROWS, (int64_t[]){R, 1, 1}, heads));
  int64_t offset = 1 << 20;
  const void *store[] = {&logits, &offset};
  TRY(dsrt_launch(call, OVERRUN, (int64_t[]){FAKE_OVERRUN, 1, 1}, store));

  results[0] = (dsrt_buffer){logits, {R, V, 0, 0}};
  results[1] = (dsrt_buffer){hidden, {T, H, 0, 0}};
  results[2] = *cache;
  if (entry < 2)
    results[3] = (dsrt_buffer){embedding, {T, H, 0, 0}};
  return 0;
}

static dsrt_status prefill(dsrt_call *call, const dsrt_buffer *args,
                           dsrt_buffer *results) {
  return step(call, args, &args[8], results, 0);
}

static dsrt_status decode(dsrt_call *call, const dsrt_buffer *args,
                          dsrt_buffer *results) {
  return step(call, args, &args[8], results, 1);
}

static dsrt_status mtp(dsrt_call *call, const dsrt_buffer *args,
                       dsrt_buffer *results) {
  return step(call, args, &args[9], results, 2);
}

/* The derived weight: twice the first row of the embedding. */
static dsrt_status prepare(dsrt_call *call, const dsrt_buffer *args,
                           dsrt_buffer *results) {
  (void)args;
  void *doubled = dsrt_workspace(call), *factor;
  int32_t count = H;
  TRY(dsrt_constant(call, two, sizeof(two), &factor));
  const void *params[] = {&doubled, dsrt_weights(call), &factor, &count};
  TRY(dsrt_launch(call, SCALE, (int64_t[]){1, 1, 1}, params));
  results[0] = (dsrt_buffer){doubled, {H, 0, 0, 0}};
  return 0;
}
