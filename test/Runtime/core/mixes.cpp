//===- mixes.cpp - Logits do not depend on the company --------------------===//
//
//   ds-test-mixes SEED MODEL.so COUNT [MODEL.so COUNT]...
//
// Draws COUNT mixes for each model: some sequences, each in chunks of any size
// or token by token, their steps shared in any way, on 1 to 8 threads. All
// logits must be the bytes that the first model gives for the same sequence
// alone, in one chunk or token by token, on one thread. The models are one
// model compiled for several instruction sets.
//
//===----------------------------------------------------------------------===//

#include "dsrt/dsrt.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

/// Longer ones than four pages of the cache show nothing new.
constexpr uint32_t longest = 260;

[[noreturn]] void stop(const std::string &what) {
  std::printf("FAILED: %s\n", what.c_str());
  std::exit(1);
}

void check(dsrt_status status) {
  if (status != DSRT_OK)
    stop(dsrt_last_error());
}

/// Numbers that are the same with every standard library.
class Random {
public:
  explicit Random(uint32_t seed) : engine(seed) {}
  /// From 1 to `most`.
  uint32_t upTo(uint32_t most) { return 1 + engine() % most; }
  bool oneIn(uint32_t n) { return engine() % n == 0; }

private:
  std::mt19937 engine;
};

struct Model {
  std::string path;
  uint32_t mixes = 0;
  dsrt_model *handle = nullptr;
  dsrt_model_info info;
};

struct Sequence {
  std::vector<int32_t> ids;
  std::vector<float> alone; ///< logits of every token
  int32_t handle = -1;
  size_t done = 0;
};

/// A part of a sequence in a step.
struct Share {
  Sequence *sequence;
  size_t count;
};

struct Totals {
  int64_t sequences = 0, steps = 0, shared = 0, rows = 0;
};

dsrt_session *createSession(const Model &model, int32_t threads) {
  dsrt_session_options options = {threads, 0, 0};
  dsrt_session *session;
  check(dsrt_session_create(model.handle, &options, &session));
  return session;
}

dsrt_step_result run(dsrt_session *session, const std::vector<Share> &shares,
                     int32_t entry, bool all) {
  std::vector<dsrt_chunk> chunks;
  for (const Share &share : shares)
    chunks.push_back({share.sequence->handle,
                      share.sequence->ids.data() + share.sequence->done,
                      static_cast<int64_t>(share.count)});
  dsrt_step step = {chunks.data(), static_cast<int64_t>(chunks.size()), entry,
                    all};
  dsrt_step_result result;
  check(dsrt_session_run(session, &step, &result));
  return result;
}

/// Random tokens, few or many.
std::vector<int32_t> drawIds(Random &random, int64_t vocabulary) {
  const uint32_t most = random.oneIn(3) ? 8 : random.oneIn(2) ? 70 : longest;
  std::vector<int32_t> ids(random.upTo(most));
  for (int32_t &id : ids)
    id = static_cast<int32_t>(random.upTo(static_cast<uint32_t>(vocabulary)) -
                              1);
  return ids;
}

/// A new sequence and its logits alone.
Sequence drawSequence(dsrt_session *alone, Random &random, int64_t vocabulary) {
  Sequence sequence;
  sequence.ids = drawIds(random, vocabulary);
  check(dsrt_session_add_sequence(alone, &sequence.handle));
  const size_t chunk = random.oneIn(2) ? 1 : sequence.ids.size();
  for (; sequence.done < sequence.ids.size(); sequence.done += chunk) {
    dsrt_step_result result =
        run(alone, {{&sequence, chunk}}, DSRT_ENTRY_AUTO, true);
    sequence.alone.insert(sequence.alone.end(), result.logits,
                          result.logits + result.rows * vocabulary);
  }
  check(dsrt_session_remove_sequence(alone, sequence.handle));
  sequence.handle = -1;
  sequence.done = 0;
  return sequence;
}

/// Some of the sequences that are not done, in any order, each with a chunk.
std::vector<Share> drawStep(std::vector<Sequence> &sequences, Random &random,
                            int64_t maxTokens) {
  std::vector<Sequence *> open;
  for (Sequence &sequence : sequences)
    if (sequence.done < sequence.ids.size())
      open.push_back(&sequence);
  for (size_t i = 1; i < open.size(); ++i)
    std::swap(open[i], open[random.upTo(static_cast<uint32_t>(i + 1)) - 1]);
  if (!open.empty())
    open.resize(random.upTo(static_cast<uint32_t>(open.size())));
  std::vector<Share> shares;
  auto room = static_cast<size_t>(maxTokens);
  for (Sequence *sequence : open) {
    const size_t left = std::min(sequence->ids.size() - sequence->done, room);
    if (left == 0)
      break;
    const size_t count =
        random.oneIn(2) ? 1 : random.upTo(static_cast<uint32_t>(left));
    shares.push_back({sequence, count});
    room -= count;
  }
  return shares;
}

int32_t drawEntry(const std::vector<Share> &shares, Random &random) {
  const bool fresh =
      std::all_of(shares.begin(), shares.end(),
                  [](const Share &share) { return share.sequence->done == 0; });
  if (random.oneIn(2))
    return DSRT_ENTRY_AUTO;
  return fresh && random.oneIn(2) ? DSRT_ENTRY_PREFILL : DSRT_ENTRY_DECODE;
}

/// The number of rows that were compared; stops at the first that differs.
int64_t compare(const std::vector<Share> &shares, bool all,
                const dsrt_step_result &result, const std::string &where) {
  const auto width = static_cast<size_t>(result.vocabulary);
  const float *row = result.logits;
  for (const Share &share : shares)
    for (size_t k = all ? 0 : share.count - 1; k < share.count; ++k) {
      const size_t position = share.sequence->done + k;
      const float *expected = share.sequence->alone.data() + position * width;
      for (size_t v = 0; v < width; ++v)
        if (std::memcmp(&row[v], &expected[v], sizeof(float)) != 0)
          stop(where + ": position " + std::to_string(position) + " of " +
               std::to_string(share.sequence->ids.size()) + ", logit " +
               std::to_string(v) + ": alone " + std::to_string(expected[v]) +
               ", got " + std::to_string(row[v]));
      row += width;
    }
  const int64_t rows = (row - result.logits) / result.vocabulary;
  if (rows != result.rows)
    stop(where + ": expected " + std::to_string(rows) + " rows, got " +
         std::to_string(result.rows));
  return rows;
}

void runMix(const Model &model, dsrt_session *alone, Random &random,
            const std::string &name, Totals &totals) {
  std::vector<Sequence> sequences;
  const uint32_t count =
      random.upTo(static_cast<uint32_t>(model.info.max_sequences));
  for (uint32_t i = 0; i < count; ++i)
    sequences.push_back(drawSequence(alone, random, model.info.vocabulary));
  const uint32_t threads = random.upTo(8);
  dsrt_session *session = createSession(model, static_cast<int32_t>(threads));
  for (int step = 0;; ++step) {
    std::vector<Share> shares =
        drawStep(sequences, random, model.info.max_tokens);
    if (shares.empty())
      break;
    for (const Share &share : shares)
      if (share.sequence->handle < 0)
        check(dsrt_session_add_sequence(session, &share.sequence->handle));
    const bool all = !random.oneIn(4);
    const dsrt_step_result result =
        run(session, shares, drawEntry(shares, random), all);
    totals.rows +=
        compare(shares, all, result,
                name + ", step " + std::to_string(step) + " of " +
                    std::to_string(shares.size()) + " sequences on " +
                    std::to_string(threads) + " threads");
    for (const Share &share : shares)
      share.sequence->done += share.count;
    ++totals.steps;
    totals.shared += shares.size() > 1;
  }
  totals.sequences += count;
  dsrt_session_destroy(session);
}

void runModel(const Model &model, dsrt_session *alone, Random &random) {
  Totals totals;
  for (uint32_t mix = 0; mix < model.mixes; ++mix)
    runMix(model, alone, random, model.path + ": mix " + std::to_string(mix),
           totals);
  if (model.mixes > 1 && totals.shared == 0)
    stop(model.path + ": no step was shared");
  std::printf("%s: %u mixes of %lld sequences, %lld steps (%lld shared), the "
              "same bytes in %lld rows\n",
              model.info.target, model.mixes,
              static_cast<long long>(totals.sequences),
              static_cast<long long>(totals.steps),
              static_cast<long long>(totals.shared),
              static_cast<long long>(totals.rows));
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4 || argc % 2 != 0)
    stop("usage: ds-test-mixes SEED MODEL.so COUNT [MODEL.so COUNT]...");
  std::vector<Model> models;
  for (int i = 2; i + 1 < argc; i += 2) {
    Model model;
    model.path = argv[i];
    model.mixes = static_cast<uint32_t>(std::atoi(argv[i + 1]));
    check(dsrt_model_open(argv[i], &model.handle));
    check(dsrt_model_bind_weights(model.handle, nullptr));
    check(dsrt_model_get_info(model.handle, &model.info));
    models.push_back(model);
  }
  Random random(static_cast<uint32_t>(std::atoi(argv[1])));
  dsrt_session *alone = createSession(models.front(), 1);
  for (const Model &model : models)
    runModel(model, alone, random);
  dsrt_session_destroy(alone);
  for (const Model &model : models)
    dsrt_model_close(model.handle);
  return 0;
}
