//===- Attention.cpp - Reference of the ops in AttentionOps.td ------------===//
//
// All three attentions share one loop per head and sequence (`attendHead`);
// they differ in what a key and a value of a cached row are. `mla` is computed
// in the naive form: keys and values are rebuilt per head from the latent, in
// f32 and without rounding.
//
//===----------------------------------------------------------------------===//

#include "Loops.h"

#include <algorithm>
#include <cmath>

using namespace mlir::deepseek;
using namespace mlir::deepseek::reference;
using llvm::Twine;

//===----------------------------------------------------------------------===//
// Sequences and pages
//===----------------------------------------------------------------------===//

namespace {

/// One sequence's part of the flattened tokens and of the cached rows.
struct Sequence {
  int64_t queryBegin, queries;
  int64_t rowBegin, rows; // rows >= queries; the last ones are the queries' own
};

/// Queries [queries, keyWidth], keys [keyWidth, rows] and values
/// [rows, valueWidth] of one head of one sequence.
struct Head {
  std::vector<float> queries, keys, values;
  int64_t keyWidth, valueWidth;
};

} // namespace

static llvm::Expected<std::vector<Sequence>>
readSequences(SequenceLengths lengths, int64_t tokens) {
  if (llvm::Error error =
          expectShape("cu_q_lens", lengths.cuQueryLengths, {-1}))
    return error;
  if (llvm::Error error = expectShape("cu_kv_lens", lengths.cuKVLengths,
                                      lengths.cuQueryLengths.shape()))
    return error;
  std::vector<int64_t> q = toInts(lengths.cuQueryLengths);
  std::vector<int64_t> kv = toInts(lengths.cuKVLengths);
  if (llvm::Error error = expectPrefixSums("cu_q_lens", q, tokens))
    return error;
  if (llvm::Error error = expectPrefixSums("cu_kv_lens", kv, kv.back()))
    return error;
  std::vector<Sequence> sequences;
  for (size_t b = 0; b + 1 < q.size(); ++b) {
    Sequence sequence = {q[b], q[b + 1] - q[b], kv[b], kv[b + 1] - kv[b]};
    if (sequence.rows < sequence.queries)
      return makeError("expected the cached rows of sequence " + Twine(b) +
                       " to include its " + Twine(sequence.queries) +
                       " new tokens, got " + Twine(sequence.rows) + " rows");
    sequences.push_back(sequence);
  }
  return sequences;
}

/// The cached rows of sequence `b`, in order: [rows, C + R].
static llvm::Error readRows(PagedCache pages, int64_t b, int64_t rows,
                            std::vector<float> &out) {
  int64_t pageCount = pages.cache.dim(0), pageSize = pages.cache.dim(1),
          width = pages.cache.dim(2), Pmax = pages.blockTable.dim(1);
  if (rows > Pmax * pageSize)
    return makeError("expected at most " + Twine(Pmax * pageSize) +
                     " cached rows (the pages of block_table), got " +
                     Twine(rows) + " for sequence " + Twine(b));
  out.resize(rows * width);
  for (int64_t row = 0; row < rows; ++row) {
    int64_t entry = b * Pmax + row / pageSize;
    int64_t page = pages.blockTable.getInt(entry);
    if (llvm::Error error = expectIndex("block_table", entry, page, pageCount))
      return error;
    pages.cache.readFloats((page * pageSize + row % pageSize) * width, width,
                           out.data() + row * width);
  }
  return llvm::Error::success();
}

static llvm::Error expectPages(PagedCache pages, int64_t width, int64_t B) {
  if (llvm::Error error = expectShape("cache", pages.cache, {-1, -1, width}))
    return error;
  if (pages.cache.dim(1) == 0)
    return makeError("expected a cache with a page size of at least 1");
  return expectShape("block_table", pages.blockTable, {B, -1});
}

//===----------------------------------------------------------------------===//
// Cache ops
//===----------------------------------------------------------------------===//

Result reference::cacheAppend(Tensor cache, const Tensor &latent,
                              const Tensor &rope, const Tensor &slots) {
  if (llvm::Error error = expectShape("latent", latent, {-1, -1}))
    return error;
  int64_t T = latent.dim(0), C = latent.dim(1);
  if (llvm::Error error = expectShape("rope", rope, {T, -1}))
    return error;
  if (llvm::Error error = expectShape("slots", slots, {T}))
    return error;
  int64_t R = rope.dim(1);
  if (llvm::Error error = expectShape("cache", cache, {-1, -1, C + R}))
    return error;
  int64_t slotCount = cache.dim(0) * cache.dim(1);
  std::vector<float> row(C + R);
  for (int64_t t = 0; t < T; ++t) {
    int64_t slot = slots.getInt(t);
    if (slot < 0)
      continue;
    if (llvm::Error error = expectIndex("slots", t, slot, slotCount))
      return error;
    latent.readFloats(t * C, C, row.data());
    rope.readFloats(t * R, R, row.data() + C);
    cache.writeFloats(slot * (C + R), C + R, row.data());
  }
  return cache;
}

Result reference::cacheGather(PagedCache pages, const Tensor &cuKVLengths,
                              int64_t kvTotal, ElementType type) {
  if (llvm::Error error = expectShape("cu_kv_lens", cuKVLengths, {-1}))
    return error;
  int64_t B = cuKVLengths.dim(0) - 1;
  if (llvm::Error error = expectPages(pages, -1, B))
    return error;
  std::vector<int64_t> begin = toInts(cuKVLengths);
  if (llvm::Error error = expectPrefixSums("cu_kv_lens", begin, kvTotal))
    return error;
  int64_t width = pages.cache.dim(2);
  std::vector<float> all, rows;
  for (int64_t b = 0; b < B; ++b) {
    if (llvm::Error error = readRows(pages, b, begin[b + 1] - begin[b], rows))
      return error;
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return Tensor::fromFloats(type, {kvTotal, width}, all);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// `y[i] = sum_s softmax_s(queries[i] . keys[s] * scale) * values[s]`. Query i
/// of the sequence sees rows 0 .. rows - queries + i. `y` is [queries,
/// valueWidth].
static void attendHead(const Head &head, const Sequence &sequence, float scale,
                       std::vector<float> &y) {
  int64_t rows = sequence.rows;
  std::vector<float> score(rows);
  y.assign(sequence.queries * head.valueWidth, 0.0f);
  for (int64_t i = 0; i < sequence.queries; ++i) {
    int64_t visible = rows - sequence.queries + i + 1;
    std::fill(score.begin(), score.end(), 0.0f);
    for (int64_t d = 0; d < head.keyWidth; ++d) {
      float query = head.queries[i * head.keyWidth + d];
      const float *key = head.keys.data() + d * rows;
      for (int64_t s = 0; s < visible; ++s)
        score[s] += query * key[s];
    }
    float largest = -INFINITY, sum = 0;
    for (int64_t s = 0; s < visible; ++s) {
      score[s] *= scale;
      largest = std::max(largest, score[s]);
    }
    for (int64_t s = 0; s < visible; ++s) {
      score[s] = std::exp(score[s] - largest);
      sum += score[s];
    }
    float *out = y.data() + i * head.valueWidth;
    for (int64_t s = 0; s < visible; ++s) {
      float probability = score[s] / sum;
      const float *value = head.values.data() + s * head.valueWidth;
      for (int64_t v = 0; v < head.valueWidth; ++v)
        out[v] += probability * value[v];
    }
  }
}

/// Writes head `n` of the sequence's result into y [T, N, valueWidth].
static void storeHead(const std::vector<float> &head, const Sequence &sequence,
                      int64_t n, int64_t N, int64_t valueWidth, Tensor &y) {
  for (int64_t i = 0; i < sequence.queries; ++i)
    y.writeFloats(((sequence.queryBegin + i) * N + n) * valueWidth, valueWidth,
                  head.data() + i * valueWidth);
}

/// Keys `kv[s][:D] ++ k_rope[s]` and values `kv[s][D:]` of one head. `kv` has a
/// row of D + Dv per cached row, `kRope` one of R.
static void readKeysAndValues(Matrix kv, int64_t D, int64_t Dv, Matrix kRope,
                              int64_t R, Head &head) {
  int64_t S = kv.rows;
  head.valueWidth = Dv;
  head.keys.resize((D + R) * S);
  head.values.resize(S * Dv);
  for (int64_t s = 0; s < S; ++s) {
    const float *row = kv.data + s * kv.stride;
    for (int64_t d = 0; d < D; ++d)
      head.keys[d * S + s] = row[d];
    for (int64_t r = 0; r < R; ++r)
      head.keys[(D + r) * S + s] = kRope.data[s * kRope.stride + r];
    std::copy_n(row + D, Dv, head.values.data() + s * Dv);
  }
}

/// The queries `a[t, n] ++ b[t, n]` of one sequence and head; `a` is [T, N, A]
/// and `b` [T, N, B] in f32.
static void readQueries(const Floats &a, int64_t A, const Floats &b, int64_t B,
                        const Sequence &sequence, int64_t n, int64_t N,
                        Head &head) {
  head.keyWidth = A + B;
  head.queries.resize(sequence.queries * (A + B));
  for (int64_t i = 0; i < sequence.queries; ++i) {
    int64_t row = (sequence.queryBegin + i) * N + n;
    float *out = head.queries.data() + i * (A + B);
    std::copy_n(a.data() + row * A, A, out);
    std::copy_n(b.data() + row * B, B, out + A);
  }
}

Result reference::mla(const Tensor &qNope, const Tensor &qRope,
                      PagedCache pages, SequenceLengths lengths,
                      int64_t kvTotal, const Tensor &kvB, double scale,
                      ElementType type) {
  if (llvm::Error error = expectShape("q_nope", qNope, {-1, -1, -1}))
    return error;
  int64_t T = qNope.dim(0), N = qNope.dim(1), D = qNope.dim(2);
  if (llvm::Error error = expectShape("q_rope", qRope, {T, N, -1}))
    return error;
  if (llvm::Error error = expectShape("kv_b", kvB, {N, -1, -1}))
    return error;
  int64_t R = qRope.dim(2), C = kvB.dim(2), Dv = kvB.dim(1) - D;
  if (Dv < 0)
    return makeError("expected kv_b [N, D + Dv, C] with D = " + Twine(D) +
                     ", got " + toString(kvB.shape()));
  auto sequences = readSequences(lengths, T);
  if (!sequences)
    return sequences.takeError();
  if (llvm::Error error = expectPages(pages, C + R, sequences->size()))
    return error;
  if (int64_t rows = lengths.cuKVLengths.getInt(sequences->size());
      rows != kvTotal)
    return makeError("expected kv_total to be the last of cu_kv_lens, " +
                     Twine(rows) + ", got " + Twine(kvTotal));

  Floats nope(qNope), rope(qRope),
      up(kvB); // [T, N, D] [T, N, R] [N, D + Dv, C]
  Tensor result(type, {T, N, Dv});
  std::vector<float> rows, rebuilt, y;
  for (auto [b, sequence] : llvm::enumerate(*sequences)) {
    int64_t S = sequence.rows;
    if (llvm::Error error = readRows(pages, b, S, rows)) // [S, C + R]
      return error;
    rebuilt.resize(S * (D + Dv));
    for (int64_t n = 0; n < N; ++n) {
      Head head;
      readQueries(nope, D, rope, R, sequence, n, N, head);
      // rebuilt[s] = [w_uk; w_uv] c_s: the key without rope, then the value.
      multiply({rows.data(), S, C + R},
               {up.data() + n * (D + Dv) * C, D + Dv, C}, C, rebuilt.data());
      readKeysAndValues({rebuilt.data(), S, D + Dv}, D, Dv,
                        {rows.data() + C, S, C + R}, R, head);
      attendHead(head, sequence, static_cast<float>(scale), y);
      storeHead(y, sequence, n, N, Dv, result);
    }
  }
  return result;
}

Result reference::attention(const Tensor &qNope, const Tensor &qRope,
                            const Tensor &kv, const Tensor &kRope,
                            SequenceLengths lengths, double scale,
                            ElementType type) {
  if (llvm::Error error = expectShape("q_nope", qNope, {-1, -1, -1}))
    return error;
  int64_t T = qNope.dim(0), N = qNope.dim(1), D = qNope.dim(2);
  if (llvm::Error error = expectShape("q_rope", qRope, {T, N, -1}))
    return error;
  int64_t R = qRope.dim(2);
  auto sequences = readSequences(lengths, T);
  if (!sequences)
    return sequences.takeError();
  int64_t total = lengths.cuKVLengths.getInt(sequences->size());
  if (llvm::Error error = expectShape("kv", kv, {total, N, -1}))
    return error;
  if (llvm::Error error = expectShape("k_rope", kRope, {total, R}))
    return error;
  int64_t width = kv.dim(2), Dv = width - D;
  if (Dv < 0)
    return makeError("expected kv [S, N, D + Dv] with D = " + Twine(D) +
                     ", got " + toString(kv.shape()));
  Floats nope(qNope), rope(qRope);    // [T, N, D] [T, N, R]
  Floats rebuilt(kv), keyRope(kRope); // [S, N, D + Dv] [S, R]
  Tensor result(type, {T, N, Dv});
  std::vector<float> y;
  for (const Sequence &sequence : *sequences) {
    const float *rows = rebuilt.data() + sequence.rowBegin * N * width;
    for (int64_t n = 0; n < N; ++n) {
      Head head;
      readQueries(nope, D, rope, R, sequence, n, N, head);
      readKeysAndValues(
          {rows + n * width, sequence.rows, N * width}, D, Dv,
          {keyRope.data() + sequence.rowBegin * R, sequence.rows, R}, R, head);
      attendHead(head, sequence, static_cast<float>(scale), y);
      storeHead(y, sequence, n, N, Dv, result);
    }
  }
  return result;
}

Result reference::latentAttention(const Tensor &qLatent, const Tensor &qRope,
                                  PagedCache pages, SequenceLengths lengths,
                                  double scale, ElementType type) {
  if (llvm::Error error = expectShape("q_latent", qLatent, {-1, -1, -1}))
    return error;
  int64_t T = qLatent.dim(0), N = qLatent.dim(1), C = qLatent.dim(2);
  if (llvm::Error error = expectShape("q_rope", qRope, {T, N, -1}))
    return error;
  int64_t R = qRope.dim(2);
  auto sequences = readSequences(lengths, T);
  if (!sequences)
    return sequences.takeError();
  if (llvm::Error error = expectPages(pages, C + R, sequences->size()))
    return error;
  Floats latent(qLatent), rope(qRope); // [T, N, C] [T, N, R]
  Tensor result(type, {T, N, C});
  std::vector<float> rows, y;
  for (auto [b, sequence] : llvm::enumerate(*sequences)) {
    int64_t S = sequence.rows;
    if (llvm::Error error = readRows(pages, b, S, rows)) // [S, C + R]
      return error;
    // One key, the whole row, and one value, its latent part, for all heads.
    Head head;
    head.valueWidth = C;
    head.keys.resize((C + R) * S);
    head.values.resize(S * C);
    for (int64_t s = 0; s < S; ++s) {
      for (int64_t d = 0; d < C + R; ++d)
        head.keys[d * S + s] = rows[s * (C + R) + d];
      std::copy_n(rows.data() + s * (C + R), C, head.values.data() + s * C);
    }
    for (int64_t n = 0; n < N; ++n) {
      readQueries(latent, C, rope, R, sequence, n, N, head);
      attendHead(head, sequence, static_cast<float>(scale), y);
      storeHead(y, sequence, n, N, C, result);
    }
  }
  return result;
}
