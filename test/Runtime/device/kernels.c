/*===- kernels.c - Device functions of the model by hand ------------------===*\
|*
|* What test/Runtime/core/fake_model.c computes, for GPUs. kernels.ptx is made
of
|* this file, and the tests use that:
|*
|*   clang-22 --target=nvptx64-nvidia-cuda -march=sm_80 -O2 -S \
|*     kernels.c -o kernels.ptx
|*
\*===----------------------------------------------------------------------===*/

#define KERNEL __attribute__((nvptx_kernel))
#define GLOBAL __attribute__((address_space(1)))
#define SHARED __attribute__((address_space(3)))

enum { V = 32, H = 4, PAGE = 64, ROW = 2, THREADS = 64 };

static int thread_index(void) {
  return __nvvm_read_ptx_sreg_ctaid_x() * THREADS +
         __nvvm_read_ptx_sreg_tid_x();
}

/* A token's cache row holds its id and position. */
KERNEL void append(GLOBAL float *cache, const GLOBAL int *slots,
                   const GLOBAL int *tokens, const GLOBAL int *positions,
                   int count) {
  int t = thread_index();
  if (t >= count)
    return;
  cache[slots[t] * ROW] = tokens[t];
  cache[slots[t] * ROW + 1] = positions[t];
}

/* The hidden state of a token: one thread each. */
KERNEL void hidden_rows(const GLOBAL float *cache, const GLOBAL int *table,
                        const GLOBAL int *q, const GLOBAL int *kv,
                        const GLOBAL int *tokens, const GLOBAL int *positions,
                        GLOBAL float *hidden, GLOBAL float *embedding,
                        int count, int pages, int entry) {
  int t = thread_index();
  if (t >= count)
    return;
  int b = 0;
  while (q[b + 1] <= t)
    ++b;
  int position = kv[b + 1] - kv[b] - (q[b + 1] - t);
  if (position != positions[t])
    __builtin_trap();
  int s = 0;
  for (int p = 0; p <= position; ++p) {
    int page = table[b * pages + p / PAGE];
    const GLOBAL float *row = cache + (page * PAGE + p % PAGE) * ROW;
    if (row[1] != p)
      __builtin_trap();
    s = (7 * s + (int)row[0] + p) % 97;
  }
  hidden[t * H] = s;
  hidden[t * H + 1] = tokens[t];
  hidden[t * H + 2] = position;
  hidden[t * H + 3] = entry;
  for (int i = 0; i < H; ++i)
    embedding[t * H + i] = tokens[t];
}

/* The logits of a row: one CTA each, of 32 threads; by way of shared memory, so
 * that a launch with too little of it fails. */
extern SHARED float shared[];
KERNEL void logit_rows(const GLOBAL float *hidden, const GLOBAL int *rows,
                       GLOBAL float *logits) {
  int r = __nvvm_read_ptx_sreg_ctaid_x(), v = __nvvm_read_ptx_sreg_tid_x();
  const GLOBAL float *h = hidden + rows[r] * H;
  int next = (int)(h[0] + h[2] + 1) % V;
  SHARED volatile float *last = shared + 15 * 1024;
  last[v] = v < next ? v - next : next - v;
  __nvvm_bar_warp_sync(0xffffffff);
  logits[r * V + v] = last[v];
}

/* to[i] = factor * from[i]. */
KERNEL void scale(GLOBAL float *to, const GLOBAL float *from,
                  const GLOBAL float *factor, int count) {
  int i = thread_index();
  if (i < count)
    to[i] = factor[0] * from[i];
}

/* All weights are 1, as splat:1 makes them, and the derived one is 2: a stacked
 * weight of bf16 is one tensor. */
KERNEL void check_weights(const GLOBAL float *embedding,
                          const GLOBAL unsigned short *experts,
                          const GLOBAL float *doubled) {
  int i = __nvvm_read_ptx_sreg_tid_x();
  for (int h = 0; h < H; ++h)
    if (embedding[i * H + h] != 1 || experts[i * H + h] != 0x3f80 ||
        doubled[h] != 2)
      __builtin_trap();
}

/* A fault: a store behind the end. */
KERNEL void overrun(GLOBAL float *to, long long offset) { to[offset] = 1; }
